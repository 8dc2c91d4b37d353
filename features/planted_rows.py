"""Functions that cheat in few rows, planted on purpose, each beside an honest twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.feature import Feature
from features.planted import Plant
from features.windows import growth, lag

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.feature import FloatArray, Inputs

_SESSION = 13
_WEEKEND = 2 * 86_400.0
_CROWD = 40.0


def planted_rows() -> tuple[Plant, ...]:
    """Return the planted functions; only `features.row_audit` calls them often enough to catch each."""
    return (
        Plant(
            "ahead_in_one_row_of_hundreds",
            "the next bar's return where the close ends in .00, else the last bar's",
            _feature(_sometimes_ahead, 2),
            _feature(lambda inputs: growth(inputs["close"], 1), 2),
        ),
        Plant(
            "panic_ahead",
            "a flag for a volume in the next bar that no bar of the sample comes near",
            _feature(lambda inputs: _crowded(_lead(inputs["volume"]), inputs["volume"]), 2, "volume"),
            _feature(lambda inputs: _crowded(inputs["volume"], lag(inputs["volume"], 1)), 2, "volume"),
        ),
        Plant(
            "longer_history_after_a_weekend",
            "a return over one bar, but over a session, which it does not declare, after a weekend",
            _feature(_since_friday, 2, "close", "seconds"),
            _feature(_since_friday, _SESSION + 1, "close", "seconds"),
        ),
        Plant(
            "history_short_by_one",
            "a return over 13 bars with a lookback of 13: what is missing is filled with the oldest close",
            _feature(_over_a_session, _SESSION),
            _feature(_over_a_session, _SESSION + 1),
        ),
        Plant(
            "noise_of_a_fixed_seed",
            "the same numbers in every run: a row's depends on where the array begins",
            _feature(lambda inputs: np.random.default_rng(7).normal(size=len(inputs["close"])), 1),
            _feature(lambda inputs: np.modf(inputs["close"])[0], 1),
        ),
    )


def _feature(compute: Callable[[Inputs], FloatArray], lookback: int, *inputs: str) -> Feature:
    return Feature("planted", "planted", inputs or ("close",), lookback, "-", compute)


def _lead(values: FloatArray) -> FloatArray:
    return np.append(values[1:], np.nan)


def _sometimes_ahead(inputs: Inputs) -> FloatArray:
    close = inputs["close"]
    picked = np.round(100.0 * close) % 100.0 == 0.0
    return np.where(picked, _lead(close) / close - 1.0, growth(close, 1))


def _crowded(volume: FloatArray, before: FloatArray) -> FloatArray:
    return np.asarray(volume > _CROWD * before, dtype=np.float64)


def _since_friday(inputs: Inputs) -> FloatArray:
    close, seconds = inputs["close"], inputs["seconds"]
    rested = seconds - lag(seconds, 1) > _WEEKEND
    far = growth(close, _SESSION)
    return np.where(rested & ~np.isnan(far), far, growth(close, 1))


def _over_a_session(inputs: Inputs) -> FloatArray:
    close = inputs["close"]
    before = lag(close, _SESSION)
    return close / np.where(np.isnan(before), close[0], before) - 1.0
