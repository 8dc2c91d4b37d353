"""What a feature is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
Inputs: TypeAlias = Mapping[str, FloatArray]
"""Columns of one underlying's unbroken run of bars, each of shape (n,), oldest first; NaN where unknown."""

AT_BAR_END = "the end of the bar"
AT_OPTION_ROW = "the end of the bar; the newest option row with available_at <= asof, at most 7 days old"
WARM_UP = "null in the first lookback - 1 bars of a segment"


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that models may learn from.

    Attributes
    ----------
    name
        Column name, with its window in bars: return_13.
    family
        price, volume, volatility, session, market or options.
    inputs
        Columns that `compute` reads: those of the bars, or those `features.context.attach` adds.
    lookback
        Bars needed, the current one included. Computed on exactly that many the value equals the one from
        full history to 1e-9 relative. Recursive averages need 16 times their span, Wilder's 32 times.
    units
        What 1.0 means. Every feature is free of the price level, so that splits do not matter.
    compute
        From `Inputs` of n bars to n values; NaN or infinite where undefined. The first lookback - 1 are
        dropped.
    available_at
        When the value is first known, in words.
    nulls
        When the value is null, in words.
    option_sessions
        Rows of option summaries needed, in sessions; 0 for features that read none.
    """

    name: str
    family: str
    inputs: tuple[str, ...]
    lookback: int
    units: str
    compute: Callable[[Inputs], FloatArray]
    available_at: str = AT_BAR_END
    nulls: str = WARM_UP
    option_sessions: int = 0
