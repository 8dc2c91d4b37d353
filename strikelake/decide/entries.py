"""Opening orders: from signals through the rules to contracts, structure and size."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.calendar import iso
from strikelake.decide.state import is_entry
from strikelake.orders import OrderIntent, client_order_id
from strikelake.risk.correlation import check_correlation
from strikelake.risk.halt import check_halt
from strikelake.risk.limits import (
    Denial,
    DenialCode,
    check_options_level,
    check_positions,
    check_quote,
    check_session,
    check_universe,
)
from strikelake.strategy.exits import is_last_decision
from strikelake.strategy.prices import PENNY, limit_price
from strikelake.strategy.selection import (
    LONG_LEVEL,
    SPREAD_LEVEL,
    debit_spreads,
    listed,
    long_option,
    tradable_contracts,
)
from strikelake.strategy.signals import actionable
from strikelake.strategy.sizing import Binding, Budgets, Sizing, UnitCost, size, unit_cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strikelake.decide.state import Context
    from strikelake.portfolio import Holding
    from strikelake.strategy.selection import Contracts, Listed, Structure, Tradable
    from strikelake.strategy.signals import Signal

_SIZE_CODES = {
    Binding.RISK_PER_TRADE: DenialCode.ZERO_SIZE,
    Binding.POSITION_LIMIT: DenialCode.POSITION_LIMIT,
    Binding.PORTFOLIO_RISK: DenialCode.PORTFOLIO_RISK,
    Binding.BUYING_POWER: DenialCode.BUYING_POWER,
}


@dataclass(slots=True)
class _Book:
    """What earlier trades and this decision's own entries have used up."""

    held: list[tuple[str, int]]
    risk: Decimal
    buying_power: Decimal

    def add(self, intent: OrderIntent, cost: Decimal) -> None:
        self.held.append((intent.underlying, intent.direction))
        self.risk += intent.max_loss
        self.buying_power -= cost


def opening_orders(
    context: Context, holdings: Sequence[Holding], signals: Sequence[Signal]
) -> tuple[list[OrderIntent], list[Denial]]:
    """Return the orders that open trades, the strongest signal first, and why others were refused."""
    limits = context.limits
    taken: list[Holding | OrderIntent] = [*holdings, *filter(is_entry, context.day.working)]
    book = _Book(
        held=[(trade.underlying, trade.direction) for trade in taken],
        risk=sum((trade.max_loss for trade in taken), Decimal(0)),
        buying_power=context.account.buying_power,
    )
    intents: list[OrderIntent] = []
    denials: list[Denial] = []
    wanted = actionable(signals, limits.min_edge)
    days = limits.min_dte, limits.max_dte
    tradable = tradable_contracts(context.chain, wanted, context.day.session.date, days)
    for signal in wanted:
        outcome = _check_signal(context, book, signal) or _enter(context, book, tradable, signal)
        if isinstance(outcome, Denial):
            denials.append(outcome)
        else:
            intents.append(outcome)
    return intents, denials


def _check_signal(context: Context, book: _Book, signal: Signal) -> Denial | None:
    """Return the first rule that refuses a signal before any contract is looked at."""
    name, limits, day = signal.underlying, context.limits, context.day
    return (
        check_session(name, context.asof, day.session)
        or check_halt(name, context.equity, day.opening_equity, limits, halted=day.halted)
        or _check_timing(context, signal)
        or check_universe(name, limits)
        or check_options_level(name, context.account.options_level, LONG_LEVEL)
        or _check_held(name, book)
        or check_positions(name, len(book.held), limits)
        or check_correlation(name, signal.direction, book.held, day.correlations, limits)
    )


def _check_timing(context: Context, signal: Signal) -> Denial | None:
    if signal.asof != context.asof:
        detail = f"the signal is for {iso(signal.asof)}, the decision for {iso(context.asof)}"
        return Denial(signal.underlying, DenialCode.STALE_SIGNAL, detail)
    session = context.day.session
    if is_last_decision(context.asof, session) and signal.exit_at <= session.close_ns:
        detail = f"no decision is left to close by {iso(signal.exit_at)}"
        return Denial(signal.underlying, DenialCode.SESSION_CLOSED, detail)
    return None


