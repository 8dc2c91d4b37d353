"""What a decision knows and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER
from strikelake.orders import Effect
from strikelake.risk.halt import marked_equity
from strikelake.strategy.exits import Quote, closing_value, liquidation_value
from strikelake.strategy.prices import decimal_price
from strikelake.strategy.sizing import unit_cost

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from strikelake.calendar import Session
    from strikelake.orders import OrderIntent
    from strikelake.portfolio import Account, Holding
    from strikelake.risk.limits import Denial, Limits


@dataclass(frozen=True, slots=True)
class DayState:
    """What a decision has to know of its session.

    Attributes
    ----------
    session
        The session of the decision.
    opening_equity
        Dollars at the session's start, marked as `Account.equity` is.
    halted
        Whether entries are stopped: by the daily loss earlier in the session, a kill switch, or a position
        that nobody can explain.
    working
        Orders that were sent and can still fill.
    correlations
        Of daily returns by pair of underlyings, from sessions before this one only; see `risk.correlation`.
    """

    session: Session
    opening_equity: Decimal
    halted: bool = False
    working: tuple[OrderIntent, ...] = ()
    correlations: Mapping[frozenset[str], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to send, in this order, and what was refused.

    `halted` says that the daily loss is reached: the caller cancels working entries and hands it on in the
    `DayState` of the session's later decisions.
    """

    intents: tuple[OrderIntent, ...]
    denials: tuple[Denial, ...]
    halted: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What stays the same within one decision."""

    asof: int
    account: Account
    chain: pl.DataFrame
    limits: Limits
    day: DayState
    equity: Decimal


def is_entry(order: OrderIntent) -> bool:
    """Return whether an order opens a trade."""
    return any(leg.effect is Effect.OPEN for leg in order.legs)


def quotes_of_orders(
    chain: pl.DataFrame, holdings: Iterable[Holding], working: Iterable[OrderIntent]
) -> dict[str, Quote]:
    """Return the quotes of every leg that is held or being worked, by OCC symbol."""
    trades: list[Holding | OrderIntent] = [*holdings, *working]
    symbols = {leg.occ_symbol for trade in trades for leg in trade.legs}
    columns = (chain[name].to_list() for name in ("occ_symbol", "bid_price", "ask_price"))
    return {
        symbol: Quote(decimal_price(bid), decimal_price(ask))
        for symbol, bid, ask in zip(*columns, strict=True)
        if symbol in symbols
    }


def marked(
    account: Account,
    holdings: Sequence[Holding],
    working: Sequence[OrderIntent],
    quotes: Mapping[str, Quote],
    limits: Limits,
) -> Decimal:
    """Return the lower of the broker's equity and our own, which marks at the side we would trade at."""
    held = [liquidation_value(holding, quotes) for holding in holdings]
    pending = []
    for order in filter(is_entry, working):
        unit = unit_cost(order.limit_price, len(order.legs), limits.stop_loss, limits.fee_per_contract)
        value = (closing_value(order.legs, quotes) or Decimal(0)) * MULTIPLIER
        pending.append((unit.cost * order.quantity, value * order.quantity))
    return min(account.equity, marked_equity(account.cash, held, pending))
