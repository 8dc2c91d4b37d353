"""Find what the underlying of every option was worth: by its own prices, or by what its options imply."""

from __future__ import annotations

import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.lake.joins import newest_known
from strikelake.pricing.parity import implied_spots

OLDEST_PAIR = 5 * NS_PER_MINUTE
"""How much earlier than an option bar the call and the put that price its underlying may have traded."""

OBSERVED = pl.Schema(
    {
        "underlying": pl.String,
        "available_at": pl.Int64,
        "price": pl.Float64,
        "at": pl.Int64,
        "underlying_source": pl.String,
    }
)
"""Prices of underlyings: from when they could be known, and the time of the bar or quote they are from."""


def observed(bars: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return the closes of stock or index bars as prices of underlyings (`OBSERVED`); I:SPX is SPX."""
    return bars.select(
        "available_at",
        underlying=pl.col("ticker").str.strip_prefix("I:"),
        price="close",
        at="ts_ns",
        underlying_source=pl.lit(source),
    ).select(*OBSERVED)


def observed_quotes(quotes: pl.DataFrame) -> pl.DataFrame:
    """Return the middles of stock quotes as prices of underlyings, without crossed and one-sided ones."""
    return (
        quotes.filter(pl.col("bid_price") <= pl.col("ask_price"))
        .select(
            "available_at",
            underlying="ticker",
            price=(pl.col("bid_price") + pl.col("ask_price")) / 2.0,
            at="ts_ns",
            underlying_source=pl.lit("quote"),
        )
        .select(*OBSERVED)
    )


def with_underlying(options: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Add to each option row the underlying's price, the time it is from, its age and its source.

    The price is the underlying's last that was available when the option's row was. An underlying without
    any, such as an index without bars, is priced by put-call parity: from the newest minute at which a call
    and a put of the row's series and of one strike were priced together, at most `OLDEST_PAIR` earlier. For
    day bars that moment is the session, whose closes are last trades of different times.

    Parameters
    ----------
    options
        Option rows of one session with price, root, years and rate at `available_at`.
    known
        Prices (`OBSERVED`) of the session, as traded, because strikes are.

    Returns
    -------
    pl.DataFrame
        The option rows, in another order, with underlying_price (dollars), underlying_ts_ns (of the bar or
        quote, or of the latest row of the pair), underlying_age_ns (how long before the option row's
        `available_at` it was known) and underlying_source: that of `known`, "parity", "adjusted" or "none".
        Price and times are null for the last two: what adjusted contracts (AAPL1) deliver is not in their
        symbol. No price is younger than the option's own row, so that `available_at` holds for all of it.
    """
    adjusted = pl.col("root").str.contains(r"\d$")
    listed = pl.col("underlying").is_in(known["underlying"].unique().implode())
    unlisted = options.filter(~adjusted & ~listed)
    implied = _implied(unlisted)
    return pl.concat(
        [
            _newest(options.filter(adjusted), known.clear(), ["underlying"], "adjusted"),
            _newest(options.filter(~adjusted & listed), known, ["underlying"], "none"),
            _newest(unlisted, implied, ["underlying", "root", "expiration"], "none", OLDEST_PAIR),
        ]
    )


def implied_of(options: pl.DataFrame) -> pl.DataFrame:
    """Return what the pairs of a session's rows say of their underlyings, minute by minute.

    Rows and columns as `strikelake.pricing.parity.implied_spots` gives them, with root; `available_at` is the
    end of the minute in which both were priced.
    """
    minute = -(-pl.col("available_at") // NS_PER_MINUTE) * NS_PER_MINUTE
    latest = (
        options.filter(pl.col("price") > 0.0)
        .with_columns(available_at=minute, close="price")
        .sort("ts_ns")
        .unique(["occ_symbol", "available_at"], keep="last", maintain_order=True)
    )
    parts = [
        implied_spots(part).with_columns(root=pl.lit(root))
        for (root,), part in latest.group_by("root", maintain_order=True)
    ]
    return pl.concat(parts) if parts else implied_spots(latest).with_columns(root=pl.lit(""))


def _implied(unlisted: pl.DataFrame) -> pl.DataFrame:
    return implied_of(unlisted).select(
        "underlying",
        "root",
        "expiration",
        "available_at",
        price="spot",
        at="ts_ns",
        underlying_source=pl.lit("parity"),
    )


def _newest(
    rows: pl.DataFrame, known: pl.DataFrame, by: list[str], unknown: str, oldest: int | None = None
) -> pl.DataFrame:
    """Join the newest known price at or before each row."""
    known = known.sort(*by, "available_at")
    newest = newest_known(rows, known, by=by, on="available_at", oldest=oldest)
    return rows.with_columns(
        underlying_price=known["price"].gather(newest),
        underlying_ts_ns=known["at"].gather(newest),
        underlying_age_ns=rows["available_at"] - known["available_at"].gather(newest),
        underlying_source=known["underlying_source"].gather(newest).fill_null(unknown),
    )
