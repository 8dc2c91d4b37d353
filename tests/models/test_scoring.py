"""The scorer trades without any training library."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from models.export import export
from models.kinds import fit
from models.scoring import load_scorer
from strikelake.errors import ModelError

LOADED = """
import sys
from pathlib import Path
import polars as pl
from models.scoring import load_scorer
scorer = load_scorer(Path(sys.argv[1]).read_bytes(), name="m", version=1, kind="boosted",
                     features=("momentum", "iv_rank", "volume_ratio", "noise"), bar="30m", horizon=2)
frame = pl.DataFrame({"asof": [1], "underlying": ["SPY"], "momentum": [0.1], "iv_rank": [None],
                      "volume_ratio": [0.2], "noise": [0.0]})
assert scorer.predict(frame).height == 1
heavy = {"sklearn", "torch", "pytorch_lightning", "xgboost", "mlflow", "skl2onnx", "onnxmltools"}
print(sorted(heavy & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def content(problem, cheap):
    fitted = fit("boosted", problem.X, problem.y, seed=3, **cheap["boosted"])
    return export(fitted, problem.X)


@pytest.fixture(scope="module")
def scorer(content, problem):
    return load_scorer(
        content, name="direction", version=4, kind="boosted", features=problem.features, bar="30m", horizon=2
    )


@pytest.fixture(scope="module")
def frame(problem):
    return pl.DataFrame(problem.X, schema=list(problem.features)).with_columns(
        asof=pl.int_range(pl.len()), underlying=pl.lit("SPY")
    )


def test_columns_are_found_by_name(scorer, frame):
    shuffled = frame.select(reversed(frame.columns)).with_columns(unrelated=pl.lit("x"))
    assert scorer.predict(frame).equals(scorer.predict(shuffled))
    assert scorer.predict(frame).columns == ["asof", "underlying", "probability"]


def test_null_and_nan_are_the_same_unknown(scorer, frame):
    nulls = frame.with_columns(pl.col("momentum").fill_nan(None))
    assert nulls["momentum"].null_count() > 0
    assert scorer.predict(frame).equals(scorer.predict(nulls))
    assert scorer.predict(frame)["probability"].is_finite().all()


def test_no_rows_give_no_forecasts(scorer, frame):
    assert scorer.predict(frame.clear()).schema == {
        "asof": pl.Int64,
        "underlying": pl.String,
        "probability": pl.Float64,
    }


@pytest.mark.parametrize("column", ["momentum", "asof", "underlying"])
def test_a_missing_column_is_named(scorer, frame, column):
    with pytest.raises(ModelError, match=f"lacks {column}: (build|add)"):
        scorer.predict(frame.drop(column))


def test_a_wrong_number_of_features_is_refused(content):
    with pytest.raises(
        ModelError, match=r"direction version 4 takes 4 features, not the 1 .* `strikelake train`"
    ):
        load_scorer(
            content, name="direction", version=4, kind="boosted", features=("a",), bar="30m", horizon=2
        )


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ModelError, match="5 bytes are no ONNX model, export it again"):
        load_scorer(b"hello", name="m", version=1, kind="boosted", features=("a",), bar="30m", horizon=2)


def test_scorers_compare_by_what_they_are(scorer, content, problem):
    again = load_scorer(
        content, name="direction", version=4, kind="boosted", features=problem.features, bar="30m", horizon=2
    )
    assert scorer == again
    assert "InferenceSession" not in repr(scorer)


def test_scoring_imports_no_training_library(content, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_one_row_scores_as_it_does_among_others(scorer, frame):
    together = scorer.predict(frame.head(5))["probability"].to_numpy()
    alone = np.concatenate([scorer.predict(frame[i])["probability"].to_numpy() for i in range(5)])
    assert np.abs(together - alone).max() < 1e-7
