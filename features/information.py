"""How much a feature says about what comes: rank correlations with forward returns, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from features.feature import FloatArray

FEWEST_NAMES = 5
"""Underlyings needed at a moment to correlate across them."""
FEWEST_MOMENTS = 30
"""Moments needed for a coefficient and its t-value."""
_ROUNDING = 1e-9  # an error below this share of a mean is rounding


@dataclass(frozen=True, slots=True)
class Information:
    """The information coefficient of a feature for one horizon.

    Attributes
    ----------
    horizon
        Bars ahead.
    across
        "names": Spearman correlation across underlyings at each moment, averaged over time. "time": rank
        correlation along time, ranks taken within each underlying, averaged over underlyings; for features
        that are the same for all, and where there are too few underlyings.
    coefficient
        Between -1 and 1; None with too few moments.
    t_value
        Of the coefficient, adjusted for the overlap of returns; None where the coefficient is, and where it
        is the same at every moment (`suspect`).
    t_unadjusted
        As if every moment were a draw of its own: too large where a feature changes slowly.
    moments
        How many went in.
    series
        asof and the coefficient of each moment (`across` "names"), or its contribution.
    """

    horizon: int
    across: Literal["names", "time"]
    coefficient: float | None
    t_value: float | None
    t_unadjusted: float | None
    moments: int
    series: pl.DataFrame

    @property
    def suspect(self) -> bool:
        """Whether the coefficient never varies, as that of the future itself does not: audit the feature."""
        return bool(self.coefficient) and self.t_value is None


def information(values: pl.DataFrame, returns: pl.DataFrame, horizon: int) -> Information:
    """Return the information coefficient of one feature.

    Parameters
    ----------
    values
        asof, underlying, value; nulls are left out.
    returns
        asof, underlying, forward_return over `horizon` bars.
    horizon
        Bars that the returns look ahead: those of moments fewer bars apart overlap.
    """
    pairs = values.drop_nulls("value").join(
        returns.select("asof", "underlying", "forward_return"), on=["asof", "underlying"]
    )
    moments = pairs.group_by("asof").agg(pl.len(), pl.col("value").n_unique().alias("different"))
    wide = moments.filter(pl.col("len") >= FEWEST_NAMES, pl.col("different") > 1).height
    across: Literal["names", "time"] = "names" if 2 * wide > moments.height else "time"
    series = _across_names(pairs) if across == "names" else _along_time(pairs)
    each = series["coefficient"].to_numpy()
    if len(each) < FEWEST_MOMENTS:
        return Information(horizon, across, None, None, None, len(each), series)
    mean = float(each.mean())
    adjusted, plain = long_run_error(each, horizon), long_run_error(each, 1)
    return Information(
        horizon,
        across,
        mean,
        mean / adjusted if adjusted > _ROUNDING * abs(mean) else None,
        mean / plain if plain > _ROUNDING * abs(mean) else None,
        len(each),
        series,
    )


def long_run_error(draws: FloatArray, horizon: int) -> float:
    """Return the standard error of a mean of draws that overlap.

    Parameters
    ----------
    draws
        Shape (n,), in the order of time; each looks `horizon` steps ahead.
    horizon
        1: independent draws.

    Returns
    -------
    float
        From the autocovariances up to lag `horizon - 1`, each in full: what overlaps is a moving average of
        that order. Where they add up to less than the variance of a draw, that variance is taken, so that
        overlap never makes anything more certain.

    Notes
    -----
    Source: L. P. Hansen, R. J. Hodrick, "Forward exchange rates as optimal predictors of future spot rates",
    1980. The falling weights of W. Newey and K. West (1987) leave out half of the overlap at these lags.
    """
    centred = draws - draws.mean()
    count = len(centred)
    variance = float(centred @ centred) / count
    overlap = [float(centred[lag:] @ centred[:-lag]) / count for lag in range(1, min(horizon, count))]
    # Each lag's sum misses the pairs that reach beyond the ends, and the mean is estimated: both shrink it.
    correction = count / max(count - horizon, 1)
    return float(np.sqrt(max(variance + 2.0 * sum(overlap), variance) * correction / count))


def bonferroni(tests: int, level: float = 0.05) -> float:
    """Return how large a t-value must be where so many were looked at.

    Parameters
    ----------
    tests
        Coefficients looked at: features times horizons.
    level
        How likely at most one of them lies beyond by chance, when none says anything.

    Returns
    -------
    float
        Of a normal distribution, both sides. It holds however the features depend on each other, and is
        stricter than needed where they are alike.

    Raises
    ------
    ValueError
        When there are no tests.

    Examples
    --------
    >>> round(bonferroni(1), 2), round(bonferroni(258), 2)
    (1.96, 3.73)
    """
    if tests < 1:
        raise ValueError(f"a threshold for {tests} t-values: at least one is needed")
    return NormalDist().inv_cdf(1.0 - level / (2.0 * tests))


def _across_names(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return Spearman's correlation across the underlyings of each moment."""
    ranked = pairs.with_columns(
        pl.col("value", "forward_return").rank().over("asof"), names=pl.len().over("asof")
    ).filter(pl.col("names") >= FEWEST_NAMES)
    each = ranked.group_by("asof").agg(coefficient=pl.corr("value", "forward_return"))
    return each.filter(pl.col("coefficient").is_finite()).sort("asof")


def _along_time(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return each moment's contribution to the rank correlation along time, averaged over underlyings."""

    def standard(name: str) -> pl.Expr:
        rank = pl.col(name).rank()
        return ((rank - rank.mean()) / rank.std(ddof=0)).over("underlying")

    products = pairs.select("asof", coefficient=standard("value") * standard("forward_return"))
    each = products.filter(pl.col("coefficient").is_finite()).group_by("asof")
    return each.agg(pl.col("coefficient").mean()).sort("asof")
