"""Reading the lake: LAKE.md's query targets beside DuckDB, pandas and pyarrow on the same rows, in one run.

Writes 250 sessions of synthetic option minute bars below `.cache` once (`--rows` a day), copies the closed
months, and reads them. Exits 1 and names the target that is missed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.maintain import compact
from strikelake.calendar import NS_PER_MINUTE, Session, sessions
from strikelake.contracts import OptionContract
from strikelake.lake import versions
from strikelake.lake.joins import newest_known
from strikelake.lake.store import Lake
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = "option_minute_bars"
DAYS, UNDERLYINGS, CONTRACTS, MINUTES = 250, 300, 12_000, 390
REPEATS = 15
CHAIN_MS, CONTRACT_MS, COMMIT_MS, JOIN_MS = 10.0, 20.0, 20.0, 300.0


@dataclass
class Board:
    """Best times of every reader, by question, and the targets that were missed."""

    missed: list[str] = field(default_factory=list)

    def show(
        self, question: str, readers: dict[str, Callable[[], int]], target_ms: float, repeats: int = REPEATS
    ) -> None:
        """Time each reader of one question; all must find the same number of rows."""
        print(f"\n{question} (target {target_ms:.0f} ms)")
        ours, rows = 0.0, None
        for name, read in readers.items():
            found = read()
            rows = found if rows is None else rows
            assert found == rows, f"{name} found {found} rows, not {rows}"
            took = milliseconds(read, repeats)
            ours = ours or took
            print(f"  {name:<36}{took:>9.1f} ms{took / ours:>8.1f} x   {found:,} rows")
        self.judge(question, ours, target_ms)

    def judge(self, question: str, took: float, target: float) -> None:
        """Note a missed target."""
        if took > target:
            self.missed.append(f"{question}: {took:.1f} ms, the target is {target:.0f} ms")


def milliseconds(read: Callable[[], object], repeats: int) -> float:
    """Return the best wall time: other work on the machine only ever adds to it."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        read()
        taken.append(1e3 * (time.perf_counter() - began))
    return min(taken)


