"""`strikelake features stats` as a user meets it."""

import sys
from datetime import date

import numpy as np
import polars as pl
import pytest

from features.catalog import catalog
from flows import cli
from pipelines.featurize import featurize
from pipelines.own_features import wanted
from strikelake.calendar import et_ns, sessions
from strikelake.lake.store import Lake
from strikelake.schemas import table


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command; return its exit code, its lines, and all it printed in one line."""

    def command(*arguments, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["strikelake", "features", "stats", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out.splitlines(), " ".join((printed.out + printed.err).split())

    return command


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A year of random day bars of two names, and three features of them."""
    days = sessions(date(2024, 1, 2), date(2024, 12, 31))
    rng = np.random.default_rng(5)
    columns = table("stock_day_bars").columns
    frames = []
    for ticker in ("AAPL", "SPY"):
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(days))))
        frame = pl.DataFrame(
            {
                "date": [day.date for day in days],
                "ticker": ticker,
                "ts_ns": [et_ns(day.date, "00:00") for day in days],
                "open": close,
                "high": close * 1.001,
                "low": close * 0.999,
                "close": close,
                "volume": rng.integers(1_000, 90_000, len(days)).astype(float),
                "transactions": 1,
                "available_at": [day.close_ns for day in days],
            }
        )
        frames.append(frame.select(pl.col(name).cast(kind) for name, kind in columns.items()))
    lake = Lake(tmp_path_factory.mktemp("stats") / "lake")
    by_day = pl.concat(frames).partition_by("date", as_dict=True)
    lake.replace_many("stock_day_bars", {day: rows for (day,), rows in by_day.items()})
    lake.overwrite("corporate_actions", pl.DataFrame(schema=dict(table("corporate_actions").columns)))
    wanted = ("return_1", "gap", "sma_distance_20", "days_to_monthly_expiration")
    chosen = {name: feature for name, feature in catalog().items() if name in wanted}
    featurize(lake, days[0].date, days[-1].date, bar="1d", features=chosen)
    return lake.root


def test_the_table_fits_a_terminal_and_the_page_is_written(run, lake, tmp_path):
    code, lines, said = run("--lake", lake, "--report", tmp_path / "page")
    assert code == 0
    assert max(len(line) for line in lines if "report" not in line) <= 80
    heads = next(line.split() for line in lines if "feature" in line)
    assert heads == ["feature", "known", "AC", "IC1", "t1", "IC5", "t5", "IC21", "t21", "PSI"]
    assert "sma_distance_20 92%" in said
    assert "1d bars, 2024-01-02 to 2024-12-31, 2 underlyings" in said
    assert "Statistics of features" in (tmp_path / "page" / "index.html").read_text()


def test_the_page_leads_to_the_verdicts_of_an_audit(run, lake, tmp_path, monkeypatch):
    chosen = ("--lake", lake, "--feature", "return_1")
    monkeypatch.setattr(sys, "argv", ["strikelake", "audit", "lookback", *map(str, chosen), "--samples", "1"])
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--report", str(tmp_path / "audit")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    code, _, _ = run(*chosen, "--report", tmp_path / "page", "--audit", tmp_path / "audit")
    assert code == 0
    page = (tmp_path / "page" / "index.html").read_text()
    assert "href='../audit/index.html#verdict-return_1'>lookback: passed</a>" in page
    code, _, said = run(*chosen, "--audit", tmp_path / "audit")
    assert code == 2
    assert "--audit goes with --report" in said
    code, _, said = run(*chosen, "--report", tmp_path / "page", "--audit", tmp_path)
    assert code == 1
    assert "has no verdicts.json" in said


def test_features_horizons_and_dates_are_chosen(run, lake):
    code, _, said = run("--lake", lake, "--feature", "gap", "--horizon", 3, "--start", "2024-03-01")
    assert code == 0
    assert "IC3" in said
    assert "IC21" not in said
    assert "return_1" not in said
    assert "2024-03-01 to 2024-12-31" in said


def test_what_is_never_known_is_told_in_a_line_and_own_features_have_statistics(run, lake, tmp_path):
    module = tmp_path / "own.py"
    module.write_text(
        "from features.feature import feature\n"
        "@feature('own', units='-', lookback=900)\n"
        "def long(close):\n    return close\n"
        "@feature('own', units='-')\n"
        "def half(close):\n    return close / 2.0\n"
    )
    opened = Lake(lake)
    days = opened.sessions("stock_day_bars")
    featurize(opened, days[0], days[-1], bar="1d", features=wanted(None, None, module))
    code, lines, said = run("--lake", lake, "--module", module)
    assert code == 0
    assert "never known (warm up): long" in said
    assert [line.split()[:2] for line in lines if "half" in line] == [["half", "100%"]]
    assert "return_1" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--feature", "rsi_15"], "no feature 'rsi_15'"),
        (["--family", "volume"], "none of these features is stored for 1d bars"),
    ],
)
def test_bad_input_is_one_line_with_the_remedy(run, lake, arguments, message):
    code, _, said = run("--lake", lake, *arguments)
    assert code == 1
    assert "error: " in said
    assert message in said
