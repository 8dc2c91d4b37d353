"""Worlds that differ from the recorded one only in what nobody could know at a decision time.

The audit computes a feature in several of them: what a decision could not know must not matter to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias
from zlib import crc32

import numpy as np
import polars as pl

Tables: TypeAlias = Mapping[str, pl.DataFrame]
"""Rows by table; `available_at` says when a row could first be known, `asof` where it has no such column."""

Kind: TypeAlias = Literal["recorded", "removed", "changed", "still"]

_PRICES = ("open", "high", "low", "close")
_SYMBOLS = ("underlying", "ticker")
_SPREAD = 1.0  # of the log of the factor that a number is changed by: a third to three times is common
_KEYS = {
    *("asof", "date", "ex_date", "segment", "bar", "action", "security", "days", "tenor_days", "status"),
    *("underlying", "ticker", "occ_symbol", "expiration", "option_type", "strike", "article_id"),
}


@dataclass(frozen=True, slots=True)
class World:
    """The recorded tables, with another future.

    Attributes
    ----------
    asof
        Decision time, ns UTC: rows known by then are as recorded, in every world.
    kind
        What became of the later rows: "recorded" leaves them, "removed" cuts them off, "changed" gives them
        other numbers and words, "still" makes every later price the last one known.
    table, column, symbol
        What is affected; None is all. `column` is for "changed" alone.
    since, until
        Later rows are affected where they become known after `since` and by `until`, ns UTC; None is all.
    seed
        Of the other numbers.
    """

    asof: int
    kind: Kind = "recorded"
    table: str | None = None
    column: str | None = None
    symbol: str | None = None
    since: int | None = None
    until: int | None = None
    seed: int = 0

    def of(self, name: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a table in this world, in the same order.

        A table without `available_at` or `asof` is not about time and stays as it is.
        """
        later = self.later(name, rows)
        if later is None:
            return rows
        if self.kind == "removed":
            return rows.filter(~later)
        if not rows.select(later.any()).item():
            return rows
        return _still(rows, later) if self.kind == "still" else self._changed(name, rows, later)

    def later(self, name: str, rows: pl.DataFrame) -> pl.Expr | None:
        """Return which rows of a table are affected, or None where none can be; `rows` may be empty."""
        clock, symbol = clock_of(rows), symbol_of(rows)
        if self.kind == "recorded" or clock is None or self.table not in {None, name}:
            return None
        later = pl.col(clock) > (self.asof if self.since is None else max(self.since, self.asof))
        if self.until is not None:
            later &= pl.col(clock) <= self.until
        if self.symbol is not None and symbol is not None:
            later &= pl.col(symbol) == self.symbol
        return later

    def _changed(self, name: str, rows: pl.DataFrame, later: pl.Expr) -> pl.DataFrame:
        columns = [c for c in changeable(rows) if self.column in {None, c}]
        other = rows.with_columns(
            pl.when(later)
            .then(_other(rows[c], crc32(f"{self.seed} {name} {c}".encode())))
            .otherwise(c)
            .alias(c)
            for c in columns
        )
        if self.column is None and set(_PRICES) <= set(columns):
            # A bar whose high is not its highest price would be a world that cannot be.
            other = other.with_columns(high=pl.max_horizontal(_PRICES), low=pl.min_horizontal(_PRICES))
        return other


class Subject(Protocol):
    """What is audited: features, and the tables they are computed from."""

    def tables(self, asof: int) -> Tables:
        """Return the recorded rows that a decision at `asof` may read, and later ones."""
        ...

    def values(self, world: World, names: Sequence[str]) -> pl.DataFrame:
        """Return asof, underlying and the named columns in a world, at least of `world.asof`."""
        ...


@dataclass(frozen=True, slots=True)
class FramesSubject:
    """Features computed from tables in memory by one function.

    Attributes
    ----------
    rows
        Tables by name.
    compute
        From tables and names to asof, underlying and one column per name.
    """

    rows: Tables
    compute: Callable[[Tables, Sequence[str]], pl.DataFrame]

    def tables(self, asof: int) -> Tables:  # noqa: ARG002 - the same for every decision
        """Return all tables."""
        return self.rows

    def values(self, world: World, names: Sequence[str]) -> pl.DataFrame:
        """Return the features in a world."""
        return self.compute(OtherTables(self.rows, world), names)


class OtherTables(Mapping[str, pl.DataFrame]):
    """Tables in another world, each made when it is first looked at: most features read one or two.

    Parameters
    ----------
    rows
        The recorded tables.
    world
        What became of later rows.
    """

    def __init__(self, rows: Tables, world: World) -> None:
        self._rows, self._world = rows, world
        self._made: dict[str, pl.DataFrame] = {}

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in self._made:
            self._made[name] = self._world.of(name, self._rows[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def clock_of(rows: pl.DataFrame) -> str | None:
    """Return the column that says when a row could first be known; None where there is none."""
    return next((name for name in ("available_at", "asof") if name in rows.columns), None)


def symbol_of(rows: pl.DataFrame) -> str | None:
    """Return the column that says whom a row is about; None where there is none."""
    return next((name for name in _SYMBOLS if name in rows.columns), None)


def changeable(rows: pl.DataFrame) -> list[str]:
    """Return the columns that hold facts, neither keys nor times.

    Examples
    --------
    >>> changeable(pl.DataFrame({"ticker": ["SPY"], "ts_ns": [0], "close": [1.0], "available_at": [1]}))
    ['close']
    """
    return [
        name
        for name, kind in rows.schema.items()
        if name not in _KEYS
        and not name.endswith(("_ns", "_at"))
        and (kind.is_numeric() or kind in (pl.Boolean(), pl.String()))
    ]


def _other(values: pl.Series, seed: int) -> pl.Series:
    """Return other values of the same type and sign: numbers scaled, words and flags dealt out anew."""
    rng = np.random.default_rng(seed)
    if not values.dtype.is_numeric():
        return values.gather(rng.permutation(len(values)))
    scaled = values.cast(pl.Float64) * pl.Series(np.exp(rng.normal(0.0, _SPREAD, len(values))))
    return (scaled.round() + 1.0 if values.dtype.is_integer() else scaled).cast(values.dtype, strict=False)


def _still(rows: pl.DataFrame, later: pl.Expr) -> pl.DataFrame:
    """Return bars whose later prices are the last known close of their series."""
    symbol, clock = symbol_of(rows), clock_of(rows)
    if symbol is None or clock is None or "close" not in rows.columns:
        return rows
    known = rows.filter(~later).sort(clock).group_by(symbol).agg(pl.col("close").last().alias("known_close"))
    return (
        rows.join(known, on=symbol, how="left", maintain_order="left")
        .with_columns(
            pl.when(later & pl.col("known_close").is_not_null())
            .then("known_close")
            .otherwise(name)
            .alias(name)
            for name in _PRICES
            if name in rows.columns
        )
        .drop("known_close")
    )
