"""Trades and quotes, as the tape has them."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from strikelake.schemas.columns import OptionTape, StockTape, Terms, price, time
from strikelake.schemas.spec import TableSpec


class _Sides(dy.Schema):
    ts_ns = time()
    bid_price = price(nullable=True)
    bid_size = dy.Float64(nullable=True, min=0.0)
    ask_price = price(nullable=True)
    ask_size = dy.Float64(nullable=True, min=0.0)
    available_at = time()

    @dy.rule()
    def sides_are_whole(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that a side has both price and size, or neither."""
        bid = pl.col("bid_price").is_null() == pl.col("bid_size").is_null()
        return bid & (pl.col("ask_price").is_null() == pl.col("ask_size").is_null())


class OptionQuotes(OptionTape, Terms, _Sides):
    """Best bid and offer of one contract. A missing side is null in price and size.

    Crossed quotes are real and kept. There is no key: quotes of one nanosecond stay in the order of the tape.
    """


class StockQuotes(StockTape, _Sides):
    """Best bid and offer of one stock; a missing side is null. `ts_ns` is the consolidated tape's time.

    `conditions` and `indicators` are the vendor's numbers, joined by commas as the vendor writes them.
    """

    participant_ns = time(nullable=True)
    sequence_number = dy.Int64(nullable=True, min=0)
    bid_exchange = dy.Int32(nullable=True, min=0)
    ask_exchange = dy.Int32(nullable=True, min=0)
    conditions = dy.String(nullable=True)
    indicators = dy.String(nullable=True)
    tape = dy.Int32(nullable=True, min=0)


class _Trade(dy.Schema):
    ts_ns = time()
    participant_ns = time(nullable=True)
    price = price()
    size = dy.Float64(min=0.0)
    exchange = dy.Int32(nullable=True, min=0)
    conditions = dy.String(nullable=True)
    correction = dy.Int32(nullable=True, min=0)
    available_at = time()


class OptionTrades(OptionTape, Terms, _Trade):
    """One trade; `size` in contracts. `conditions` is null before 2019-11-04, when the vendor gave none."""


class StockTrades(StockTape, _Trade):
    """One trade; `size` in shares, with fractions since 2026-02-23. `trf_ns` is when a TRF reported it."""

    sequence_number = dy.Int64(nullable=True, min=0)
    id = dy.String(nullable=True)
    tape = dy.Int32(nullable=True, min=0)
    trf_id = dy.Int32(nullable=True, min=0)
    trf_ns = time(nullable=True)


def specs() -> tuple[TableSpec, ...]:
    """Return the tables of ticks."""
    stock, option, ingest = ("ticker", "ts_ns"), ("occ_symbol", "ts_ns"), "`strikelake ingest`"
    return (
        TableSpec("option_quotes", OptionQuotes, option, "ts_ns", ingest),
        TableSpec("option_trades", OptionTrades, option, "ts_ns", ingest),
        TableSpec("stock_trades", StockTrades, stock, "ts_ns", ingest),
        TableSpec("stock_quotes", StockQuotes, stock, "ts_ns", ingest),
    )
