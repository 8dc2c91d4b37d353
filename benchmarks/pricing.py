"""Prices into volatilities and Greeks: speed and error of every model, beside named packages.

Speeds are rows per second of one core's processor time, whole array, statuses included. Errors are against
40-digit arithmetic (European), QuantLib's accurate QdFp engine (American), and QuantLib's grid (discrete
dividends). ``make bench-pricing`` runs every part. Exits with 1 where a target is missed, and names it.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import QuantLib as ql  # noqa: N813 - as its own examples do
from pricing_day import run
from pricing_markets import (
    RATE,
    american_option,
    american_reference,
    dividend_reference,
    european_market,
    exact_vol,
    flat,
    groups_of,
)
from pricing_peers import EUROPEAN, attempt

from strikelake.pricing import american, chain, european
from strikelake.pricing.discrete import Dividends
from strikelake.pricing.options import Chain, Options
from strikelake.pricing.statuses import STATUSES
from strikelake.pricing.terms import Terms
from strikelake.pricing.warm import compile_kernels

if TYPE_CHECKING:
    from collections.abc import Callable

BASIS_POINT, CENT = 1e-4, 0.01
_TIMES = 25.0 / 3.2  # what 25 M is of the best package's speed on the machine where the target was set
MARKET = ("sign", "spot", "strike", "years", "rate", "dividend_yield")
Target = tuple[str, float, float, bool]


def main() -> int:
    """Print the tables and return the exit status."""
    given = arguments()
    start = time.perf_counter()
    compile_kernels()
    print(f"kernels compiled or loaded in {time.perf_counter() - start:.1f} s\n")
    targets = [target for part in given.parts or PARTS for target in PARTS[part](given)]
    print(f"\n{'target':<62}{'seen':>10}{'wanted':>11}")
    missed = []
    for what, seen, wanted, at_least in targets:
        good = seen >= wanted if at_least else seen <= wanted
        print(
            f"{what:<62}{seen:>10.3g}{'>=' if at_least else '<=':>4}{wanted:>7.3g}"
            f"{'' if good else '  MISSED'}"
        )
        if not good:
            missed.append(what)
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="a quick look: python benchmarks/pricing.py european --rows 200000 --exact 100",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    sizes = {
        "rows": (1_000_000, "European rows"),
        "exact": (1_500, "of them compared with 40 digits"),
        "groups": (200, "American groups of 1,000 rows each; a fifth of them with dividends"),
        "reference": (4_000, "American prices by QuantLib"),
        "day": (4_000_000, "minute bars of the day"),
        "threads": (2, "threads that price the day"),
    }
    for name, (default, what) in sizes.items():
        parser.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{what} (default: {default:,})"
        )
    given = parser.parse_args()
    if unknown := [part for part in given.parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]}: choose from {', '.join(PARTS)}")
    return given


def seconds(call: Callable[[], object], rounds: int = 5) -> float:
    """Return the least processor time of some calls."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def european_rows(given: argparse.Namespace) -> list[Target]:
    """Compare European volatilities."""
    rows = european_market(given.rows)
    paid, market = rows["price"], [rows[name] for name in MARKET]
    rate = len(paid) / seconds(lambda: european.analyse(paid, Options(*market))) / 1e6
    found = european.analyse(paid, Options(*market))
    some = np.flatnonzero((found.code == 0) & (found.vega > CENT))[: given.exact]
    exact = np.array([exact_vol({name: column[i] for name, column in rows.items()}) for i in some])
    worst = np.max(np.abs(found.vol[some] - exact))
    print(
        f"{'European':<26}{'M rows/s':>10}{'max error':>12}{'no number':>11}   against 40 digits, vega > 0.01"
    )
    print(f"{'ours, with 5 Greeks':<26}{rate:>10.2f}{worst:>12.1e}{0:>11d}")
    best = 0.0
    for name, (call, most) in EUROPEAN.items():
        count = min(most, given.rows)
        part = {key: column[:count] for key, column in rows.items()}
        answer = attempt(call, part)
        if isinstance(answer, str):
            print(f"{name:<26}{answer}")
            continue
        if np.isnan(answer).all():
            print(f"{name:<26}finds no volatility at all")
            continue
        speed = count / seconds(lambda call=call, part=part: attempt(call, part), 3) / 1e6
        best = max(best, speed)
        inside = some[some < count]
        error = np.abs(answer[inside] - exact[: len(inside)])
        worst_of = np.nanmax(error, initial=0.0)
        print(f"{name:<26}{speed:>10.3f}{worst_of:>12.1e}{int(np.isnan(error).sum()):>11d}")
    unknown = sum(code not in range(len(STATUSES)) for code in np.unique(found.code))
    return [
        ("European IV and Greeks, M rows/s and core", rate, 25.0, True),
        ("  times the best package's volatility alone", rate / best if best else np.inf, _TIMES, True),
        ("European error against 40 digits, vega > 0.01", worst, 1e-11, False),
        (
            "European rows without number and reason",
            unknown + np.sum((found.code == 0) & np.isnan(found.vol)),
            0,
            False,
        ),
    ]


