"""What the models are to forecast: values of a bar's future, each with the moment from which it is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features import windows
from features.panel import Panel
from strikelake.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.feature import FloatArray, IntArray

_KEY = ("asof", "underlying")
COLUMNS = {"asof": pl.Int64, "underlying": pl.String, "value": pl.Float64, "known_at": pl.Int64}
"""What a label gives, sorted (asof, underlying), without nulls."""


@dataclass(frozen=True, slots=True)
class Label:
    """A value of the future of a bar.

    Attributes
    ----------
    kind
        What it is, one of `KINDS`.
    horizon
        Bars ahead that it looks at most, of the same segment. They are bars with trades: where windows are
        empty, or at the end of a session, the horizon is longer on the clock.
    settings
        Of the kind.
    """

    kind: str
    horizon: int
    settings: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FeatureError(f"there is no label {self.kind!r}: labels are {', '.join(KINDS)}")
        if self.horizon < 1:
            raise FeatureError(
                f"horizon is {self.horizon} bars: a label needs at least 1 bar of future, give 1 or more"
            )

    @property
    def name(self) -> str:
        """Column name: direction_6, triple_barrier_6_up1_down1."""
        told = [f"{name}{value:g}" for name, value in sorted(self.settings.items())]
        return "_".join([self.kind, str(self.horizon), *told])

    @property
    def units(self) -> str:
        """What 1.0 means."""
        return KINDS[self.kind].units

    @property
    def is_binary(self) -> bool:
        """Whether every value is 0 or 1, as the models need it."""
        return self.kind == "direction"

    def __call__(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Return the label of every bar that has a future.

        Parameters
        ----------
        bars
            A frame of bars (`features.bars.COLUMNS`).

        Returns
        -------
        pl.DataFrame
            `COLUMNS`. Rows without a whole horizon are left out, and rows whose value is undefined.
        """
        if bars.is_empty():
            return pl.DataFrame(schema=COLUMNS)
        panel, keys = Panel.of(bars)
        with np.errstate(all="ignore"):
            value, known_at = KINDS[self.kind].compute(panel, self.horizon, **self.settings)
        frame = keys.select(_KEY).with_columns(
            value=pl.Series(value, dtype=pl.Float64), known_at=pl.Series(known_at, dtype=pl.Int64)
        )
        return frame.filter(pl.col("value").is_finite(), pl.col("known_at") > pl.col("asof")).sort(_KEY)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of label is computed: values and known_at of every bar, NaN where there is none."""

    units: str
    compute: Callable[..., tuple[FloatArray, IntArray]]


def direction(bars: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Return whether the price is higher `horizon` bars later.

    The return runs from the close of the bar that ends at `asof`. A trade on the forecast can only be
    entered after `asof`, at the first price quoted then; what lies between is slippage, and the backtest
    pays it.

    Parameters
    ----------
    bars
        A frame of bars (`features.bars.COLUMNS`).
    horizon
        Bars ahead, at least 1, of the same segment.

    Returns
    -------
    pl.DataFrame
        asof, underlying, forward_return (share of the price), label (Int8: 1 up, 0 flat or down) and
        known_at (the later bar's asof), sorted (asof, underlying). Rows without a future are left out:
        there are no nulls.

    Raises
    ------
    FeatureError
        When `horizon` is below 1.
    """
    returns = Label("forward_return", horizon)(bars)
    return returns.select(
        *_KEY,
        forward_return="value",
        label=(pl.col("value") > 0.0).cast(pl.Int8),
        known_at="known_at",
    )


def _later(panel: Panel, values: FloatArray | IntArray, bars: int) -> FloatArray:
    """Return values from some rows later in the same series, NaN where there are none."""
    found = np.full(len(values), np.nan)
    found[: max(len(values) - bars, 0)] = values[bars:]
    found[_left(panel) < bars] = np.nan
    return found


def _left(panel: Panel) -> IntArray:
    """Return how many rows of its series come after each row."""
    lengths = np.diff(panel.series.bounds)
    return np.asarray(np.repeat(lengths, lengths) - 1 - panel.series.position)


def _known_at(panel: Panel, bars: IntArray | int) -> IntArray:
    """Return when the bar some rows later ends, 0 where the series ends before."""
    rows = np.arange(len(panel)) + bars
    return np.where(_left(panel) >= bars, panel.asof[np.minimum(rows, len(panel) - 1)], 0)


def _forward_return(panel: Panel, horizon: int) -> tuple[FloatArray, IntArray]:
    close = panel.columns["close"]
    return np.asarray(_later(panel, close, horizon) / close - 1.0), _known_at(panel, horizon)


def _direction(panel: Panel, horizon: int) -> tuple[FloatArray, IntArray]:
    moved, known_at = _forward_return(panel, horizon)
    return np.where(np.isnan(moved), np.nan, moved > 0.0), known_at


def _realized_vol(panel: Panel, horizon: int) -> tuple[FloatArray, IntArray]:
    squared = np.log(panel.columns["close"] / panel.lagged("close", 1)) ** 2
    behind = windows.mean(np.where(np.isnan(squared), 0.0, squared), horizon)
    return np.sqrt(_later(panel, behind, horizon)), _known_at(panel, horizon)


def _triple_barrier(
    panel: Panel, horizon: int, *, up: float = 1.0, down: float = 1.0, window: float = 26.0
) -> tuple[FloatArray, IntArray]:
    """Return which barrier is touched first: 1 above, -1 below, 0 none within the horizon.

    Barriers lie `up` and `down` standard deviations of the horizon's return away, as the last `window` bars
    have it. A bar that touches both counts for the lower one, as nobody can tell which came first.
    """
    close = panel.columns["close"]
    squared = np.log(close / panel.lagged("close", 1)) ** 2
    spread = np.sqrt(windows.mean(squared, int(window)) * horizon)
    panel.series.blank(spread, int(window))
    above, below = close * np.exp(up * spread), close * np.exp(-down * spread)
    value = np.where(_left(panel) >= horizon, 0.0, np.nan)
    value[~(spread > 0.0)] = np.nan
    steps = np.full(len(panel), horizon)
    open_ = value == 0.0
    for step in range(1, horizon + 1):
        low, high = (_later(panel, panel.columns[name], step) for name in ("low", "high"))
        lower, upper = open_ & (low <= below), open_ & (high >= above)
        value[upper], value[lower] = 1.0, -1.0
        steps[upper | lower] = step
        open_ &= ~(upper | lower)
    return value, _known_at(panel, steps)


KINDS: Mapping[str, _Kind] = {
    "forward_return": _Kind("share of the price", _forward_return),
    "direction": _Kind("1 up, 0 flat or down", _direction),
    "triple_barrier": _Kind("1 upper barrier, -1 lower barrier, 0 neither", _triple_barrier),
    "realized_vol": _Kind("per square root of a bar", _realized_vol),
}
"""Kinds of labels that need nothing but bars."""


def catalog(horizon: int) -> dict[str, Label]:
    """Return a label of every kind with its usual settings, by name.

    Examples
    --------
    >>> list(catalog(6))
    ['forward_return_6', 'direction_6', 'triple_barrier_6', 'realized_vol_6']
    """
    labels = [Label(kind, horizon) for kind in KINDS]
    return {label.name: label for label in labels}
