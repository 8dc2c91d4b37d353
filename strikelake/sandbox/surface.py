"""The simulated option market's implied variance: its term structure and its smile.

At the money, total variance is what the volatility process is expected to bring until expiration, counted in
trading time, plus the jumps of the earnings reports until then, times a variance risk premium. So it rises
towards a report and collapses after it. Along strikes it is the surface SVI of Gatheral and Jacquier (2014),
w(k) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)) with phi = eta / sqrt(theta (1 + theta)), k
the log-moneyness to the forward: for eta (1 + |rho|) <= 2 and theta rising with maturity it admits no
butterfly and no calendar arbitrage.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.calendar import sessions
from strikelake.compiled import njit
from strikelake.sandbox.paths import YEAR, StockPaths, node_shares, session_minutes

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from strikelake.sandbox.universe import Stock

    Floats = NDArray[np.float64]

AHEAD = timedelta(days=200)
"""How far beyond the live session the market's calendar is known; longer than any option lives."""

REVERSION = 12.0
"""Pull of variance to its long run, per year of trading time."""

_LOWEST = 1e-8
_FUND_PREMIUM, _STOCK_PREMIUM = 1.22, 1.10
_FUND_SMILE, _STOCK_SMILE = (-0.65, 0.95), (-0.25, 0.80)
_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@dataclass(frozen=True, slots=True)
class Smile:
    """A symbol's smile: `rho` its tilt, `eta` its width, and `premium` implied over expected variance."""

    rho: float
    eta: float
    premium: float


def smile(stock: Stock | None) -> Smile:
    """Return a symbol's smile, None being the market index: indices are skewed, and dear."""
    fund = stock is None or stock.fund
    rho, eta = _FUND_SMILE if fund else _STOCK_SMILE
    return Smile(rho, eta, (_FUND_PREMIUM if fund else _STOCK_PREMIUM) ** 2)


@dataclass(frozen=True, slots=True)
class VarianceClock:
    """Trading time: how much variance comes when, in years of an average market.

    Attributes
    ----------
    node
        At each node of the paths; shape (nodes,).
    moments, passed
        Opens and closes, ns UTC, and the time that has passed until them; beyond the paths too.
    closes
        Time at each session's close, by its date.
    """

    node: Floats
    moments: NDArray[np.int64]
    passed: Floats
    closes: dict[date, float]

    def at(self, moments: int | NDArray[np.int64]) -> Floats:
        """Return the time at any moments (ns UTC), even between two opens and closes."""
        return np.asarray(np.interp(moments, self.moments, self.passed))


def variance_clock(paths: StockPaths) -> VarianceClock:
    """Return the trading time of the paths and of the calendar after them."""
    node = np.cumsum(np.concatenate([node_shares(session_minutes(s)) for s in paths.sessions])) / YEAR
    last = paths.sessions[-1].date
    passed, moments, closes = [], [], {}
    now = 0.0
    for session in (*paths.sessions, *sessions(last + timedelta(days=1), last + AHEAD)):
        shares = node_shares(session_minutes(session)) / YEAR
        passed += [now + float(shares[0]), now + float(shares.sum())]
        now = passed[-1]
        moments += [session.open_ns, session.close_ns]
        closes[session.date] = now
    return VarianceClock(node, np.array(moments), np.array(passed), closes)


@njit(**_JIT)
def at_the_money(span: float, variance: float, long_run: float, premium: float, reports: float) -> float:
    """Return total implied variance at the money.

    Parameters
    ----------
    span
        Trading time to expiration, years.
    variance, long_run
        Yearly variance now, and where it returns to.
    premium
        Implied over expected variance.
    reports
        Variance of the jumps of the reports until expiration.
    """
    expected = long_run * span - (variance - long_run) * np.expm1(-REVERSION * span) / REVERSION
    return float(max(premium * (expected + reports), _LOWEST))


@njit(**_JIT)
def total_variance(log_moneyness: float, theta: float, rho: float, eta: float) -> float:
    """Return total implied variance at ln(strike / forward); `theta` is that at the money."""
    scaled = eta / np.sqrt(theta * (1.0 + theta)) * log_moneyness
    return float(0.5 * theta * (1.0 + rho * scaled + np.sqrt((scaled + rho) ** 2 + 1.0 - rho * rho)))


@njit(**_JIT)
def smile_variances(log_moneyness: Floats, theta: float, rho: float, eta: float) -> Floats:
    """Return `total_variance` of an array of log-moneyness."""
    found = np.empty(log_moneyness.size)
    for i in range(log_moneyness.size):
        found[i] = total_variance(log_moneyness[i], theta, rho, eta)
    return found
