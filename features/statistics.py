"""What a feature looks like: coverage, distribution, memory, information and drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.drift import kolmogorov_smirnov, population_stability
from features.information import information

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from features.feature import FloatArray
    from features.information import Information

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_OUTLIER = 5.0  # robust standard deviations from the median
_NORMAL_MAD = 1.4826  # standard deviations of a normal sample, by its median absolute deviation
_BINS = 40
_PART = 3  # drift is measured between the first and the last third


@dataclass(frozen=True, slots=True)
class Distribution:
    """The distribution of a feature's values.

    Attributes
    ----------
    mean, deviation
        Of all values.
    quantiles
        At `QUANTILES`.
    skew, kurtosis
        Third moment, and fourth moment minus 3; None for a constant.
    outliers
        Share of values more than five robust standard deviations (1.4826 median absolute deviations) from
        the median; None where more than half of the values are the same.
    edges, first, last
        Bins between the extreme quantiles, and how many values of the first and the last third are in each.
    """

    mean: float
    deviation: float
    quantiles: tuple[float, ...]
    skew: float | None
    kurtosis: float | None
    outliers: float | None
    edges: tuple[float, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Statistics of one feature.

    Attributes
    ----------
    name, family
        Of the feature.
    rows, known
        Rows there are, and how many have a value.
    nulls
        Null rows by reason.
    distribution
        None where every row is null.
    autocorrelation
        By lag in bars, along each series, averaged over underlyings; None where it is not defined.
    information
        One entry for each horizon.
    psi, ks
        Population stability index and Kolmogorov-Smirnov distance between the first and the last third of
        the time.
    """

    name: str
    family: str
    rows: int
    known: int
    nulls: Mapping[str, int]
    distribution: Distribution | None
    autocorrelation: Mapping[int, float | None]
    information: tuple[Information, ...]
    psi: float | None
    ks: float | None

    @property
    def coverage(self) -> float:
        """Share of rows that have a value."""
        return self.known / self.rows if self.rows else 0.0


def describe(
    name: str,
    family: str,
    values: pl.DataFrame,
    returns: Mapping[int, pl.DataFrame],
    *,
    lags: Sequence[int] = (1, 5),
) -> FeatureStatistics:
    """Return the statistics of one feature.

    Parameters
    ----------
    name, family
        Of the feature.
    values
        asof, underlying, value (null where unknown) and, where it is known, null_reason.
    returns
        asof, underlying, forward_return by horizon in bars.
    lags
        Of the autocorrelation, in bars.
    """
    known = values.drop_nulls("value").sort("asof", "underlying")
    parts = _thirds(known)
    return FeatureStatistics(
        name,
        family,
        values.height,
        known.height,
        _reasons(values),
        _distribution(known["value"], *parts) if known.height else None,
        {lag: _autocorrelation(values, lag) for lag in lags},
        tuple(information(values, forward, horizon) for horizon, forward in returns.items()),
        population_stability(*parts),
        kolmogorov_smirnov(*parts),
    )


def coefficients(statistics: Iterable[FeatureStatistics]) -> pl.DataFrame:
    """Return the information coefficients of features as a table, a row for each feature and horizon.

    Returns
    -------
    pl.DataFrame
        feature, horizon (bars ahead), across ("names" or "time"), coefficient, t_value, t_unadjusted and
        moments, as `features.information.Information` has them; null where it has None.
    """
    real = dict.fromkeys(("coefficient", "t_value", "t_unadjusted"), pl.Float64())
    kinds = {"horizon": pl.Int64(), "across": pl.String(), **real, "moments": pl.Int64()}
    rows = [
        (each.name, *(getattr(info, name) for name in kinds))
        for each in statistics
        for info in each.information
    ]
    return pl.DataFrame(rows, {"feature": pl.String(), **kinds}, orient="row")


def _reasons(values: pl.DataFrame) -> dict[str, int]:
    nulls = values.filter(pl.col("value").is_null())
    if nulls.is_empty():
        return {}
    reason = pl.col("null_reason") if "null_reason" in nulls.columns else pl.lit(None, pl.String)
    counts = nulls.group_by(reason.fill_null("not recorded").alias("reason")).len()
    return dict(counts.sort("len", "reason", descending=[True, False]).iter_rows())


def _thirds(known: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return the values of the first and the last third of the moments."""
    moments = known["asof"].unique().sort()
    if len(moments) < _PART:
        return np.empty(0), np.empty(0)
    share = len(moments) // _PART
    early, late = moments[share - 1], moments[-share]
    return (
        known.filter(pl.col("asof") <= early)["value"].to_numpy(),
        known.filter(pl.col("asof") >= late)["value"].to_numpy(),
    )


def _distribution(values: pl.Series, first: FloatArray, last: FloatArray) -> Distribution:
    numbers = values.to_numpy()
    quantiles = np.quantile(numbers, QUANTILES)
    spread = float(np.std(numbers))
    centre = float(np.median(numbers))
    robust = _NORMAL_MAD * float(np.median(np.abs(numbers - centre)))
    low, high = quantiles[0], quantiles[-1]
    edges = np.linspace(low, high, _BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    return Distribution(
        float(np.mean(numbers)),
        spread,
        tuple(quantiles.tolist()),
        None if spread == 0.0 else values.skew(),
        None if spread == 0.0 else values.kurtosis(),
        float(np.mean(np.abs(numbers - centre) > _OUTLIER * robust)) if robust > 0.0 else None,
        tuple(edges.tolist()),
        tuple(np.histogram(first, edges)[0].tolist()),
        tuple(np.histogram(last, edges)[0].tolist()),
    )


def _autocorrelation(values: pl.DataFrame, lag: int) -> float | None:
    """Return the correlation of values with those `lag` rows earlier, averaged over underlyings."""
    pairs = values.sort("underlying", "asof").select(
        "underlying", "value", earlier=pl.col("value").shift(lag).over("underlying")
    )
    each = pairs.drop_nulls().group_by("underlying").agg(found=pl.corr("value", "earlier"))
    mean = each.filter(pl.col("found").is_finite())["found"].mean()
    return float(mean) if isinstance(mean, float) else None
