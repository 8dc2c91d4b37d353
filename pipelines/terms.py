"""What the options of one expiration have in common: settlement, rate, style and the dividends ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.contracts import is_european, settlement_ns
from strikelake.pricing.chain import Dividends, Terms
from strikelake.pricing.rates import years_between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from numpy.typing import NDArray

    from strikelake.calendar import Session
    from strikelake.pricing.arrays import FloatArray

SERIES = ("underlying", "root", "expiration")
OCC_TAIL = 15
"""Characters of a symbol after its root."""
ROOT = pl.col("occ_symbol").str.head(pl.col("occ_symbol").str.len_chars() - OCC_TAIL).alias("root")
"""The option root: AAPL1 and SPXW are not AAPL and SPX."""

_YEARS_PER_NS = 1.0 / (365 * 24 * 60 * NS_PER_MINUTE)
_FRAME = pl.Schema(
    {
        "underlying": pl.String,
        "root": pl.String,
        "expiration": pl.Date,
        "settles_ns": pl.Int64,
        "european": pl.Boolean,
        "rate": pl.Float64,
        "series": pl.Int64,
        "dividends": pl.Int64,
        "dividends_projected": pl.Int64,
        "dividend_pv": pl.Float64,
    }
)
_SCHEDULE = pl.Schema({"series": pl.Int64, "years_to_expiration": pl.Float64, "fraction": pl.Float64})
_MOST_PAID = 0.9  # a dividend of more than this share of the price is no dividend


class Payment(NamedTuple):
    """A dividend ahead: the open of its ex-date (ns UTC), dollars per share, and whether it is announced."""

    ex_ns: int
    cash: float
    announced: bool


class _Owed(NamedTuple):
    """A dividend that a series sees: years from it to settlement, share of the price, dollars of today."""

    years: float
    fraction: float
    value: float
    announced: bool


Payments: TypeAlias = Mapping[str, Sequence[Payment]]
"""Dividends by underlying, in the order of their ex-dates."""


@dataclass(frozen=True, slots=True)
class Series:
    """The series of a session: one row for each underlying, root and expiration.

    Attributes
    ----------
    frame
        underlying, root, expiration, settles_ns, european, rate (continuous, of the session), series (row
        number), dividends and dividends_projected (how many lie ahead), dividend_pv (dollars).
    schedule
        series, years_to_expiration and fraction of each dividend ahead.
    """

    frame: pl.DataFrame
    schedule: pl.DataFrame

    def plain_terms(self) -> Terms:
        """Return the pricing terms of every series, without carry beside its dividends."""
        rates, european = self.frame["rate"].to_numpy(), self.frame["european"].to_numpy()
        owed = None
        if len(self.schedule):
            owed = Dividends(*(self.schedule[name].to_numpy() for name in _SCHEDULE))
        return Terms(rates, np.zeros(len(rates)), ~european, owed)

    def terms(self, series: NDArray[np.int64], carry: FloatArray) -> Terms:
        """Return pricing terms, one group for each entry of `series` with its carry."""
        rates, european = self.frame["rate"].to_numpy(), self.frame["european"].to_numpy()
        if self.schedule.is_empty():
            return Terms(rates[series], carry, ~european[series], None)
        entries = pl.DataFrame({"series": series}).with_row_index("group")
        owed = entries.join(self.schedule, on="series")
        dividends = Dividends(
            owed["group"].cast(pl.Int64).to_numpy(),
            owed["years_to_expiration"].to_numpy(),
            owed["fraction"].to_numpy(),
        )
        return Terms(rates[series], carry, ~european[series], dividends if len(owed) else None)


def with_root(options: pl.DataFrame) -> pl.DataFrame:
    """Add `ROOT`."""
    return options.with_columns(ROOT)


def payments_of(dividends: pl.DataFrame) -> Payments:
    """Return each underlying's dividends (`pipelines.dividends.EXPECTED`) by their ex-dates."""
    found: dict[str, list[Payment]] = {}
    columns = (dividends[name].to_list() for name in ("underlying", "ex_ns", "cash", "announced"))
    for underlying, *payment in zip(*columns, strict=True):
        found.setdefault(underlying, []).append(Payment(*payment))
    return {underlying: sorted(payments) for underlying, payments in found.items()}


