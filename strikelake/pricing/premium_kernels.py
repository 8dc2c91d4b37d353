"""Value and slopes of American rows, given the early-exercise boundary, compiled.

Rows are puts with strike 1 (`exercise_boundary` says why that is enough). Their value is the European one
plus the early-exercise premium

    int_0^T r exp(-r m) N(-d2) - q S exp(-q m) N(-d1) dm,   d at S / B(T - m) and m.

ln(B) / vol at each point of that integral is a polynomial in ln(vol), solved once for a whole task: rows of
one rate and yield whose times differ by a few per cent. Between the shortest and the longest of these it is
linear in the root of time. Slopes are those of the formula, with the boundary's own movement.

Sources: I. Kim, "The analytic valuation of American options", Review of Financial Studies 1990, and P. Carr,
R. Jarrow and R. Myneni, "Alternative characterizations of American put options", Mathematical Finance 1992.
"""

from __future__ import annotations

from math import sqrt as scalar_sqrt
from typing import Any

from strikelake.pricing.elementary import exp, fma, ln, loop, normal, power_series, select

LN_SPOT, SPOT, YEARS, ROOT, BLEND, VOL, PLACE, PRICED, VEGA, DELTA, GAMMA, RHO = range(12)
"""Columns of a block of rows: ln(S), S, time, its root, where that is between the task's shortest (0) and its
longest (1), volatility, its place on [-1, 1]; and what is found. The search has more (`american_kernels`)."""


@loop
def european(rate: float, carry: float, ln_low: float, per_width: float, block: Any) -> None:
    """Start value and vega with the European ones; place each volatility on [-1, 1]."""
    value, vega, place = block[PRICED], block[VEGA], block[PLACE]
    ln_spot, spot, years, root, vol = block[LN_SPOT], block[SPOT], block[YEARS], block[ROOT], block[VOL]
    for i in range(value.size):
        s = vol[i] * root[i]
        place[i] = fma(ln(vol[i]) - ln_low, per_width, -1.0)
        bond, stock = exp(-rate * years[i]), spot[i] * exp(-carry * years[i])
        d1 = (ln_spot[i] + (rate - carry) * years[i]) / s + 0.5 * s
        n1, density = normal(-d1)
        n2, _ = normal(s - d1)
        value[i] = bond * n2 - stock * n1
        vega[i] = stock * density * root[i]


@loop
def european_slopes(rate: float, carry: float, of_carry: float, block: Any) -> None:
    """Start delta, gamma and the slope in the rate, or in the yield where `of_carry` is 1."""
    delta, gamma, rho = block[DELTA], block[GAMMA], block[RHO]
    ln_spot, spot, years, root, vol = block[LN_SPOT], block[SPOT], block[YEARS], block[ROOT], block[VOL]
    for i in range(delta.size):
        s = vol[i] * root[i]
        bond, stock = exp(-rate * years[i]), exp(-carry * years[i])
        d1 = (ln_spot[i] + (rate - carry) * years[i]) / s + 0.5 * s
        n1, density = normal(-d1)
        n2, _ = normal(s - d1)
        delta[i] = -stock * n1
        gamma[i] = stock * density / (spot[i] * s)
        rho[i] = years[i] * select(of_carry > 0.0, spot[i] * stock * n1, -bond * n2)


