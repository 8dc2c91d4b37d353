"""Whether a feature is still what it was: distances between two samples of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from features.feature import FloatArray

_FLOOR = 1e-4  # share of an empty bin: its logarithm must exist


def population_stability(before: FloatArray, after: FloatArray, bins: int = 10) -> float | None:
    """Return the population stability index.

    Parameters
    ----------
    before, after
        Values without nulls.
    bins
        Quantiles of `before` that the values are counted in; equal quantiles are one.

    Returns
    -------
    float or None
        The symmetric relative entropy of the two shares by bin: below 0.1 little has changed, above 0.25
        much has, by the custom of credit scoring. None when a sample is empty.

    Examples
    --------
    >>> population_stability(np.arange(100.0), np.arange(100.0))
    0.0
    """
    if min(len(before), len(after)) == 0:
        return None
    edges = np.unique(np.quantile(before, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    old, new = (_shares(values, edges) for values in (before, after))
    return float(np.sum((new - old) * np.log(new / old)))


def kolmogorov_smirnov(before: FloatArray, after: FloatArray) -> float | None:
    """Return the largest distance between two empirical distribution functions; None when one is empty.

    Its p-value is left out: values that follow one another in time are no independent draws.
    """
    if min(len(before), len(after)) == 0:
        return None
    first, second = np.sort(before), np.sort(after)
    every = np.concatenate((first, second))
    below = (np.searchsorted(sample, every, side="right") / len(sample) for sample in (first, second))
    return float(np.max(np.abs(np.subtract(*below))))


def _shares(values: FloatArray, edges: FloatArray) -> FloatArray:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return np.maximum(counts / len(values), _FLOOR)