def _check_held(underlying: str, book: _Book) -> Denial | None:
    if all(name != underlying for name, _ in book.held):
        return None
    return Denial(underlying, DenialCode.ALREADY_HELD, f"a trade on {underlying} is open or pending")


def _enter(context: Context, book: _Book, tradable: Tradable, signal: Signal) -> OrderIntent | Denial:
    """Choose contract, structure and size; count an entry into the book."""
    choice = _choose(context, tradable, signal)
    if isinstance(choice, Denial):
        return choice
    contract, contracts, ask = choice
    structure = long_option(contract, ask, signal.direction)
    budgets = _budgets(context, book)
    limit, unit, sizing = _sized(context, structure, budgets)
    if sizing.quantity == 0 and context.account.options_level >= SPREAD_LEVEL:
        for spread, short in debit_spreads(contract, contracts, signal.direction):
            if _check_leg(context, signal.underlying, short) is None:
                priced = _sized(context, spread, budgets)
                if priced[2].quantity > 0:
                    structure, (limit, unit, sizing) = spread, priced
                    break
    if sizing.quantity == 0:
        detail = f"one {structure.strategy} at {limit} costs {unit.cost:.2f}: {sizing.binding} allows none"
        return Denial(signal.underlying, _SIZE_CODES[sizing.binding], detail)
    intent = _entry(context, signal, structure, limit, sizing.quantity, unit)
    book.add(intent, unit.cost * sizing.quantity)
    return intent


def _choose(
    context: Context, tradable: Tradable, signal: Signal
) -> tuple[Listed, Contracts, Decimal] | Denial:
    """Return the long leg, all contracts of its kind, and its ask; or why there is none."""
    name, limits = signal.underlying, context.limits
    contracts = listed(tradable, name, signal.direction, signal.exit_at)
    first: Denial | None = None
    for contract in contracts.by_delta(limits.delta_target, limits.delta_tolerance):
        denial = _check_leg(context, name, contract)
        if denial is None and contract.ask is not None:
            return contract, contracts, contract.ask
        first = first or denial
    if first is not None:
        return first
    if len(contracts) and all(contract.bid is None or contract.ask is None for contract in contracts):
        return Denial(
            name, DenialCode.NO_QUOTE, f"none of {len(contracts)} contracts is quoted on both sides"
        )
    wanted = f"{limits.min_dte} to {limits.max_dte} days and delta near {limits.delta_target}"
    return Denial(name, DenialCode.NO_CONTRACT, f"none of {len(contracts)} contracts has {wanted}")


def _check_leg(context: Context, underlying: str, contract: Listed) -> Denial | None:
    age = context.asof - contract.quote_ts_ns
    return check_quote(underlying, contract.occ_symbol, contract.bid, contract.ask, age, context.limits)


def _budgets(context: Context, book: _Book) -> Budgets:
    limits, equity = context.limits, max(context.equity, Decimal(0))
    return Budgets(
        risk_per_trade=equity * limits.risk_per_trade,
        position_limit=equity * limits.position_limit,
        portfolio_risk=equity * limits.max_portfolio_risk - book.risk,
        buying_power=book.buying_power,
    )


def _sized(context: Context, structure: Structure, budgets: Budgets) -> tuple[Decimal, UnitCost, Sizing]:
    limits, n_legs = context.limits, len(structure.legs)
    limit = limit_price(structure.debit, limits.limit_slippage, n_legs)
    if structure.width is not None:
        # Paying the width or more can only lose.
        limit = min(limit, structure.width - PENNY)
    unit = unit_cost(limit, n_legs, limits.stop_loss, limits.fee_per_contract)
    return limit, unit, size(unit, budgets)


def _entry(
    context: Context, signal: Signal, structure: Structure, limit: Decimal, quantity: int, unit: UnitCost
) -> OrderIntent:
    return OrderIntent(
        asof=context.asof,
        underlying=signal.underlying,
        strategy=structure.strategy,
        legs=structure.legs,
        quantity=quantity,
        limit_price=limit,
        reason="entry",
        max_loss=unit.loss_at_stop * quantity,
        client_order_id=client_order_id(
            context.account.account_id, structure.strategy, context.asof, structure.legs
        ),
        exit_at=signal.exit_at,
        direction=signal.direction,
    )
