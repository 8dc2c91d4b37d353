"""Reference data, and what REST alone knows of options: snapshots of chains and open interest."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from strikelake.schemas.columns import TICKER, Contract, Session, Terms, time
from strikelake.schemas.spec import TableSpec


class CorporateActions(dy.Schema):
    """A split (`split_to` new shares for `split_from` old ones) or a cash dividend per share, in dollars."""

    ticker = dy.String(regex=TICKER, primary_key=True)
    action = dy.String(regex=r"^(split|dividend)$", primary_key=True)
    ex_date = dy.Date(primary_key=True)
    split_from = dy.Float64(nullable=True, min_exclusive=0.0)
    split_to = dy.Float64(nullable=True, min_exclusive=0.0)
    cash_amount = dy.Float64(nullable=True, min_exclusive=0.0)
    available_at = time()

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
    available_at = time()


class Contracts(Contract, Terms):
    """An option contract as listed on `date`. `adjusted`: a corporate action changed what it delivers."""

    exercise_style = dy.String(nullable=True)
    shares_per_contract = dy.Float64(nullable=True, min=0.0)
    primary_exchange = dy.String(nullable=True)
    adjusted = dy.Bool()
    available_at = time()


class ChainSnapshots(Contract, Terms):
    """One contract as the vendor showed it at `ts_ns`; one snapshot of an underlying a session, the last.

    Prices in dollars per share, vega per point of volatility, theta per day; null is what the vendor omits.
    """

    ts_ns = time()
    quote_ts_ns = time(nullable=True)
    bid_price = dy.Float64(nullable=True, min_exclusive=0.0)
    bid_size = dy.Float64(nullable=True, min=0.0)
    ask_price = dy.Float64(nullable=True, min_exclusive=0.0)
    ask_size = dy.Float64(nullable=True, min=0.0)
    underlying_price = dy.Float64(nullable=True, min_exclusive=0.0)
    open_interest = dy.Int64(nullable=True, min=0)
    implied_vol = dy.Float64(nullable=True, min_exclusive=0.0)
    delta = dy.Float64(nullable=True, min=-1.0, max=1.0)
    gamma = dy.Float64(nullable=True)
    vega = dy.Float64(nullable=True)
    theta = dy.Float64(nullable=True)
    available_at = time()

    @dy.rule()
    def known_when_taken(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that nobody knows a snapshot before it is taken, nor a quote of its future."""
        return pl.col("available_at") >= pl.max_horizontal("ts_ns", "quote_ts_ns")


class OpenInterest(Contract, Terms):
    """Contracts open at the end of `date`, which the clearing house tells before the next session."""

    open_interest = dy.Int64(min=0)
    available_at = time()


class Exchanges(dy.Schema):
    """An exchange by the number that ticks carry; `date` is when the vendor was asked."""

    date = dy.Date()
    exchange_id = dy.Int64(primary_key=True)
    asset_class = dy.String(min_length=1, primary_key=True)
    kind = dy.String(nullable=True)
    name = dy.String(min_length=1)
    acronym = dy.String(nullable=True)
    mic = dy.String(nullable=True)
    operating_mic = dy.String(nullable=True)
    participant_id = dy.String(nullable=True)
    available_at = time()


class Holidays(dy.Schema):
    """A day on which an exchange is closed, or closes early."""

    date = dy.Date(primary_key=True)
    exchange = dy.String(min_length=1, primary_key=True)
    name = dy.String(nullable=True)
    status = dy.String(regex=r"^(closed|early-close)$")
    open_ns = time(nullable=True)
    close_ns = time(nullable=True)
    available_at = time()


class News(Session):
    """An article and a ticker it is about. The vendor rates it at a time of its own that it does not say."""

    article_id = dy.String(min_length=1, primary_key=True)
    ticker = dy.String(regex=TICKER, primary_key=True)
    ts_ns = time()
    title = dy.String()
    publisher = dy.String(nullable=True)
    author = dy.String(nullable=True)
    article_url = dy.String(nullable=True)
    description = dy.String(nullable=True)
    keywords = dy.String(nullable=True)
    sentiment = dy.String(nullable=True, regex=r"^(positive|neutral|negative)$")
    sentiment_reasoning = dy.String(nullable=True)
    available_at = time()


