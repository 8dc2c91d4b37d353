"""What may be traded, and the stable codes of what may not.

A violation is a `Denial`, a value; nothing here raises for a trade that is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from strikelake.calendar import NS_PER_SECOND, iso
from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.calendar import Session
    from strikelake.risk.tiers import Tier


class Tolerance(StrEnum):
    """`RISK_TOLERANCE`: where inside the allowed ranges the account trades."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class DenialCode(StrEnum):
    """Why a signal became no order. Codes are stable: reports and alerts count them."""

    DAILY_LOSS = "DAILY_LOSS"
    HALTED = "HALTED"
    SESSION_CLOSED = "SESSION_CLOSED"
    STALE_SIGNAL = "STALE_SIGNAL"
    UNIVERSE = "UNIVERSE"
    OPTIONS_LEVEL = "OPTIONS_LEVEL"
    MAX_POSITIONS = "MAX_POSITIONS"
    ALREADY_HELD = "ALREADY_HELD"
    CORRELATION = "CORRELATION"
    NO_CONTRACT = "NO_CONTRACT"
    NO_QUOTE = "NO_QUOTE"
    STALE_QUOTE = "STALE_QUOTE"
    WIDE_SPREAD = "WIDE_SPREAD"
    PORTFOLIO_RISK = "PORTFOLIO_RISK"
    POSITION_LIMIT = "POSITION_LIMIT"
    BUYING_POWER = "BUYING_POWER"
    ZERO_SIZE = "ZERO_SIZE"


@dataclass(frozen=True, slots=True)
class Denial:
    """One refused entry, or one exit that could not be priced."""

    underlying: str
    code: DenialCode
    detail: str


@dataclass(frozen=True, slots=True)
class Appetite:
    """What one level of `RISK_TOLERANCE` means.

    `position_limit` is a fraction of equity, `stop_loss` of the premium paid.
    """

    position_limit: Decimal
    stop_loss: Decimal


def _default_appetites() -> dict[Tolerance, Appetite]:
    return {
        Tolerance.LOW: Appetite(Decimal("0.10"), Decimal("0.30")),
        Tolerance.MEDIUM: Appetite(Decimal("0.20"), Decimal("0.40")),
        Tolerance.HIGH: Appetite(Decimal("0.30"), Decimal("0.50")),
    }


