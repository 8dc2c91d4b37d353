"""Backfills that are killed anywhere, or run twice at once, leave the lake of an uninterrupted one."""

import gzip
import random
import subprocess
import sys
import time
from datetime import date

import polars as pl
import pytest

from pipelines.ingest import ingest
from strikelake.calendar import et_ns, sessions
from strikelake.lake.inspection import verify
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

DAYS = [session.date for session in sessions(date(2025, 1, 2), date(2025, 3, 14))]
KILLS = 50
STOCKS, OPTIONS = Dataset.STOCK_DAY_BARS, Dataset.OPTION_MINUTE_BARS
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
BACKFILL = """
import sys
from datetime import date
from pipelines.ingest import ingest
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

root, files, start, end = sys.argv[1:]
span = date.fromisoformat(start), date.fromisoformat(end)
print("ready", flush=True)
ingest(Lake(root), DirectoryFlatFiles(files), [Dataset.STOCK_DAY_BARS, Dataset.OPTION_MINUTE_BARS], *span)
"""


def put(root, dataset, day, lines):
    path = root / dataset.prefix / f"{day:%Y/%m}" / f"{day}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([HEADER, *lines, ""]).encode()))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Day bars of stocks and minute bars of options; every file has a row for the quarantine."""
    root = tmp_path_factory.mktemp("flatfiles")
    for day in DAYS:
        start, opened = et_ns(day, "00:00"), et_ns(day, "09:30")
        stocks = [f"T{n},100,{n + 1},{n + 1},{n + 1},{n + 1},{start},5" for n in range(300)]
        put(root, STOCKS, day, [*stocks, f"BAD,1,2,2,1,3,{start},5"])
        options = [
            f"O:SPY250620C00{strike}000,7,2.5,2.5,2.5,2.5,{opened + minute * 60_000_000_000},3"
            for strike in range(400, 420)
            for minute in range(0, 390, 4)
        ]
        put(root, OPTIONS, day, [*options, "O:SPY,1,2,2,2,2,1,1"])
    return root


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    """The lake of an uninterrupted backfill."""
    lake = Lake(tmp_path_factory.mktemp("whole"))
    ingest(lake, DirectoryFlatFiles(files), [STOCKS, OPTIONS], DAYS[0], DAYS[-1])
    return lake


def backfill(root, files):
    """Start a backfill of its own process; returns when it has begun."""
    command = [sys.executable, "-c", BACKFILL, str(root), str(files), str(DAYS[0]), str(DAYS[-1])]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.stdout.close()
    return running


def content(lake):
    """The names of all files, which are hashes of their content, and rows that hold no version numbers."""
    dated = {name: lake.table(name).files() for name in lake.tables() if lake.table(name).spec.partition_by}
    states = lake.scan("ingestions").drop("table_version").collect().sort("dataset", "date")
    return {name: found.rows() for name, found in dated.items()} | {"ingestions": states.rows()}


def sound(lake):
    return [fault for name in lake.tables() for fault in verify(lake, name)] == []


@pytest.mark.slow
def test_a_backfill_killed_at_random_points_leaves_the_lake_of_an_uninterrupted_one(files, whole, tmp_path):
    began = time.perf_counter()
    assert backfill(tmp_path / "timed", files).wait() == 0
    seconds = time.perf_counter() - began
    rng, killed, rounds = random.Random(7), 0, 0
    while killed < KILLS:
        root = tmp_path / f"lake-{rounds}"
        rounds += 1
        while True:
            running = backfill(root, files)
            try:
                running.wait(timeout=rng.uniform(0.0, seconds))
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
                killed += 1
            else:
                assert running.returncode == 0
                break
        assert content(Lake(root)) == content(whole)
        assert sound(Lake(root))


def test_two_backfills_at_once_leave_the_lake_of_one(files, whole, tmp_path):
    running = [backfill(tmp_path / "lake", files) for _ in range(2)]
    assert [each.wait() for each in running] == [0, 0]
    lake = Lake(tmp_path / "lake")
    assert content(lake) == content(whole)
    assert lake.scan(STOCKS).select(pl.len()).collect().item() == 300 * len(DAYS)
    assert sound(lake)