@loop
def premium(
    lag: float, rates: Any, bonds: Any, stocks: Any, level: Any, back: Any, per_width2: float, block: Any
) -> None:
    """Add one point of the integral to value and vega.

    Parameters
    ----------
    lag
        The point's share of each row's time.
    rates
        Rate and yield.
    bonds, stocks
        Weight times discount factor of the rate and of the yield: at the shortest time, and what the longest
        adds.
    level, back
        ln(B) / vol in powers of the volatility's place: at the shortest time, and what the longest adds.
    per_width2
        How fast the place moves with ln(vol).
    block
        (columns, n).
    """
    value, vega = block[PRICED], block[VEGA]
    ln_spot, spot, years, root = block[LN_SPOT], block[SPOT], block[YEARS], block[ROOT]
    vol, blend, place = block[VOL], block[BLEND], block[PLACE]
    rate, carry = rates
    bond_now, bond_more, stock_now, stock_more = (
        rate * bonds[0],
        rate * bonds[1],
        carry * stocks[0],
        carry * stocks[1],
    )
    drift, root_lag = (rate - carry) * lag, scalar_sqrt(lag)
    per_root_lag = 1.0 / root_lag
    for i in range(value.size):
        at, rise = power_series(level, place[i])
        more, more_rise = power_series(back, place[i])
        at, rise = fma(blend[i], more, at), fma(blend[i], more_rise, rise)
        per_vol, per_passed = 1.0 / vol[i], per_root_lag / root[i]
        half = 0.5 * vol[i] * root[i] * root_lag
        d = (fma(drift, years[i], ln_spot[i]) * per_vol - at) * per_passed
        n1, density1 = normal(-(d + half))
        n2, density2 = normal(half - d)
        bond = years[i] * fma(blend[i], bond_more, bond_now)
        stock = years[i] * spot[i] * fma(blend[i], stock_more, stock_now)
        value[i] += bond * n2 - stock * n1
        bond, stock = bond * density2, stock * density1
        fixed = bond * (d + half) - stock * (d - half)
        moving = (bond - stock) * per_passed * fma(rise, per_width2, at)
        vega[i] += (fixed + moving) * per_vol


@loop
def premium_slopes(
    lag: float,
    rates: Any,
    of_carry: float,
    bonds: Any,
    stocks: Any,
    level: Any,
    back: Any,
    sway: Any,
    per_width2: float,
    block: Any,
) -> None:
    """Add one point of the integral to value and to every slope.

    `of_carry` is 1 where rho is the slope in the yield; `sway` is what that rate adds to ln(B) / vol, in
    powers of the volatility's place. The others are those of `premium`.
    """
    value, vega, delta, gamma, rho = block[PRICED], block[VEGA], block[DELTA], block[GAMMA], block[RHO]
    ln_spot, spot, years, root = block[LN_SPOT], block[SPOT], block[YEARS], block[ROOT]
    vol, blend, place = block[VOL], block[BLEND], block[PLACE]
    rate, carry = rates
    drift, root_lag, towards = (rate - carry) * lag, scalar_sqrt(lag), 2.0 * of_carry - 1.0
    per_root_lag = 1.0 / root_lag
    for i in range(value.size):
        at, rise = power_series(level, place[i])
        more, more_rise = power_series(back, place[i])
        shift, _ = power_series(sway, place[i])
        at, rise = fma(blend[i], more, at), fma(blend[i], more_rise, rise)
        per_vol, per_passed, per_spot = 1.0 / vol[i], per_root_lag / root[i], 1.0 / spot[i]
        half, per_s = 0.5 * vol[i] * root[i] * root_lag, per_vol * per_passed
        d = (fma(drift, years[i], ln_spot[i]) * per_vol - at) * per_passed
        n1, density1 = normal(-(d + half))
        n2, density2 = normal(half - d)
        bond = years[i] * fma(blend[i], bonds[1], bonds[0])
        stock = years[i] * spot[i] * fma(blend[i], stocks[1], stocks[0])
        passed = years[i] * lag
        own = select(of_carry > 0.0, (carry * passed - 1.0) * stock * n1, (1.0 - rate * passed) * bond * n2)
        bond, stock = rate * bond, carry * stock
        value[i] += bond * n2 - stock * n1
        delta[i] -= stock * per_spot * n1
        bond, stock = bond * density2, stock * density1
        fixed = bond * (d + half) - stock * (d - half)
        moving = (bond - stock) * per_passed
        vega[i] += fma(moving, fma(rise, per_width2, at), fixed) * per_vol
        delta[i] += (stock - bond) * per_s * per_spot
        bent = bond * fma(d - half, per_s, 1.0) + stock * fma(-(d + half), per_s, 1.0)
        gamma[i] += bent * per_s * per_spot * per_spot
        rho[i] += own + moving * fma(towards * passed, per_vol, shift)
