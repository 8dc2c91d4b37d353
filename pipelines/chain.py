"""The option chain as it stood at a moment, for the backtest and for the live trader alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.dividends import EXPECTED, expected_dividends
from pipelines.priced import options_of
from pipelines.rates import newest_curve, rate_for
from pipelines.terms import ROOT, series_of, with_series
from strikelake.pricing import chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from strikelake.calendar import Session
    from strikelake.pricing.arrays import FloatArray

_KEPT = ("occ_symbol", "underlying", "expiration", "option_type", "strike", "bid_price", "ask_price")


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What a session's options are priced with, as it is known at the open.

    Attributes
    ----------
    session
        The session.
    rate
        Continuous rate per year by days to settlement.
    dividends
        As `pipelines.dividends.expected_dividends` gives them at the open.
    """

    session: Session
    rate: Callable[[float], float]
    dividends: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EXPECTED))


def session_terms(
    session: Session, yields: pl.DataFrame, actions: pl.DataFrame, rate_default: float
) -> SessionTerms:
    """Return the terms of a session's chains, those that `pipelines.analytics` prices its quotes with.

    Point in time: the newest treasury curve and the dividends announced at the session's open.

    Parameters
    ----------
    yields, actions
        Rows of treasury_yields and corporate_actions.
    rate_default
        Continuous rate where no curve is of the 30 days before.
    """
    curve = newest_curve(yields, session.open_ns)
    dividends = expected_dividends(actions, session.date, session.open_ns)
    return SessionTerms(session, rate_for(curve, rate_default), dividends)


def chain_at(
    quotes: pl.DataFrame,
    prices: pl.DataFrame,
    asof: int,
    terms: SessionTerms,
    solve: pl.Expr | None = None,
    threads: int = 1,
) -> pl.DataFrame:
    """Return the last quote of every contract with the volatility and the delta of its middle.

    Point in time: quotes and prices after `asof` are not looked at; the terms are those of the open.

    A row is priced as `pipelines.analytics` prices a quote of this moment: American with discrete dividends
    on shares and funds, European on indices, the rate of its expiration, time in minutes to settlement. One
    thing is left out, the carry that calls and puts imply beside the dividends: the lake has it from many
    pairs of one minute, and a decision has a single quote of each contract and no time for two more
    solutions. ADR 48 says what that does to a delta.

    Parameters
    ----------
    quotes
        Columns occ_symbol, underlying, expiration (Date), option_type ("C" or "P"), strike, ts_ns, bid_price
        and ask_price (dollars per share, null where a side is missing), in any order; rows of the lake's
        option_quotes, or of a REST chain with its quote_ts_ns named ts_ns.
    prices
        underlying, available_at (ns UTC) and price (dollars); those since the open count. The newest one
        prices the options, the first one turns cash dividends into shares of the price, as in the lake (where
        it may be one from before the open).
    asof
        ns UTC.
    terms
        The session's.
    solve
        Which contracts get numbers, such as `strikelake.strategy.selection.entry_contracts`; None is all. The
        others are in the chain all the same, and no number depends on what else is solved.
    threads
        How many solve rows at a time.

    Returns
    -------
    pl.DataFrame
        One row per contract, sorted by occ_symbol: occ_symbol, underlying, expiration, option_type, strike,
        bid_price, ask_price, quote_ts_ns, underlying_price, years, implied_vol, delta. underlying_price is
        null where none is known, and for adjusted contracts, which deliver something else; implied_vol and
        delta are null where it or a side of the quote is missing, where no volatility gives the middle, and
        where a row is not solved.
    """
    opened = terms.session
    middle = (pl.col("bid_price") + pl.col("ask_price")) / 2.0
    last = (
        quotes.filter(pl.col("ts_ns") <= asof)
        .sort("occ_symbol", "ts_ns", maintain_order=True)
        .unique("occ_symbol", keep="last", maintain_order=True)
        .select(*_KEPT, ROOT, quote_ts_ns="ts_ns", available_at=pl.lit(asof), price=middle)
    )
    spots = (
        prices.filter(
            pl.col("underlying").is_in(sorted(set(last["underlying"]))),
            pl.col("available_at").is_between(opened.open_ns, asof, closed="right"),
        )
        .sort("underlying", "available_at", maintain_order=True)
        .group_by("underlying", maintain_order=True)
        .agg(pl.col("price").first(), underlying_price=pl.col("price").last())
    )
    series = series_of(last, opened, opened.open_ns, terms.rate, terms.dividends, spots)
    adjusted = pl.col("root").str.contains(r"\d$")
    rows = (
        with_series(last, series)
        .join(spots[["underlying", "underlying_price"]], on="underlying", how="left", maintain_order="left")
        .with_columns(
            underlying_price=pl.when(~adjusted).then("underlying_price"),
            solved=pl.lit(value=True) if solve is None else solve,
        )
    )
    wanted = rows["solved"].to_numpy()
    options = options_of(rows, rows["series"].to_numpy(), series.plain_terms())
    found = chain.analyse(rows["price"].to_numpy()[wanted], options[wanted], threads=threads)
    numbers = [_spread("implied_vol", found.vol, wanted), _spread("delta", found.delta, wanted)]
    return rows[[*_KEPT, "quote_ts_ns", "underlying_price", "years"]].hstack(numbers)


def _spread(name: str, values: FloatArray, wanted: NDArray[np.bool_]) -> pl.Series:
    """Return the numbers of the wanted rows at their places, null elsewhere."""
    column = np.full(wanted.size, np.nan)
    column[wanted] = values
    return pl.Series(name, column, nan_to_null=True)
