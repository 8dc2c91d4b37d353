"""Features: 18 indicators beside their peers, the whole catalogue from a lake, and one live decision.

Peers are TA-Lib bare on the same slices, polars-talib, polars expressions and pandas-ta-classic, with its own
indicators and with TA-Lib's (the extra `bench`); one that is not installed is named and left out. Our results
are columns with nulls, the peers' what each library gives. Rows per CPU-second count every thread's time. Run
`python benchmarks/features.py`; it exits with 1 and names the target that is missed. `--rows` makes the panel
smaller for a quick look.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose features.py would stand in for the package of that name

import argparse
import os
import time
from datetime import date
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import talib

from features.bars import COLUMNS
from features.catalog import build, catalog
from flows.settings import load
from pipelines.featurize import featurize
from pipelines.inputs import compute
from pipelines.live_features import history, live_features
from strikelake.calendar import NS_PER_MINUTE, Session, et_ns, next_session, sessions
from strikelake.lake.store import Lake
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS_PER_CPU_SECOND, WHOLE_SECONDS, LIVE_MS = 8e6, 60.0, 15.0
SERIES = 100
INDICATORS = (
    "return_1", "return_3", "return_13", "sma_distance_20", "sma_distance_50", "ema_distance_10",
    "ema_distance_20", "ema_ratio_5_10", "ema_ratio_12_26", "macd_12_26", "macd_histogram_5_10_4",
    "macd_histogram_12_26_9", "rsi_7", "rsi_14", "bollinger_z_20", "range_position_20", "atr_7", "atr_14",
)  # fmt: skip
SYMBOLS = ("SPY", "AAPL", *(f"S{n:02}" for n in range(18)))
DAYS = sessions(date(2024, 10, 1), date(2025, 2, 28))[-60:]
STRIKES, EXPIRATIONS = np.linspace(80.0, 120.0, 25), (14, 28, 45, 60, 90)


def main() -> int:
    """Print the tables and return the exit status."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=10_000_000, help="rows of the indicators' panel")
    asked.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    chosen = asked.parse_args()
    if chosen.peak:
        print(peak(Path(chosen.peak[0]), chosen.peak[1]))
        return 0
    rows = chosen.rows
    missed = [*indicators(rows), *whole_catalogue()]
    print(f"\nload {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def indicators(rows: int) -> list[str]:
    """Compare 18 indicators; return the targets that are missed."""
    bars = panel(rows)
    check(bars.head(rows // SERIES))
    print(f"18 indicators on {rows:,} minute bars of {SERIES} underlyings, million rows per CPU-second")
    ours = show("catalogue, one by one", rows, lambda: one_by_one(bars))
    show("catalogue, one frame", rows, lambda: in_one_frame(bars))
    show("TA-Lib, bare", rows, lambda: bare(bars))
    for name, module, peer, share in (
        ("polars-talib", "polars_talib", with_polars_talib, 1),
        ("polars expressions", "polars", with_expressions, 4),
        ("pandas-ta-classic", "pandas_ta_classic", with_pandas_ta, 20),
        ("  with TA-Lib inside", "pandas_ta_classic", partial(with_pandas_ta, inside=True), 20),
    ):
        try:
            library = import_module(module)
        except ImportError:
            print(f"{name:<24}not installed: pip install 'strikelake[bench]'")
            continue
        part = bars.head(rows // SERIES * max(SERIES // share, 1))
        show(name, part.height, lambda peer=peer, part=part, library=library: peer(part, library))  # type: ignore[misc]
    peaks(bars)
    if ours < ROWS_PER_CPU_SECOND:
        return [f"{ours / 1e6:.1f} M rows per CPU-second; the target is {ROWS_PER_CPU_SECOND / 1e6:.0f} M"]
    return []


def one_by_one(bars: pl.DataFrame) -> int:
    """Compute the catalogue's indicators an underlying at a time, as the indicator libraries are called."""
    size = bars.height // SERIES
    return sum(
        build(bars.slice(first, size), None, INDICATORS).height for first in range(0, bars.height, size)
    )


def in_one_frame(bars: pl.DataFrame) -> int:
    """Compute them in one call: the results, 144 bytes a row, are memory that nobody has touched before."""
    return build(bars, None, INDICATORS).height


def peaks(bars: pl.DataFrame) -> None:
    """Print the memory that each way takes at most, in processes of their own."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bars.ipc"
        bars.write_ipc(path)
        for way in WAYS:
            command = [sys.executable, __file__, "--peak", str(path), way]
            done = run(command, capture_output=True, check=True)  # noqa: S603 - this very file
            print(f"peak memory, {way:<16}{done.stdout.decode().strip()}")


def peak(path: Path, way: str) -> str:
    """Return in words what this process took at most, with the bars and without the indicators."""
    bars = pl.read_ipc(path)
    build(bars.head(1_000), None, INDICATORS)  # compiles
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of reading the bars
    WAYS[way](bars)
    after = memory("VmHWM")
    return f"{after:,.0f} MB, {after - before:,.0f} MB more than with the bars alone"


def memory(name: str) -> float:
    """Return a figure of this process's memory in MB, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024.0


def panel(rows: int) -> pl.DataFrame:
    """Return minute bars of `SERIES` underlyings that trade at every minute."""
    rng = np.random.default_rng(1)
    length = rows // SERIES
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 2e-4, (SERIES, length)), axis=1)).ravel()
    opened = close * (1.0 + rng.normal(0.0, 1e-4, rows))
    spread = 1.0 + np.abs(rng.normal(0.0, 1e-4, rows))
    minute = np.tile(np.arange(length) * NS_PER_MINUTE, SERIES)
    names = pl.Series([f"S{n:03}" for n in range(SERIES)])
    return pl.DataFrame(
        {
            "asof": minute + DAYS[0].open_ns,
            "underlying": names.gather(np.repeat(np.arange(SERIES), length)),
            "date": pl.Series(np.full(rows, 20_000, dtype=np.int32)).cast(pl.Date),
            "open": opened,
            "high": np.maximum(opened, close) * spread,
            "low": np.minimum(opened, close) / spread,
            "close": close,
            "volume": rng.integers(1, 5_000, rows).astype(np.float64),
            "segment": np.zeros(rows, dtype=np.int32),
        },
        schema=COLUMNS,
    )


def check(bars: pl.DataFrame) -> None:
    """Stop where the catalogue's indicators are not TA-Lib's."""
    ours = build(bars, None, INDICATORS)
    close, high, low = (bars[name].to_numpy() for name in ("close", "high", "low"))
    upper, middle, lower = talib.BBANDS(close, 20)
    expected = {
        "rsi_14": talib.RSI(close, 14),
        "ema_distance_20": close / talib.EMA(close, 20) - 1.0,
        "sma_distance_20": close / middle - 1.0,
        "macd_histogram_12_26_9": talib.MACD(close)[2] / close,
        "atr_14": talib.ATR(high, low, close, 14) / close,
        "bollinger_z_20": 4.0 * (close - middle) / (upper - lower),
        "range_position_20": talib.WILLR(high, low, close, 20) / 100.0 + 1.0,
    }
    for name, values in expected.items():
        known = ours[name].is_not_null().to_numpy()
        np.testing.assert_allclose(ours[name].to_numpy()[known], values[known], rtol=1e-6, atol=1e-9)


def bare(bars: pl.DataFrame) -> int:
    """Compute TA-Lib's own indicators, slice by slice."""
    close, high, low = (bars[name].to_numpy() for name in ("close", "high", "low"))
    ends = np.linspace(0, bars.height, SERIES + 1).astype(int).tolist()
    for first, after in pairwise(ends):
        c, h, lows = close[first:after], high[first:after], low[first:after]
        for span in (5, 10, 12, 20, 26):
            talib.EMA(c, span)
        for window in (1, 3, 13):
            talib.ROC(c, window)
        for window in (7, 14):
            talib.RSI(c, window)
            talib.ATR(h, lows, c, window)
        for spans in ((5, 10, 4), (12, 26, 9)):
            talib.MACD(c, *spans)
        talib.SMA(c, 20)
        talib.SMA(c, 50)
        talib.BBANDS(c, 20)
        talib.WILLR(h, lows, c, 20)
    return bars.height


def with_polars_talib(bars: pl.DataFrame, library: Any) -> pl.DataFrame:
    """Compute the same indicators through the polars plugin."""
    close, high, low = pl.col("close"), pl.col("high"), pl.col("low")
    ta = library
    found = [
        *(ta.ema(close, timeperiod=n).alias(f"ema{n}") for n in (5, 10, 12, 20, 26)),
        *(ta.roc(close, timeperiod=n).alias(f"roc{n}") for n in (1, 3, 13)),
        *(ta.rsi(close, timeperiod=n).alias(f"rsi{n}") for n in (7, 14)),
        *(ta.atr(high, low, close, timeperiod=n).alias(f"atr{n}") for n in (7, 14)),
        *(
            ta.macd(close, fastperiod=a, slowperiod=b, signalperiod=c).alias(f"macd{a}")
            for a, b, c in ((5, 10, 4), (12, 26, 9))
        ),
        *(ta.sma(close, timeperiod=n).alias(f"sma{n}") for n in (20, 50)),
        ta.bbands(close, timeperiod=20).alias("bands"),
        ta.willr(high, low, close, timeperiod=20).alias("willr"),
    ]
    return bars.select(expression.over("underlying") for expression in found)


def with_expressions(bars: pl.DataFrame, _: Any) -> pl.DataFrame:
    """Compute the same indicators as polars expressions over each underlying."""
    close, high, low = pl.col("close"), pl.col("high"), pl.col("low")
    change, before = close.diff(), close.shift(1)
    true_range = pl.max_horizontal(high - low, (high - before).abs(), (low - before).abs())

    def ema(values: pl.Expr, span: float) -> pl.Expr:
        return values.ewm_mean(span=span, adjust=False)

    def wilder(values: pl.Expr, window: int) -> pl.Expr:
        return values.ewm_mean(alpha=1.0 / window, adjust=False)

    def strength(window: int) -> pl.Expr:
        up, down = change.clip(lower_bound=0.0), (-change).clip(lower_bound=0.0)
        return 100.0 - 100.0 / (1.0 + wilder(up, window) / wilder(down, window))

    found = [
        *(ema(close, n).alias(f"ema{n}") for n in (5, 10, 12, 20, 26)),
        *((close / close.shift(n) - 1.0).alias(f"roc{n}") for n in (1, 3, 13)),
        *(strength(n).alias(f"rsi{n}") for n in (7, 14)),
        *(wilder(true_range, n).alias(f"atr{n}") for n in (7, 14)),
        *(
            (ema(close, a) - ema(close, b) - ema(ema(close, a) - ema(close, b), c)).alias(f"macd{a}")
            for a, b, c in ((5, 10, 4), (12, 26, 9))
        ),
        *(close.rolling_mean(n).alias(f"sma{n}") for n in (20, 50)),
        (close.rolling_mean(20) + 2.0 * close.rolling_std(20)).alias("upper"),
        (close.rolling_mean(20) - 2.0 * close.rolling_std(20)).alias("lower"),
        ((close - low.rolling_min(20)) / (high.rolling_max(20) - low.rolling_min(20))).alias("willr"),
    ]
    return bars.select(expression.over("underlying") for expression in found)


def with_pandas_ta(bars: pl.DataFrame, library: Any, *, inside: bool = False) -> int:
    """Compute the same indicators with pandas, one underlying after the other; `inside` allows TA-Lib."""
    for (_,), rows in bars.group_by("underlying", maintain_order=True):
        frame = rows.select("high", "low", "close").to_pandas()
        c, h, lows = frame["close"], frame["high"], frame["low"]
        for span in (5, 10, 12, 20, 26):
            library.ema(c, length=span, talib=inside)
        for window in (1, 3, 13):
            library.roc(c, length=window, talib=inside)
        for window in (7, 14):
            library.rsi(c, length=window, talib=inside)
            library.atr(h, lows, c, length=window, talib=inside)
        for fast, slow, signal in ((5, 10, 4), (12, 26, 9)):
            library.macd(c, fast=fast, slow=slow, signal=signal, talib=inside)
        library.sma(c, length=20, talib=inside)
        library.sma(c, length=50, talib=inside)
        library.bbands(c, length=20, talib=inside)
        library.willr(h, lows, c, length=20, talib=inside)
    return bars.height


def show(name: str, rows: int, work: Callable[[], object]) -> float:
    """Print and return the rows per CPU-second of the best of three runs."""
    best = np.inf
    for _ in range(3):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    print(f"{name:<24}{rows / best / 1e6:>8.2f}   ({rows:,} rows in {best:.2f} s)")
    return rows / best


def whole_catalogue() -> list[str]:
    """Compute everything for 20 symbols from a lake, and one live decision; return missed targets."""
    missed = []
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        fill(lake)
        first, last = DAYS[0].date, DAYS[-1].date
        threads = os.cpu_count() or 1
        print(f"\nseconds for {len(catalog())} features, {len(SYMBOLS)} symbols, {len(DAYS)} sessions")
        began = time.perf_counter()
        found = compute(lake, first, last, bar="1m", threads=threads)
        took = time.perf_counter() - began
        print(f"{'on minute bars':<32}{took:>8.1f}   ({found.height:,} bars)")
        began = time.perf_counter()
        stored = featurize(lake, first, last, bar="30m", threads=threads)
        again = time.perf_counter() - began
        print(f"{'on half hours, stored':<32}{again:>8.1f}   ({stored.rows:,} values)")
        began = time.perf_counter()
        featurize(lake, first, last, bar="30m", threads=threads)
        print(f"{'again, nothing having changed':<32}{time.perf_counter() - began:>8.1f}")
        worst = max(took, again)
        if worst > WHOLE_SECONDS:
            missed.append(f"the whole catalogue takes {worst:.0f} s; the target is {WHOLE_SECONDS:.0f} s")
        missed += live(lake)
    return missed


def live(lake: Lake) -> list[str]:
    """Compute one decision after the other of the last session."""
    day = DAYS[-1]
    known = history(lake, day.date)
    minutes = lake.scan("stock_minute_bars", day.date, day.date).collect()
    daily = load().research.features
    missed = []
    for label, names in (("whole catalogue", None), (f"{len(daily)} features as configured", daily)):
        needed = known if names is None else history(lake, day.date, names=names)
        took = []
        for _ in range(5):
            for asof in range(day.open_ns + 30 * NS_PER_MINUTE, day.close_ns, 30 * NS_PER_MINUTE):
                seen = minutes.filter(pl.col("available_at") <= asof)
                began = time.perf_counter()
                live_features(needed.bars, seen, needed.facts, asof, names=names)
                took.append(1_000 * (time.perf_counter() - began))
        median = float(np.median(took))
        late = float(np.quantile(took, 0.99))
        print(f"live, {len(SYMBOLS)} symbols, {label}: p50 {median:.1f} ms, p99 {late:.1f} ms")
        if median > LIVE_MS:
            missed.append(f"a live window ({label}) takes {median:.1f} ms; the target is {LIVE_MS:.0f} ms")
    return missed


def fill(lake: Lake) -> None:
    """Write minute bars, chains with their analytics and open interest of every symbol and session."""
    rng = np.random.default_rng(2)
    put(lake, "stock_minute_bars", pl.concat(minutes_of(rng, symbol) for symbol in SYMBOLS))
    chains = pl.concat(chain_of(rng, day) for day in DAYS)
    put(lake, "option_day_bars", chains)
    put(lake, "option_analytics", chains)
    known = {day.date: et_ns(next_session(day.date).date, "06:30") for day in DAYS}
    moment = pl.col("date").replace_strict(known, return_dtype=pl.Int64)
    put(lake, "open_interest", chains.with_columns(available_at=moment))
    lake.overwrite("corporate_actions", pl.DataFrame(schema=dict(table("corporate_actions").columns)))


def put(lake: Lake, name: str, rows: pl.DataFrame) -> None:
    """Write rows of many dates; columns that they lack are null."""
    columns = [
        (pl.col(column) if column in rows.columns else pl.lit(None)).cast(kind).alias(column)
        for column, kind in table(name).columns.items()
    ]
    frames = rows.select(columns).partition_by("date", as_dict=True)
    lake.replace_many(name, {day: frame for (day,), frame in frames.items()})


def minutes_of(rng: np.random.Generator, symbol: str) -> pl.DataFrame:
    """Return the minutes of one symbol around 100 dollars."""
    starts = np.concatenate(
        [np.arange(day.open_ns, day.close_ns, NS_PER_MINUTE, dtype=np.int64) for day in DAYS]
    )
    dates = [day.date for day in DAYS for _ in range((day.close_ns - day.open_ns) // NS_PER_MINUTE)]
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 3e-4, len(starts))))
    opened = close * np.exp(rng.normal(0.0, 1e-4, len(starts)))
    return pl.DataFrame(
        {
            "date": dates,
            "ticker": symbol,
            "ts_ns": starts,
            "open": opened,
            "high": np.maximum(opened, close) * 1.0001,
            "low": np.minimum(opened, close) / 1.0001,
            "close": close,
            "volume": rng.integers(1, 5_000, len(starts)).astype(np.float64),
            "available_at": starts + NS_PER_MINUTE,
        }
    )


