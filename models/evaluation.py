"""How good out-of-sample probabilities are."""

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from strikelake.errors import ModelError

DECISION_THRESHOLD = 0.5

# Keeps the logarithm finite when a model is certain and wrong.
_SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of forecasts made at a threshold of one half, a rise being the positive class.

    Parameters
    ----------
    n : int
        Number of forecasts.
    base_rate : float
        Share of rises.
    accuracy : float
        Share of forecasts on the right side of one half.
    precision : float
        Share of rises among forecasts of a rise; NaN if no rise was forecast.
    recall : float
        Share of rises that were forecast; NaN if there was none.
    f1 : float
        Harmonic mean of precision and recall, ``2 TP / (2 TP + FP + FN)``; NaN if there was no rise and none
        was forecast.
    auc : float
        Chance that a rise had a higher probability than a fall, ties counting half: the area under the ROC
        curve; NaN if there is one class only.
    log_loss : float
        Mean negative log-likelihood in nats; ln 2 = 0.693 is a coin's.
    brier : float
        Mean squared error of the probability; 0.25 is a coin's.
    mean_confidence : float
        Mean of the larger of both sides' probabilities; above `accuracy` means overconfident.
    """

    n: int
    base_rate: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    auc: float
    log_loss: float
    brier: float
    mean_confidence: float

    def metrics(self, prefix: str = "oos_") -> dict[str, float]:
        """Name and value of every metric that is defined, for a run's record; NaN ones are left out."""
        values = {f"{prefix}{name}": float(value) for name, value in asdict(self).items()}
        return {name: value for name, value in values.items() if np.isfinite(value)}


def evaluate(label: NDArray[np.int64], probability: NDArray[np.float64]) -> Evaluation:
    """Compare probabilities with what happened.

    Parameters
    ----------
    label : numpy.ndarray of int64, shape (n,)
        1 for a rise, 0 otherwise. Rows whose label is not known yet must have been dropped.
    probability : numpy.ndarray of float64, shape (n,)
        Forecast probability of a rise, made out of sample.

    Returns
    -------
    Evaluation
        Undefined metrics are NaN, as its fields say; log-loss, Brier score and accuracy always are defined.

    Raises
    ------
    ModelError
        If there are no rows, shapes differ, or a value is outside [0, 1] or NaN.
    """
    _check(label, probability)
    up = label == 1
    called = probability >= DECISION_THRESHOLD
    hits, rises, calls = int((up & called).sum()), int(up.sum()), int(called.sum())
    certain = np.clip(np.where(up, probability, 1 - probability), _SMALLEST_PROBABILITY, 1)
    return Evaluation(
        n=len(label),
        base_rate=rises / len(label),
        accuracy=float((up == called).mean()),
        precision=_ratio(hits, calls),
        recall=_ratio(hits, rises),
        f1=_ratio(2 * hits, rises + calls),
        auc=_auc(up, probability),
        log_loss=float(-np.log(certain).mean()),
        brier=float(((probability - label) ** 2).mean()),
        mean_confidence=float(np.maximum(probability, 1 - probability).mean()),
    )


def calibration(label: NDArray[np.int64], probability: NDArray[np.float64], n_bins: int = 10) -> pl.DataFrame:
    """Tabulate how often a rise followed each level of probability.

    Parameters
    ----------
    label, probability : numpy.ndarray, shape (n,)
        As in `evaluate`.
    n_bins : int
        Number of bins of equal width; a probability on a border belongs to the upper bin, 1 to the last.

    Returns
    -------
    polars.DataFrame
        One row per bin: lower, upper, n, mean_probability, share_up; the last two are null in an empty bin.

    Raises
    ------
    ModelError
        As in `evaluate`.

    Examples
    --------
    >>> table = calibration(np.array([0, 1, 1]), np.array([0.2, 0.6, 0.7]), n_bins=2)
    >>> table["share_up"].to_list()
    [0.0, 1.0]
    """
    _check(label, probability)
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    filled = np.where(counts > 0, counts, np.nan)
    return pl.DataFrame(
        {
            "lower": edges[:-1],
            "upper": edges[1:],
            "n": counts,
            "mean_probability": np.bincount(bins, weights=probability, minlength=n_bins) / filled,
            "share_up": np.bincount(bins, weights=label, minlength=n_bins) / filled,
        }
    ).with_columns(pl.col("mean_probability", "share_up").fill_nan(None))


def _check(label: NDArray[np.int64], probability: NDArray[np.float64]) -> None:
    if not len(label) or label.shape != probability.shape:
        raise ModelError(
            f"Labels of shape {label.shape} and probabilities of shape {probability.shape} do not compare: "
            "pass two arrays of one length, with at least one row."
        )
    if not (np.isin(label, (0, 1)).all() and ((probability >= 0) & (probability <= 1)).all()):
        raise ModelError(
            "Labels must be 0 or 1 and probabilities within [0, 1]: drop rows whose label is unknown."
        )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _auc(up: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Area under the ROC curve from mean ranks (Mann and Whitney 1947)."""
    rises = int(up.sum())
    falls = len(up) - rises
    if not rises or not falls:
        return float("nan")
    _, position, counts = np.unique(probability, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(mean_ranks[position][up].sum())
    return (rank_sum - rises * (rises + 1) / 2) / (rises * falls)
