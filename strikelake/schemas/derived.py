"""What is computed here, and what ingestion says of itself."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from strikelake.schemas.columns import EARLIEST_NS, TICKER, Contract, Session, Terms, time
from strikelake.schemas.spec import TableSpec


class OptionAnalytics(Contract, Terms):
    """Implied volatility and Greeks of one option bar, or the status that says why there are none."""

    ts_ns = time(primary_key=True)
    bar = dy.String(regex=r"^1[dm]$", primary_key=True)
    price = dy.Float64(nullable=True)
    underlying_price = dy.Float64(nullable=True)
    underlying_ts_ns = dy.Int64(nullable=True, min=EARLIEST_NS)
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
    available_at = time()

    @dy.rule()
    def known_after_underlying(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that nobody knows the row before what it is computed from."""
        return pl.col("available_at") >= pl.max_horizontal("ts_ns", "underlying_ts_ns")


class Features(Session):
    """One feature of one underlying at one decision time. An unknown value is null, never NaN."""

    asof = time(primary_key=True)
    underlying = dy.String(regex=TICKER, primary_key=True)
    bar = dy.String(min_length=2, primary_key=True)
    feature = dy.String(min_length=1, primary_key=True)
    value = dy.Float64(nullable=True)
    available_at = time()

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


def specs() -> tuple[TableSpec, ...]:
    """Return the tables of computed rows and of ingestion's own."""
    ingest, featurize, own = "`strikelake ingest`", "`strikelake featurize`", "not market data"
    inputs = "the later of the option bar's and the underlying row's"
    analytics = ("bar", "occ_symbol", "ts_ns")
    return (
        TableSpec("option_analytics", OptionAnalytics, analytics, inputs, featurize),
        TableSpec("features", Features, ("underlying", "bar", "feature", "asof"), "asof", featurize),
        TableSpec("ingestions", Ingestions, ("dataset", "date"), own, ingest, ()),
        TableSpec("quarantine", Quarantine, ("table_name", "row_number"), own, ingest),
    )
