"""Find what the underlying of every option bar was worth: by its own bars, or by what its options imply."""

from __future__ import annotations

import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.lake.joins import newest_known
from strikelake.pricing.parity import implied_spots

OLDEST_PAIR = 5 * NS_PER_MINUTE
"""How much earlier than an option bar the call and the put that price its underlying may have traded."""

_OCC_TAIL = 15  # characters of a symbol after its root


def with_underlying(options: pl.DataFrame, stocks: pl.DataFrame) -> pl.DataFrame:
    """Add to each option bar the underlying's price, the time it is from, and its source.

    The price is the close of the underlying's last bar that was available when the option's bar was. An
    underlying without any stock bar, such as an index, is priced by put-call parity: from the newest moment
    at which a call and a put of the bar's expiration and of one strike had traded together, at most
    `OLDEST_PAIR` earlier. For day bars that moment is the session, whose closes are last trades of different
    times.

    Parameters
    ----------
    options
        Option bars of one session, all of a day or all of a minute, with years and rate at `available_at`.
    stocks
        The session's stock bars of that width; both as traded, because strikes are.

    Returns
    -------
    pl.DataFrame
        The option bars, in another order, with underlying_price (dollars), underlying_ts_ns (start of the
        stock bar, or of the latest bar of the pair), underlying_age_ns (how long before the option bar's
        `available_at` it was known) and underlying_source: "stock", "parity", "adjusted" or "none".
        Price and times are null for the last two: what adjusted contracts (AAPL1) deliver is not in their
        symbol. No price is younger than the option's own bar, so that `available_at` holds for the whole row.
    """
    adjusted, listed = _is_adjusted(), pl.col("underlying").is_in(stocks["ticker"].unique().to_list())
    unlisted = options.filter(~adjusted & ~listed)
    traded = stocks.select("available_at", underlying="ticker", price="close", at="ts_ns")
    implied = implied_spots(unlisted).select(
        "underlying", "expiration", "available_at", price="spot", at="ts_ns"
    )
    return pl.concat(
        [
            _newest(options.filter(adjusted), traded.clear(), ["underlying"], "adjusted"),
            _newest(options.filter(~adjusted & listed), traded, ["underlying"], "stock"),
            _newest(unlisted, implied, ["underlying", "expiration"], "parity", OLDEST_PAIR),
        ]
    )


def _newest(
    rows: pl.DataFrame, known: pl.DataFrame, by: list[str], source: str, oldest: int | None = None
) -> pl.DataFrame:
    """Join the newest known price at or before each row."""
    known = known.sort(*by, "available_at")
    newest = newest_known(rows, known, by=by, on="available_at", oldest=oldest)
    found = newest.is_not_null() | pl.lit(source == "adjusted")
    return rows.with_columns(
        underlying_price=known["price"].gather(newest),
        underlying_ts_ns=known["at"].gather(newest),
        underlying_age_ns=rows["available_at"] - known["available_at"].gather(newest),
        underlying_source=pl.select(
            pl.when(found).then(pl.lit(source)).otherwise(pl.lit("none"))
        ).to_series(),
    )


def _is_adjusted() -> pl.Expr:
    root = pl.col("occ_symbol").str.head(pl.col("occ_symbol").str.len_chars() - _OCC_TAIL)
    return root.str.contains(r"\d$")
