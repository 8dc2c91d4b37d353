"""What a feature is, and the decorator that makes one out of a function: ours and the user's alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
BitArray: TypeAlias = NDArray[np.uint8]
Inputs: TypeAlias = Mapping[str, FloatArray]
"""Columns of one underlying's unbroken run of rows, each of shape (n,), oldest first; NaN where unknown."""

AT_BAR_END = "the end of the bar"
AT_FACT = "the end of the bar; the newest row of {on} with available_at <= asof"
WARM_UP = "null in the first lookback - 1 bars of a segment"
FACT_WARM_UP = "null in the first lookback - 1 rows of {on}, and where its newest row is too old or null"
BARS = "bars"


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that models may learn from.

    Attributes
    ----------
    name
        Column name, with its windows: return_13.
    family
        price, volume, volatility, options, market or calendar; a name of the user's.
    inputs
        Columns that `compute` reads: those of the series `on`, and for "bars" also those that
        `features.context` adds.
    lookback
        Rows of the series `on` that are needed, the current one included. Computed on exactly that many the
        value equals the one from full history to 1e-9 relative. Recursive averages need 16 times their span,
        Wilder's 32 times.
    units
        What 1.0 means. Every feature is free of the price level, so that splits do not matter.
    compute
        From `Inputs` of n rows to n values; NaN or infinite where undefined. The first lookback - 1 are
        dropped.
    available_at
        When the value is first known, in words.
    nulls
        When the value is null, in words.
    on
        "bars", or the table of `features.facts` over whose rows the feature is computed; each bar then takes
        the value of the newest row it can know.
    windowed
        Whether a value depends on its last `lookback` rows to the last bit, whatever came before. Such
        features are computed on many series in one go.
    doc
        What it is, and its source.
    function, settings
        What `compute` calls, for the definition's hash; None stands for `compute` itself.
    """

    name: str
    family: str
    inputs: tuple[str, ...]
    lookback: int
    units: str
    compute: Callable[[Inputs], FloatArray]
    available_at: str = AT_BAR_END
    nulls: str = WARM_UP
    on: str = BARS
    windowed: bool = False
    doc: str = ""
    function: Callable[..., FloatArray] | None = None
    settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Definition:
    """A function declared to be a feature, and what it stands for: a feature for each of its settings."""

    function: Callable[..., FloatArray]
    features: tuple[Feature, ...]

    def __call__(self, *columns: FloatArray, **settings: float) -> FloatArray:
        """Return the values for columns, as the function does."""
        return self.function(*columns, **settings)


def feature(
    family: str,
    *,
    units: str,
    lookback: int | Callable[..., int] = 1,
    name: str | None = None,
    on: str = BARS,
    nulls: str | None = None,
    available_at: str | None = None,
    windowed: bool = False,
    **settings: Sequence[float],
) -> Callable[[Callable[..., FloatArray]], Definition]:
    """Declare a function to be a feature.

    The names of its positional parameters are the input columns, and its keyword-only parameters are
    settings. Its docstring is the feature's description.

    Parameters
    ----------
    family, units, on, nulls, available_at, windowed
        As in `Feature`; `nulls` and `available_at` have defaults that fit `on`.
    lookback
        Rows needed, or a function of the settings it names.
    name
        Column name; the function's by default. Settings go into braces: "return_{bars}".
    **settings
        Values of each keyword-only parameter. There is one feature for each position of these sequences.

    Returns
    -------
    Callable
        Turns the function into a `Definition`.

    Raises
    ------
    TypeError
        When parameters and settings do not fit, or a sequence is shorter than another.

    Examples
    --------
    >>> @feature(
    ...     "price",
    ...     units="share of the price",
    ...     name="up_{bars}",
    ...     lookback=lambda bars: bars + 1,
    ...     bars=(1, 5),
    ... )
    ... def up(close, *, bars):
    ...     '''Return the rise over some bars, zero for a fall.'''
    ...     return np.maximum(np.diff(close, bars, prepend=np.full(bars, np.nan)) / close, 0.0)
    >>> [(f.name, f.lookback, f.inputs) for f in up.features]
    [('up_1', 2, ('close',)), ('up_5', 6, ('close',))]
    """
    shared = partial(
        Feature,
        family=family,
        units=units,
        available_at=available_at or (AT_BAR_END if on == BARS else AT_FACT.format(on=on)),
        nulls=nulls or (WARM_UP if on == BARS else FACT_WARM_UP.format(on=on)),
        on=on,
        windowed=windowed,
    )
    return partial(_declared, shared, name, lookback, settings)


def _declared(
    shared: Callable[..., Feature],
    name: str | None,
    lookback: int | Callable[..., int],
    settings: Mapping[str, Sequence[float]],
    function: Callable[..., FloatArray],
) -> Definition:
    """Return a feature for each position of the settings."""
    inputs = _inputs(function, settings)
    made = tuple(
        shared(
            name=_named(name or function.__name__, chosen),
            inputs=inputs,
            lookback=_told(lookback, chosen) if callable(lookback) else lookback,
            compute=partial(_call, function, inputs, chosen),
            doc=inspect.getdoc(function) or "",
            function=function,
            settings=chosen,
        )
        for chosen in _choices(settings)
    )
    return Definition(function, made)


def _named(name: str, settings: Mapping[str, float]) -> str:
    try:
        return name.format(**settings)
    except (KeyError, IndexError, ValueError) as error:
        raise TypeError(
            f"the name {name!r} cannot be filled in with {', '.join(settings) or 'no settings'}: "
            "put settings into braces, as in return_{bars}"
        ) from error


def _call(
    function: Callable[..., FloatArray], columns: Sequence[str], settings: Mapping[str, float], inputs: Inputs
) -> FloatArray:
    return function(*[inputs[column] for column in columns], **settings)


def _inputs(function: Callable[..., FloatArray], settings: Mapping[str, Any]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    columns = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    keywords = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    if keywords != set(settings) or len(columns) + len(keywords) < len(parameters):
        raise TypeError(
            f"feature {function.__name__} takes {', '.join(sorted(keywords)) or 'no settings'} by keyword "
            f"and the decorator gives {', '.join(sorted(settings)) or 'none'}: name each setting in both"
        )
    if not columns:
        raise TypeError(f"feature {function.__name__} has no inputs: name its columns as parameters")
    return columns


def _choices(settings: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    if len({len(values) for values in settings.values()}) > 1:
        raise TypeError(f"settings {', '.join(settings)} have different numbers of values: give one of each")
    if not settings:
        return [{}]
    return [dict(zip(settings, values, strict=True)) for values in zip(*settings.values(), strict=True)]


def _told(lookback: Callable[..., int], settings: Mapping[str, float]) -> int:
    named = inspect.signature(lookback).parameters
    return lookback(**{name: value for name, value in settings.items() if name in named})
