"""Steps in parts: how a range is split and reports are merged, and a lake made by two Dask workers."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest

from flows import parts, wiring
from flows.settings import load
from pipelines.ingest import DatasetReport, IngestReport
from strikelake.errors import BadFileError, ConfigError, EmptyLakeError
from strikelake.vendors.flat_files import Dataset

DAYS = [date(2025, 1, day) for day in (2, 3, 6, 7, 8, 10)]
SPAN = (date(2025, 1, 1), date(2025, 1, 31))


def test_parts_cover_the_range_without_gap_or_overlap():
    for most in range(1, 9):
        spans = parts.split(SPAN, {day: float(day.day) for day in DAYS}, most)
        assert len(spans) == min(most, len(DAYS))
        assert (spans[0][0], spans[-1][1]) == SPAN
        assert all(before + timedelta(days=1) == after for (_, before), (after, _) in pairwise(spans))
        assert all(any(first <= day <= last for day in DAYS) for first, last in spans)


def test_parts_are_of_about_the_same_weight():
    spans = parts.split(SPAN, dict(zip(DAYS, [10.0, 1.0, 1.0, 1.0, 1.0, 6.0], strict=True)), 2)
    assert spans == [(SPAN[0], DAYS[0]), (DAYS[1], SPAN[1])]


def test_a_range_without_work_stays_whole():
    assert parts.split(SPAN, {}, 4) == [SPAN]


def test_reports_of_parts_add_up():
    def report(rows, rules, missing):
        of = DatasetReport(
            Dataset.OPTION_TRADES, 2, 1, 1, rows, sum(rules.values()), 0, 0, rules, missing, (), ("tape",)
        )
        return IngestReport((of,), {"option_trades": rows, "quarantine": 1})

    both = parts.merged([report(5, {"price": 1}, (DAYS[0],)), report(7, {"size": 2, "price": 2}, (DAYS[3],))])
    assert both.datasets == (
        DatasetReport(
            Dataset.OPTION_TRADES, 4, 2, 2, 12, 5, 0, 0,
            {"price": 3, "size": 2}, (DAYS[0], DAYS[3]), (), ("tape",),
        ),
    )  # fmt: skip
    assert both.versions == {"option_trades": 7, "quarantine": 1}


def test_shares_are_weighed_by_rows_and_unknown_fields_refused():
    @dataclass
    class Shares:
        rows: int
        null_share: dict[str, float]
        other: object = "same"

    merged = parts.merged([Shares(1, {"a": 1.0}), Shares(3, {"a": 0.0})])
    assert merged == Shares(4, {"a": 0.25})
    with pytest.raises(TypeError, match="reports differ in other"):
        parts.merged([Shares(1, {}, None), Shares(1, {}, None)])


def test_threads_are_the_default_and_take_a_step_whole():
    with parts.workers(load()) as workers:
        assert workers.run(lambda span, factor: (span, factor), SPAN, dict, factor=2) == (SPAN, 2)


def test_a_runner_there_is_not_is_refused(monkeypatch):
    monkeypatch.setenv("STRIKELAKE_COMPUTE__RUNNER", "ray")
    with pytest.raises(ConfigError, match=r"compute\.runner.*'threads' or 'dask'.*found 'ray'"):
        load()


def _market(folder, sessions=5):
    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.simulator import write

    return write(SimulatorConfig(seed=3, sessions=sessions, symbols=("AAPL", "SPY")), folder)


def _lake(monkeypatch, root, market, runner):
    from flows.featurize import featurize
    from flows.ingest import ingest

    monkeypatch.setenv("STRIKELAKE_LAKE__ROOT", str(root))
    monkeypatch.setenv("STRIKELAKE_COMPUTE__RUNNER", runner)
    settings = load()
    days = sorted(
        path.name[:10] for path in (market / "flatfiles/us_stocks_sip/day_aggs_v1").rglob("*.csv.gz")
    )
    span = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    ingested = ingest(*span, flat_files=market / "flatfiles")
    made = featurize(*span)
    return wiring.lake(settings), ingested, made


def _rows(lake, name):
    """The rows of a table, but not the order in which parts were committed."""
    try:
        found = lake.scan(name).drop("table_version", strict=False).collect()
    except EmptyLakeError:
        return pl.DataFrame()
    return found.sort(found.columns)


def _first_difference(one, other):
    """The first rows that only one of two tables has."""
    pairs = ((one, other), (other, one))
    return [a.join(b, on=a.columns, how="anti", nulls_equal=True).head(2).to_dicts() for a, b in pairs]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_api")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_two_dask_workers_make_the_lake_that_threads_make(monkeypatch, tmp_path):
    pytest.importorskip("prefect_dask", reason="the extra dask is not installed")
    market = _market(tmp_path / "market")
    lakes = {r: _lake(monkeypatch, tmp_path / r, market, r) for r in ("threads", "dask")}
    (here, ingested, made), (there, ingested_there, made_there) = lakes.values()
    assert there.tables() == here.tables()
    # What computations name is compared before they are.
    for name in sorted(here.tables(), key=lambda name: (name == "computations", name)):
        rows = [_rows(lake, name) for lake in (here, there)]
        assert rows[0].equals(rows[1]), f"{name}: {_first_difference(*rows)}"
        if name not in {"ingestions", "computations"}:  # they name the commit their rows came with
            files = [lake.table(name).files().select("path", "date", "rows") for lake in (here, there)]
            assert files[0].equals(files[1]), name
    assert ingested_there.datasets == ingested.datasets
    assert (made_there.bar, made_there.analytics) == (made.bar, made.analytics)
    assert made_there.features.rows == made.features.rows > 0


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_api")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_damaged_file_is_reported_by_a_worker_and_the_other_days_are_stored(monkeypatch, tmp_path):
    pytest.importorskip("prefect_dask", reason="the extra dask is not installed")
    market = _market(tmp_path / "market", 3)
    damaged = sorted((market / "flatfiles").glob("us_stocks_sip/minute_aggs_v1/**/*.csv.gz"))[1]
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with pytest.raises(BadFileError, match=damaged.name):
        _lake(monkeypatch, tmp_path / "lake", market, "dask")
    lake = wiring.lake(load())
    day = date.fromisoformat(damaged.name[:10])
    assert day not in lake.sessions("stock_minute_bars")
    assert len(lake.sessions("stock_minute_bars")) == 2
    assert lake.scan("ingestions").filter(state="refused").select(pl.col("date")).collect().item() == day
