"""Cells of rows with discrete dividends ahead: ranges of volatilities that no row moves, compiled."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np

from strikelake.pricing.american_kernels import LOWEST
from strikelake.pricing.elementary import part
from strikelake.pricing.statuses import LOOK_AGAIN

_WIDTH = 1.922  # in the logarithm, from the lowest volatility on; from 0.14 to 0.96 lie most smiles of shares
_MARGIN = 0.15  # how far outside its cell a volatility is looked for; a lane is then a third


@part
def bracket(seat: int) -> Any:
    """Return the logarithms of the volatilities between which a cell's rows are searched."""
    bottom = log(LOWEST) + seat * _WIDTH
    return bottom - _MARGIN, bottom + _WIDTH + _MARGIN


@part
def edges(seat: int) -> Any:
    """Return the volatilities that a cell is between."""
    bottom = log(LOWEST) + seat * _WIDTH
    return exp(bottom), exp(bottom + _WIDTH)


@part
def seats(vol: Any) -> Any:
    """Return the numbers of the cells, counted from the lowest, that volatilities lie in."""
    seats = np.empty(vol.size, np.int64)
    for i in range(vol.size):
        seats[i] = max(int((log(max(vol[i], LOWEST)) - log(LOWEST)) / _WIDTH), 0)
    return seats


@part
def highest(state: Any, seats: Any) -> int:
    """Return the highest cell of rows that wait; -1 where none does."""
    most = -1
    for i in range(state.size):
        if state[i] == LOOK_AGAIN:
            most = max(most, seats[i])
    return most


@part
def members(seat: int, state: Any, seats: Any) -> Any:
    """Return the places of the rows that wait for a cell."""
    place = np.empty(state.size, np.int64)
    count = 0
    for i in range(state.size):
        if state[i] == LOOK_AGAIN and seats[i] == seat:
            place[count] = i
            count += 1
    return place[:count]
