"""How a contract may be valued otherwise than we do, and what each way would say of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing import chain, european, tree
from strikelake.pricing.options import Chain, Options
from strikelake.pricing.terms import Terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.snapshot_chain import SnapshotChain
    from strikelake.pricing.arrays import FloatArray

    Rows = NDArray[np.int64]

BASIS_POINTS = 1e4
"""Hundredths of a vol point in 1.00 of volatility."""

_NEWTON_STEPS = 6  # price is nearly linear in the rate

GREEKS = ("delta", "gamma", "vega", "theta")
"""What the vendor tells of a contract beside its volatility."""

AXES = {
    "price": {"mid": "", "bid": "bid", "ask": "ask", "last": "last trade"},
    "spot": {"snapshot": "", "bars": "underlying's own minute"},
    "clock": {
        "settlement": "",
        "midnight": "time until 24:00 UTC",
        "days": "whole days",
        "trading": "trading minutes",
    },
    "rate": {"curve": "", "zero": "rate of zero", "flat": "one flat rate"},
    "carry": {
        "implied": "",
        "dividends": "no implied carry",
        "none": "no dividends and no carry",
        "fitted": "another forward",
    },
    "model": {"own": "", "european": "European", "tree": f"tree of {tree.STEPS} steps"},
}
"""What can differ: the alternatives of each input by name, ours first, and what to call the others."""


@dataclass(frozen=True, slots=True)
class Convention:
    """One way of valuing a contract; the default is ours (`docs/pricing.md`).

    Attributes
    ----------
    price
        `mid`, `bid`, `ask` or `last` (the contract's last trade).
    spot
        `snapshot` (as the vendor told) or `bars` (the underlying's newest minute at the quote).
    clock
        `settlement`, `midnight` (24:00 UTC of the expiration), `days` or `trading` (252 sessions a year).
    rate
        `curve`, `zero` or `flat` (one rate for all).
    carry
        `implied` (dividends and what calls and puts imply beside them), `dividends`, `none`, or `fitted`
        (what the vendor's own volatilities imply).
    model
        `own` (American with discrete dividends on shares, European on indices), `european`, or `tree` (an
        American tree of few steps).
    """

    price: str = "mid"
    spot: str = "snapshot"
    clock: str = "settlement"
    rate: str = "curve"
    carry: str = "implied"
    model: str = "own"

    def departures(self) -> tuple[str, ...]:
        """Return what differs from ours, in words."""
        return tuple(filter(None, (AXES[each.name][getattr(self, each.name)] for each in fields(self))))

    def distance(self, other: Convention) -> int:
        """Return in how many inputs two conventions differ."""
        return sum(getattr(self, axis) != getattr(other, axis) for axis in AXES)

    @property
    def label(self) -> str:
        """The departures as one phrase.

        Examples
        --------
        >>> Convention(rate="zero", model="european").label, Convention().label
        ('rate of zero, European', 'ours')
        """
        return ", ".join(self.departures()) or "ours"


OURS = Convention()


@dataclass(frozen=True, slots=True)
class Valuer:
    """Values rows of a snapshot by any convention.

    Attributes
    ----------
    chain
        The contracts.
    flat
        The rate of conventions with `rate="flat"`; None where none is known, and then they cannot be asked.
    fitted
        The carry of conventions with `carry="fitted"`, NaN for series that have none; (series,), or None.
    """

    chain: SnapshotChain
    flat: float | None = None
    fitted: FloatArray | None = None

    def possible(self, most: int = 2) -> list[Convention]:
        """Return the conventions that the data allow, those with the fewest departures first.

        Fitted ones are left out, and of those with our model those with more than `most` departures.
        Ours with many departures would cost a solution of a free boundary for each; nobody is known to use
        that with, say, a rate of zero.
        """
        absent = {
            axis: {name for name in AXES[axis] if np.isnan(self.chain.column(f"{axis}_{name}")).all()}
            for axis in ("price", "spot")
        }
        absent["rate"] = {"flat"} if self.flat is None else set()
        absent["carry"] = {"fitted"} | self._same_carry()
        choices = [
            [name for name in names if name not in absent.get(axis, ())] for axis, names in AXES.items()
        ]
        made = (Convention(*chosen) for chosen in product(*choices))
        asked = (how for how in made if how.model != "own" or len(how.departures()) <= most)
        return sorted(asked, key=lambda how: len(how.departures()))

    def _same_carry(self) -> set[str]:
        """Return the alternatives of the carry that would change nothing here."""
        same = set() if any(carry.any() for carry in self.chain.carry.values()) else {"dividends"}
        if self.chain.series.schedule.is_empty():
            same |= {"none"}
        return same

    def vols(self, how: Convention, rows: Rows) -> FloatArray:
        """Return what the rows' prices imply; NaN where nothing."""
        prices, options = self._prices(how, rows), self._options(how, rows)
        if how.model != "tree":
            return chain.analyse(prices, options).vol
        return tree.implied_vol(prices, options.options(), american=options.american())

    def statuses(self, rows: Rows) -> NDArray[np.object_]:
        """Return what became of each row solved as ours."""
        return chain.analyse(self._prices(OURS, rows), self._options(OURS, rows)).status

    def greeks(self, how: Convention, rows: Rows, vol: FloatArray) -> dict[str, FloatArray]:
        """Return the plain derivatives at given volatilities, by name."""
        options = self._options(how, rows)
        if how.model == "tree":
            found = tree.greeks(options.options(), vol, american=options.american())
        else:
            found = chain.greeks(options, vol)
        return {name: getattr(found, name) for name in GREEKS}

    def rates(self, how: Convention, rows: Rows, vol: FloatArray) -> FloatArray:
        """Return the rate at which each row's price gives a volatility; not for our own model."""
        prices, options = self._prices(how, rows), self._options(how, rows)
        if how.model == "tree":
            return tree.implied_rate(prices, options.options(), vol, american=options.american())
        own, rate = options.options(), np.zeros(rows.size)
        with np.errstate(all="ignore"):
            for _ in range(_NEWTON_STEPS):
                at = Options(own.sign, own.spot, own.strike, own.years, rate, own.dividend_yield)
                rate = rate - (european.price(at, vol) - prices) / european.greeks(at, vol).rho
        return rate

    def _prices(self, how: Convention, rows: Rows) -> FloatArray:
        return self.chain.column(f"price_{how.price}")[rows]

    def _options(self, how: Convention, rows: Rows) -> Chain:
        names = (f"spot_{how.spot}", "strike", f"years_{how.clock}")
        spot, strike, years = (self.chain.column(name)[rows] for name in names)
        sign = np.where((self.chain.rows["option_type"] == "C").to_numpy(), 1.0, -1.0)[rows]
        return Chain(sign, spot, strike, years, self.chain.rows["series"].to_numpy()[rows], self._terms(how))

    def _terms(self, how: Convention) -> Terms:
        series, carry = self.chain.series, self.chain.carry[how.spot]
        every = np.arange(carry.size)
        if how.carry == "fitted" and self.fitted is not None:
            carry = self.fitted
        elif how.carry != "implied":
            carry = np.zeros(carry.size)
        own = series.terms(every, carry)
        rate = own.rate
        if how.rate != "curve":
            rate = np.full(carry.size, self.flat if how.rate == "flat" else 0.0)
        american = np.zeros(carry.size, np.bool_) if how.model == "european" else own.american
        dividends = None if how.carry == "none" else own.dividends
        return Terms(rate, own.dividend_yield, american, dividends)
