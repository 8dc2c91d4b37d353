"""The tables of the lake: what a good row is, row by row and column by column.

One class per table, all times in ns UTC. `tables()` lists them with their order, their partitions and the
rule of `available_at`, the moment from which a trader could have known a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import dataframely as dy
import polars as pl

from strikelake.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Mapping

# 1989 in nanoseconds: no market data here is older, and a time in milli- or microseconds falls far below.
_EARLIEST_NS = 600_000_000_000_000_000
# Letters, digits and the marks that US tickers use for classes, preferreds, warrants and units.
_TICKER = r"^[A-Z0-9][A-Za-z0-9.:^=+#*$\-]*$"
_OPTION_TYPE = r"^[CP]$"


def _time(*, primary_key: bool = False) -> dy.Int64:
    return dy.Int64(min=_EARLIEST_NS, primary_key=primary_key)


class _Session(dy.Schema):
    date = dy.Date()


class _Stock(_Session):
    ticker = dy.String(regex=_TICKER, primary_key=True)


class _Contract(_Session):
    occ_symbol = dy.String(min_length=16, primary_key=True)


class _Tape(_Session):
    occ_symbol = dy.String(min_length=16)


class _Terms(dy.Schema):
    underlying = dy.String(regex=_TICKER)
    expiration = dy.Date()
    option_type = dy.String(regex=_OPTION_TYPE)
    strike = dy.Float64(min_exclusive=0.0)


class _Bar(dy.Schema):
    ts_ns = _time(primary_key=True)
    open = dy.Float64(min_exclusive=0.0)
    high = dy.Float64(min_exclusive=0.0)
    low = dy.Float64(min_exclusive=0.0)
    close = dy.Float64(min_exclusive=0.0)
    volume = dy.Float64(min=0.0)
    transactions = dy.Int64(nullable=True, min=0)
    available_at = _time()

    @dy.rule()
    def low_is_lowest(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that no trade is below the low."""
        return pl.col("low") <= pl.min_horizontal("open", "close")

    @dy.rule()
    def high_is_highest(cls) -> pl.Expr:  # noqa: N805 - as above
        """Check that no trade is above the high."""
        return pl.col("high") >= pl.max_horizontal("open", "close")

    @dy.rule()
    def known_after_start(cls) -> pl.Expr:  # noqa: N805 - as above
        """Check that nobody knows a bar before it starts."""
        return pl.col("available_at") >= pl.col("ts_ns")


class StockDayBars(_Stock, _Bar):
    """One stock's session, as traded: not adjusted for splits. `ts_ns` is midnight in New York."""


class StockMinuteBars(_Stock, _Bar):
    """One stock's minute, as traded, before and after the regular session too. No trade, no bar."""


class OptionDayBars(_Contract, _Terms, _Bar):
    """One contract's session. `strike` is in dollars, `volume` in contracts."""


class OptionMinuteBars(_Contract, _Terms, _Bar):
    """One contract's minute. Most contracts trade in few minutes of a session."""


