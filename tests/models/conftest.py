"""A small learnable problem and cheap settings for every kind of model."""

from types import SimpleNamespace

import numpy as np
import pytest

FEATURES = ("momentum", "iv_rank", "volume_ratio", "noise")


@pytest.fixture(scope="session")
def problem():
    """600 rows in which momentum decides, a twentieth of the values is missing and one row is empty."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(600, len(FEATURES))).astype(np.float32)
    y = (rng.random(600) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(np.int64)
    X[rng.random(X.shape) < 0.05] = np.nan
    X[17] = np.nan
    return SimpleNamespace(X=X, y=y, features=FEATURES)


@pytest.fixture(scope="session")
def cheap():
    """Arguments of each kind's fit that make it fast."""
    return {
        "forest": {"trees": 20, "n_jobs": 1},
        "boosted": {"rounds": 30, "learning_rate": 0.1, "min_leaf": 10.0, "n_jobs": 1},
        "neural": {"epochs": 6, "hidden": 8, "dropout": 0.1, "batch_size": 64, "learning_rate": 2e-3},
    }
