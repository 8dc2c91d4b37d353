import gzip
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from strikelake.errors import SandboxError
from strikelake.sandbox import flat_files
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.simulator import write

TINY = SimulatorConfig(symbols=("SPY",), sessions=1)
SCRIPT = """
import sys
from pathlib import Path
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.simulator import write
write(SimulatorConfig(symbols=("SPY",), sessions=1), Path(sys.argv[1]))
"""


def digests(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write(TINY, tmp_path_factory.mktemp("market"))


def test_another_process_writes_the_same_bytes(written, tmp_path):
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], check=True, env=environment)
    assert digests(tmp_path) == digests(written)


def test_another_seed_writes_other_bytes(written, tmp_path):
    other = digests(write(replace(TINY, seed=8), tmp_path))
    quotes = "flatfiles/us_options_opra/quotes_v1/2025/01/2025-01-02.csv.gz"
    assert other[quotes] != digests(written)[quotes]


def test_the_layout_is_the_vendors(written):
    names = {name for name in digests(written) if name.startswith("flatfiles")}
    kinds = ["day_aggs_v1", "minute_aggs_v1"]
    folders = [f"us_stocks_sip/{k}" for k in kinds] + [f"us_options_opra/{k}" for k in [*kinds, "quotes_v1"]]
    assert names == {f"flatfiles/{folder}/2025/01/2025-01-02.csv.gz" for folder in folders}


@pytest.mark.real
@pytest.mark.parametrize("folder", list(flat_files.Folder))
def test_headers_are_those_of_the_real_files(written, real_data, folder):
    ours = next((written / "flatfiles" / folder).rglob("*.gz"))
    theirs = next((real_data / "flatfiles" / folder).rglob("*.gz"))
    with gzip.open(ours, "rt") as mine, gzip.open(theirs, "rt") as real:
        assert mine.readline() == real.readline()


def test_the_live_session_is_not_published(written):
    assert not any("2025-01-03" in name for name in digests(written))


def test_the_same_market_is_not_simulated_twice(written):
    calls: list[tuple[int, int]] = []
    write(TINY, written, lambda done, total: calls.append((done, total)))
    assert calls == []


def test_another_configuration_replaces_the_market_and_reports_progress(tmp_path):
    write(TINY, tmp_path)
    calls: list[tuple[int, int]] = []
    write(replace(TINY, sessions=2), tmp_path, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert json.loads((tmp_path / "manifest.json").read_text())["config"]["sessions"] == 2


def test_files_of_others_are_never_touched(tmp_path):
    (tmp_path / "flatfiles").mkdir()
    (tmp_path / "flatfiles" / "mine.csv").write_text("precious")
    with pytest.raises(SandboxError, match="holds flatfiles, which no simulation wrote: choose an empty"):
        write(TINY, tmp_path)
    assert (tmp_path / "flatfiles" / "mine.csv").read_text() == "precious"


def test_an_interrupted_simulation_is_started_over(tmp_path):
    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        write(TINY, tmp_path, stop)
    write(TINY, tmp_path)
    assert (tmp_path / "manifest.json").exists()


def test_reference_files_have_the_vendors_shapes(written):
    curves = pl.read_csv(written / "reference" / "treasury_curves.csv", try_parse_dates=True)
    assert curves.columns[:3] == ["date", "1month", "3month"]
    assert curves.height == 12
    assert 0.0 < curves["10year"].min() < 0.2
    splits = (written / "reference" / "splits.csv").read_text()
    assert splits == "ticker,execution_date,split_from,split_to,prior_close\n"
