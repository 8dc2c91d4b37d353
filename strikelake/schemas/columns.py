"""Columns and rules that several tables share."""

from __future__ import annotations

import dataframely as dy

# 1989 in nanoseconds: no market data here is older, and a time in milli- or microseconds falls far below.
EARLIEST_NS = 600_000_000_000_000_000
# Letters, digits and the marks that US tickers use for classes, preferreds, warrants and units.
TICKER = r"^[A-Z0-9][A-Za-z0-9.:^=+#*$\-]*$"
_OPTION_TYPE = r"^[CP]$"


def price(*, nullable: bool = False) -> dy.Float64:
    """Return a column of what was paid or quoted for a stock or an option, in dollars.

    The dearest US stock has cost less than a million; ten times that is no price.
    """
    return dy.Float64(min_exclusive=0.0, max=10_000_000.0, nullable=nullable)


def time(*, primary_key: bool = False, nullable: bool = False) -> dy.Int64:
    """Return a column of times, in ns UTC."""
    return dy.Int64(min=EARLIEST_NS, primary_key=primary_key, nullable=nullable)


class Session(dy.Schema):
    """Rows of a session."""

    date = dy.Date()


class Stock(Session):
    """One row per ticker and whatever else is in the key."""

    ticker = dy.String(regex=TICKER, primary_key=True)


class Contract(Session):
    """One row per option contract and whatever else is in the key."""

    occ_symbol = dy.String(min_length=16, primary_key=True)


class StockTape(Session):
    """Ticks of stocks: without a key, for byte-identical ticks can be genuine."""

    ticker = dy.String(regex=TICKER)


class OptionTape(Session):
    """Ticks of option contracts: without a key, for byte-identical ticks can be genuine."""

    occ_symbol = dy.String(min_length=16)


class Terms(dy.Schema):
    """What an option contract is; `strike` in dollars."""

    underlying = dy.String(regex=TICKER)
    expiration = dy.Date()
    option_type = dy.String(regex=_OPTION_TYPE)
    strike = dy.Float64(min_exclusive=0.0)
