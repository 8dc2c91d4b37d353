"""When an open trade is closed, and what closing it brings."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER, OptionContract, expiry_ns
from strikelake.orders import Effect, Leg, Side
from strikelake.strategy.signals import decision_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.calendar import Session
    from strikelake.portfolio import Holding


class ExitReason(StrEnum):
    """Why a trade is closed, the most pressing first."""

    EXPIRATION = "expiration"
    HALT = "halt"
    STOP = "stop"
    TARGET = "target"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Quote:
    """Dollars per share; None where a side is missing."""

    bid: Decimal | None
    ask: Decimal | None


def closing_legs(holding: Holding) -> tuple[Leg, ...]:
    """Return the legs that undo a holding, in its order."""
    return tuple(
        Leg(leg.occ_symbol, Side.SELL if leg.side is Side.BUY else Side.BUY, Effect.CLOSE, leg.ratio)
        for leg in holding.legs
    )


def closing_value(legs: tuple[Leg, ...], quotes: Mapping[str, Quote]) -> Decimal | None:
    """Return what a unit brings when opened legs are closed at our side: bid for longs, ask for shorts.

    Parameters
    ----------
    legs
        As opened.
    quotes
        By OCC symbol.

    Returns
    -------
    Decimal or None
        Net dollars per share, negative when closing costs; None when a side that is needed is missing.
    """
    total = Decimal(0)
    for leg in legs:
        quote = quotes.get(leg.occ_symbol)
        if quote is None:
            return None
        price = quote.bid if leg.side is Side.BUY else quote.ask
        if price is None:
            return None
        total += price * leg.ratio * (1 if leg.side is Side.BUY else -1)
    return total


def liquidation_value(holding: Holding, quotes: Mapping[str, Quote]) -> Decimal:
    """Return the dollars that closing a holding at our side brings, fees left out.

    A side that is missing counts as worthless, which a debit structure cannot fall below at expiration.
    """
    value = closing_value(holding.legs, quotes)
    return (value or Decimal(0)) * holding.quantity * MULTIPLIER


def exit_reason(
    holding: Holding,
    value: Decimal | None,
    asof: int,
    session: Session,
    stop_loss: Decimal,
    profit_target: Decimal,
) -> ExitReason | None:
    """Return why a holding is to be closed at this decision, or None.

    Parameters
    ----------
    holding
        A debit structure.
    value
        `closing_value` of its legs; None leaves out stop and target.
    asof
        Decision time, ns UTC.
    session
        Of the decision. A contract that stops trading in it is closed at the first decision of the day. A
        trade whose time runs out after the session's last decision, but not after its close, is closed at
        that decision.
    stop_loss, profit_target
        Fractions of the premium paid.
    """
    expirations = {OptionContract.parse(leg.occ_symbol).expiration for leg in holding.legs}
    if min(expiry_ns(day) for day in expirations) <= session.close_ns:
        return ExitReason.EXPIRATION
    if value is not None and value <= holding.entry_price * (1 - stop_loss):
        return ExitReason.STOP
    if value is not None and value >= holding.entry_price * (1 + profit_target):
        return ExitReason.TARGET
    if asof >= holding.exit_at or (is_last_decision(asof, session) and holding.exit_at <= session.close_ns):
        return ExitReason.TIME
    return None


def is_last_decision(asof: int, session: Session) -> bool:
    """Return whether no decision follows in the session."""
    return all(moment <= asof for moment in decision_times(session))
