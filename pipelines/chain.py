"""The option chain as it stood at a moment, for the backtest and for the live trader alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.series import at, sorted_by
from pipelines.dividends import EXPECTED, expected_dividends
from pipelines.priced import options_of
from pipelines.rates import newest_curve, rate_for
from pipelines.terms import OCC_TAIL, listed_series, payments_of
from strikelake.pricing import chain
from strikelake.pricing.rates import years_between

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from pipelines.terms import Payments
    from strikelake.calendar import Session
    from strikelake.pricing.arrays import FloatArray
    from strikelake.strategy.selection import Sides

_KEPT = ("occ_symbol", "underlying", "expiration", "option_type", "strike", "bid_price", "ask_price")
_UNKNOWN = (np.nan, np.nan)


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
    payments
        The same by underlying.
    """

    session: Session
    rate: Callable[[float], float]
    dividends: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EXPECTED))
    payments: Payments = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the dividends by underlying, once."""
        object.__setattr__(self, "payments", payments_of(self.dividends))


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
    solve: Sides | None = None,
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
        option_quotes, or of a REST chain with its quote_ts_ns named ts_ns. A row without ts_ns is no quote.
    prices
        underlying, available_at (ns UTC) and price (dollars); those since the open count. The newest one
        prices the options, the first one turns cash dividends into shares of the price, as in the lake (where
        it may be one from before the open).
    asof
        ns UTC.
    terms
        The session's.
    solve
        Which contracts get numbers: the sides ("C", "P", both or none) of an underlying and an expiration,
        such as `strikelake.strategy.selection.entry_contracts` gives; None is all. The others are in the
        chain all the same, and no number depends on what else is solved.
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

    Notes
    -----
    A chain whose contracts are in order, as the vendor's is, is priced without a polars query: a query of few
    rows costs more than pricing them, and waits for a thread that a busy machine has to wake.
    """
    last = _newest(quotes, asof)
    roots = [symbol[:-OCC_TAIL] for symbol in last["occ_symbol"].to_list()]
    keys = list(zip(last["underlying"].to_list(), roots, last["expiration"].to_list(), strict=True))
    listed = sorted(set(keys))
    place = {key: number for number, key in enumerate(listed)}
    own = np.array([place[key] for key in keys], dtype=np.int64)
    opened = terms.session
    spots = _spots(prices, opened.open_ns, asof)
    first = {name: price for name, (price, _) in spots.items()}
    series = listed_series(listed, opened, opened.open_ns, terms.rate, terms.payments, first)
    settles = series.frame["settles_ns"].to_numpy()
    spot = np.array(
        [np.nan if root[-1:].isdigit() else spots.get(name, _UNKNOWN)[1] for name, root, _ in listed]
    )
    rows = last[list(_KEPT)].hstack(
        [
            last["ts_ns"].alias("quote_ts_ns"),
            pl.Series("underlying_price", spot[own], dtype=pl.Float64, nan_to_null=True),
            pl.Series("years", years_between(asof, settles[own]), dtype=pl.Float64),
        ]
    )
    middle = (last["bid_price"].to_numpy() + last["ask_price"].to_numpy()) / 2.0
    wanted = _wanted(rows, listed, own, solve)
    options = options_of(rows, own, series.plain_terms())
    found = chain.analyse(middle[wanted], options[wanted], threads=threads)
    return rows.hstack([_spread("implied_vol", found.vol, wanted), _spread("delta", found.delta, wanted)])


def _newest(quotes: pl.DataFrame, asof: int) -> pl.DataFrame:
    """Return the last row of every contract by `asof`, sorted by occ_symbol."""
    known = quotes["ts_ns"] <= asof
    rows = quotes if known.sum() == len(known) else quotes.filter(known)
    symbols = rows["occ_symbol"]
    if (symbols[1:] > symbols[:-1]).all():
        return rows
    ordered = rows.sort("occ_symbol", "ts_ns", maintain_order=True)
    return ordered.unique("occ_symbol", keep="last", maintain_order=True)


def _spots(prices: pl.DataFrame, opened: int, asof: int) -> dict[str, tuple[float, float]]:
    """Return the first and the last price of each underlying in (opened, asof]."""
    rows, names = sorted_by(prices, "underlying", "available_at")
    moments, price = rows["available_at"].to_numpy(), rows["price"].to_numpy()
    found = {}
    for name, part in zip(at(rows["underlying"], names.starts), names.slices, strict=True):
        first, after = part.start + moments[part].searchsorted([opened, asof], side="right")
        if first < after:
            found[name] = float(price[first]), float(price[after - 1])
    return found


def _wanted(
    rows: pl.DataFrame,
    listed: Sequence[tuple[str, str, date]],
    own: NDArray[np.int64],
    solve: Sides | None,
) -> NDArray[np.bool_]:
    """Return whether each row is to be solved."""
    if solve is None:
        return np.ones(len(own), dtype=np.bool_)
    sides = [solve(name, expiration) for name, _, expiration in listed]
    calls, puts = (np.array([kind in each for each in sides], dtype=np.bool_) for kind in "CP")
    return np.where((rows["option_type"] == "C").to_numpy(), calls[own], puts[own])


def _spread(name: str, values: FloatArray, wanted: NDArray[np.bool_]) -> pl.Series:
    """Return the numbers of the wanted rows at their places, null elsewhere."""
    column = np.full(wanted.size, np.nan)
    column[wanted] = values
    return pl.Series(name, column, nan_to_null=True)
