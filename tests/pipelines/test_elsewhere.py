"""Another process computes the features of a file, on another day: what is no function of inputs shows."""

from datetime import date

import pytest

from pipelines import audit
from pipelines.audit_words import sentence
from pipelines.elsewhere import ADVICE, OPENS, audit_elsewhere
from pipelines.own_features import load
from strikelake.errors import FeatureError

OWN = """
import datetime, os, time
from datetime import date as day

from pathlib import Path

import numpy as np

from features.feature import feature

print("imported")
KEPT = {"top": 0.0}
FITTED = {}
MEMO = {}


def own(function):
    return feature("own", units="-")(function)


@own
def highest_so_far(close, volume):
    traded = close * volume
    KEPT["top"] = max(KEPT["top"], float(traded.max()))
    return traded / KEPT["top"]


@own
def fitted_on_the_first(close, volume):
    traded = close * volume
    mean, scale = FITTED.setdefault("all", (traded.mean(), traded.std()))
    return (traded - mean) / (scale + 1.0)


@own
def old(seconds):
    return time.time() // 86400.0 - seconds // 86400.0


@own
def ordinal(close):
    return close / close + day.today().toordinal()


@own
def year(close):
    return close / close + datetime.datetime.now().toordinal()


@own
def hour_here(seconds):
    return np.array([time.localtime(each).tm_hour for each in seconds], dtype=float)


@own
def home(close):
    return close / close + len(os.environ.get("HOME", ""))


@own
def hashed(close):
    return close / close + hash("AAPL") % 1000


@own
def from_file(close):
    return close / close + len(Path(__file__).read_text())


@own
def from_table(close):
    import polars as pl

    return close / close + pl.read_csv(__file__.replace(".py", ".csv"))["weight"].sum()


@own
def plain(high, low):
    return np.log(high / low)


@own
def remembers_what_it_saw(close, volume):
    traded = close * volume
    key = traded.tobytes()
    if key not in MEMO:
        MEMO[key] = np.log(traded)
    return MEMO[key]


@own
def imports_now_and_then(close, volume):
    traded = close * volume
    if traded[-1] > 7_000_000.0:
        import colorsys, fractions, this
    return traded / 2.0


@own
def month(seconds):
    dates = [datetime.datetime.fromtimestamp(each, datetime.timezone.utc) for each in seconds]
    return np.array([each.month for each in dates], dtype=float)
"""

HONEST = {"plain", "remembers_what_it_saw", "imports_now_and_then", "month"}
READERS = {"from_file", "from_table"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    found = tmp_path_factory.mktemp("own") / "my_features.py"
    found.write_text(OWN)
    found.with_suffix(".csv").write_text("weight\n1\n2\n")
    return found


def _audit(lake, path, check, names=None):
    features = load(path)
    options = {"bar": "30m", "samples": 2, "module": path}
    return audit.audit_features(lake, check, features, names or list(features), date.min, date.max, **options)


@pytest.fixture(scope="module")
def report(priced_lake, path):
    return _audit(priced_lake, path, "lookback")


def test_only_functions_of_their_inputs_pass(report):
    passed = {verdict.name for verdict in report.verdicts if verdict.status == "passed"}
    assert passed == HONEST


def test_what_was_fitted_on_the_future_first_fails_the_other_audit_too(priced_lake, path):
    report = _audit(priced_lake, path, "lookahead", ["fitted_on_the_first", "plain"])
    assert report.failed == ("fitted_on_the_first",)


def test_what_opens_a_file_is_told_so(report):
    errors = {verdict.name: verdict.error for verdict in report.verdicts if verdict.status == "error"}
    assert set(errors) == READERS
    assert all(error.startswith(OPENS) for error in errors.values())


def test_what_depends_on_the_process_is_told_so(report):
    failed = {verdict.name: sentence(verdict) for verdict in report.verdicts if verdict.status == "failed"}
    assert [said for said in failed.values() if not said.endswith(ADVICE)] == []
    assert "in a process of its own, on another day" in failed["old"]


def test_a_file_that_runs_here_alone_is_told(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import os\nassert os.environ['TZ'] == 'nowhere'\n")
    with pytest.raises(
        FeatureError, match=r"mine\.py does not run in a process of its own: .*AssertionError"
    ):
        audit_elsewhere(path, {})