@dataclass(frozen=True, slots=True)
class RiskRules:
    """The numbers of `config/risk.yaml`, the same for every tier; `Limits` says what each means."""

    appetites: Mapping[Tolerance, Appetite] = field(default_factory=_default_appetites)
    max_daily_loss: Decimal = Decimal("0.05")
    max_portfolio_risk: Decimal = Decimal("0.15")
    max_correlation: float = 0.70
    profit_target: Decimal = Decimal("0.50")
    max_spread: Decimal = Decimal("0.15")
    max_quote_age_ns: int = 600 * NS_PER_SECOND
    min_edge: float = 0.02
    delta_target: float = 0.45
    delta_tolerance: float = 0.20
    min_dte: int = 5
    max_dte: int = 45
    limit_slippage: Decimal = Decimal("0.02")
    fee_per_contract: Decimal = Decimal("0.65")
    flatten_on_halt: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything a decision must respect; fractions unless a unit is named.

    Attributes
    ----------
    universe
        Underlyings that may be traded.
    max_positions
        Open trades and pending entries at most.
    risk_per_trade
        Of equity, lost by one trade at its stop.
    max_daily_loss
        Of the session's opening equity; reaching it halts entries for the session.
    max_portfolio_risk
        Of equity, the sum of losses at the stops of open and pending trades.
    position_limit
        Of equity, paid for one trade.
    stop_loss, profit_target
        Of the premium paid, lost or gained at our exit side.
    max_correlation
        Of daily returns with any underlying held in the same direction.
    max_spread
        Of the mid price, between bid and ask of each leg.
    max_quote_age_ns
        Nanoseconds between a leg's quote and the decision.
    min_edge
        Distance of the probability from 0.5 that makes a signal actionable.
    delta_target, delta_tolerance
        Absolute delta of the long leg, and how far from it is accepted.
    min_dte, max_dte
        Calendar days to expiration, both included.
    limit_slippage
        Of the price, by which a limit is set beyond our side of the quote.
    fee_per_contract
        Dollars per contract and side, counted into cost and loss.
    flatten_on_halt
        Whether reaching the daily loss also closes what is held.
    """

    universe: frozenset[str]
    max_positions: int
    risk_per_trade: Decimal
    max_daily_loss: Decimal
    max_portfolio_risk: Decimal
    position_limit: Decimal
    stop_loss: Decimal
    profit_target: Decimal
    max_correlation: float
    max_spread: Decimal
    max_quote_age_ns: int
    min_edge: float
    delta_target: float
    delta_tolerance: float
    min_dte: int
    max_dte: int
    limit_slippage: Decimal
    fee_per_contract: Decimal
    flatten_on_halt: bool = False


def limits_for(tier: Tier, tolerance: Tolerance | str, rules: RiskRules) -> Limits:
    """Return the limits of an account.

    Parameters
    ----------
    tier
        Gives universe, positions and risk per trade.
    tolerance
        `low`, `medium` or `high`; picks position limit and stop from `rules.appetites`.
    rules
        Everything else.

    Raises
    ------
    ConfigError
        When the tolerance is unknown or a number leaves the range that requirement R-RSK-1 allows.
    """
    names = ", ".join(Tolerance)
    try:
        appetite = rules.appetites[Tolerance(tolerance)]
    except (KeyError, ValueError):
        raise ConfigError(f"RISK_TOLERANCE {str(tolerance)!r} is unknown: use one of {names}") from None
    _check_rules(rules, appetite)
    return Limits(
        universe=frozenset(tier.symbols),
        max_positions=tier.max_positions,
        risk_per_trade=tier.risk_per_trade,
        max_daily_loss=rules.max_daily_loss,
        max_portfolio_risk=rules.max_portfolio_risk,
        position_limit=appetite.position_limit,
        stop_loss=appetite.stop_loss,
        profit_target=rules.profit_target,
        max_correlation=rules.max_correlation,
        max_spread=rules.max_spread,
        max_quote_age_ns=rules.max_quote_age_ns,
        min_edge=rules.min_edge,
        delta_target=rules.delta_target,
        delta_tolerance=rules.delta_tolerance,
        min_dte=rules.min_dte,
        max_dte=rules.max_dte,
        limit_slippage=rules.limit_slippage,
        fee_per_contract=rules.fee_per_contract,
        flatten_on_halt=rules.flatten_on_halt,
    )


def _check_rules(rules: RiskRules, appetite: Appetite) -> None:
    ranges = {
        "max_daily_loss": (rules.max_daily_loss, "0.001", "0.05"),
        "max_portfolio_risk": (rules.max_portfolio_risk, "0.001", "0.15"),
        "position_limit": (appetite.position_limit, "0.10", "0.30"),
        "stop_loss": (appetite.stop_loss, "0.30", "0.50"),
        "max_correlation": (Decimal(str(rules.max_correlation)), "0", "0.70"),
        "min_edge": (Decimal(str(rules.min_edge)), "0", "0.5"),
        "limit_slippage": (rules.limit_slippage, "0", "0.5"),
        "min_dte": (Decimal(rules.min_dte), "1", str(rules.max_dte)),
    }
    for name, (value, low, high) in ranges.items():
        if not Decimal(low) <= value <= Decimal(high):
            raise ConfigError(f"risk rule {name} is {value}: set it to {low} to {high} in config/risk.yaml")


def check_session(underlying: str, asof: int, session: Session) -> Denial | None:
    """Refuse outside regular trading: before the open, at the close and after it."""
    if session.open_ns <= asof < session.close_ns:
        return None
    return Denial(
        underlying,
        DenialCode.SESSION_CLOSED,
        f"{iso(asof)} is outside {iso(session.open_ns)} to {iso(session.close_ns)}",
    )


def check_universe(underlying: str, limits: Limits) -> Denial | None:
    """Refuse an underlying that the account's tier does not trade."""
    if underlying in limits.universe:
        return None
    detail = f"{underlying} is not among the {len(limits.universe)} symbols of the account's tier"
    return Denial(underlying, DenialCode.UNIVERSE, detail)


def check_options_level(underlying: str, level: int, needed: int) -> Denial | None:
    """Refuse a structure that the account's options level does not allow."""
    if level >= needed:
        return None
    return Denial(underlying, DenialCode.OPTIONS_LEVEL, f"level {level} where {needed} is needed")


def check_positions(underlying: str, taken: int, limits: Limits) -> Denial | None:
    """Refuse an entry when open trades and pending entries fill every place."""
    if taken < limits.max_positions:
        return None
    return Denial(underlying, DenialCode.MAX_POSITIONS, f"{taken} of {limits.max_positions} places are taken")


def check_quote(
    underlying: str,
    occ_symbol: str,
    bid: Decimal | None,
    ask: Decimal | None,
    age_ns: int,
    limits: Limits,
) -> Denial | None:
    """Refuse a leg without both sides, with an old quote, or with a wide spread.

    Parameters
    ----------
    bid, ask
        Dollars per share; None where a side is missing.
    age_ns
        Nanoseconds between the quote and the decision; a quote from the future counts as stale.
    """
    if bid is None or ask is None or not 0 < bid <= ask:
        return Denial(underlying, DenialCode.NO_QUOTE, f"{occ_symbol} has bid {bid} and ask {ask}")
    if not 0 <= age_ns <= limits.max_quote_age_ns:
        detail = f"{occ_symbol} was quoted {age_ns / NS_PER_SECOND:.0f} s before the decision"
        return Denial(underlying, DenialCode.STALE_QUOTE, detail)
    if (ask - bid) * 2 > limits.max_spread * (ask + bid):
        return Denial(underlying, DenialCode.WIDE_SPREAD, f"{occ_symbol} is quoted {bid} at {ask}")
    return None
