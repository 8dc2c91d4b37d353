"""One decision's latency: each kind of model as it was fitted, and as the ONNX model that trades.

Run ``python benchmarks/scoring.py``. It exits with 1 if ONNX is not faster for every kind.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from models.export import export
from models.kinds import KINDS, fit
from models.scoring import open_session, up_probabilities

N_ROWS, N_FEATURES, CALLS = 4_000, 25, 400
MISSING_SHARE = 0.05


def main() -> int:
    """Print the table and return the exit status."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    y = (rng.random(N_ROWS) < 1 / (1 + np.exp(-X[:, 0]))).astype(np.int64)
    X[rng.random(X.shape) < MISSING_SHARE] = np.nan
    rows = [X[i : i + 1] for i in range(CALLS)]
    slower = []
    print(f"one row of {N_FEATURES} features, median of {CALLS} calls")
    print(f"{'model':<10}{'fitted, us':>12}{'onnx, us':>12}{'ratio':>10}")
    for kind in KINDS:
        fitted = fit(kind, X, y, seed=0)
        session = open_session(export(fitted, X))
        native = median_us(fitted.predict_proba, rows)
        onnx = median_us(partial(up_probabilities, session), rows)
        print(f"{kind:<10}{native:>12.1f}{onnx:>12.1f}{native / onnx:>9.1f}x")
        if onnx >= native:
            slower.append(kind)
    if slower:
        print(f"ONNX is not faster for {', '.join(slower)}", file=sys.stderr)
    return 1 if slower else 0


def median_us(score: Callable[[np.ndarray], object], rows: list[np.ndarray]) -> float:
    """Median time of a call in microseconds, after a warm-up."""
    for row in rows[:20]:
        score(row)
    times = []
    for row in rows:
        start = time.perf_counter_ns()
        score(row)
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times)) / 1_000


if __name__ == "__main__":
    sys.exit(main())