class OptionQuotes(_Tape, _Terms):
    """Best bid and offer of one contract. A missing side is null in price and size.

    Crossed quotes are real and kept. There is no key: quotes of one nanosecond stay in the order of the tape.
    """

    ts_ns = _time()
    bid_price = dy.Float64(nullable=True, min_exclusive=0.0)
    bid_size = dy.Float64(nullable=True, min=0.0)
    ask_price = dy.Float64(nullable=True, min_exclusive=0.0)
    ask_size = dy.Float64(nullable=True, min=0.0)
    available_at = _time()

    @dy.rule()
    def sides_are_whole(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that a side has both price and size, or neither."""
        bid = pl.col("bid_price").is_null() == pl.col("bid_size").is_null()
        return bid & (pl.col("ask_price").is_null() == pl.col("ask_size").is_null())


class CorporateActions(dy.Schema):
    """A split (`split_to` new shares for `split_from` old ones) or a cash dividend per share, in dollars."""

    ticker = dy.String(regex=_TICKER, primary_key=True)
    action = dy.String(regex=r"^(split|dividend)$", primary_key=True)
    ex_date = dy.Date(primary_key=True)
    split_from = dy.Float64(nullable=True, min_exclusive=0.0)
    split_to = dy.Float64(nullable=True, min_exclusive=0.0)
    cash_amount = dy.Float64(nullable=True, min_exclusive=0.0)
    available_at = _time()

    @dy.rule()
    def split_has_ratio(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that splits, and only they, have a ratio."""
        ratio = pl.col("split_from").is_not_null() & pl.col("split_to").is_not_null()
        return ratio == (pl.col("action") == "split")

    @dy.rule()
    def dividend_has_amount(cls) -> pl.Expr:  # noqa: N805 - as above
        """Check that dividends, and only they, have an amount."""
        return pl.col("cash_amount").is_not_null() == (pl.col("action") == "dividend")


class TreasuryYields(dy.Schema):
    """Par yield of one tenor on one day, a decimal: 0.05 is 5 %. Above 0.5 it is taken for a percentage."""

    date = dy.Date(primary_key=True)
    tenor_days = dy.Int32(min=1, primary_key=True)
    yield_rate = dy.Float64(min=-0.1, max=0.5)
    available_at = _time()


class OptionAnalytics(_Contract, _Terms):
    """Implied volatility and Greeks of one option bar, or the status that says why there are none."""

    ts_ns = _time(primary_key=True)
    bar = dy.String(regex=r"^1[dm]$", primary_key=True)
    price = dy.Float64(nullable=True)
    underlying_price = dy.Float64(nullable=True)
    underlying_ts_ns = dy.Int64(nullable=True, min=_EARLIEST_NS)
    rate = dy.Float64(nullable=True)
    years = dy.Float64(nullable=True)
    implied_vol = dy.Float64(nullable=True, min_exclusive=0.0)
    iv_error = dy.Float64(nullable=True, min=0.0)
    status = dy.String(min_length=1)
    delta = dy.Float64(nullable=True)
    gamma = dy.Float64(nullable=True)
    vega = dy.Float64(nullable=True)
    theta = dy.Float64(nullable=True)
    rho = dy.Float64(nullable=True)
    available_at = _time()

    @dy.rule()
    def known_after_underlying(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that nobody knows the row before what it is computed from."""
        return pl.col("available_at") >= pl.max_horizontal("ts_ns", "underlying_ts_ns")


class Features(_Session):
    """One feature of one underlying at one decision time. An unknown value is null, never NaN."""

    asof = _time(primary_key=True)
    underlying = dy.String(regex=_TICKER, primary_key=True)
    bar = dy.String(min_length=2, primary_key=True)
    feature = dy.String(min_length=1, primary_key=True)
    value = dy.Float64(nullable=True)
    available_at = _time()

    @dy.rule()
    def known_at_asof(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that what a decision reads is known when it is made."""
        return pl.col("available_at") <= pl.col("asof")


class Ingestions(dy.Schema):
    """How the last handling of a file ended: `committed`, or `refused` with the reason in `detail`."""

    dataset = dy.String(min_length=1, primary_key=True)
    date = dy.Date(primary_key=True)
    source_key = dy.String(min_length=1)
    etag = dy.String(min_length=1)
    size = dy.Int64(min=0)
    state = dy.String(regex=r"^(committed|refused)$")
    rows = dy.Int64(min=0)
    rejected = dy.Int64(min=0)
    table_version = dy.Int64(nullable=True, min=0)
    detail = dy.String()


class Quarantine(dy.Schema):
    """A row that was not let into its table, the rules it broke, and its raw text."""

    date = dy.Date()
    table_name = dy.String(min_length=1)
    source_key = dy.String(min_length=1)
    row_number = dy.Int64(min=1)
    rule = dy.String(min_length=1)
    raw = dy.String()


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table of the lake.

    Attributes
    ----------
    name, schema
        The table and what a good row of it is.
    sort
        Order of the rows inside a file.
    available_at
        The rule behind that column, in words.
    made_by
        What fills the table; messages about missing rows name it.
    partition_by
        `("date",)`, or nothing for small tables that are kept in one file.
    day
        The column that a range of dates selects by.
    """

    name: str
    schema: type[dy.Schema]
    sort: tuple[str, ...]
    available_at: str
    made_by: str
    partition_by: tuple[str, ...] = ("date",)
    day: str = "date"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Names and types of the columns, in order."""
        return {name: column.dtype for name, column in self.schema.columns().items()}

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name a row; empty where rows have no key."""
        return tuple(self.schema.primary_key())


def tables() -> Mapping[str, TableSpec]:
    """Return every table of the lake by name."""
    day_close, minute_end = "the session's close", "ts_ns + 60 s, the end of the minute"
    ingest, reference, featurize = (
        "`strikelake ingest`",
        "`strikelake ingest --reference FOLDER`",
        "`strikelake featurize`",
    )
    stock, option, action = ("ticker", "ts_ns"), ("occ_symbol", "ts_ns"), ("ticker", "action", "ex_date")
    known = "the open of the ex-date, or of the session after the declaration where that is known"
    inputs = "the later of the option bar's and the underlying row's"
    specs = (
        TableSpec("stock_day_bars", StockDayBars, stock, day_close, ingest),
        TableSpec("stock_minute_bars", StockMinuteBars, stock, minute_end, ingest),
        TableSpec("option_day_bars", OptionDayBars, option, day_close, ingest),
        TableSpec("option_minute_bars", OptionMinuteBars, option, minute_end, ingest),
        TableSpec("option_quotes", OptionQuotes, option, "ts_ns", ingest),
        TableSpec("corporate_actions", CorporateActions, action, known, reference, (), "ex_date"),
        TableSpec("treasury_yields", TreasuryYields, ("date", "tenor_days"), "18:00 ET", reference, ()),
        TableSpec("option_analytics", OptionAnalytics, ("bar", *option), inputs, featurize),
        TableSpec("features", Features, ("underlying", "bar", "feature", "asof"), "asof", featurize),
        TableSpec("ingestions", Ingestions, ("dataset", "date"), "not market data", ingest, ()),
        TableSpec("quarantine", Quarantine, ("table_name", "row_number"), "not market data", ingest),
    )
    return {spec.name: spec for spec in specs}


def table(name: str) -> TableSpec:
    """Return one table.

    Raises
    ------
    LakeError
        When there is no such table; the message names the nearest.

    Examples
    --------
    >>> table("features").key
    ('asof', 'underlying', 'bar', 'feature')
    """
    specs = tables()
    if name not in specs:
        near = get_close_matches(name, specs, n=1, cutoff=0.0)[0]
        raise LakeError(f"there is no table {name!r}: did you mean {near!r}? Tables are {', '.join(specs)}")
    return specs[name]
