import gzip
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from strikelake.calendar import et_ns
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
    folders = [f"{market}/{kind}" for market in ("us_stocks_sip", "us_indices") for kind in kinds]
    folders += [f"us_options_opra/{kind}" for kind in [*kinds, "trades_v1", "quotes_v1"]]
    assert names == {f"flatfiles/{folder}/2025/01/2025-01-02.csv.gz" for folder in folders}


@pytest.mark.real
@pytest.mark.parametrize("folder", list(flat_files.Folder))
def test_headers_are_those_of_the_real_files(written, real_data, folder):
    ours = next((written / "unpublished" / folder).rglob("*.gz"))
    with gzip.open(ours, "rt") as mine:
        assert mine.readline() == real_header(real_data, folder)


def real_header(real_data: Path, folder: flat_files.Folder) -> str:
    """Return the header of a real file, or of the vendor's sample where there is none."""
    if found := sorted((real_data / "flatfiles" / folder).rglob("*.gz")):
        with gzip.open(found[0], "rt") as real:
            return real.readline()
    samples = {
        flat_files.Folder.INDEX_DAY_BARS: "indices_minute_aggs_v1.csv",
        flat_files.Folder.INDEX_MINUTE_BARS: "indices_minute_aggs_v1.csv",
        flat_files.Folder.STOCK_TRADES: "stocks_trades_v1_2026.csv",
        flat_files.Folder.STOCK_QUOTES: "stocks_quotes_v1_2026.csv",
        flat_files.Folder.OPTION_TRADES: "options_trades_v1.csv",
    }
    return (real_data / "vendor_samples" / samples[folder]).read_text().splitlines(keepends=True)[0]


def test_the_live_session_is_kept_apart_from_the_published(written):
    names = [name for name in digests(written) if "2025-01-03" in name]
    assert names
    assert all(name.startswith("unpublished/") for name in names)


def test_stock_ticks_are_published_where_wanted(tmp_path):
    write(replace(TINY, stock_ticks=True), tmp_path)
    assert (tmp_path / "flatfiles/us_stocks_sip/trades_v1/2025/01/2025-01-02.csv.gz").exists()
    assert (tmp_path / "flatfiles/us_stocks_sip/quotes_v1/2025/01/2025-01-02.csv.gz").exists()


def test_the_servers_tables_are_there(written):
    tables = {path.stem: pl.read_parquet(path) for path in (written / "market").glob("*.parquet")}
    assert sorted(tables) == [
        "all_contracts", "contracts", "index_minutes", "open_interest", "option_days", "option_minutes",
        "option_trades", "quotes", "stock_minutes", "stock_quotes", "stock_seconds", "stock_trades",
    ]  # fmt: skip
    live = et_ns(date(2025, 1, 3), "00:00")
    quotes = tables["quotes"]
    assert quotes.filter(pl.col("sip_timestamp") > live)["implied_vol"].null_count() == 0
    assert quotes.filter(pl.col("sip_timestamp") < live)["implied_vol"].null_count() > 0
    assert tables["contracts"]["open_interest"].sum() > 0
    assert tables["stock_trades"]["sip_timestamp"].min() > live
    assert tables["stock_minutes"]["window_start"].min() < live


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
    assert splits == "ticker,execution_date,split_from,split_to,declaration_date\n"
