"""`strikelake audit …` as a user meets it."""

import re
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from features.catalog import catalog
from features.selftest import Trial
from flows import cli
from flows.settings import home
from pipelines import own_features
from strikelake.calendar import et_ns, sessions
from strikelake.lake.store import Lake
from strikelake.schemas import table


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command; return its exit code and what it printed, every run of blanks as one."""
    monkeypatch.setenv("COLUMNS", "160")

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["strikelake", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, " ".join((printed.out + printed.err).split())

    return command


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Three liquid names on random day bars: what a terminal is tried on."""
    days = sessions(date(2022, 1, 3), date(2024, 12, 31))
    rng = np.random.default_rng(5)
    frames = []
    for ticker in ("AAPL", "MSFT", "SPY"):
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(days))))
        opened = np.concatenate(([100.0], close[:-1]))
        frames.append(
            pl.DataFrame(
                {
                    "date": [day.date for day in days],
                    "ticker": ticker,
                    "ts_ns": [et_ns(day.date, "00:00") for day in days],
                    "open": opened,
                    "high": np.maximum(opened, close) * 1.001,
                    "low": np.minimum(opened, close) * 0.999,
                    "close": close,
                    "volume": rng.integers(1_000, 90_000, len(days)).astype(float),
                    "transactions": 1,
                    "available_at": [day.close_ns for day in days],
                }
            )
        )
    lake = Lake(tmp_path_factory.mktemp("audit") / "lake")
    columns = table("stock_day_bars").columns
    rows = pl.concat(frames).select(pl.col(name).cast(kind) for name, kind in columns.items())
    lake.replace_many(
        "stock_day_bars", {key[0]: part for key, part in rows.partition_by("date", as_dict=True).items()}
    )
    lake.overwrite("corporate_actions", pl.DataFrame(schema=dict(table("corporate_actions").columns)))
    return lake.root


def test_an_audit_of_chosen_features_passes_and_writes_its_page(run, lake, tmp_path):
    folder = tmp_path / "page"
    families = ("--family", "price", "--family", "volume")
    code, said = run("lookahead", "--lake", lake, *families, "--samples", 2, "--report", folder)
    assert code == 0
    assert "rsi_7 passed 620 620 0" in said
    assert "atm_iv" not in said
    assert "forward_return_1 passed" in said
    assert re.search(
        r"at 2 decisions and in rows before them, on 1d bars; "
        r"proved: (\d+) of \1; not proved: 0; failed: none",
        said,
    )
    assert "Look-ahead audit" in (folder / "index.html").read_text()


def test_a_feature_without_enough_history_is_exit_1_with_the_remedy(run, lake, monkeypatch):
    short = {name: replace(feature, lookback=20) for name, feature in catalog().items()}
    monkeypatch.setattr(own_features, "catalog", lambda: short)
    code, said = run("lookback", "--lake", lake, "--feature", "rsi_7", "--feature", "gap", "--samples", 2)
    assert code == 1
    assert "rsi_7 FAILED" in said
    assert "gap passed" in said
    assert "only all 31 bars that were read give this value: declare a lookback beyond that" in said
    assert "failed: rsi_7" in said


def test_features_without_a_value_are_not_proved_and_said_loudly(run, lake, tmp_path):
    asked = ("lookahead", "--lake", lake, "--feature", "atm_iv", "--feature", "gap", "--samples", 1)
    code, said = run(*asked, "--report", tmp_path / "page")
    assert code == 3
    assert "NOT PROVED atm_iv: never a value; the lake has no rows of option_analytics, option_day" in said
    assert "proved: 5 of 6; not proved: 1; failed: none" in said
    assert "Not proved (1)" in (tmp_path / "page" / "index.html").read_text()
    assert run(*asked, "--allow-unproved")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--feature", "rsi_15"], "there is no feature 'rsi_15': the nearest names are rsi_14"),
        (["--family", "prices"], "there is no family 'prices': did you mean price?"),
        (["--start", "2024-12-31"], "no session from 2024-12-31 to 2024-12-31 has history before it"),
    ],
)
def test_bad_input_is_one_line_with_the_remedy(run, lake, arguments, message):
    code, said = run("lookahead", "--lake", lake, *arguments)
    assert code == 1
    assert f"error: {message}" in said


def test_selftest_shows_what_is_caught_and_fails_when_something_is_not(run, monkeypatch):
    code, said = run("selftest", "--samples", 3)
    assert code == 0
    assert "centred_window removed, changed bars: close passed" in said
    assert re.search(r"(\d+) of \1 planted leaks caught, 0 false alarms", said)
    monkeypatch.setattr(Trial, "caught", property(lambda trial: trial.plant.name != "backward_fill"))
    code, said = run("selftest", "--samples", 1)
    assert code == 1
    assert "backward_fill MISSED" in said


def test_the_guide_s_own_features_are_audited_as_it_says(run, lake, tmp_path):
    guide = (home() / "docs" / "audit.md").read_text(encoding="utf-8")
    own = tmp_path / "my_features.py"
    own.write_text(guide.split("```python\n")[1].split("```")[0])
    code, said = run("lookahead", "--lake", lake, "--module", own, "--samples", 2)
    assert code == 1
    assert "week_return passed" in said
    assert "too_good FAILED" in said
    assert "it reads stock_day_bars: close of AAPL" in said
    code, said = run("lookback", "--lake", lake, "--module", own, "--feature", "week_return", "--samples", 2)
    assert (code, "week_return passed" in said) == (0, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_this_name", "does not run: ModuleNotFoundError"),
        ("x = 1", "declares no feature"),
    ],
)
def test_a_file_that_cannot_be_audited_is_told(run, lake, tmp_path, text, message):
    own = tmp_path / "own.py"
    own.write_text(text)
    code, said = run("lookahead", "--lake", lake, "--module", own)
    assert (code, message in said) == (1, True)
