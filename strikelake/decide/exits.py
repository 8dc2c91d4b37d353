"""Closing orders: which holdings to close now, at which limit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.decide.state import is_entry
from strikelake.orders import OrderIntent, client_order_id
from strikelake.risk.limits import Denial, DenialCode, check_session
from strikelake.strategy.exits import ExitReason, closing_legs, closing_value, exit_reason
from strikelake.strategy.prices import limit_price

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from strikelake.decide.state import Context
    from strikelake.orders import Leg
    from strikelake.portfolio import Holding
    from strikelake.strategy.exits import Quote


def closing_orders(
    context: Context, holdings: Sequence[Holding], quotes: Mapping[str, Quote], *, flatten: bool
) -> tuple[list[OrderIntent], list[Denial]]:
    """Return the orders that close trades, by underlying, and the exits that found no price.

    `flatten` closes everything that is held.
    """
    asof, session, limits = context.asof, context.day.session, context.limits
    closing = {frozenset(order.legs) for order in context.day.working if not is_entry(order)}
    intents: list[OrderIntent] = []
    denials: list[Denial] = []
    if check_session("", asof, session) is not None:
        return intents, denials
    for holding in sorted(holdings, key=lambda h: (h.underlying, h.client_order_id)):
        legs = closing_legs(holding)
        value = closing_value(holding.legs, quotes)
        reason = exit_reason(holding, value, asof, session, limits.stop_loss, limits.profit_target)
        if flatten and reason is not ExitReason.EXPIRATION:
            reason = ExitReason.HALT
        if reason is None or frozenset(legs) in closing:
            continue
        if value is None or value <= 0:
            detail = f"no price to close {holding.strategy} for {reason}: worth {value} at our side"
            denials.append(Denial(holding.underlying, DenialCode.NO_QUOTE, detail))
        else:
            intents.append(_exit(context, holding, legs, value, reason))
    return intents, denials


def _exit(
    context: Context, holding: Holding, legs: tuple[Leg, ...], value: Decimal, reason: ExitReason
) -> OrderIntent:
    return OrderIntent(
        asof=context.asof,
        underlying=holding.underlying,
        strategy=holding.strategy,
        legs=legs,
        quantity=holding.quantity,
        limit_price=limit_price(-value, context.limits.limit_slippage, len(legs)),
        reason=str(reason),
        max_loss=Decimal(0),
        client_order_id=client_order_id(context.account.account_id, holding.strategy, context.asof, legs),
        exit_at=None,
        direction=holding.direction,
    )
