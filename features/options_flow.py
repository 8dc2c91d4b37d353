"""Options features: what traded, what is open, what dealers would have to hedge, and the surface's shape.

The tables behind them have a row for each underlying and session (`features.option_summaries`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features import windows
from features.feature import FACT_WARM_UP, feature

if TYPE_CHECKING:
    from features.feature import FloatArray

_WINDOW = 20
_OPEN = "deltas per open contract"


@feature("options", units="log of put over call contracts", on="options", windowed=True)
def put_call_log_ratio(put_volume: FloatArray, call_volume: FloatArray) -> FloatArray:
    """Return the log of the session's put volume over its call volume; null where a side did not trade."""
    return np.log(put_volume / call_volume)


@feature("options", units="-1 all bearish to 1 all bullish", on="options", windowed=True)
def delta_flow(put_delta: FloatArray, call_delta: FloatArray) -> FloatArray:
    """Return the session's call deltas minus its put deltas traded, over their sum.

    Volume says how many contracts, this says how much of the underlying they stand for.
    """
    return (call_delta - put_delta) / (call_delta + put_delta)


@feature("options", units="log", lookback=_WINDOW, on="options", windowed=True)
def unusual_option_volume_20(option_notional: FloatArray) -> FloatArray:
    """Return the log of the session's option volume over its mean of 20 sessions, this one included.

    Contracts are counted by their strikes, which a split leaves as they were in sum.
    """
    return np.log(option_notional / windows.mean(option_notional, _WINDOW))


@feature("options", units="log of put over call contracts", on="open_interest", windowed=True)
def put_call_open_log_ratio(put_open: FloatArray, call_open: FloatArray) -> FloatArray:
    """Return the log of the open interest in puts over that in calls."""
    return np.log(put_open / call_open)


@feature(
    "options",
    units="share",
    name="open_interest_change_{sessions}",
    lookback=lambda sessions: sessions + 1,
    on="open_interest",
    windowed=True,
    sessions=(1, 5),
)
def open_interest_change(open_notional: FloatArray, *, sessions: int) -> FloatArray:
    """Return the open interest over that some sessions earlier, minus 1; contracts count by their strikes."""
    return windows.growth(open_notional, sessions)


@feature("options", units=f"{_OPEN} and percent of the price", on="open_interest", windowed=True)
def net_gamma(gamma_exposure: FloatArray) -> FloatArray:
    """Return the gamma exposure (GEX): calls plus, puts minus, per open contract.

    Positive: dealers who sold puts and bought calls from customers trade against the move.
    Source: SqueezeMetrics, "Gamma exposure", 2017, whose assumption about who holds what it shares.
    """
    return gamma_exposure


@feature("options", units=_OPEN, on="open_interest", windowed=True)
def net_delta(delta_exposure: FloatArray) -> FloatArray:
    """Return the sum of the deltas of all open contracts, puts being negative, per open contract."""
    return delta_exposure


@feature(
    "options", units="vol points per open contract, share of the price", on="open_interest", windowed=True
)
def net_vega(vega_exposure: FloatArray) -> FloatArray:
    """Return the vega of all open contracts per point of volatility and dollar of price, per contract."""
    return vega_exposure


@feature(
    "options",
    units="log",
    available_at="the end of the bar; the newest rows of options and open_interest with available_at <= asof",
    nulls="null without rows of both tables that are new enough",
    windowed=True,
)
def option_turnover(option_notional: FloatArray, open_notional: FloatArray) -> FloatArray:
    """Return the log of the session's option volume over the open interest: new positions, or old ones."""
    return np.log(option_notional / open_notional)


@feature("options", units="vol per square root of a year", on="surfaces", windowed=True)
def skew_25d(risk_reversal_25d: FloatArray) -> FloatArray:
    """Return the volatility of the 25-delta put minus that of the 25-delta call, at 30 days."""
    return -risk_reversal_25d


@feature("options", units="vol per square root of a year", lookback=6, on="surfaces", windowed=True)
def skew_change_5(risk_reversal_25d: FloatArray) -> FloatArray:
    """Return the change of `skew_25d` over 5 sessions."""
    return windows.lag(risk_reversal_25d, 5) - risk_reversal_25d


@feature("options", units="vol per square root of a year", on="surfaces", windowed=True)
def wings_25d(butterfly_25d: FloatArray) -> FloatArray:
    """Return the mean volatility of the 25-delta wings minus that at the money, at 30 days."""
    return butterfly_25d


@feature(
    "options",
    units="vol per square root of a year",
    on="surfaces",
    nulls=f"{FACT_WARM_UP.format(on='surfaces')}: without options of three months, for one",
    windowed=True,
)
def term_slope_90_30(term_slope: FloatArray) -> FloatArray:
    """Return the at-the-money volatility at 90 days minus that at 30."""
    return term_slope
