"""Validated ingestion of a minute file, beside peers that only convert it.

Run ``python benchmarks/ingest.py [ROWS]``. It makes its own file in the vendor's layout, prints a table, and
exits with 1 when a target of docs/lake.md is missed, naming it. Ours parses, checks every row, verifies the
order, splits OCC symbols and commits; the peers check nothing. CPU is the whole process's, best of several
rounds in turn; memory is that of a process of its own, which imports no peer and no Prefect.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from flat_file_maker import minute_file, quote_file, trade_file
from isal import igzip

from pipelines.ingest import ingest
from pipelines.vet import vet
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles
from strikelake.vendors.quote_filter import QuoteFilter

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, ROUNDS = 4_000_000, 5
DAYS = (date(2025, 11, 13), date(2025, 11, 14))
MINUTES = Dataset.OPTION_MINUTE_BARS
TYPES = {
    "ticker": "VARCHAR",
    "volume": "BIGINT",
    **dict.fromkeys(("open", "close", "high", "low"), "DOUBLE"),
    "window_start": "BIGINT",
    "transactions": "BIGINT",
}
OCC = r"O:([A-Z][A-Z0-9.]*?)(\d{6})([CP])(\d{8})$"


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=ROWS, help="of the file (default: %(default)s)")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed, day in enumerate(DAYS):
            minute_file(path_of(folder, day, MINUTES), day, rows, seed=seed)
        quote_file(path_of(folder, DAYS[0], Dataset.OPTION_QUOTES), DAYS[0], rows)
        source = path_of(folder, DAYS[0], MINUTES)
        print(f"{source.stat().st_size / 1e6:.0f} MB gzipped, {text_size(source) / 1e6:.0f} MB of text")
        cpu = compare(folder, source)
        size = (folder / "ours.parquet").stat().st_size / source.stat().st_size
        wall = together(folder)
        trade_file(path_of(folder, DAYS[0], Dataset.OPTION_TRADES), DAYS[0], rows // 4)
        quotes, trades = (
            stored_share(folder, each) for each in (Dataset.OPTION_QUOTES, Dataset.OPTION_TRADES)
        )
        peaks = {what: peak_mb(folder, what) for what in ("option_minute_bars", "option_quotes")}
    targets = [
        ("CPU against DuckDB's plain typed COPY", cpu["ours"] / cpu["DuckDB COPY"], 0.6),
        ("CPU against DuckDB with OCC and ORDER BY", cpu["ours"] / cpu["DuckDB OCC+ORDER"], 0.35),
        ("wall against decompression, two files at once", wall, 5.0),
        ("size of minute bars against the csv.gz", size, 0.8),
        ("size of quotes, every one, against the csv.gz", quotes, 0.65),
        ("size of trades against the csv.gz", trades, 0.65),
        *((f"peak memory, MB, two files of {what}", peak, 450.0) for what, peak in peaks.items()),
    ]
    print(f"\n{'target':<58}{'seen':>8}{'at most':>9}")
    for what, seen, most in targets:
        print(f"{what:<58}{seen:>8.2f}{most:>9.2f}{'' if seen <= most else '  MISSED'}")
    missed = [what for what, seen, most in targets if seen > most]
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def compare(folder: Path, source: Path) -> dict[str, float]:
    """Print and return CPU seconds of every way to turn the file into Parquet."""
    ways: dict[str, Callable[[], object]] = {
        "isal alone": partial(text_size, source),
        "ours": partial(ours, folder, DAYS[0]),
        "DuckDB COPY": partial(duckdb_copy, source, folder / "duckdb.parquet"),
        "DuckDB OCC+ORDER": partial(duckdb_occ, source, folder / "duckdb.parquet"),
        "polars": partial(polars_convert, source, folder / "polars.parquet"),
        "pyarrow": partial(pyarrow_convert, source, folder / "pyarrow.parquet"),
        "pandas": partial(pandas_convert, source, folder / "pandas.parquet"),
    }
    ways["ours"]()
    seconds: dict[str, list[tuple[float, float]]] = {what: [] for what in ways}
    for _ in range(ROUNDS):
        for what, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            seconds[what].append((time.process_time() - cpu, time.perf_counter() - wall))
    best = {what: min(cpu for cpu, _ in pairs) for what, pairs in seconds.items()}
    print(f"{'':<18}{'cpu, s':>8}{'wall, s':>9}{'cpu, ours/it':>14}")
    for what, pairs in seconds.items():
        wall = min(wall for _, wall in pairs)
        print(f"{what:<18}{best[what]:>8.2f}{wall:>9.2f}{best['ours'] / best[what]:>13.2f}x")
    return best


def together(folder: Path) -> float:
    """Return how much longer two files at once take than their decompression."""
    ratios = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            list(pool.map(lambda day: text_size(path_of(folder, day, MINUTES)), DAYS))
            alone = time.perf_counter() - start
            start = time.perf_counter()
            list(pool.map(partial(ours, folder), DAYS))
            ratios.append((time.perf_counter() - start) / alone)
    return statistics.median(ratios)


def stored_share(folder: Path, dataset: Dataset) -> float:
    """Return the size of what is stored of a made file against the file's."""
    source = DirectoryFlatFiles(folder)
    file = source.list(dataset, DAYS[0], DAYS[0])[0]
    vetted = vet(source, file, 0.01, folder, QuoteFilter(sampling="all"))
    assert vetted.good is not None
    return vetted.good.path.stat().st_size / file.size


