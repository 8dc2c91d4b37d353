"""Differences from the vendor in a few numbers: by cause, by moneyness and days to expiration, by Greek."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DAYS = (1.0, 7.0, 30.0, 90.0)
MONEYNESS = (-0.10, -0.03, 0.03, 0.10)
"""Where one bucket ends and the next begins: days to settlement, and ln(strike / price of the underlying)."""

_DAY_NAMES = ("up to 1", "1 to 7", "7 to 30", "30 to 90", "beyond 90")
_MONEYNESS_NAMES = ("below -10 %", "-10 to -3 %", "-3 to 3 %", "3 to 10 %", "above 10 %")


def by_cause(rows: pl.DataFrame) -> Iterator[tuple[str, int, float, float | None, float | None]]:
    """Return cause, contracts, their share, median and 90th percentile of the absolute difference (bp)."""
    size = pl.col("diff_bp").abs()
    sums = rows.group_by("cause").agg(pl.len(), middle=size.median(), far=size.quantile(0.9))
    for cause, count, middle, far in sums.sort(["len", "cause"], descending=[True, False]).iter_rows():
        yield cause, count, count / rows.height, middle, far


def by_bucket(
    rows: pl.DataFrame, steps: Sequence[str]
) -> Iterator[tuple[str, str, int, float | None, *tuple[float | None, ...]]]:
    """Return days, moneyness, contracts, median difference and what each step adds to it (bp), by bucket."""
    sums = (
        bucketed(rows)
        .group_by("bucket_days", "bucket_moneyness")
        .agg(pl.len(), pl.col("diff_bp").median(), *(pl.col(f"by_{step}").median() for step in steps))
        .sort("bucket_days", "bucket_moneyness")
    )
    yield from sums.iter_rows()


def bucketed(rows: pl.DataFrame) -> pl.DataFrame:
    """Add bucket_days and bucket_moneyness, as enumerations in their order."""
    return rows.with_columns(
        bucket_days=_cut("days", DAYS, _DAY_NAMES),
        bucket_moneyness=_cut("moneyness", MONEYNESS, _MONEYNESS_NAMES),
    )


def greek_differences(rows: pl.DataFrame, name: str) -> tuple[float | None, float | None]:
    """Return median and 90th percentile of the absolute difference of a Greek, in the vendor's units."""
    gap = pl.col(f"told_{name}") - pl.col(f"ours_{name}")
    found: tuple[float | None, float | None] = rows.select(gap.median(), far=gap.abs().quantile(0.9)).row(0)
    return found


def _cut(column: str, ends: Sequence[float], names: Sequence[str]) -> pl.Expr:
    place = pl.sum_horizontal((pl.col(column) > end).cast(pl.UInt32) for end in ends)
    return pl.lit(pl.Series(names)).gather(place).cast(pl.Enum(names))
