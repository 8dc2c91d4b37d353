"""Sixty sessions of ten symbols simulated and written, beside QuantLib's values of the same options.

Target: 60 seconds on two cores. Kernels are compiled before the clock starts. QuantLib has no notion of a
session: its binomial and finite-difference engines value a sample of one session's quotes one by one, and the
time is extrapolated to all of them, which the last line says.
"""

import argparse
import random
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import polars as pl

from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.simulator import simulate, simulate_session, write

CONFIG = SimulatorConfig(sessions=60)
TARGET_SECONDS = 60.0
SAMPLE = 150


def rows(folder: Path) -> int:
    """Return how many quotes and bars lie in a market's published files."""
    wanted = (Folder.OPTION_QUOTES, Folder.OPTION_MINUTE_BARS, Folder.STOCK_MINUTE_BARS)
    files = [path for name in wanted for path in (folder / "flatfiles" / name).rglob("*.gz")]
    return sum(pl.scan_csv(path).select(pl.len()).collect().item() for path in files)


def quantlib_seconds() -> float | None:
    """Return the median time of one American value by finite differences; None where QuantLib is absent."""
    try:
        import QuantLib as ql  # noqa: N813 - as its documentation has it
    except ImportError:
        return None
    made = simulate_session(simulate(SimulatorConfig(sessions=1)), 0)
    state = made.state
    today = ql.Date(2, 1, 2025)
    ql.Settings.instance().evaluationDate = today
    count, chooser = ql.Actual365Fixed(), random.Random(7)
    tickers = made.frames[Folder.OPTION_QUOTES]["ticker"].to_list()
    taken = []
    for row in chooser.sample(range(len(tickers)), SAMPLE):
        strike, call = int(tickers[row][-8:]) / 1000.0, tickers[row][-9] == "C"
        began = time.perf_counter()
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(float(state.spot[row]))),
            ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count)),
            ql.YieldTermStructureHandle(ql.FlatForward(today, float(state.rate[row]), count)),
            ql.BlackVolTermStructureHandle(
                ql.BlackConstantVol(today, ql.NullCalendar(), float(state.implied_vol[row]), count)
            ),
        )
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if call else ql.Option.Put, strike)
        until = today + max(1, round(float(state.years[row]) * 365))
        option = ql.VanillaOption(payoff, ql.AmericanExercise(today, until))
        option.setPricingEngine(ql.FdBlackScholesVanillaEngine(process, 36, 121))
        option.NPV()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[SAMPLE // 2]


def main() -> None:
    """Print the line and fail where the target is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(SimulatorConfig(symbols=("SPY",), sessions=1, start=date(2025, 3, 3)), Path(folder) / "warm")
        began, worked = time.perf_counter(), time.process_time()
        write(CONFIG, Path(folder) / "market")
        seconds, cores = time.perf_counter() - began, time.process_time() - worked
        written = rows(Path(folder) / "market")
    print(
        f"{CONFIG.sessions}+1 sessions x {len(CONFIG.symbols)} symbols: {seconds:.1f} s "
        f"({cores:.1f} s of CPU), {written:,} quotes and bars published, "
        f"{written / seconds:,.0f} a second; target {TARGET_SECONDS:.0f} s"
    )
    alone = quantlib_seconds()
    if alone is None:
        print("QuantLib is not installed: no peer")
    else:
        print(
            f"QuantLib, the same grid without dividends: {alone * 1e6:,.0f} us a value, which for "
            f"{written:,} rows makes {alone * written:,.0f} s on one core (extrapolated from {SAMPLE})"
        )
    if seconds > TARGET_SECONDS:
        sys.exit(
            f"missed: {seconds:.1f} s for {CONFIG.sessions} sessions, the target is {TARGET_SECONDS:.0f} s"
        )


if __name__ == "__main__":
    main()
