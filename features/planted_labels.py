"""Labels that cheat, planted on purpose, each beside an honest twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from features.planted import Plant

if TYPE_CHECKING:
    from features.planted import Compute
    from features.worlds import Tables

_SERIES = "underlying"
_CLOSE, _OPEN = pl.col("close"), pl.col("open")


def planted_labels() -> tuple[Plant, ...]:
    """Return the planted labels; they give known_at beside asof, underlying and value."""
    forward = _CLOSE.shift(-2) / _CLOSE - 1.0
    return (
        Plant(
            "same_bar_fill",
            "a trade decided at a bar's close and filled at the same bar's open",
            _label(_CLOSE.shift(-1) / _OPEN - 1.0, known=1),
            _label(_CLOSE.shift(-1) / _OPEN.shift(-1) - 1.0, known=1),
        ),
        Plant(
            "label_of_the_past",
            "the return up to the decision in the place of the one after it",
            _label(_CLOSE / _CLOSE.shift(2) - 1.0, known=0),
            _label(forward, known=2),
        ),
        Plant(
            "past_called_future",
            "the return up to the decision, with the time of a later bar",
            _label(_CLOSE / _CLOSE.shift(2) - 1.0, known=2),
            _label(forward, known=2),
        ),
        Plant(
            "known_at_too_early",
            "a return over four bars that claims to be known after one: a purge by known_at lets it through",
            _label(_CLOSE.shift(-4) / _CLOSE - 1.0, known=1),
            _label(_CLOSE.shift(-4) / _CLOSE - 1.0, known=4),
        ),
    )


def _label(value: pl.Expr, known: int) -> Compute:
    """Return a label that says it is known `known` bars later."""

    def compute(tables: Tables) -> pl.DataFrame:
        found = tables["bars"].select(
            "asof",
            "underlying",
            value=value.over(_SERIES),
            known_at=pl.col("asof").shift(-known).over(_SERIES),
        )
        return found.drop_nulls()

    return compute
