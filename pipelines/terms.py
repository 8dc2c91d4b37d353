"""What the options of one expiration have in common: settlement, rate, style and the dividends ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.contracts import is_european, settlement_ns
from strikelake.pricing.chain import Dividends, Terms
from strikelake.pricing.rates import years_between

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from strikelake.calendar import Session
    from strikelake.pricing.arrays import FloatArray

SERIES = ("underlying", "root", "expiration")
OCC_TAIL = 15
"""Characters of a symbol after its root."""
ROOT = pl.col("occ_symbol").str.head(pl.col("occ_symbol").str.len_chars() - OCC_TAIL).alias("root")
"""The option root: AAPL1 and SPXW are not AAPL and SPX."""

_NS_PER_YEAR = 365 * 24 * 60 * NS_PER_MINUTE
_SCHEDULE = pl.Schema({"series": pl.Int64, "years_to_expiration": pl.Float64, "fraction": pl.Float64})
_MOST_PAID = 0.9  # a dividend of more than this share of the price is no dividend


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
        every = np.arange(len(self.frame))
        return self.terms(every, np.zeros(every.size))

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
    frame = options[list(SERIES)].unique().sort(SERIES)
    settles = [
        settlement_ns(expiration, root) for root, expiration in frame.select("root", "expiration").rows()
    ]
    days = np.maximum(np.array(settles, dtype=np.int64) - session.open_ns, 0) / 86_400e9
    known = {float(each): rate(float(each)) for each in np.unique(days)}
    frame = frame.hstack(
        [
            pl.Series("settles_ns", settles, dtype=pl.Int64),
            pl.Series("european", [is_european(name) for name in frame["underlying"]], dtype=pl.Boolean),
            pl.Series("rate", [known[float(each)] for each in days], dtype=pl.Float64),
            pl.Series("series", np.arange(frame.height)),
        ]
    )
    if set(dividends["underlying"]).isdisjoint(frame["underlying"]):
        # Most chains of a decision: joins without rows take a quarter of their time.
        none = {"dividends": pl.lit(0, pl.Int64), "dividends_projected": pl.lit(0, pl.Int64)}
        return Series(frame.with_columns(**none, dividend_pv=0.0), pl.DataFrame(schema=_SCHEDULE))
    schedule = _schedule(frame, moment, dividends, spots)
    sums = schedule.group_by("series").agg(
        dividends=pl.len().cast(pl.Int64),
        dividends_projected=(~pl.col("announced")).sum().cast(pl.Int64),
        dividend_pv=pl.col("value").sum(),
    )
    frame = frame.join(sums, on="series", how="left", maintain_order="left").with_columns(
        pl.col("dividends", "dividends_projected").fill_null(0), pl.col("dividend_pv").fill_null(0.0)
    )
    return Series(frame, schedule.select(*_SCHEDULE))


def _schedule(frame: pl.DataFrame, moment: int, dividends: pl.DataFrame, spots: pl.DataFrame) -> pl.DataFrame:
    """Return each series' dividends as fractions of the price just before, which keep the cash's forward.

    With F the forward of cash dividends D at times t, F = (S - sum D exp(-r t)) exp(r T), the price after the
    first dividends is P = S - sum D exp(-r t), discounted: each is the fraction by which P falls.
    """
    owed = (
        frame.join(dividends.join(spots, on="underlying"), on="underlying")
        .filter(pl.col("ex_ns") < pl.col("settles_ns"), pl.col("ex_ns") > moment)
        .sort("series", "ex_ns")
    )
    years = (pl.col("ex_ns") - moment) / _NS_PER_YEAR
    owed = owed.with_columns(value=pl.col("cash") * (-pl.col("rate") * years).exp())
    before = pl.col("price") - pl.col("value").cum_sum().over("series") + pl.col("value")
    return owed.with_columns(
        years_to_expiration=(pl.col("settles_ns") - pl.col("ex_ns")) / _NS_PER_YEAR,
        fraction=pl.col("value") / before,
    ).filter(pl.col("fraction").is_between(0.0, _MOST_PAID))


def with_series(options: pl.DataFrame, series: Series) -> pl.DataFrame:
    """Add series, settles_ns, european, rate and years (from `available_at` to settlement) to rows."""
    columns = [*SERIES, "series", "settles_ns", "european", "rate"]
    added = options.join(series.frame[columns], on=list(SERIES), how="left", maintain_order="left")
    years = years_between(added["available_at"].to_numpy(), added["settles_ns"].to_numpy())
    return added.hstack([pl.Series("years", years)])
