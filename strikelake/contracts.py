"""Option contracts and their OCC symbols.

A symbol is the root, the expiration as YYMMDD, C or P, and the strike times 1,000 in eight digits. The vendor
writes `O:` before it and does not pad the root. Roots of adjusted contracts end in a digit (AAPL1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Literal, Self

import polars as pl

from strikelake.calendar import NS_PER_MINUTE, sessions
from strikelake.errors import ContractError

MULTIPLIER = 100
"""Shares per contract. Adjusted contracts deliver something else and are not traded."""

OptionType = Literal["C", "P"]

_OCC = r"^(?:O:)?([A-Z][A-Z0-9.]*?)(\d{6})([CP])(\d{8})$"
_INDEX_ROOTS = {"SPXW": "SPX", "VIXW": "VIX", "NDXP": "NDX", "RUTW": "RUT", "XSPW": "XSP", "DJXW": "DJX"}
# Cash-settled at a value of the opening; their trading stops at the close of the session before.
_AM_ROOTS = frozenset({"SPX", "VIX", "VIXW", "NDX", "RUT", "DJX", "MXEA", "MXEF", "SIXM"})
# Cash-settled and exercised only at the end. OEX is an index option too, but an American one.
_EUROPEAN_UNDERLYINGS = frozenset(
    {"SPX", "XSP", "VIX", "NDX", "XND", "RUT", "MRUT", "DJX", "XEO", "MXEA", "MXEF"}
)

# Options on these trade for a quarter of an hour longer than the stock market: broad indices, and funds that
# the exchanges list as such (brokers' tables of trading hours, 2026).
_LATE_INDICES = "DJX MNX MRUT NDX OEX RUT RVX SPX VIX XEO XSP"
_LATE_FUNDS = (
    "DBA DBB DBC DBO DIA EEM EFA FXI IWM IWN IWO IWV IYR KBE KRE LQD MDY MOO OEF QQQ SLX SPY SVXY TLT UNG "
    "UUP UVIX UVXY VIXM VIXY VXX VXZ XHB XLB XLE XLF XLI XLK XLP XLU XLV XLY XME XRT"
)
LATE_UNDERLYINGS = frozenset(f"{_LATE_INDICES} {_LATE_FUNDS}".split())
"""Underlyings whose options trade until 16:15 ET, and until 13:15 on half days."""

LATE_NS = 15 * NS_PER_MINUTE
"""How much longer they trade. Contracts that settle on a closing price stop at 16:00 on their last day."""


@dataclass(frozen=True, slots=True)
class OptionContract:
    """One listed option.

    Attributes
    ----------
    root
        The option root, as in the symbol: SPXW for a weekly on SPX, AAPL1 for an adjusted contract.
    expiration
        The date in the symbol; before February 2015 monthly contracts carry a Saturday.
    option_type
        "C" or "P".
    strike
        In dollars.
    """

    root: str
    expiration: date
    option_type: OptionType
    strike: Decimal

    @classmethod
    def parse(cls, symbol: str) -> Self:
        """Read an OCC symbol, with or without the vendor's `O:`.

        Raises
        ------
        ContractError
            When the symbol does not parse, or its date does not exist.

        Examples
        --------
        >>> OptionContract.parse("O:SPXW210108C03700000").underlying
        'SPX'
        """
        try:
            root, day, option_type, strike = re.findall(_OCC, symbol)[0]
            expiration = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
        except (IndexError, ValueError) as error:
            raise ContractError(
                f"{symbol!r} is not an OCC option symbol: expected ROOT + YYMMDD + C or P + strike times "
                "1000 in eight digits, such as AAPL140621C00645000"
            ) from error
        return cls(root, expiration, "C" if option_type == "C" else "P", Decimal(strike) / 1000)

    @property
    def occ_symbol(self) -> str:
        """The symbol without `O:` and without padding.

        Examples
        --------
        >>> OptionContract("AAPL", date(2014, 6, 21), "C", Decimal("645")).occ_symbol
        'AAPL140621C00645000'
        """
        return f"{self.root}{self.expiration:%y%m%d}{self.option_type}{int(self.strike * 1000):08d}"

    @property
    def underlying(self) -> str:
        """The underlying's ticker: SPX for SPXW, AAPL for AAPL1."""
        return underlying_of(self.root)