def universe() -> tuple[pl.DataFrame, np.ndarray]:
    """Return the contracts and how often each trades: few trade much, most hardly."""
    rng = np.random.default_rng(1)
    size = rng.zipf(1.6, UNDERLYINGS).clip(1, 400).astype(float)
    counts = np.maximum(2, CONTRACTS * size / size.sum()).astype(int)
    rows = []
    for number, count in enumerate(counts):
        root = "".join(chr(65 + (number // 26**place) % 26) for place in range(3))
        for strike in range(count):
            expiration = date(2026, 1, 16) + timedelta(days=28 * (strike % 6))
            side = "C" if strike % 2 else "P"
            contract = OptionContract(root, expiration, side, 50 + strike)
            rows.append((contract.occ_symbol, root, expiration, side, 50.0 + strike))
    names = ["occ_symbol", "underlying", "expiration", "option_type", "strike"]
    frame = pl.DataFrame(rows, schema=names, orient="row").sort("occ_symbol")
    return frame, rng.pareto(1.2, frame.height) + 0.01


def bars(session: Session, contracts: pl.DataFrame, weight: np.ndarray, rows: int) -> pl.DataFrame:
    """Return one session's bars, by contract and minute."""
    rng = np.random.default_rng(session.date.toordinal())
    shares = np.minimum(weight / weight.sum() * rows * 1.6, MINUTES * 0.9)
    trades = rng.random((contracts.height, MINUTES), dtype=np.float32) < (shares / MINUTES)[:, None]
    index, minute = np.nonzero(trades)
    opened = np.round(1.0 + rng.gamma(2.0, 2.0, len(index)), 2)
    close = np.round(opened * np.exp(rng.normal(0.0, 0.01, len(index))), 2)
    start = session.open_ns + minute * NS_PER_MINUTE
    made = contracts[index].with_columns(
        date=pl.lit(session.date),
        ts_ns=pl.Series(start),
        open=pl.Series(opened),
        close=pl.Series(close),
        high=pl.Series(np.maximum(opened, close)),
        low=pl.Series(np.minimum(opened, close)),
        volume=pl.Series(rng.geometric(0.2, len(index)).astype(float)),
        transactions=pl.Series(rng.geometric(0.4, len(index))),
        available_at=pl.Series(start + NS_PER_MINUTE),
    )
    return made.select(pl.col(name).cast(kind) for name, kind in table(TABLE).columns.items())


def prepare(home: Path, rows: int) -> tuple[Lake, list[Session]]:
    """Return the lake, written and compacted unless it is there already."""
    lake = Lake(home / f"lake-{rows}")
    days = list(sessions(date(2025, 1, 2), date(2026, 3, 1))[:DAYS])
    contracts, weight = universe()
    held = set(lake.sessions(TABLE))
    todo = [session for session in days if session.date not in held]
    for first in range(0, len(todo), 10):
        batch = todo[first : first + 10]
        lake.replace_many(TABLE, {s.date: bars(s, contracts, weight, rows) for s in batch})
        print(f"  written {first + len(batch)} of {len(todo)} sessions", file=sys.stderr)
    compact(lake, date(2027, 1, 1))
    return lake, days


def native(home: Path, lake: Lake, rows: int) -> Path:
    """Return a .duckdb file with the same rows in the same order."""
    path = home / f"native-{rows}.duckdb"
    if not path.exists():
        copies = [str(file) for file in sorted((lake.root / TABLE / "_months").glob("*.parquet"))]
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                f"create table bars as from read_parquet({copies!r}) order by occ_symbol, ts_ns"
            )
    return path


def day_files(lake: Lake) -> dict[date, str]:
    """Return the live file of each date."""
    found = lake.table(TABLE)
    return {day: found.place.address(path) for path, day in found.files().select("path", "date").iter_rows()}


def readers(
    files: list[str], duck: Path, where: str, keep: pc.Expression, filters: list[tuple[str, str, object]]
) -> dict[str, Callable[[], int]]:
    """Return how the others answer the same question from the same files."""
    memory, stored = duckdb.connect(), duckdb.connect(str(duck), read_only=True)
    listed = f"from read_parquet({files!r}, hive_partitioning=true) where {where}"
    return {
        "DuckDB, same files": lambda: len(memory.sql(listed).arrow().read_all()),
        ".duckdb native": lambda: len(stored.sql(f"from bars where {where}").arrow().read_all()),
        "pyarrow dataset": lambda: len(ds.dataset(files).to_table(filter=keep)),
        "pandas": lambda: sum(len(pd.read_parquet(file, filters=filters)) for file in files),
    }


def arcticdb(home: Path, lake: Lake, root: str, symbol: str, day: date) -> None:
    """Print ArcticDB's times, from an environment of its own, or why there are none."""
    python = home.parent / "arcticdb" / "bin" / "python"
    if not python.exists():
        print(
            "\nArcticDB is absent: it wants pandas 2 and has to be in an environment of its own. "
            "python -m venv .cache/arcticdb && .cache/arcticdb/bin/pip install arcticdb pyarrow"
        )
        return
    script = Path(__file__).with_name("arctic_reader.py")
    store = home / f"arctic-{lake.root.name}"
    command = [python, script, store, lake.root / TABLE / "_months", root, symbol, day, REPEATS]
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)  # noqa: S603 - this project's
    print("\nArcticDB, one symbol an underlying, by time")
    questions = ("one underlying's chain of a day", "one contract over 250 days")
    for question, line in zip(questions, done.stdout.splitlines(), strict=True):
        took, rows = line.split()
        print(f"  {question:<36}{float(took):>9.1f} ms   {int(rows):,} rows")


def replacing(lake: Lake, days: list[Session], board: Board) -> None:
    """Replace two dates together, again and again, while a reader looks for versions that mix."""
    one, other = days[-1].date, days[-2].date
    copy = Lake(Path(mkdtemp(dir=lake.root.parent)))
    few = lake.scan(TABLE).filter(pl.col("occ_symbol").str.starts_with("AA")).collect()
    copy.replace_many(TABLE, {key[0]: rows for key, rows in few.partition_by("date", as_dict=True).items()})
    frames = {day: lake.scan(TABLE, day, day).collect() for day in (one, other)}
    stop, torn, reads = threading.Event(), [], [0]

    def watch() -> None:
        while not stop.is_set():
            rows = copy.scan(TABLE, other, one).select("volume").unique().collect()
            torn.extend([rows] * (rows.height > 1 and reads[0] > 0))
            reads[0] += 1

    volume = 1.0
    copy.replace_many(
        TABLE, {day: frame.with_columns(volume=pl.lit(volume)) for day, frame in frames.items()}
    )
    reader = threading.Thread(target=watch)
    reader.start()
    spec, place, commits, wholes = copy.table(TABLE).spec, copy.table(TABLE).place, [], []
    for number in range(REPEATS):
        changed = {day: frame.with_columns(volume=pl.lit(2.0 + number)) for day, frame in frames.items()}
        began = time.perf_counter()
        staged = {day: versions.write(place, spec, day, rows) for day, rows in changed.items()}
        log = versions.load(place)
        written = time.perf_counter()
        versions.commit(log, spec, staged, "")
        commits.append(1e3 * (time.perf_counter() - written))
        wholes.append(1e3 * (time.perf_counter() - began))
    stop.set()
    reader.join()
    shutil.rmtree(copy.root)
    took = min(commits)
    print(
        f"\nreplace two dates of {len(days)} while a reader reads "
        f"(targets: {COMMIT_MS:.0f} ms to commit, 0 torn reads)"
    )
    print(
        f"  commit {took:.1f} ms, with writing 2 x {frames[one].height:,} rows "
        f"{min(wholes):.1f} ms; {reads[0]} reads, {len(torn)} torn"
    )
    board.judge("commit of a replaced date", took, COMMIT_MS)
    if torn:
        board.missed.append(f"{len(torn)} torn reads of {reads[0]}")


def joining(board: Board) -> None:
    """Join 6 M option bars to 1 M stock bars: the newest bar of the underlying known by then."""
    rng = np.random.default_rng(0)
    groups, minutes = 5_000, np.arange(MINUTES) * NS_PER_MINUTE
    names = pl.Series([f"T{number:04}" for number in range(groups)])
    owner = np.sort(rng.integers(0, groups, 1_000_000))
    held = {"underlying": names[owner], "at": minutes[rng.integers(0, MINUTES, len(owner))]}
    stocks = pl.DataFrame(held | {"price": rng.random(len(owner))}).sort("underlying", "at")
    contract = np.sort(rng.integers(0, 148_000, 6_000_000))
    minute = minutes[rng.integers(0, MINUTES, len(contract))]
    rows = {"underlying": names[contract * groups // 148_000], "contract": contract, "at": minute}
    options = pl.DataFrame(rows).sort("contract", "at")

    memory = duckdb.connect()
    memory.register("o", options.to_arrow())
    memory.register("s", stocks.to_arrow())

    def ours() -> int:
        newest = newest_known(options, stocks, by=["underlying"], on="at")
        return options.height - options.with_columns(stocks["price"].gather(newest))["price"].null_count()

    def polars() -> int:
        ordered = options.sort("underlying", "at")
        joined = ordered.join_asof(stocks, on="at", by="underlying", check_sortedness=False)
        return options.height - joined["price"].null_count()

    def duck() -> int:
        found = memory.sql(
            "select o.*, price from o asof join s on o.underlying = s.underlying and o.at >= s.at"
        )
        return len(found.arrow().read_all())

    board.show(
        "as-of join of 6 M option bars to 1 M stock bars",
        {"Strikelake": ours, "polars, sorted as it needs": polars, "DuckDB": duck},
        JOIN_MS,
        repeats=5,
    )


def main() -> None:
    """Print the tables and fail where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows a session")
    rows = parser.parse_args().rows
    home = Path(__file__).resolve().parents[1] / ".cache" / "query"
    lake, days = prepare(home, rows)
    duck, files, board = native(home, lake, rows), day_files(lake), Board()
    contracts, weight = universe()
    symbol = contracts["occ_symbol"][int(np.argsort(weight)[-contracts.height // 10])]
    root = symbol[:3]
    day = days[DAYS // 2].date
    held = lake.scan(TABLE).select(pl.len()).collect().item()
    print(
        f"{held:,} rows, {DAYS} sessions, {contracts.height:,} contracts; "
        f"underlying {root}, contract {symbol}"
    )
    chain = {"Strikelake": lambda: lake.scan(TABLE, day, day, underlyings=[root]).collect().height}
    where = f"underlying = '{root}'"
    others = readers([files[day]], duck, f"{where} and date = '{day}'", pc.field("underlying") == root,
                     [("underlying", "==", root)])  # fmt: skip
    board.show("one underlying's chain of a day", chain | others, CHAIN_MS)
    span = (days[0].date, days[-1].date)
    mine = pl.col("occ_symbol") == symbol
    held_copies = [str(file) for file in sorted((lake.root / TABLE / "_months").glob("*.parquet"))]
    history = {"Strikelake": lambda: lake.scan(TABLE, *span).filter(mine).collect().height}
    others = readers(held_copies, duck, f"occ_symbol = '{symbol}'", pc.field("occ_symbol") == symbol,
                     [("occ_symbol", "==", symbol)])  # fmt: skip
    board.show("one contract over 250 days", history | others, CONTRACT_MS)
    arcticdb(home, lake, root, symbol, day)
    replacing(lake, days, board)
    joining(board)
    if board.missed:
        sys.exit("missed: " + "; ".join(board.missed))


if __name__ == "__main__":
    main()