def american_rows(given: argparse.Namespace) -> list[Target]:
    """Compare American volatilities with continuous carry."""
    options, vol = groups_of(1_000, given.groups)
    paid = chain.price(options, vol)
    rate = len(paid) / seconds(lambda: chain.analyse(paid, options), 3) / 1e6
    rows = american_reference(given.reference)
    quoted = Options(rows["sign"], 100.0, rows["strike"], rows["years"], RATE, rows["dividend_yield"])
    found = american.analyse(rows["price"], quoted)
    telling = rows["price"] - np.maximum(rows["sign"] * (100.0 - rows["strike"]), 0.0) > CENT
    solved = telling & (found.code == 0)
    error = np.abs(found.vol - rows["vol"])[solved] / BASIS_POINT
    p99, worst = float(np.quantile(error, 0.99)), float(error.max())
    by_status = {
        STATUSES[code]: int(np.sum(telling & (found.code == code))) for code in np.unique(found.code[telling])
    }
    print(f"\n{'American':<26}{'M rows/s':>10}{'p99, bp':>10}{'max, bp':>10}   against QdFp accurate")
    print(f"{'ours, with 5 Greeks':<26}{rate:>10.3f}{p99:>10.3f}{worst:>10.2f}   {by_status}")
    some = min(200, given.reference)
    quantlib = some / seconds(lambda: quantlib_vols(rows, some), 1) / 1e6
    print(f"{'QuantLib QdFp, Brent':<26}{quantlib:>10.5f}")
    baw = attempt(baw_vols, rows)
    if isinstance(baw, str):
        print(f"{'pybaw':<26}{baw}")
    else:
        gap = np.abs(baw - rows["vol"])[telling] / BASIS_POINT
        speed = len(baw) / seconds(lambda: baw_vols(rows), 2) / 1e6
        print(f"{'pybaw':<26}{speed:>10.4f}{np.nanquantile(gap, 0.99):>10.1f}{np.nanmax(gap):>10.1f}")
    return [
        ("American IV and Greeks, M rows/s and core", rate, 1.0, True),
        ("American p99 error, vol bp", p99, 0.3, False),
        ("American max error, vol bp", worst, 5.0, False),
        (
            "American rows without number and reason",
            float(np.sum((found.code == 0) & np.isnan(found.vol))),
            0,
            False,
        ),
    ]


def quantlib_vols(rows: dict[str, np.ndarray], count: int) -> list[float]:
    """Return volatilities by QuantLib's fast QdFp engine and its Brent solver."""
    found = []
    for i in range(count):
        option, quote, process = american_option(
            rows["sign"][i], rows["strike"][i], round(rows["years"][i] * 365), flat(rows["dividend_yield"][i])
        )
        option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.fastScheme()))

        def gap(
            vol: float, option: ql.VanillaOption = option, quote: ql.SimpleQuote = quote, i: int = i
        ) -> float:
            quote.setValue(vol)
            return float(option.NPV() - rows["price"][i])

        try:
            found.append(ql.Brent().solve(gap, 1e-7, 0.3, 0.03, 4.0))
        except RuntimeError:
            found.append(np.nan)
    return found