def underlying_of(root: str) -> str:
    """Return the underlying's ticker of an option root.

    Examples
    --------
    >>> underlying_of("AAPL1"), underlying_of("SPXW")
    ('AAPL', 'SPX')
    """
    letters = root.rstrip("0123456789")
    return _INDEX_ROOTS.get(letters, letters)


def index_roots() -> dict[str, str]:
    """Return the roots that are no tickers, with their indices.

    Examples
    --------
    >>> index_roots()["SPXW"]
    'SPX'
    """
    return dict(_INDEX_ROOTS)


def occ_columns(column: str) -> list[pl.Expr]:
    """Return expressions that split a column of OCC symbols.

    Parameters
    ----------
    column
        Name of a string column, with or without the vendor's `O:`.

    Returns
    -------
    list of pl.Expr
        occ_symbol (String), underlying (String), expiration (Date), option_type (String) and strike (Float64,
        dollars); all null where the symbol does not parse.
    """
    symbol = pl.col(column)
    root = symbol.str.extract(_OCC, 1)
    # Set the decimal point in the text: polars divides by a constant through its reciprocal, an ulp off.
    strike = symbol.str.replace(_OCC, "$4").str.replace(r"^(\d{5})(\d{3})$", "$1.$2")
    return [
        pl.when(root.is_not_null()).then(symbol.str.strip_prefix("O:")).alias("occ_symbol"),
        root.str.strip_chars_end("0123456789").replace(_INDEX_ROOTS).alias("underlying"),
        symbol.str.extract(_OCC, 2).str.to_date("%y%m%d", strict=False).alias("expiration"),
        symbol.str.extract(_OCC, 3).alias("option_type"),
        pl.when(root.is_not_null()).then(strike).cast(pl.Float64).alias("strike"),
    ]


@cache  # as settlement_ns
def expiry_ns(expiration: date) -> int:
    """Return the close of the last session on or before `expiration`, when trading stops, ns UTC.

    A Saturday in the symbol, or a holiday, means the session before. AM-settled index options stop trading a
    session earlier; `settlement_ns` knows them.

    Examples
    --------
    >>> from strikelake.calendar import iso
    >>> iso(expiry_ns(date(2014, 6, 21)))
    '2014-06-20 16:00:00 ET'
    """
    return sessions(expiration - timedelta(days=7), expiration)[-1].close_ns


def settles_am(root: str) -> bool:
    """Return whether an option root settles at the opening values of its expiration.

    Source: Cboe's contract specifications of SPX, VIX, NDX, RUT and DJX; weeklies of SPX, NDX and RUT (SPXW,
    NDXP, RUTW) settle at the close, those of VIX (VIXW) at the open.

    Examples
    --------
    >>> settles_am("SPX"), settles_am("SPXW"), settles_am("AAPL")
    (True, False, False)
    """
    return root in _AM_ROOTS


def is_european(underlying: str) -> bool:
    """Return whether the options of an underlying can only be exercised at expiration: those of most indices.

    Examples
    --------
    >>> is_european("SPX"), is_european("SPY"), is_european("OEX")
    (True, False, False)
    """
    return underlying in _EUROPEAN_UNDERLYINGS


@cache  # asked for every expiration of every chain, and it goes through a year of sessions
def settlement_ns(expiration: date, root: str) -> int:
    """Return the moment at which what an option pays is fixed, ns UTC: until then its price has a time value.

    The open of the expiration's session for roots settled in the morning, its close for all others, 13:00 on
    a half day. A Saturday in the symbol, or a holiday, means the session before.

    Examples
    --------
    >>> from strikelake.calendar import iso
    >>> iso(settlement_ns(date(2021, 1, 15), "SPX")), iso(settlement_ns(date(2021, 1, 15), "SPXW"))
    ('2021-01-15 09:30:00 ET', '2021-01-15 16:00:00 ET')
    >>> iso(settlement_ns(date(2024, 11, 29), "SPY"))
    '2024-11-29 13:00:00 ET'
    """
    last = sessions(expiration - timedelta(days=7), expiration)[-1]
    return last.open_ns if settles_am(root) else last.close_ns