def series_of(
    options: pl.DataFrame,
    session: Session,
    moment: int,
    rate: Callable[[float], float],
    dividends: pl.DataFrame,
    spots: pl.DataFrame,
) -> Series:
    """Return the series that a session's option rows belong to.

    Parameters
    ----------
    options
        Rows with root, underlying and expiration.
    session, moment
        The session, and when in it rates are taken and dividends discounted to: ns UTC.
    rate
        Continuous rate per year by maturity in days.
    dividends
        As `pipelines.dividends.expected_dividends` gives them for the session.
    spots
        underlying and price: what cash is a fraction of. The fractions of one session are fixed, so that all
        its rows share one solution.
    """
    listed = options[list(SERIES)].unique().sort(SERIES).rows()
    prices = dict(spots.select("underlying", "price").iter_rows())
    return listed_series(listed, session, moment, rate, payments_of(dividends), prices)


def listed_series(
    listed: Sequence[tuple[str, str, date]],
    session: Session,
    moment: int,
    rate: Callable[[float], float],
    payments: Payments,
    prices: Mapping[str, float],
) -> Series:
    """Return series from their underlyings, roots and expirations, each once and sorted.

    The other parameters are those of `series_of`, by underlying. Here is no query: a live decision makes
    this for every chain, and each query of a few rows would cost it as much as all of this.
    """
    underlyings, roots, expirations = zip(*listed, strict=True) if listed else ((), (), ())
    settles = [settlement_ns(day, root) for day, root in zip(expirations, roots, strict=True)]
    days = (max(settled - session.open_ns, 0) / 86_400e9 for settled in settles)
    rates = _each_once(rate, days)
    owed = [
        _owed(payments.get(name, ()), prices.get(name), moment, settled, rate_of)
        for name, settled, rate_of in zip(underlyings, settles, rates, strict=True)
    ]
    frame = pl.DataFrame(
        {
            "underlying": underlyings,
            "root": roots,
            "expiration": expirations,
            "settles_ns": settles,
            "european": [is_european(name) for name in underlyings],
            "rate": rates,
            "series": range(len(listed)),
            "dividends": [len(each) for each in owed],
            "dividends_projected": [sum(not one.announced for one in each) for each in owed],
            "dividend_pv": [sum((one.value for one in each), 0.0) for each in owed],
        },
        schema=_FRAME,
    )
    schedule = [(number, one.years, one.fraction) for number, each in enumerate(owed) for one in each]
    return Series(frame, pl.DataFrame(schedule, schema=_SCHEDULE, orient="row"))


def _each_once(rate: Callable[[float], float], days: Iterable[float]) -> list[float]:
    """Return the rate of each maturity, asked for once."""
    known: dict[float, float] = {}
    return [known[each] if each in known else known.setdefault(each, rate(each)) for each in days]


def _owed(
    payments: Sequence[Payment], price: float | None, moment: int, settles: int, rate: float
) -> list[_Owed]:
    """Return a series' dividends as fractions of the price just before, which keep the cash's forward.

    With F the forward of cash dividends D at times t, F = (S - sum D exp(-r t)) exp(r T), the price after the
    first dividends is P = S - sum D exp(-r t), discounted: each is the fraction by which P falls.
    """
    found: list[_Owed] = []
    if price is None:
        return found
    paid = 0.0
    for payment in payments:
        if moment < payment.ex_ns < settles:
            value = payment.cash * exp(-rate * ((payment.ex_ns - moment) * _YEARS_PER_NS))
            paid += value
            before = price - paid + value
            if before > 0.0 and value / before <= _MOST_PAID:
                years = (settles - payment.ex_ns) * _YEARS_PER_NS
                found.append(_Owed(years, value / before, value, payment.announced))
    return found


def with_series(options: pl.DataFrame, series: Series) -> pl.DataFrame:
    """Add series, settles_ns, european, rate and years (from `available_at` to settlement) to rows."""
    columns = [*SERIES, "series", "settles_ns", "european", "rate"]
    added = options.join(series.frame[columns], on=list(SERIES), how="left", maintain_order="left")
    years = years_between(added["available_at"].to_numpy(), added["settles_ns"].to_numpy())
    return added.hstack([pl.Series("years", years)])