def chain_of(rng: np.random.Generator, day: Session) -> pl.DataFrame:
    """Return the solved contracts of all symbols in one session."""
    terms = pl.DataFrame(
        [
            (symbol, days, side, strike)
            for symbol in SYMBOLS
            for days in EXPIRATIONS
            for side in "CP"
            for strike in STRIKES.tolist()
        ],
        schema=["underlying", "days", "option_type", "strike"],
        orient="row",
    ).with_columns(
        expiration=pl.lit(day.date) + pl.duration(days="days"),
        strike=pl.col("strike").round(2),
    )
    count = terms.height
    sign = np.where(terms["option_type"] == "C", 1.0, -1.0)
    code = (pl.col("strike") * 1000).round().cast(pl.Int64).cast(pl.String).str.zfill(8)
    return terms.with_columns(
        pl.lit(day.date).alias("date"),
        pl.format(
            "{}{}{}{}", "underlying", pl.col("expiration").dt.strftime("%y%m%d"), "option_type", code
        ).alias("occ_symbol"),
        pl.lit(et_ns(day.date, "00:00")).alias("ts_ns"),
        pl.lit(day.close_ns).alias("available_at"),
        pl.lit("1d").alias("bar"),
        pl.lit("solved").alias("status"),
        pl.lit("american").alias("style"),
        pl.lit("stock").alias("underlying_source"),
        pl.lit("none").alias("carry_source"),
        pl.lit(100.0).alias("underlying_price"),
        (pl.col("days") / 365.0).alias("years"),
        *(pl.lit(2.0).alias(name) for name in ("open", "high", "low", "close", "price")),
        pl.Series("volume", rng.integers(0, 900, count).astype(np.float64)),
        pl.Series("open_interest", rng.integers(0, 9_000, count)),
        pl.Series("implied_vol", rng.uniform(0.15, 0.6, count)),
        pl.Series("delta", sign * rng.uniform(0.02, 0.98, count)),
        pl.Series("gamma", rng.uniform(0.001, 0.05, count)),
        pl.Series("vega", rng.uniform(1.0, 30.0, count)),
    )


WAYS = {"one by one": one_by_one, "in one frame": in_one_frame}


if __name__ == "__main__":
    sys.exit(main())
