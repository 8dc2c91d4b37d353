"""Binomial trees with few steps: not how Strikelake prices, but how others do, to tell their numbers apart.

A tree of 30 steps differs from what it converges to by up to a percent of the volatility, by turns above and
below it as the strike moves between two nodes. `strikelake.pricing.chain` is what to price with.
Source: J. Cox, S. Ross, M. Rubinstein, 1979, "Option pricing: a simplified approach".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.arrays import FloatArray, broadcast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

STEPS = 30
_BUMP = 0.01  # of the volatility, for vega
_LOW, _HIGH = 1e-3, 10.0
_FURTHEST_RATE = 0.2
_EXACT = 1e-9
_MARKET = ("sign", "spot", "strike", "years", "rate", "vol", "dividend_yield")
_GREEK_LEVELS = 2  # the levels of the tree that Greeks are read from: 0, 1 and 2


@dataclass(frozen=True, slots=True)
class TreeValues:
    """Values and slopes as the tree's first nodes give them, arrays of one shape; NaN where undefined.

    Attributes
    ----------
    price, delta, gamma
        Per share, as in `strikelake.pricing.greeks`.
    vega
        Dollars per 1.00 of volatility, from two more trees a hundredth of the volatility away.
    theta
        Dollars per year: from the first node to the middle one of two steps later.
    """

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray


def tree_values(
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    vol: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    *,
    american: ArrayLike = True,
    steps: int = STEPS,
) -> TreeValues:
    """Return values and Greeks of a Cox-Ross-Rubinstein tree.

    Parameters
    ----------
    sign, spot, strike, years, rate, vol, dividend_yield
        As in `strikelake.pricing.black_scholes.price`.
    american
        Whether each row may be exercised early.
    steps
        At least 3.

    Returns
    -------
    TreeValues
        NaN where an input is missing, or `years` or `vol` is not positive.

    Raises
    ------
    ValueError
        When lengths differ, `sign` is neither +1 nor -1, or there are fewer than three steps.

    Examples
    --------
    >>> tree_values(1, 100.0, 100.0, 1.0, 0.05, 0.2, steps=30).price.round(3).item()
    10.384
    """
    if steps <= _GREEK_LEVELS:
        raise ValueError(f"steps is {steps}: a tree's Greeks need three")
    *inputs, early_ = broadcast(
        sign=sign,
        spot=spot,
        strike=strike,
        years=years,
        rate=rate,
        vol=vol,
        dividend_yield=dividend_yield,
        american=american,
    )
    early = early_ > 0.0
    with np.errstate(all="ignore"):
        price, delta, gamma, theta = _walk(inputs, early, steps)
        up, down = (
            _walk([*inputs[:5], inputs[5] * (1.0 + bump), inputs[6]], early, steps)[0]
            for bump in (_BUMP, -_BUMP)
        )
        vega = (up - down) / (2.0 * _BUMP * inputs[5])
    return TreeValues(price, delta, gamma, vega, theta)


def tree_vol(
    price: ArrayLike,
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    *,
    american: ArrayLike = True,
    steps: int = STEPS,
) -> FloatArray:
    """Return the volatility at which a tree gives each price; NaN where none from 0.001 to 10 does.

    Parameters are those of `tree_values`, with the price in dollars per share.
    """
    known = {"sign": sign, "spot": spot, "strike": strike, "years": years, "rate": rate}
    known |= {"dividend_yield": dividend_yield, "american": american, "price": price}
    return _inverted("vol", (_LOW, _HIGH), known, steps)


def tree_rate(
    price: ArrayLike,
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    *,
    american: ArrayLike = True,
    steps: int = STEPS,
) -> FloatArray:
    """Return the rate at which a tree of known volatility gives each price; NaN where none within 20 % does.

    Parameters are those of `tree_values`, with the price in dollars per share.
    """
    known = {"sign": sign, "spot": spot, "strike": strike, "years": years, "vol": vol}
    known |= {"dividend_yield": dividend_yield, "american": american, "price": price}
    return _inverted("rate", (-_FURTHEST_RATE, _FURTHEST_RATE), known, steps)


def _inverted(
    sought: str, span: tuple[float, float], known: Mapping[str, ArrayLike], steps: int
) -> FloatArray:
    """Return the input at which a tree gives the price, by Chandrupatla's method for all rows at once."""
    from scipy.optimize import elementwise

    columns = dict(zip(known, broadcast(**known), strict=True))
    shape = columns["price"].shape
    if not columns["price"].size:
        return np.empty(shape)

    def gap(guess: FloatArray, *rows: FloatArray) -> FloatArray:
        market = dict(zip(columns, rows, strict=True)) | {sought: guess}
        value = _walk([market[name] for name in _MARKET], market["american"] > 0.0, steps)[0]
        return value - market["price"]

    low, high = (np.full(shape, end) for end in span)
    with np.errstate(all="ignore"):
        found = elementwise.find_root(
            gap, (low, high), args=tuple(columns.values()), tolerances={"xatol": _EXACT, "xrtol": _EXACT}
        )
    return np.where(found.success, found.x, np.nan)


def _walk(
    inputs: Sequence[FloatArray], american: NDArray[np.bool_], steps: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return price, delta, gamma and theta; nodes are the first axis: a step is one pass over rows."""
    sign, spot, strike, years, rate, vol, carry = inputs
    step = years / steps
    up = np.exp(vol * np.sqrt(step))
    chance = (np.exp((rate - carry) * step) - 1.0 / up) / (up - 1.0 / up)
    # A drift beyond what a step moves has no chances; at their ends low volatilities keep their order.
    chance = np.clip(chance, 0.0, 1.0)
    discount = np.exp(-rate * step)
    # exp(vol sqrt(step)) once to every power: node j of level n is spot * up ** (2 j - n).
    powers = spot * up ** np.arange(-steps, steps + 1).reshape(-1, *[1] * spot.ndim)
    exercise = sign * (powers - strike)
    value = np.maximum(exercise[::2], 0.0)
    kept = {}
    for level in range(steps - 1, -1, -1):
        value = discount * (chance * value[1:] + (1.0 - chance) * value[:-1])
        value = np.where(american, np.maximum(value, exercise[steps - level : steps + level + 1 : 2]), value)
        if level <= _GREEK_LEVELS:
            kept[level] = value
    down, same, above = (powers[steps + 2 * j] for j in (-1, 0, 1))
    rising, falling = (kept[2][2] - kept[2][1]) / (above - same), (kept[2][1] - kept[2][0]) / (same - down)
    delta = (kept[1][1] - kept[1][0]) / (powers[steps + 1] - powers[steps - 1])
    price = np.where((years > 0.0) & (vol > 0.0), kept[0][0], np.nan)
    return (
        price,
        delta,
        (rising - falling) / (0.5 * (above - down)),
        (kept[2][1] - kept[0][0]) / (2.0 * step),
    )