def baw_vols(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Return volatilities in the approximation of Barone-Adesi and Whaley."""
    from pybaw import vectorized_baw_implied_vol

    discount = np.exp(-RATE * rows["years"])
    forward = 100.0 * np.exp((RATE - rows["dividend_yield"]) * rows["years"])
    flags = np.where(rows["sign"] > 0, "c", "p")
    spot = np.full(len(discount), 100.0)
    total = vectorized_baw_implied_vol(rows["price"], spot, rows["strike"], discount, forward, flags)
    return np.asarray(total) / np.sqrt(rows["years"])  # it returns vol times the root of time


def dividends(given: argparse.Namespace) -> list[Target]:
    """Compare American volatilities with discrete dividends, near the money and farther out."""
    heads = f"{'+-1.5 sd':>10}{'to 2.5':>10}{'cents':>10}   worst, vol bp, and of prices"
    print(f"\n{'Discrete dividends':<40}{heads}")
    near = 0.0
    for days, schedule in ((45, [(20, 0.015)]), (45, [(40, 0.005)]), (182, [(30, 0.005), (121, 0.005)])):
        for sign in (1.0, -1.0):
            (close, one), (far, other) = (
                dividend_error(sign, days, schedule, *band) for band in ((0.0, 1.5), (1.5, 2.5))
            )
            near = max(near, close)
            side = "call" if sign > 0 else "put"
            paid_on = ", ".join(f"{share:.1%} in {day}" for day, share in schedule)
            what, cents = f"{side:<5}{days:>4} days, {paid_on}", max(one, other)
            print(f"{what:<40}{close:>10.2f}{far:>10.2f}{cents:>10.3f}")
    plain, vol = groups_of(1_000, max(given.groups // 5, 1))
    own = plain.terms
    count = len(own.rate)
    owed = Dividends(np.arange(count), np.full(count, 0.01), np.full(count, 0.005))
    terms = Terms(own.rate, np.zeros(count), own.american, owed)
    options = Chain(plain.sign, plain.spot, plain.strike, plain.years, plain.group, terms)
    paid = chain.price(options, vol)
    rate = len(paid) / seconds(lambda: chain.analyse(paid, options), 2) / 1e6
    print(f"{rate:.3f} M rows/s and core, 1,000 rows per group and side")
    return [("discrete dividends, vol bp within +-1.5 deviations", near, 1.5, False)]


def dividend_error(
    sign: float, days: int, schedule: list[tuple[int, float]], nearest: float, farthest: float
) -> tuple[float, float]:
    """Return the largest errors at strikes on both sides of 100: basis points, and cents of the price.

    Volatilities count where half a tick is less than a vol point: far in the money before a dividend a price
    says nothing of it, however much it is above exercising now.
    """
    years, vol = days / 365, np.array([0.2, 0.4] * 4)
    distance = np.linspace(nearest, farthest, 4) if nearest else np.linspace(0.2, farthest, 4)
    strike = 100.0 * np.exp(np.concatenate([distance, -distance]) * vol * np.sqrt(years))
    paid = np.array(
        [dividend_reference(sign, k, days, v, schedule) for k, v in zip(strike, vol, strict=True)]
    )
    when, share = np.array(schedule).T
    owed = Dividends(np.zeros(len(when), np.int64), years - when / 365, share)
    terms = Terms(np.array([RATE]), np.zeros(1), np.array([True]), owed)
    options = Chain(sign, 100.0, strike, years, 0, terms)
    found, value = chain.analyse(paid, options), chain.price(options, vol)
    telling = (found.code == 0) & (found.error < CENT)
    error = np.max(np.abs(found.vol - vol)[telling] / BASIS_POINT, initial=0.0)
    return float(error), float(np.max(np.abs(value - paid)) / CENT)


def day(given: argparse.Namespace) -> list[Target]:
    """Price a simulated day of all listed options through the lake step."""
    report = run(given.day, threads=given.threads)
    unknown = report.rows - sum(n for status, n in report.by_status.items() if status in STATUSES)
    return [("rows of the day without a status", float(unknown), 0, False)]


PARTS: dict[str, Callable[[argparse.Namespace], list[Target]]] = {
    "european": european_rows,
    "american": american_rows,
    "dividends": dividends,
    "day": day,
}
"""By name, in the order of the tables."""


if __name__ == "__main__":
    sys.exit(main())
