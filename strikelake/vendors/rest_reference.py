"""Reference data over Massive's REST: contracts, corporate actions, tickers and yields.

Each function asks for all pages and raises what `strikelake.vendors.connection` raises: there is no partial
answer. Null means that the vendor says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.contracts import MULTIPLIER, occ_columns
from strikelake.errors import NotPublishedError, VendorError
from strikelake.vendors.records import flatten

if TYPE_CHECKING:
    from datetime import date

    from strikelake.vendors.connection import Connection

_PAGE = 1_000
_YIELDS_PER_PAGE = 50_000
_CONTRACT = {
    "ticker": ("ticker", pl.String),
    "underlying_ticker": ("underlying_ticker", pl.String),
    "exercise_style": ("exercise_style", pl.String),
    "shares_per_contract": ("shares_per_contract", pl.Float64),
    "primary_exchange": ("primary_exchange", pl.String),
}
_SPLIT = {
    "ticker": ("ticker", pl.String),
    "ex_date": ("execution_date", pl.Date),
    "split_from": ("split_from", pl.Float64),
    "split_to": ("split_to", pl.Float64),
}
_DIVIDEND = {
    "ticker": ("ticker", pl.String),
    "ex_date": ("ex_dividend_date", pl.Date),
    "cash_amount": ("cash_amount", pl.Float64),
    "declaration_date": ("declaration_date", pl.Date),
    "record_date": ("record_date", pl.Date),
    "pay_date": ("pay_date", pl.Date),
    "frequency": ("frequency", pl.Int64),
    "dividend_type": ("dividend_type", pl.String),
}
_DETAILS = {
    "ticker": ("ticker", pl.String),
    "security_type": ("type", pl.String),
    "sic_code": ("sic_code", pl.String),
}
_TENOR_DAYS = {
    "yield_1_month": 30,
    "yield_3_month": 91,
    "yield_6_month": 183,
    "yield_1_year": 365,
    "yield_2_year": 730,
    "yield_3_year": 1_096,
    "yield_5_year": 1_826,
    "yield_7_year": 2_557,
    "yield_10_year": 3_652,
    "yield_20_year": 7_305,
    "yield_30_year": 10_958,
}


def contracts(
    connection: Connection, underlying: str, *, as_of: date | None = None, expired: bool = False
) -> pl.DataFrame:
    """Return the option contracts of an underlying; one request for every 1,000.

    Parameters
    ----------
    connection
        The vendor.
    underlying
        Ticker.
    as_of
        Contracts listed on this date; None is today.
    expired
        Contracts that had expired by then, instead of those that had not.

    Returns
    -------
    pl.DataFrame
        occ_symbol, underlying, expiration, option_type ("C"/"P"), strike (dollars), exercise_style,
        shares_per_contract, primary_exchange (MIC), adjusted: whether a corporate action changed what it
        delivers, from its shares, its further deliverables or the digit in its root. Sorted by occ_symbol;
        symbols that do not parse are left out.
    """
    call = connection.client.list_options_contracts
    day = None if as_of is None else str(as_of)
    rows = connection.rows(call, underlying_ticker=underlying, as_of=day, expired=expired, limit=_PAGE)
    more = pl.Series("more", [bool(row.get("additional_underlyings")) for row in rows], dtype=pl.Boolean)
    adjusted = (
        (pl.col("shares_per_contract").fill_null(MULTIPLIER) != MULTIPLIER)
        | pl.col("more")
        | pl.col("ticker").str.contains(r"^(?:O:)?[A-Z.]+\d\d{6}[CP]\d{8}$")
    )
    return (
        flatten(rows, _CONTRACT)
        .with_columns(more)
        .select(*occ_columns("ticker"), *list(_CONTRACT)[1:], adjusted=adjusted)
        .with_columns(underlying=pl.coalesce("underlying_ticker", "underlying"))
        .drop("underlying_ticker")
        .filter(pl.col("occ_symbol").is_not_null())
        .sort("occ_symbol")
    )


def splits(connection: Connection, start: date, *, ticker: str | None = None) -> pl.DataFrame:
    """Return splits executed on or after a date: of one ticker, or of all, about 1,500 a year.

    Returns
    -------
    pl.DataFrame
        ticker, ex_date, split_from, split_to (a 7 for 1 split is 1, 7); sorted by ticker and ex_date.
    """
    call = connection.client.list_splits
    rows = connection.rows(call, ticker=ticker, execution_date__gte=str(start), limit=_PAGE)
    return flatten(rows, _SPLIT).unique(maintain_order=True).sort("ticker", "ex_date")


def dividends(connection: Connection, start: date, *, ticker: str | None = None) -> pl.DataFrame:
    """Return cash dividends with ex-dates on or after a date, announced ones too: of one ticker, or of all.

    Returns
    -------
    pl.DataFrame
        ticker, ex_date, cash_amount (dollars per share), declaration_date, record_date, pay_date, frequency
        (a year; 0 is once), dividend_type; sorted by ticker and ex_date. A special dividend on the day of a
        regular one is a row of its own.
    """
    call = connection.client.list_dividends
    rows = connection.rows(call, ticker=ticker, ex_dividend_date__gte=str(start), limit=_PAGE)
    return flatten(rows, _DIVIDEND).unique(maintain_order=True).sort("ticker", "ex_date")


def treasury_yields(connection: Connection, start: date) -> pl.DataFrame:
    """Return treasury yields from a date on.

    Returns
    -------
    pl.DataFrame
        date, tenor_days (Int32), yield_rate as a decimal (the vendor sends percent); sorted.
    """
    call = connection.client.list_treasury_yields
    rows = connection.rows(call, date__gte=str(start), limit=_YIELDS_PER_PAGE)
    fields = {"date": ("date", pl.Date), **{name: (name, pl.Float64) for name in _TENOR_DAYS}}
    long = flatten(rows, fields).unpivot(index="date", variable_name="tenor", value_name="percent")
    return (
        long.drop_nulls("percent")
        .select(
            "date",
            pl.col("tenor").replace_strict(_TENOR_DAYS, return_dtype=pl.Int32).alias("tenor_days"),
            (pl.col("percent") / 100.0).alias("yield_rate"),
        )
        .sort("date", "tenor_days")
    )


def ticker_changes(connection: Connection, ticker: str) -> pl.DataFrame:
    """Return the tickers that the company behind a ticker has had.

    Returns
    -------
    pl.DataFrame
        name, figi, ticker, first_date (from which it carried that ticker); sorted by first_date.

    Raises
    ------
    VendorError
        When the answer has no events.
    """
    found = connection.ask(connection.client.get_ticker_events, ticker=ticker, types="ticker_change")
    company = found.get("results") if isinstance(found, dict) else None
    if not isinstance(company, dict) or not isinstance(company.get("events"), list):
        raise VendorError(f"no events of {ticker} in {str(found)[:80]!r}: try again later")
    fields = {"ticker": ("ticker_change.ticker", pl.String), "first_date": ("date", pl.Date)}
    frame = flatten(company["events"], fields).drop_nulls()
    return frame.select(
        pl.lit(company.get("name"), dtype=pl.String).alias("name"),
        pl.lit(company.get("composite_figi"), dtype=pl.String).alias("figi"),
        "ticker",
        "first_date",
    ).sort("first_date")


def ticker_details(connection: Connection, ticker: str, day: date) -> pl.DataFrame:
    """Return what a ticker was on a date, as the vendor tells it today.

    Returns
    -------
    pl.DataFrame
        ticker, security_type (CS, ADRC, ETF and so on), sic_code (Int32; null for a fund); no row where the
        vendor knows no such ticker on that date.

    Raises
    ------
    VendorError
        When the answer has no details, or a code that is no number.

    Notes
    -----
    The vendor compares the date with the *end of the period* that a company's filing is about, and not with
    the day on which it was filed: what is told of a date may have become known weeks after it.
    """
    try:
        found = connection.ask(connection.client.get_ticker_details, ticker=ticker, date=str(day))
    except NotPublishedError:
        return _detailed([])
    details = found.get("results") if isinstance(found, dict) else None
    if not isinstance(details, dict) or details.get("ticker") != ticker:
        raise VendorError(f"no details of {ticker} on {day} in {str(found)[:80]!r}: try again later")
    return _detailed([details])


def _detailed(records: list[dict[str, Any]]) -> pl.DataFrame:
    told = flatten(records, _DETAILS)
    codes = told["sic_code"].cast(pl.Int32, strict=False)
    if (lost := told.filter(codes.is_null() & told["sic_code"].is_not_null())).height:
        raise VendorError(f"sic_code is no number in {lost.row(0)}: report it to the vendor")
    return told.with_columns(codes)
