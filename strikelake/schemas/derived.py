"""Features, and what ingestion says of itself."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from strikelake.schemas.columns import TICKER, Session, time
from strikelake.schemas.spec import TableSpec


class Features(Session):
    """One feature of one underlying at one decision time. An unknown value is null, never NaN.

    `null_reason` says why it is null. `definition` and `inputs` are hashes of the code and of the files that
    the value comes from.
    """

    asof = time(primary_key=True)
    underlying = dy.String(regex=TICKER, primary_key=True)
    bar = dy.String(min_length=2, primary_key=True)
    feature = dy.String(min_length=1, primary_key=True)
    value = dy.Float64(nullable=True)
    null_reason = dy.String(nullable=True, min_length=1)
    definition = dy.String(min_length=1)
    inputs = dy.String(min_length=1)
    available_at = time()

    @dy.rule()
    def reason_for_null(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that a null has a reason, and a value none."""
        return pl.col("value").is_null() == pl.col("null_reason").is_not_null()

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
    return (
        TableSpec("features", Features, ("underlying", "bar", "feature", "asof"), "asof", featurize),
        TableSpec("ingestions", Ingestions, ("dataset", "date"), own, ingest, ()),
        TableSpec("quarantine", Quarantine, ("table_name", "row_number"), own, ingest, sparse=True),
    )
