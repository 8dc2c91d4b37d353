"""A simulated day of all listed options through the lake step `analytics`: how long it takes, and where.

Run ``python benchmarks/pricing_day.py --rows 4000000 --threads 2``; `pricing.py` runs it too.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.analytics import AnalyticsReport, analyse
from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.lake.store import Lake
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.schemas import table

if TYPE_CHECKING:
    from strikelake.calendar import Session

DAY, MINUTES, UNDERLYINGS, RATE = date(2025, 6, 10), 390, 3_000, 0.043
EXPIRATIONS = tuple(date(2025, 6, 13) + timedelta(weeks=weeks) for weeks in (0, 1, 2, 3, 6, 10, 14, 32, 84))
_DRAWN = 3  # draws for a bar: a series trades more than once in a minute
SHARE, QUARTER, PAYERS = 0.005, 91, 0.4  # of the price that a payer pays, every so many days
PHASES = {
    "pricing.chain.analyse": "solving (carry and rows)",
    "pipelines.underlying.with_underlying": "as-of join of the underlying",
    "pipelines.carry.pairs_of": "pairs near the money",
    "pipelines.terms.series_of": "terms of the series",
    "pipelines.dividends.expected_dividends": "dividends expected",
    "pipelines.analytics.commit": "sorting and writing the lake",
}


def main() -> None:
    """Price one day and print where the time went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000, help="minute bars (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="that solve (default: %(default)s)")
    given = parser.parse_args()
    run(given.rows, given.threads)


def run(rows: int, threads: int) -> AnalyticsReport:
    """Write a market into a lake that is deleted afterwards, price it, and print the time it took."""
    with TemporaryDirectory() as home:
        lake = Lake(Path(home))
        written = market(lake, rows)
        profile, wall, cpu = cProfile.Profile(), time.perf_counter(), time.process_time()
        report = profile.runcall(analyse, lake, DAY, DAY, bar="1m", threads=threads)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"\na day of {report.rows:,} minute bars through `analytics`, {written:.0%} with a dividend ahead: "
        f"{wall:.1f} s on {threads} threads, {cpu:.1f} s of processor time"
    )
    for what, seconds in spent(profile).items():
        print(f"  {what:<34}{seconds:>8.1f} s{seconds / wall:>7.0%}")
    print(f"  {dict(report.by_status)}")
    return report


