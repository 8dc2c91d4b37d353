"""A stored chain snapshot with everything that a contract of it can be valued with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.carry import implied_carry, pairs_of
from pipelines.dividends import expected_dividends
from pipelines.rates import newest_curve, rate_for, read_yields
from pipelines.terms import series_of, with_root, with_series
from pipelines.underlying import OBSERVED, observed
from strikelake.calendar import NS_PER_MINUTE, et_date, session, sessions
from strikelake.errors import EmptyLakeError
from strikelake.lake.joins import newest_known
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from pipelines.terms import Series
    from strikelake.calendar import Session
    from strikelake.lake.store import Lake
    from strikelake.pricing.arrays import FloatArray

_NS_PER_DAY = 86_400_000_000_000
_NS_PER_YEAR = 365 * _NS_PER_DAY
_TRADING_YEAR = 252 * 390  # minutes
_TOLD = ("implied_vol", "delta", "gamma", "vega", "theta", "open_interest")


@dataclass(frozen=True, slots=True)
class SnapshotChain:
    """Contracts of one session's snapshots, and the alternatives for each input.

    Attributes
    ----------
    session
        The session.
    rows
        One row for each contract with a two-sided quote and an underlying price: its terms, series,
        quote_ts_ns, rate (curve), what the vendor told (`told_implied_vol`, `told_delta` …, as sent) and,
        by alternative, `price_mid price_bid price_ask price_last`, `spot_snapshot spot_bars` (dollars),
        `years_settlement years_midnight years_days years_trading`. NaN where the lake has none.
    left_out
        Contracts by the reason why they are not among the rows.
    series
        Their series.
    carry
        The continuous yield beside the dividends that calls and puts of the snapshot imply at each price of
        the underlying, `snapshot` or `bars`; (series,) each.
    """

    session: Session
    rows: pl.DataFrame
    left_out: dict[str, int]
    series: Series
    carry: dict[str, FloatArray]
    _numbers: dict[str, FloatArray] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def size(self) -> int:
        """The number of contracts that can be valued."""
        return self.rows.height

    def column(self, name: str) -> FloatArray:
        """Return a column of numbers, NaN for null."""
        if name not in self._numbers:
            self._numbers[name] = self.rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return self._numbers[name]


def read_snapshot(
    lake: Lake, day: date, underlyings: Collection[str] | None = None, rates_default: float = 0.0
) -> SnapshotChain:
    """Return the chain snapshots of a session.

    Point in time: a quote is valued at its own moment, with the curve and the dividends known at the
    session's open. Only `spot_bars` and `price_last` read other tables: the newest stock (or index) minute
    and option minute that were known at the quote.

    Parameters
    ----------
    lake
        Reads chain_snapshots, treasury_yields, corporate_actions and, where there are some, minute bars.
    day
        The session.
    underlyings
        Tickers; None is all.
    rates_default
        Continuous rate where there is no curve.

    Raises
    ------
    EmptyLakeError
        When there are no snapshots of the session, or none of the underlyings.
    """
    told = lake.scan("chain_snapshots", day, day, underlyings=underlyings).collect()
    if told.is_empty():
        held = lake.scan("chain_snapshots", day, day).select("underlying").unique().collect()
        names = ", ".join(sorted(held["underlying"]))
        raise EmptyLakeError(
            f"no snapshot of {', '.join(sorted(underlyings or ()))} on {day}: there are those of {names}"
        )
    opened = session(day)
    rows, left_out = _usable(told)
    curve = newest_curve(read_yields(lake), opened.open_ns)
    actions = _if_any(lake, "corporate_actions")
    expected = expected_dividends(actions, day, opened.open_ns)
    firsts = rows.unique("underlying", keep="first", maintain_order=True)
    spots = firsts.select("underlying", price="spot_snapshot")
    series = series_of(rows, opened, opened.open_ns, rate_for(curve, rates_default), expected, spots)
    rows = with_series(rows, series).with_columns(years_settlement="years")
    rows = rows.with_columns(*_clocks(rows, day), *_from_bars(lake, day, rows)).drop("years")
    carry = {name: _carry(rows, f"spot_{name}", series, opened) for name in ("snapshot", "bars")}
    return SnapshotChain(opened, rows, left_out, series, carry)


def _usable(told: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the rows that can be valued, named by alternative, and how many cannot."""
    two_sided = pl.col("bid_price").is_not_null() & pl.col("ask_price").is_not_null()
    reason = (
        pl.when(~two_sided | pl.col("quote_ts_ns").is_null())
        .then(pl.lit("no quote of both sides"))
        .when(pl.col("underlying_price").is_null())
        .then(pl.lit("no price of the underlying"))
        .when(pl.col("implied_vol").is_null())
        .then(pl.lit("no volatility from the vendor"))
    )
    judged = told.with_columns(reason=reason)
    counts = judged.drop_nulls("reason").group_by("reason").len().sort("len", descending=True)
    kept = judged.filter(pl.col("reason").is_null()).drop("reason", "available_at", "ts_ns")
    named = (
        kept.sort("occ_symbol")
        .rename({name: f"told_{name}" for name in _TOLD})
        .with_columns(
            available_at="quote_ts_ns",
            price_mid=(pl.col("bid_price") + pl.col("ask_price")) / 2.0,
            price_bid="bid_price",
            price_ask="ask_price",
            spot_snapshot="underlying_price",
        )
    )
    return with_root(named), dict(counts.iter_rows())


