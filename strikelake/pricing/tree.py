"""Binomial trees with few steps: not how Strikelake prices, but how others do, to tell their numbers apart.

A tree of 30 steps differs from what it converges to by up to a percent of the volatility, by turns above and
below it as the strike moves between two nodes. `strikelake.pricing.chain` is what to price with.
Source: J. Cox, S. Ross, M. Rubinstein, 1979, "Option pricing: a simplified approach".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.greeks import Greeks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from strikelake.pricing.arrays import FloatArray
    from strikelake.pricing.options import Options

STEPS = 30
_BUMP = 0.01  # of the volatility, for vega
_RATE_BUMP = 1e-3  # for rho
_LOW, _HIGH = 1e-3, 10.0
_FURTHEST_RATE = 0.2
_EXACT = 1e-9
_RATE, _VOL = 4, 6  # places of `_walk`'s columns
_GREEK_LEVELS = 2  # the levels of the tree that Greeks are read from: 0, 1 and 2


def price(options: Options, vol: ArrayLike, *, american: ArrayLike = True, steps: int = STEPS) -> FloatArray:
    """Return values of a Cox-Ross-Rubinstein tree, dollars per share.

    Parameters
    ----------
    options
        What is valued.
    vol
        Per square root of a year; a scalar, or one for each option.
    american
        Whether each option may be exercised early; a scalar, or one for each.
    steps
        At least 3.

    Returns
    -------
    ndarray of float64
        In the common shape; NaN where an input is missing, or `years` or `vol` is not positive.

    Raises
    ------
    ValueError
        When lengths differ, or there are fewer than three steps.

    Examples
    --------
    >>> from strikelake.pricing.options import Options
    >>> price(Options(1, 100.0, 100.0, 1.0, 0.05), 0.2).round(3).item()
    10.384
    """
    options, given = options.beside(vol=vol, american=american)
    with np.errstate(all="ignore"):
        return _walk(steps, *options.columns(), *given)[0].reshape(options.shape)


def greeks(options: Options, vol: ArrayLike, *, american: ArrayLike = True, steps: int = STEPS) -> Greeks:
    """Return the slopes that a tree's first nodes give; vega and rho from trees on both sides.

    Parameters and errors are those of `price`. Theta is from the first node to the middle one two steps
    later; vega's trees are a hundredth of the volatility away, rho's a tenth of a percent of rate.
    """
    options, given = options.beside(vol=vol, american=american)
    columns = [*options.columns(), *given]
    with np.errstate(all="ignore"):
        value, delta, gamma, theta = _walk(steps, *columns)
        vega = _slope(columns, _VOL, _BUMP * columns[_VOL], steps)
        rho = _slope(columns, _RATE, np.full(value.shape, _RATE_BUMP), steps)
    known = np.where(np.isnan(value), np.nan, 1.0)
    return Greeks(*((known * slope).reshape(options.shape) for slope in (delta, gamma, vega, theta, rho)))


def implied_vol(
    prices: ArrayLike, options: Options, *, american: ArrayLike = True, steps: int = STEPS
) -> FloatArray:
    """Return the volatility at which a tree gives each price; NaN where none from 0.001 to 10 does.

    Parameters
    ----------
    prices
        Dollars per share.
    options, american, steps
        As in `price`.
    """
    return _inverted(_VOL, (_LOW, _HIGH), prices, options, np.nan, american, steps)


def implied_rate(
    prices: ArrayLike, options: Options, vol: ArrayLike, *, american: ArrayLike = True, steps: int = STEPS
) -> FloatArray:
    """Return the rate at which a tree of known volatility gives each price; NaN where none within 20 % does.

    The options' own rates are not looked at. The other parameters are those of `price`.
    """
    return _inverted(_RATE, (-_FURTHEST_RATE, _FURTHEST_RATE), prices, options, vol, american, steps)


def _slope(columns: Sequence[FloatArray], place: int, change: FloatArray, steps: int) -> FloatArray:
    up, down = (
        _walk(steps, *_with(columns, place, columns[place] + moved))[0] for moved in (change, -change)
    )
    return np.asarray((up - down) / (2.0 * change))


def _with(columns: Sequence[FloatArray], place: int, other: FloatArray) -> list[FloatArray]:
    """Return the columns, one replaced."""
    return [other if each == place else column for each, column in enumerate(columns)]


def _inverted(
    sought: int,
    span: tuple[float, float],
    prices: ArrayLike,
    options: Options,
    vol: ArrayLike,
    american: ArrayLike,
    steps: int,
) -> FloatArray:
    """Return the column at which a tree gives the price, by Chandrupatla's method for all rows at once."""
    from scipy.optimize import elementwise

    options, (price, *given) = options.beside(price=prices, vol=vol, american=american)
    if not price.size:
        return np.empty(options.shape)

    def gap(guess: FloatArray, price: FloatArray, *rows: FloatArray) -> FloatArray:
        return _walk(steps, *_with(rows, sought, guess))[0] - price

    low, high = (np.full(price.shape, end) for end in span)
    with np.errstate(all="ignore"):
        found = elementwise.find_root(
            gap,
            (low, high),
            args=(price, *options.columns(), *given),
            tolerances={"xatol": _EXACT, "xrtol": _EXACT},
        )
    return np.where(found.success, found.x, np.nan).reshape(options.shape)


def _walk(
    steps: int,
    sign: FloatArray,
    spot: FloatArray,
    strike: FloatArray,
    years: FloatArray,
    rate: FloatArray,
    carry: FloatArray,
    vol: FloatArray,
    american: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return price, delta, gamma and theta; nodes are the first axis: a step is one pass over rows."""
    if steps <= _GREEK_LEVELS:
        raise ValueError(f"steps is {steps}: a tree's Greeks need three")
    early = american > 0.0
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
        value = np.where(early, np.maximum(value, exercise[steps - level : steps + level + 1 : 2]), value)
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