def spent(profile: cProfile.Profile) -> dict[str, float]:
    """Return wall seconds by phase, the longest first; what is no phase is the rest."""
    found, whole = dict.fromkeys(PHASES.values(), 0.0), 0.0
    for (file, _, name), (_, _, _, seconds, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        place = f"{Path(file).parent.name}.{Path(file).stem}.{name}"
        if place in PHASES:
            found[PHASES[place]] += seconds
        elif place == "pipelines.analytics.analyse":
            whole = seconds
    found["the rest: reading, joining, sorting"] = whole - sum(found.values())
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def market(lake: Lake, rows: int) -> float:
    """Write a day's bars, rates and dividends; return the share of the bars with a dividend ahead."""
    rng = np.random.default_rng(11)
    opened = session(DAY)
    start = np.round(np.exp(rng.uniform(np.log(15), np.log(600), UNDERLYINGS)), 2)
    path = start[:, None] * np.exp(np.cumsum(rng.normal(0, 5e-4, (UNDERLYINGS, MINUTES)), axis=1))
    path = np.round(path, 2)
    next_ex = np.where(rng.random(UNDERLYINGS) < PAYERS, rng.integers(3, 60, UNDERLYINGS), 0)
    lake.replace_many("stock_minute_bars", {DAY: stocks(opened, path)})
    lake.overwrite("treasury_yields", yields(opened))
    lake.overwrite("corporate_actions", actions(opened, start, next_ex))
    bars, share = options(rng, opened, path, next_ex, rows)
    lake.replace_many("option_minute_bars", {DAY: bars})
    return share


def tickers() -> pl.Series:
    """Return one name for each underlying."""
    letters = [chr(65 + number) for number in range(26)]
    return pl.Series(
        [letters[n // 676] + letters[n // 26 % 26] + letters[n % 26] + "Q" for n in range(UNDERLYINGS)]
    )


def shaped(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the columns of a table, with its types."""
    return frame.select(pl.col(column).cast(kind) for column, kind in table(name).columns.items())


def stocks(opened: Session, path: np.ndarray) -> pl.DataFrame:
    """Return a minute bar of every underlying and minute."""
    number = np.repeat(np.arange(UNDERLYINGS), MINUTES)
    at = opened.open_ns + np.tile(np.arange(MINUTES), UNDERLYINGS) * NS_PER_MINUTE
    price = pl.Series(path.ravel())
    frame = pl.DataFrame({"ts_ns": at, "available_at": at + NS_PER_MINUTE}).with_columns(
        date=pl.lit(DAY),
        ticker=tickers().gather(number),
        volume=pl.lit(100.0),
        transactions=pl.lit(1),
        **dict.fromkeys(("open", "high", "low", "close"), price),
    )
    return shaped(frame, "stock_minute_bars")


def yields(opened: Session) -> pl.DataFrame:
    """Return a flat curve of the evening before."""
    frame = pl.DataFrame({"tenor_days": [30, 365, 730]}).with_columns(
        date=pl.lit(DAY - timedelta(days=1)),
        yield_rate=pl.lit(RATE),
        available_at=pl.lit(opened.open_ns - 900 * NS_PER_MINUTE),
    )
    return shaped(frame, "treasury_yields")


def actions(opened: Session, start: np.ndarray, next_ex: np.ndarray) -> pl.DataFrame:
    """Return the last year's dividends of the payers, and the announced one."""
    paying = np.flatnonzero(next_ex)
    number, back = np.repeat(paying, 5), np.tile(np.arange(5), len(paying))
    ex = [DAY + timedelta(days=int(next_ex[n] - QUARTER * k)) for n, k in zip(number, back, strict=True)]
    frame = pl.DataFrame({"ex_date": ex, "cash_amount": np.round(SHARE * start[number], 2)}).with_columns(
        ticker=tickers().gather(number),
        action=pl.lit("dividend"),
        split_from=None,
        split_to=None,
        available_at=pl.lit(opened.open_ns - 9_000 * NS_PER_MINUTE),
    )
    return shaped(frame, "corporate_actions")


def options(
    rng: np.random.Generator, opened: Session, path: np.ndarray, next_ex: np.ndarray, rows: int
) -> tuple[pl.DataFrame, float]:
    """Return minute bars of which few series hold most, and the share that has a dividend ahead.

    European prices with the dividends taken off stand in for the tape: what is timed does not depend on it.
    """
    series = UNDERLYINGS * len(EXPIRATIONS)
    weight = rng.pareto(0.9, series) + 0.05
    drawn = _DRAWN * rows
    own = rng.choice(series, drawn, p=weight / weight.sum())
    number, which = np.divmod(own, len(EXPIRATIONS))
    days = np.array([(expiration - DAY).days for expiration in EXPIRATIONS])[which]
    minute = rng.integers(0, MINUTES, drawn)
    spot = path[number, minute]
    years = (days * 1440 + MINUTES - 1 - minute) / (365 * 1440)
    vol = np.clip(rng.uniform(0.2, 0.8, UNDERLYINGS)[number] * np.exp(rng.normal(0, 0.02, drawn)), 0.06, 3.0)
    step = np.where(path[number, 0] < 100, 0.5, 2.5)  # noqa: PLR2004 - strikes of dear shares lie farther apart
    wanted = spot * np.exp(rng.normal(0, 1.0, drawn) * vol * np.sqrt(years))
    strike = np.maximum(np.round(wanted / step), 1.0) * step
    call = rng.random(drawn) < 0.5  # noqa: PLR2004 - as many puts
    places = np.round(strike / step).astype(np.int64)
    key = ((own * (places.max() + 1) + places) * 2 + call) * MINUTES + minute
    bars = rng.permutation(np.unique(key, return_index=True)[1])[:rows]
    number, which, days, minute, spot, years, vol, strike, call = (
        column[bars] for column in (number, which, days, minute, spot, years, vol, strike, call)
    )
    ahead = np.where(next_ex > 0, 1, 0)[number] * np.maximum(1 + (days - next_ex[number]) // QUARTER, 0)
    kept = spot * (1.0 - SHARE) ** ahead
    paid = european.price(Options(np.where(call, 1.0, -1.0), kept, strike, years, RATE), vol)
    frame = pl.DataFrame({"strike": strike, "close": np.maximum(np.round(paid, 2), 0.01)}).with_columns(
        date=pl.lit(DAY),
        underlying=tickers().gather(number),
        expiration=pl.Series(EXPIRATIONS).gather(which),
        option_type=pl.Series(["P", "C"]).gather(call.astype(np.uint32)),
        ts_ns=pl.Series(opened.open_ns + minute * NS_PER_MINUTE),
        volume=pl.lit(1.0),
        transactions=pl.lit(1),
    )
    symbol = pl.format(
        "{}{}{}{}",
        "underlying",
        pl.col("expiration").dt.strftime("%y%m%d"),
        "option_type",
        (pl.col("strike") * 1000).cast(pl.Int64).cast(pl.String).str.zfill(8),
    )
    frame = frame.with_columns(
        occ_symbol=symbol,
        available_at=pl.col("ts_ns") + NS_PER_MINUTE,
        open="close",
        high="close",
        low="close",
    )
    frame = frame.sort("occ_symbol", "ts_ns")
    return shaped(frame, "option_minute_bars"), float(np.mean(ahead > 0))


if __name__ == "__main__":
    main()
