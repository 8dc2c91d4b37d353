"""European options under Black and Scholes with a continuous yield: prices, Greeks, implied volatilities.

Most listed equity options are American (`strikelake.pricing.american`, `strikelake.pricing.chain`): early
exercise matters for puts in the money and for calls before an ex-dividend date, and where it is worth
something the volatility here is too high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.analytics import Analytics, check_limits
from strikelake.pricing.arrays import FloatArray, in_blocks
from strikelake.pricing.greeks import Greeks
from strikelake.pricing.statuses import ABOVE_CAP, BELOW_TICK_VEGA, LOOK_AGAIN, NOT_CONVERGED, SOLVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from strikelake.pricing.options import Options


def price(options: Options, vol: ArrayLike, threads: int = 1) -> FloatArray:
    """Return prices in dollars per share.

    Parameters
    ----------
    options
        What is priced.
    vol
        Per square root of a year: 0.2 is 20 %. A scalar, or one for each option.
    threads
        Cores to use; the results do not depend on it.

    Returns
    -------
    ndarray of float64
        In the common shape; the intrinsic value where `years` is 0, the discounted one where `vol` is 0, NaN
        where an input is missing, infinite or outside its range.

    Raises
    ------
    ValueError
        When the length of `vol` is another, or `threads` is below 1.

    Examples
    --------
    >>> from strikelake.pricing.options import Options
    >>> price(Options([1, -1], 100.0, 100.0, 1.0, 0.05), 0.2).round(4).tolist()
    [10.4506, 5.5735]
    """
    from strikelake.pricing.european_kernels import price_rows

    options, (vols,) = options.beside(vol=vol)
    value = np.empty(options.shape)
    in_blocks(price_rows, _with_vol(options, vols), [value.reshape(-1)], threads=threads)
    return value


def greeks(options: Options, vol: ArrayLike, threads: int = 1) -> Greeks:
    """Return delta, gamma, vega, theta and rho.

    Parameters
    ----------
    options, vol, threads
        As in `price`.

    Returns
    -------
    Greeks
        NaN where an input is missing or outside its range, and where `years` or `vol` is 0: there the price
        has a kink and no derivative.

    Raises
    ------
    ValueError
        As `price`.

    Examples
    --------
    >>> from strikelake.pricing.options import Options
    >>> greeks(Options(1, 100.0, 100.0, 1.0, 0.05), 0.2).delta.round(4).item()
    0.6368
    """
    from strikelake.pricing.european_kernels import greeks_rows

    options, (vols,) = options.beside(vol=vol)
    found = Greeks.empty(options.shape)
    flat = [slope.reshape(-1) for slope in found.columns()]
    in_blocks(greeks_rows, _with_vol(options, vols), flat, threads=threads)
    return found


def analyse(
    prices: ArrayLike, options: Options, tick: float = 0.01, cap: float = 10.0, threads: int = 1
) -> Analytics:
    """Return implied volatilities with their Greeks, and a status for every row.

    Parameters
    ----------
    prices
        Dollars per share.
    options
        What was traded or quoted at these prices.
    tick
        Price increment in dollars, positive; sets `error` and the status below_tick_vega.
    cap
        Highest volatility reported as a number: 10 is 1,000 %.
    threads
        Cores to use; the results do not depend on it.

    Returns
    -------
    Analytics
        Where vega exceeds a cent, volatilities are exact to 1e-11, and usually to 1e-15.

    Raises
    ------
    ValueError
        When lengths differ, or `tick`, `cap` or `threads` is not positive.

    Examples
    --------
    >>> from strikelake.pricing.options import Options
    >>> calls = Options(1, 100.0, [100.0, 30.0, 100.0], 1.0, 0.05)
    >>> found = analyse([10.450583572185565, 60.0, 0.0], calls)
    >>> found.vol.round(6).tolist(), found.delta.round(4).tolist()
    ([0.2, nan, nan], [0.6368, nan, nan])
    >>> found.status.tolist()
    ['solved', 'below_intrinsic', 'non_positive_price']
    """
    check_limits(tick, cap)
    options, (paid,) = options.beside(price=prices)
    columns = [paid, *options.columns()]
    found = Analytics.empty(paid.size)
    analyse_columns(columns, found, tick, cap, threads)
    return found.reshape(options.shape)


def analyse_columns(
    columns: Sequence[FloatArray], found: Analytics, tick: float, cap: float, threads: int = 1
) -> None:
    """Fill `found` from price, sign, spot, strike, years, rate and yield; (n,) each."""
    from strikelake.pricing.european_analysis import analyse_rows

    def work(*block: NDArray[np.generic]) -> None:
        analyse_rows(*block[: len(columns)], tick, cap, *block[len(columns) :])

    in_blocks(work, columns, found.columns(), threads=threads)
    _look_again(columns, found, tick, cap)


def _look_again(columns: Sequence[FloatArray], found: Analytics, tick: float, cap: float) -> None:
    """Search the rows that the kernel left, in place, inside a bracket."""
    from strikelake.pricing.bracketed import total_deviation
    from strikelake.pricing.european_kernels import greeks_rows

    rows = np.flatnonzero(found.code == LOOK_AGAIN)
    if not rows.size:
        return
    price, sign, spot, strike, years, rate, carry = (column[rows] for column in columns)
    with np.errstate(all="ignore"):
        held, owed = spot * np.exp(-carry * years), strike * np.exp(-rate * years)
        bound = np.minimum(held, owed)
        # As in `european_analysis`: what is left of a price deep in the money keeps its digits.
        bare = sign * (spot - strike)
        more = sign * (spot * np.expm1(-carry * years) - strike * np.expm1(-rate * years))
        left = np.where(bare + more > 0.0, (price - bare) - more, price) / bound
        room = (np.where(sign > 0.0, held, owed) - price) / bound
        deviation, ended = total_deviation(np.abs(np.log(held / owed)), left, room)
        vol = deviation / np.sqrt(years)
        slopes = Greeks.empty(rows.shape).columns()
        greeks_rows(sign, spot, strike, years, rate, vol, carry, *slopes)
        vega = slopes[2]
        code = np.select(
            [~ended, vol > cap, ~(vega >= tick)], [NOT_CONVERGED, ABOVE_CAP, BELOW_TICK_VEGA], default=SOLVED
        )
        solved = code == SOLVED
        numbers = (vol, 0.5 * tick / vega, *slopes)
    found.code[rows] = code
    for column, values in zip(found.columns()[1:], numbers, strict=True):
        column[rows] = np.where(solved, values, np.nan)


def _with_vol(options: Options, vol: FloatArray) -> list[FloatArray]:
    """Return the columns in the order of `european_kernels`."""
    *market, carry = options.columns()
    return [*market, vol, carry]
