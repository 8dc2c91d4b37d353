"""Walk-forward windows whose training labels were known before the test begins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strikelake.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Split:
    """One step of a walk-forward: row numbers to train on and to test on.

    Parameters
    ----------
    train, test : numpy.ndarray of int64
        Row numbers in the order of the input.
    test_start : int
        First asof of the test window, int64 nanoseconds UTC.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    test_start: int


def walk_forward(
    asof: NDArray[np.int64],
    known_at: NDArray[np.int64],
    *,
    n_folds: int,
    embargo_ns: int = 0,
    min_train_share: float = 0.4,
) -> list[Split]:
    """Split decisions into an expanding training window and the test windows that follow it.

    A forecast is made at a row's `asof`, but its label is the return over the horizon that starts there, so
    the label exists only from `known_at` on. A model that trades from the start of a test window can have
    been trained on labels known by then, and on no others. Cutting at `asof` alone would let the last
    training rows carry prices from inside the test window: look-ahead, which no metric shows.

    Times are cut, not rows. All underlyings share their decision times, and a time is never in two windows,
    because at one moment their returns move together.

    With decisions every 30 minutes, a horizon of two bars, two folds and no embargo::

        asof     10:00  10:30  11:00  11:30  12:00  12:30  13:00  13:30
        known    11:00  11:30  12:00  12:30  13:00  13:30  14:00  14:30
        fold 0   train  train  purged test   test   test
        fold 1   train  train  train  train  train  purged test   test

    Fold 0 is trained on the row of 10:30, whose label is known at 11:30 when the first test decision is made,
    but not on the row of 11:00. By fold 1 that label has become known.

    Parameters
    ----------
    asof : numpy.ndarray of int64, shape (n,)
        Decision times, nanoseconds UTC, in any order, repeated where several underlyings share one.
    known_at : numpy.ndarray of int64, shape (n,)
        When each row's label became known, nanoseconds UTC; never before its asof.
    n_folds : int
        Number of test windows. Together they hold every decision time after the first training window, in
        order, in parts that differ by at most one time.
    embargo_ns : int
        Nanoseconds that must lie between a training label's known_at and the test window, for features that
        still echo old prices and for the time it takes to train.
    min_train_share : float
        Share of the decision times, in (0, 1), before the first test window.

    Returns
    -------
    list of Split
        In time order. No training row's known_at is after its test window's first asof less `embargo_ns`.

    Raises
    ------
    DatasetError
        If arguments are out of range, a label is known before its decision, there are too few decision times,
        or purging leaves a fold without training rows.

    Notes
    -----
    Purging and embargo follow López de Prado, "Advances in Financial Machine Learning" (2018), chapter 7.
    Only the past side is needed: an expanding window never trains on rows after its test window.

    Examples
    --------
    >>> hours = np.arange(8)
    >>> [(split.train.tolist(), split.test.tolist()) for split in walk_forward(hours, hours + 2, n_folds=2)]
    [([0, 1], [3, 4, 5]), ([0, 1, 2, 3, 4], [6, 7])]
    """
    _check(asof, known_at, n_folds, embargo_ns, min_train_share)
    times = np.unique(asof)
    first_test = max(1, int(np.floor(len(times) * min_train_share)))
    if len(times) - first_test < n_folds:
        raise DatasetError(
            f"{len(times)} decision times leave {len(times) - first_test} after the first training window, "
            f"too few for {n_folds} folds: ingest more sessions or ask for fewer folds."
        )
    splits = []
    for fold, window in enumerate(np.array_split(times[first_test:], n_folds)):
        start = int(window[0])
        train = np.flatnonzero((asof < start) & (known_at <= start - embargo_ns))
        if not len(train):
            raise DatasetError(
                f"Fold {fold} has no training label known {embargo_ns} ns before its test window: "
                "ingest more sessions, or shorten the horizon or the embargo."
            )
        splits.append(Split(train, np.flatnonzero((asof >= start) & (asof <= window[-1])), start))
    return splits


def _check(
    asof: NDArray[np.int64],
    known_at: NDArray[np.int64],
    n_folds: int,
    embargo_ns: int,
    min_train_share: float,
) -> None:
    if asof.shape != known_at.shape or asof.ndim != 1:
        raise DatasetError(
            f"asof has shape {asof.shape} and known_at {known_at.shape}: pass two (n,) arrays."
        )
    if n_folds < 1 or embargo_ns < 0 or not 0 < min_train_share < 1:
        raise DatasetError(
            f"n_folds={n_folds}, embargo_ns={embargo_ns}, min_train_share={min_train_share}: out of range, "
            "use at least one fold, no negative embargo, and a share between 0 and 1."
        )
    early = np.flatnonzero(known_at < asof)
    if len(early):
        raise DatasetError(
            f"Row {early[0]}'s label is known at {known_at[early[0]]}, before its asof {asof[early[0]]}: "
            "the label looks backwards; check its shift."
        )
