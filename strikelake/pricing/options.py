"""The columns that every model takes: options with their own rate and yield, or with the terms of a group.

All models are called alike: `price(options, vol)`, `greeks(options, vol)` and `analyse(prices, options)`.

>>> from strikelake.pricing import american, european
>>> puts = Options(sign=-1, spot=100.0, strike=[95.0, 100.0, 140.0], years=0.5, rate=0.05)
>>> european.price(puts, 0.2).round(2).tolist()
[2.53, 4.42, 36.62]
>>> american.price(puts, 0.2).round(2).tolist()
[2.64, 4.66, 40.0]
>>> american.analyse([2.64, 4.66, 40.0], puts).status.tolist()
['solved', 'solved', 'at_american_intrinsic']
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from strikelake.pricing.arrays import FloatArray, as_floats, broadcast, contiguous, flat

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from strikelake.pricing.terms import Terms


class _Rows:
    """Columns of one shape."""

    __slots__ = ()
    sign: FloatArray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of every column, and of what models return."""
        return self.sign.shape

    def beside(self, **columns: ArrayLike) -> tuple[Self, list[FloatArray]]:
        """Return the options and further columns, given by name, in the shape that all have; these are (n,).

        Raises
        ------
        ValueError
            When one holds no numbers, or its length differs.
        """
        values = {name: as_floats(name, column) for name, column in columns.items()}
        try:
            shape = np.broadcast_shapes(self.shape, *(column.shape for column in values.values()))
        except ValueError as error:
            found = ", ".join(f"{name} {column.shape}" for name, column in values.items() if column.ndim)
            raise ValueError(
                f"{found} and the options {self.shape} differ in length: pass scalars or one value an option"
            ) from error
        rows = self if shape == self.shape else self._each(lambda column: np.broadcast_to(column, shape))
        return rows, [np.broadcast_to(column, shape).reshape(-1) for column in values.values()]

    def __getitem__(self, rows: Any) -> Self:
        """Return some of the options: whatever NumPy takes for an index."""
        return self._each(lambda column: column[rows])

    def _each(self, change: Callable[[Any], Any]) -> Self:
        """Return the options with every column changed."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Options(_Rows):
    """Options with a rate and a yield of their own.

    Scalars, sequences, NumPy, polars or Arrow columns of one shape; float64 arrays are not copied. Rows that
    are null, NaN, infinite or outside their range are kept: their prices and Greeks are NaN, and their status
    is missing_input.

    Attributes
    ----------
    sign
        +1 for a call, -1 for a put.
    spot, strike
        Dollars per share, positive.
    years
        Time to settlement in years of 365 days (`strikelake.pricing.rates.years_between`).
    rate, dividend_yield
        Continuously compounded, per year: 0.05 is 5 %. With the forward as `spot` and the rate as
        `dividend_yield` the European model is Black's of 1976.

    Raises
    ------
    ValueError
        When a column holds no numbers, columns differ in length, or `sign` holds anything but +1, -1 and NaN;
        the message names the column.
    """

    sign: FloatArray
    spot: FloatArray
    strike: FloatArray
    years: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray

    def __init__(
        self,
        sign: ArrayLike,
        spot: ArrayLike,
        strike: ArrayLike,
        years: ArrayLike,
        rate: ArrayLike,
        dividend_yield: ArrayLike = 0.0,
    ) -> None:
        """Check the columns and give them one shape."""
        given = {"sign": sign, "spot": spot, "strike": strike, "years": years, "rate": rate}
        columns = broadcast(**given, dividend_yield=dividend_yield)
        for field, column in zip(fields(self), columns, strict=True):
            object.__setattr__(self, field.name, column)

    def columns(self) -> list[FloatArray]:
        """Return sign, spot, strike, years, rate and yield with one dimension, (n,): what kernels take."""
        return flat([getattr(self, field.name) for field in fields(self)])

    def _each(self, change: Callable[[Any], Any]) -> Options:
        return Options(*(change(getattr(self, field.name)) for field in fields(self)))


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Chain(_Rows):
    """Options in groups - of an underlying, an expiration and a session - whose rows share their terms.

    Attributes
    ----------
    sign, spot, strike, years
        As of `Options`.
    group
        Index into `terms`, whole numbers. Rows in any order; sorted by group is fastest.
    terms
        Rate, yield, style and dividends of each group.

    Raises
    ------
    ValueError
        As `Options`, and when a group is no whole number or not in `terms`.
    """

    sign: FloatArray
    spot: FloatArray
    strike: FloatArray
    years: FloatArray
    group: NDArray[np.integer]
    terms: Terms

    def __init__(
        self,
        sign: ArrayLike,
        spot: ArrayLike,
        strike: ArrayLike,
        years: ArrayLike,
        group: ArrayLike,
        terms: Terms,
    ) -> None:
        """Check the columns and give them one shape."""
        index = np.asarray(group)
        # Of the group only its shape: its numbers stay whole.
        placed = np.broadcast_to(0.0, index.shape)
        *market, placed = broadcast(sign=sign, spot=spot, strike=strike, years=years, group=placed)
        for name, column in zip(("sign", "spot", "strike", "years"), market, strict=True):
            object.__setattr__(self, name, column)
        object.__setattr__(self, "group", _checked(np.broadcast_to(index, placed.shape), len(terms.rate)))
        object.__setattr__(self, "terms", terms)

    def columns(self) -> list[FloatArray]:
        """Return sign, spot, strike and years, contiguous, (n,): what kernels take."""
        return [contiguous(column) for column in flat([self.sign, self.spot, self.strike, self.years])]

    def options(self) -> Options:
        """Return each row with its rate, and with the yield that gives it its forward, dividends included.

        European options are worth the same as with the dividends, but for theta, which takes the yield to
        leave day by day.
        """
        carry = self.terms.carry(self.group, self.years)
        return Options(self.sign, self.spot, self.strike, self.years, self.terms.rate[self.group], carry)

    def _each(self, change: Callable[[Any], Any]) -> Chain:
        sign, spot, strike, years, group = map(
            change, (self.sign, self.spot, self.strike, self.years, self.group)
        )
        return Chain(sign, spot, strike, years, group, self.terms)

    def american(self) -> NDArray[np.bool_]:
        """Return whether each row may be exercised early."""
        early = np.asarray(self.terms.american, np.bool_)
        return np.asarray(early[self.group])

    def forwards(self) -> FloatArray:
        """Return the forward of each row's underlying to its settlement, dollars per share."""
        return self.terms.forwards(self.group, self.spot, self.years)


def _checked(group: NDArray[np.generic], groups: int) -> NDArray[np.integer]:
    """Return the index of groups; raise where it names one that there is not."""
    if not np.issubdtype(group.dtype, np.integer):
        if group.size:
            raise ValueError(f"group is {group.dtype}: pass whole numbers that index the terms")
        return group.astype(np.int64)
    index: NDArray[np.integer] = group  # type: ignore[assignment] # checked just above
    if index.size and not (index.min() >= 0 and index.max() < groups):
        raise ValueError(f"group holds {index.min()} to {index.max()}, but there are {groups} terms")
    return index