def peak_mb(folder: Path, dataset: str) -> float:
    """Return the peak memory of a fresh process that ingests the made days of a dataset into a lake."""
    command = [sys.executable, __file__, "--peak", str(folder), dataset]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this script
    return float(done.stdout.split()[-1])


def peak(folder: str, dataset: str) -> None:
    """Ingest and print this process's peak memory in MB."""
    with tempfile.TemporaryDirectory() as lake:
        quotes = QuoteFilter(sampling="all")
        ingest(Lake(lake), DirectoryFlatFiles(folder), [Dataset(dataset)], *DAYS, quotes=quotes)
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) / 1_024)


def path_of(folder: Path, day: date, dataset: Dataset) -> Path:
    """Return where the vendor would have the file."""
    return folder / dataset.prefix / f"{day:%Y/%m}" / f"{day}.csv.gz"


def text_size(source: Path) -> int:
    """Decompress in blocks, and count."""
    size = 0
    with igzip.open(source, "rb") as text:
        while block := text.read(4 << 20):
            size += len(block)
    return size


def ours(folder: Path, day: date) -> None:
    """Parse, check, arrange and write one file; a commit takes milliseconds more."""
    source = DirectoryFlatFiles(folder)
    vetted = vet(source, source.list(MINUTES, day, day)[0], 0.01, folder, QuoteFilter())
    assert vetted.good is not None
    assert vetted.outcome.rejected == 0
    vetted.good.path.replace(folder / ("ours.parquet" if day == DAYS[0] else "other.parquet"))


def duckdb_copy(source: Path, target: Path) -> None:
    """Convert with types and nothing else."""
    import duckdb

    with duckdb.connect() as connection:
        query = f"copy (select * from {reader(source)}) to '{target}' {options()}"  # noqa: S608 - own paths
        connection.execute(query).fetchall()


def duckdb_occ(source: Path, target: Path) -> None:
    """Convert, split the symbols and sort."""
    import duckdb

    split = f"regexp_extract(ticker, '{OCC}', ['root', 'expiration', 'side', 'strike'])"
    with duckdb.connect() as connection:
        query = (
            f"copy (select ticker[3:] as occ_symbol, o.root, strptime(o.expiration, '%y%m%d')::date, o.side, "  # noqa: S608 - own paths
            f"o.strike::bigint / 1000, * exclude (ticker, o) from (select *, {split} as o "
            f"from {reader(source)}) order by occ_symbol, window_start) to '{target}' {options()}"
        )
        connection.execute(query).fetchall()


def reader(source: Path) -> str:
    """Return DuckDB's table of the file."""
    return f"read_csv('{source}', header = true, columns = {TYPES})"


def options() -> str:
    """Return DuckDB's way to write what we write."""
    return "(format parquet, compression zstd, compression_level 3)"


def polars_convert(source: Path, target: Path) -> None:
    """Read and write with polars."""
    pl.read_csv(source).write_parquet(target, compression="zstd", compression_level=3)


def pyarrow_convert(source: Path, target: Path) -> None:
    """Read and write with pyarrow."""
    import pyarrow.csv
    import pyarrow.parquet as pq

    table = pyarrow.csv.read_csv(source)
    pq.write_table(table, target, compression="zstd", compression_level=3, row_group_size=65_536)


def pandas_convert(source: Path, target: Path) -> None:
    """Read and write with pandas."""
    import pandas as pd

    pd.read_csv(source).to_parquet(target, compression="zstd")


if __name__ == "__main__":
    sys.exit(peak(*sys.argv[2:]) if "--peak" in sys.argv else main())
