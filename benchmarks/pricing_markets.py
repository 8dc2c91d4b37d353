"""Markets of the pricing benchmark: rows like a day's, and prices that others compute more exactly."""

from __future__ import annotations

import mpmath
import numpy as np
import QuantLib as ql  # noqa: N813 - as its own examples do
from scipy.interpolate import CubicSpline

from strikelake.pricing import european
from strikelake.pricing.options import Chain, Options
from strikelake.pricing.terms import Terms

TODAY, DAY_COUNT = ql.Date(2, 1, 2026), ql.Actual365Fixed()
RATE = 0.043


def european_market(rows: int, seed: int = 7) -> dict[str, np.ndarray]:
    """Return rows of many underlyings: minutes to two years, most strikes within three deviations."""
    rng = np.random.default_rng(seed)
    days = rng.choice([0, 1, 2, 4, 7, 14, 21, 30, 45, 60, 90, 150, 240, 365, 500, 730], rows)
    years = (days * 1440 + rng.integers(1, 391, rows)) / (365 * 1440)
    spot = np.round(np.exp(rng.uniform(np.log(20), np.log(700), rows)), 2)
    vol = np.clip(rng.uniform(0.12, 0.9, rows) * np.exp(rng.normal(0, 0.1, rows)), 0.05, 2.0)
    strike = np.maximum(np.round(spot * np.exp(rng.normal(0, 1.3, rows) * vol * np.sqrt(years)) * 2) / 2, 0.5)
    market = {
        "sign": rng.choice([1.0, -1.0], rows),
        "spot": spot,
        "strike": strike,
        "years": years,
        "rate": np.full(rows, RATE),
        "dividend_yield": rng.choice([0.0, 1.0], rows) * rng.uniform(0, 0.04, rows),
    }
    return {"price": european.price(Options(**market), vol), **market, "vol": vol}


def exact_black(row: dict[str, float], vol: mpmath.mpf) -> mpmath.mpf:
    """Return Black and Scholes' price in the working precision."""
    spot, strike, years, rate, carry = (
        mpmath.mpf(float(row[k])) for k in ("spot", "strike", "years", "rate", "dividend_yield")
    )
    sign = int(row["sign"])
    held, owed, s = (
        spot * mpmath.exp(-carry * years),
        strike * mpmath.exp(-rate * years),
        vol * mpmath.sqrt(years),
    )
    d1 = mpmath.log(held / owed) / s + s / 2
    return sign * (held * mpmath.ncdf(sign * d1) - owed * mpmath.ncdf(sign * (d1 - s)))


def exact_vol(row: dict[str, float]) -> float:
    """Return the volatility of a row's price to 40 digits, by Newton's method from the one behind it."""
    with mpmath.workdps(40):
        vol, step = mpmath.mpf(float(row["vol"])), mpmath.mpf("1e-12")
        for _ in range(3):
            gap = exact_black(row, vol) - mpmath.mpf(float(row["price"]))
            slope = (exact_black(row, vol + step) - exact_black(row, vol - step)) / (2 * step)
            vol -= gap / slope
        return float(vol)


def american_option(
    sign: float, strike: float, days: int, carry: object
) -> tuple[ql.VanillaOption, ql.SimpleQuote, object]:
    """Return an option on a spot of 100, the quote of its volatility and its process."""
    ql.Settings.instance().evaluationDate = TODAY
    vol = ql.SimpleQuote(0.2)
    rate = ql.YieldTermStructureHandle(ql.FlatForward(TODAY, RATE, DAY_COUNT))
    surface = ql.BlackConstantVol(TODAY, ql.NullCalendar(), ql.QuoteHandle(vol), DAY_COUNT)
    spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
    process = ql.BlackScholesMertonProcess(
        spot, ql.YieldTermStructureHandle(carry), rate, ql.BlackVolTermStructureHandle(surface)
    )
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)
    return ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, TODAY + days)), vol, process