class Earnings(dy.Schema):
    """An earnings report of `date`, as it was dated at `available_at`.

    `report_ns` is the session's open where the report comes before it (`timing` is bmo), else its close.
    """

    date = dy.Date(primary_key=True)
    ticker = dy.String(regex=TICKER, primary_key=True)
    report_ns = time()
    timing = dy.String(nullable=True, regex=r"^(bmo|amc)$")
    fiscal_period = dy.String(nullable=True)
    available_at = time(primary_key=True)

    @dy.rule()
    def known_by_the_report(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that nobody is told of a report after it."""
        return pl.col("available_at") <= pl.col("report_ns")


class Classifications(dy.Schema):
    """What a source says that a ticker was on `date`: its kind of security, and its industry.

    `sic_code` is of the Standard Industrial Classification, null for a fund; all is null where the source
    knew no such ticker on that date. `asked_ns` is when the vendor was asked, null for a file: where it is
    later than `available_at`, the vendor was asked about the past, and what it said is taken on trust.
    """

    date = dy.Date(primary_key=True)
    ticker = dy.String(regex=TICKER, primary_key=True)
    security_type = dy.String(nullable=True, min_length=1)
    sic_code = dy.Int32(nullable=True, min=100, max=9_999)
    asked_ns = time(nullable=True)
    available_at = time()

    @dy.rule()
    def known_on_its_date_or_later(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that nobody is told today what a ticker will be."""
        return pl.col("available_at") >= pl.col("date").cast(pl.Datetime("ns")).cast(pl.Int64)


class Symbols(dy.Schema):
    """The ticker that a security carried from `first_date` to `last_date`, both included.

    `security` names it for good; a ticker may have been another security's before.
    """

    security = dy.String(min_length=1)
    ticker = dy.String(regex=TICKER, primary_key=True)
    first_date = dy.Date(primary_key=True)
    last_date = dy.Date(nullable=True)
    available_at = time()

    @dy.rule()
    def ends_after_it_starts(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that a range has a day; null goes on."""
        return pl.col("last_date").fill_null(pl.col("first_date")) >= pl.col("first_date")


class TopUps(dy.Schema):
    """A session's bars taken from REST before its flat file was published, and how the file then differed.

    The counts are null while the file is awaited (`awaited`), or after the rows were vacuumed (`lost`).
    """

    dataset = dy.String(min_length=1, primary_key=True)
    date = dy.Date(primary_key=True)
    table_version = dy.Int64(min=0)
    rows = dy.Int64(min=0)
    state = dy.String(regex=r"^(awaited|reconciled|lost)$")
    equal = dy.Int64(nullable=True, min=0)
    changed = dy.Int64(nullable=True, min=0)
    missing = dy.Int64(nullable=True, min=0)
    added = dy.Int64(nullable=True, min=0)


def specs() -> tuple[TableSpec, ...]:
    """Return the tables of reference data."""
    action, made_by = ("ticker", "action", "ex_date"), "`strikelake ingest --reference FOLDER`"
    known = "the open of the ex-date, or of the session after the declaration where that is known"
    asked, option = "when the vendor was asked", ("occ_symbol",)
    filed = "the open 105 days after the date, or after the vendor was asked; of a file, after its date"
    classes = ("ticker", "available_at", "date")
    dated = "the open of the session after the announcement; where that is unknown, `report_ns`"
    snapshot = listings = "the deployment `after-close` on the day itself"
    told = f"{snapshot}, or {made_by}"
    return (
        TableSpec("corporate_actions", CorporateActions, action, known, made_by, (), "ex_date"),
        TableSpec("treasury_yields", TreasuryYields, ("date", "tenor_days"), "18:00 ET", made_by, ()),
        TableSpec(
            "contracts",
            Contracts,
            option,
            "the open of the date, or of the next session",
            listings,
            sparse=True,
        ),
        TableSpec("chain_snapshots", ChainSnapshots, option, "ts_ns, when it was taken", snapshot),
        TableSpec("open_interest", OpenInterest, option, "06:30 ET of the next session", told),
        TableSpec("exchanges", Exchanges, ("asset_class", "exchange_id"), asked, listings, ()),
        TableSpec("holidays", Holidays, ("date", "exchange"), asked, listings, ()),
        TableSpec(
            "news", News, ("ts_ns", "article_id", "ticker"), "ts_ns, its publication", told, sparse=True
        ),
        TableSpec("earnings", Earnings, ("ticker", "available_at"), dated, made_by, sparse=True),
        TableSpec("classifications", Classifications, classes, filed, "`strikelake ingest`", ()),
        TableSpec(
            "symbols", Symbols, ("ticker", "first_date"), "the open of first_date", made_by, (), "first_date"
        ),
        TableSpec("top_ups", TopUps, ("dataset", "date"), "not market data", "`strikelake ingest`", ()),
    )