def _clocks(rows: pl.DataFrame, day: date) -> list[pl.Series]:
    """Return years to expiration as others count them: to 24:00 UTC, in whole days, in trading minutes."""
    quoted = rows["quote_ts_ns"].to_numpy()
    midnight = (rows["expiration"].cast(pl.Int32).cast(pl.Int64).to_numpy() + 1) * _NS_PER_DAY
    days = (rows["expiration"] - pl.Series([day])).dt.total_days().to_numpy()
    settles = rows["settles_ns"].to_numpy()
    spans = sessions(day, et_date(int(settles.max()))) if settles.size else ()
    trading = np.zeros(settles.size)
    for each in spans:
        first, last = np.maximum(quoted, each.open_ns), np.minimum(settles, each.close_ns)
        trading += np.maximum(last - first, 0) / NS_PER_MINUTE
    return [
        pl.Series("years_midnight", (midnight - quoted) / _NS_PER_YEAR),
        pl.Series("years_days", days / 365.0),
        pl.Series("years_trading", trading / _TRADING_YEAR),
    ]


def _from_bars(lake: Lake, day: date, rows: pl.DataFrame) -> list[pl.Series]:
    """Return the underlying's price and the contract's last trade as minute bars had them at the quote."""
    stocks, indices = (_if_any(lake, f"{kind}_minute_bars", day) for kind in ("stock", "index"))
    known = pl.concat([observed(stocks, "stock"), observed(indices, "index")]).select(*OBSERVED)
    known = known.sort("underlying", "available_at")
    newest = newest_known(rows, known, by=["underlying"], on="available_at")
    trades = _if_any(lake, "option_minute_bars", day).sort("occ_symbol", "available_at")
    last = newest_known(rows, trades, by=["occ_symbol"], on="available_at")
    return [
        known["price"].gather(newest).alias("spot_bars"),
        trades["close"].gather(last).alias("price_last"),
    ]


def _carry(rows: pl.DataFrame, spot: str, series: Series, opened: Session) -> FloatArray:
    """Return the carry that pairs of the snapshot imply, as `pipelines.analytics` finds it at a close."""
    # Quotes of the last quarter of an hour of broad indices count as the close's.
    known = pl.min_horizontal("available_at", pl.lit(opened.close_ns))
    columns = rows.select(
        "series",
        "strike",
        "option_type",
        available_at=known,
        years="years_settlement",
        price="price_mid",
        underlying_price=spot,
        underlying_source=pl.lit("quote"),
    )
    pairs = pairs_of(columns, opened, "1d")
    return implied_carry(pairs, series, opened, "1d").in_force[:, -1]


def _if_any(lake: Lake, name: str, day: date | None = None) -> pl.DataFrame:
    try:
        return lake.scan(name, day, day).collect()
    except EmptyLakeError:
        return pl.DataFrame(schema=table(name).columns)