def flat(level: float) -> ql.FlatForward:
    """Return a flat curve."""
    return ql.FlatForward(TODAY, level, DAY_COUNT)


def american_reference(rows: int, seed: int = 3) -> dict[str, np.ndarray]:
    """Return American prices by QuantLib's accurate QdFp engine, of expirations with 2 to 730 days."""
    rng = np.random.default_rng(seed)
    days = rng.choice([2, 7, 30, 90, 180, 365, 730], rows)
    carry = rng.choice([0.0, 0.005, 0.015, 0.03, 0.044, 0.06, 0.09], rows)
    sign, vol = rng.choice([1.0, -1.0], rows), rng.uniform(0.12, 0.9, rows)
    strike = 100.0 * np.exp(rng.normal(0, 0.9, rows) * vol * np.sqrt(days / 365))
    price = np.empty(rows)
    for i in range(rows):
        option, quote, process = american_option(sign[i], strike[i], int(days[i]), flat(carry[i]))
        quote.setValue(vol[i])
        scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
        option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
        price[i] = option.NPV()
    return {
        "price": price,
        "sign": sign,
        "strike": strike,
        "years": days / 365,
        "dividend_yield": carry,
        "vol": vol,
    }


def dividend_reference(
    sign: float, strike: float, days: int, vol: float, schedule: list[tuple[int, float]]
) -> float:
    """Return the price with shares of the spot paid on some days, by QuantLib's grid from ex-date to ex-date.

    Its engines pay cash only. As a yield of one day, the least that its curves know, a share is paid too
    slowly, and a call before it is worth up to three basis points more; so its solver goes from date to date,
    and on each the price is moved. Twice the points or the steps change less than a tenth of a basis point.
    """
    option, quote, process = american_option(sign, strike, days, flat(0.0))
    quote.setValue(vol)
    mesher = ql.FdmMesherComposite(ql.FdmBlackScholesMesher(600, process, days / 365, strike))
    exercise = ql.FdmAmericanStepCondition(mesher, ql.FdmLogInnerValue(option.payoff(), mesher, 0))
    solver = ql.FdmBackwardSolver(
        ql.FdmBlackScholesOp(mesher, process, strike),
        ql.FdmBoundaryConditionSet(),
        ql.FdmStepConditionComposite([], [exercise]),
        ql.FdmSchemeDesc.CrankNicolson(),
    )
    at = np.array(mesher.locations(0))
    exercised = np.maximum(sign * (np.exp(at) - strike), 0.0)
    value, now = exercised, days
    for day, share in [*reversed(schedule), (0, 0.0)]:
        column = ql.Array(value.tolist())
        solver.rollback(column, now / 365, day / 365, 30 * (now - day), 4)
        left = CubicSpline(at, list(column))(np.maximum(at + np.log1p(-share), at[0]))
        value, now = np.maximum(left, exercised), day
    return float(CubicSpline(at, value)(np.log(100.0)))


def groups_of(rows: int, groups: int, seed: int = 5) -> tuple[Chain, np.ndarray]:
    """Return a chain with as many rows in each group, and its volatilities."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rows)
    base, days = rng.uniform(0.15, 0.7, groups), rng.choice([7, 30, 90, 180, 365], groups)
    years = days[group] / 365 + rng.integers(0, 390, group.size) / (365 * 1440)
    vol = np.clip(base[group] * np.exp(rng.normal(0, 0.15, group.size)), 0.06, 3.0)
    strike = np.round(100.0 * np.exp(rng.normal(0, 1.0, group.size) * vol * np.sqrt(years)) * 2) / 2
    terms = Terms(np.full(groups, RATE), rng.uniform(0.005, 0.05, groups), np.ones(groups, np.bool_))
    sign = np.where(group % 2 == 0, 1.0, -1.0)
    return Chain(sign, np.full(group.size, 100.0), strike, years, group, terms), vol
