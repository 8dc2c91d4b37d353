"""Which quotes to keep: a day of all option quotes is more than a hundred gigabytes, gzipped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from strikelake.contracts import index_roots
from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from datetime import date

Sampling = Literal["minute", "all"]
LONGEST_ROOT = 8


@dataclass(frozen=True, slots=True)
class QuoteFilter:
    """Which quotes of options to keep.

    Attributes
    ----------
    underlyings
        Tickers; None is all.
    max_dte
        Days from the session to the expiration, at most; None is any.
    sampling
        "minute": the last quote of each minute per contract; "all": every quote.
    """

    underlyings: frozenset[str] | None = None
    max_dte: int | None = None
    sampling: Sampling = "minute"

    def __post_init__(self) -> None:
        if self.max_dte is not None and self.max_dte < 0:
            raise ConfigError(
                f"max_dte of the quotes is {self.max_dte}: give days, 0 or more, or none for any"
            )
        if self.underlyings is not None and not self.underlyings:
            raise ConfigError("the quotes are to be of no underlying: name some, or none for all of them")

    def __str__(self) -> str:
        who = "all underlyings" if self.underlyings is None else " ".join(sorted(self.underlyings))
        until = "any expiration" if self.max_dte is None else f"expiring within {self.max_dte} days"
        often = "the last of each minute" if self.sampling == "minute" else "every one"
        return f"quotes of {who}, {until}, {often}"

    def keeps(self, day: date) -> pl.Expr:
        """Return the condition that a row of `option_quotes` is of a contract to keep."""
        wanted = pl.lit(value=True)
        if self.underlyings is not None:
            wanted &= pl.col("underlying").is_in(sorted(self.underlyings))
        if self.max_dte is not None:
            wanted &= pl.col("expiration") <= day + timedelta(days=self.max_dte)
        return wanted

    def roots(self) -> np.ndarray:
        """Return the option roots to keep, without an adjusted contract's digits, padded with zeros.

        Returns
        -------
        np.ndarray
            uint8, roots by LONGEST_ROOT; no rows keep every root.
        """
        wanted = sorted(self.underlyings or ())
        roots = [*wanted, *(root for root, index in index_roots().items() if index in wanted)]
        table = np.zeros((len(roots), LONGEST_ROOT), np.uint8)
        for row, root in enumerate(roots):
            text = root.encode()[:LONGEST_ROOT]
            table[row, : len(text)] = list(text)
        return table

    def last_expiration(self, day: date) -> int:
        """Return the last expiration to keep as the number YYMMDD."""
        if self.max_dte is None:
            return 999_999
        return int(f"{day + timedelta(days=self.max_dte):%y%m%d}")
