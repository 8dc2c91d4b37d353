"""The simulated option market's volatility surface, interest rates and true prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import previous_session
from strikelake.pricing.black_scholes import price
from strikelake.pricing.rates import interpolate, years_between
from strikelake.sandbox.paths import StockPaths, Stream, generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

TENORS = {
    "1month": 30,
    "3month": 91,
    "6month": 182,
    "1year": 365,
    "2year": 730,
    "3year": 1095,
    "5year": 1826,
    "7year": 2556,
    "10year": 3652,
    "20year": 7305,
    "30year": 10957,
}
"""Columns of the treasury's file and their maturities in days."""

_LEVELS = (0.0437, 0.0436, 0.0428, 0.0418, 0.0426, 0.0429, 0.0439, 0.0449, 0.0459, 0.0488, 0.0481)
_CURVE_SESSIONS_BEFORE = 10
_RISK_PREMIUM = 1.10
_SKEW, _CURVATURE = -0.09, 0.10
_REVERSION_PER_YEAR = 12.0
_MIN_YEARS = 1.0 / (365.0 * 24.0)


@dataclass(frozen=True, slots=True)
class OptionState:
    """True option values, arrays of one shape: implied_vol (per root of a year) and value (dollars)."""

    implied_vol: Floats
    value: Floats
    spot: Floats
    years: Floats
    rate: Floats


def implied_vol(log_moneyness: Floats, years: Floats, variance: Floats, long_run: Floats) -> Floats:
    """Return the market's implied volatility.

    At the money it is the expected mean variance up to expiration, times a risk premium; along strikes it is
    a smile in deviations from the forward, skewed to low strikes, with linear wings.

    Parameters
    ----------
    log_moneyness
        ln(strike / forward).
    years
        To expiration; less than an hour counts as an hour.
    variance, long_run
        Yearly variance now, and where it returns to.
    """
    span = np.maximum(years, _MIN_YEARS)
    pull = _REVERSION_PER_YEAR * span
    at_the_money = _RISK_PREMIUM * np.sqrt(long_run + (variance - long_run) * -np.expm1(-pull) / pull)
    deviations = np.clip(log_moneyness / (at_the_money * np.sqrt(span)), -6.0, 6.0)
    smile = 1.0 + _SKEW * deviations + _CURVATURE * (np.sqrt(1.0 + deviations**2) - 1.0)
    return np.asarray(at_the_money * smile)


def option_state(
    config: SimulatorConfig,
    paths: StockPaths,
    curve: Floats,
    contracts: pl.DataFrame,
    nodes: Ints,
    moments: Ints,
) -> OptionState:
    """Return the true value of contracts at given moments.

    Parameters
    ----------
    curve
        Yields of one day in the order of `TENORS`.
    contracts
        One row per row of `nodes`: symbol, sign, strike, expiry_ns.
    nodes
        Row of the paths whose stock price and variance hold; shape (contracts, k).
    moments
        Time of each value, ns UTC, at or after its node; shape (contracts, k).
    """
    symbol = contracts["symbol"].to_numpy()[:, None]
    sign = contracts["sign"].to_numpy().astype(np.float64)[:, None]
    strike = contracts["strike"].to_numpy()[:, None]
    expiry = contracts["expiry_ns"].to_numpy()[:, None]
    long_run = np.array([s.vol**2 for s in config.stocks])[symbol]
    spot = paths.price[nodes, symbol]
    years = np.maximum(years_between(moments, np.broadcast_to(expiry, moments.shape)), 0.0)
    rate = interpolate(list(TENORS.values()), curve, years * 365.0)
    forward = spot * np.exp(rate * years)
    vol = implied_vol(np.log(strike / forward), years, paths.variance[nodes, symbol], long_run)
    return OptionState(vol, price(sign, spot, strike, years, rate, vol), spot, years, rate)


def treasury_curves(config: SimulatorConfig, paths: StockPaths) -> pl.DataFrame:
    """Return one yield curve per session, and ten before the first so that a last known curve always exists.

    Returns
    -------
    pl.DataFrame
        `date` and one column per tenor, decimal yields: 0.0437 is 4.37 %.
    """
    days = [s.date for s in paths.sessions]
    for _ in range(_CURVE_SESSIONS_BEFORE):
        days.insert(0, previous_session(days[0]).date)
    rng = generator(config, Stream.CURVES)
    parallel = 0.0003 * np.cumsum(rng.standard_normal(len(days)))
    twist = 0.0002 * np.cumsum(rng.standard_normal(len(days)))
    along = np.linspace(-1.0, 1.0, len(TENORS))
    yields = np.array(_LEVELS) + parallel[:, None] + twist[:, None] * along
    rounded = np.maximum(yields, 0.0001).round(4)
    return pl.DataFrame({"date": days, **{name: rounded[:, i] for i, name in enumerate(TENORS)}})


def known_curve(curves: pl.DataFrame, index: int) -> Floats:
    """Return the yields that are known during session `index`: those of the session before."""
    row = curves.row(_CURVE_SESSIONS_BEFORE + index - 1)
    return np.array(row[1:], dtype=np.float64)
