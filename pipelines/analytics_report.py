"""What became of priced rows: shares by status, and how far calls and puts of one strike disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.errors import EmptyLakeError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from strikelake.lake.store import Lake

    _Counts = dict[tuple[str, str], dict[str | None, int]]

NEAR, NEAR_PER_ROOT_YEAR = 0.05, 0.15
"""A pair is near the money where |ln(K / F)| is at most the first plus the second times the root of years."""

LEAST_YEARS = 7.0 / 365.0
"""Pairs of shorter life are left out: their volatilities hang on the minute that the underlying is from."""

_GROUP = ("underlying", "bar")
_PAIR = ("underlying", "bar", "date", "root", "expiration", "strike", "minute")
_OCC_TAIL = 15
_NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Summary:
    """One underlying's rows of one kind.

    Attributes
    ----------
    underlying, bar
        What; bar is "1d", "1m" or "quote".
    first, last
        Sessions.
    rows
        How many.
    by_status
        Rows by status, the most frequent first.
    without_status
        Rows that have none; there should never be any.
    gap
        Median |call - put| volatility of pairs near the money and priced in one minute against an observed
        underlying; None without pairs.
    pairs
        How many pairs that is the median of.
    gap_without_carry, gap_with_carry
        The median over expirations and decision times of what `forwards` says of its pairs, before and after
        their carry is taken in; None where no carry was found. `gap` is larger than the latter: it holds the
        rows before the first decision time, and those that were priced with the carry of the last one.
    smiles
        Smiles by status.
    calendar_gaps
        Fitted smiles that dip below the one before them somewhere.
    """

    underlying: str
    bar: str
    first: date
    last: date
    rows: int
    by_status: Mapping[str, int]
    without_status: int
    gap: float | None
    pairs: int
    gap_without_carry: float | None
    gap_with_carry: float | None
    smiles: Mapping[str, int]
    calendar_gaps: int

    @property
    def solved(self) -> float:
        """The share of rows with a volatility."""
        return self.by_status.get("solved", 0) / self.rows


def summarise(
    lake: Lake,
    start: date | None = None,
    end: date | None = None,
    *,
    underlyings: Collection[str] | None = None,
) -> tuple[Summary, ...]:
    """Return summaries of what is priced, by underlying and bar.

    Parameters
    ----------
    lake
        Reads option_analytics, forwards and smiles.
    start, end
        First and last date, both included; None is open.
    underlyings
        Tickers; None is all.

    Raises
    ------
    EmptyLakeError
        When nothing is priced in the range.
    """
    priced = lake.scan("option_analytics", start, end, underlyings=underlyings)
    rows = priced.group_by(*_GROUP).agg(rows=pl.len(), first=pl.col("date").min(), last=pl.col("date").max())
    found = rows.collect().sort(*_GROUP)
    if found.is_empty():
        raise EmptyLakeError(
            f"nothing of {', '.join(sorted(underlyings or ()))} is priced in that range: "
            "run `strikelake analytics`, or name other underlyings"
        )
    statuses = _counts(priced, "status")
    smiles = _counts(_if_any(lake, "smiles", start, end, underlyings), "status")
    gaps = _if_any(lake, "smiles", start, end, underlyings).filter(pl.col("calendar_gap") > 0.0)
    forwards = _if_any(lake, "forwards", start, end, underlyings)
    known = (
        found.join(_pair_gaps(priced), on=_GROUP, how="left")
        .join(_forward_gaps(forwards), on=_GROUP, how="left")
        .join(gaps.group_by(*_GROUP).agg(calendar_gaps=pl.len()).collect(), on=_GROUP, how="left")
        .sort(*_GROUP)
    )
    return tuple(_summary(row, statuses, smiles) for row in known.iter_rows(named=True))


def _summary(row: Mapping[str, Any], statuses: _Counts, smiles: _Counts) -> Summary:
    by_status = statuses.get(_key(row), {})
    return Summary(
        underlying=row["underlying"],
        bar=row["bar"],
        first=row["first"],
        last=row["last"],
        rows=row["rows"],
        by_status={name: count for name, count in by_status.items() if name is not None},
        without_status=by_status.get(None, 0),
        gap=row["gap"],
        pairs=row["pairs"] or 0,
        gap_without_carry=row["gap_before"],
        gap_with_carry=row["gap_after"],
        smiles={str(name): count for name, count in smiles.get(_key(row), {}).items()},
        calendar_gaps=row["calendar_gaps"] or 0,
    )


def _key(row: Mapping[str, str]) -> tuple[str, str]:
    return row["underlying"], row["bar"]


def _counts(rows: pl.LazyFrame, column: str) -> _Counts:
    """Return how many rows there are of each value, by underlying and bar, the most frequent first."""
    counted = rows.group_by(*_GROUP, column).len().collect()
    counts: _Counts = {}
    for underlying, bar, value, count in counted.sort("len", column, descending=[True, False]).iter_rows():
        counts.setdefault((underlying, bar), {})[value] = count
    return counts


def _pair_gaps(priced: pl.LazyFrame) -> pl.DataFrame:
    """Return gap and pairs by underlying and bar."""
    moneyness = (pl.col("strike") / pl.col("forward")).log().abs()
    symbol = pl.col("occ_symbol")
    near = priced.filter(
        pl.col("status") == "solved",
        # Where pairs price the underlying themselves they agree by construction.
        pl.col("underlying_source") != "parity",
        pl.col("years") > LEAST_YEARS,
        moneyness <= NEAR + NEAR_PER_ROOT_YEAR * pl.col("years").sqrt(),
    ).with_columns(
        root=symbol.str.head(symbol.str.len_chars() - _OCC_TAIL),
        minute=pl.col("available_at") // _NS_PER_MINUTE,
    )
    sides = [
        near.filter(pl.col("option_type") == kind)
        .sort("available_at")
        .unique(_PAIR, keep="last", maintain_order=True)
        .select(*_PAIR, vol="implied_vol")
        for kind in ("C", "P")
    ]
    pairs = sides[0].join(sides[1], on=_PAIR, suffix="_put")
    gap = (pl.col("vol") - pl.col("vol_put")).abs()
    return pairs.group_by(*_GROUP).agg(gap=gap.median(), pairs=pl.len()).collect()


def _forward_gaps(forwards: pl.LazyFrame) -> pl.DataFrame:
    """Return the median gaps of pairs before and after their carry is known, by underlying and bar."""
    found = forwards.filter(pl.col("years") > LEAST_YEARS, pl.col("status") == "solved")
    return found.group_by(*_GROUP).agg(pl.col("gap_before", "gap_after").median()).collect()


def _if_any(
    lake: Lake, name: str, start: date | None, end: date | None, underlyings: Collection[str] | None
) -> pl.LazyFrame:
    try:
        return lake.scan(name, start, end, underlyings=underlyings)
    except EmptyLakeError:
        return pl.LazyFrame(schema=table(name).columns)
