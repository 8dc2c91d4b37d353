"""Which option contracts the simulated exchange lists, and on which strikes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_SECOND, is_session, previous_session
from strikelake.contracts import expiry_ns
from strikelake.sandbox.paths import StockPaths, Stream, generator

if TYPE_CHECKING:
    from strikelake.sandbox.config import SimulatorConfig, Stock

MONTHLY_DAYS = 65
WEEKLY_DAYS = 10
_STEPS = (1.0, 2.5, 5.0, 10.0, 20.0)
_STRIKES_EACH_SIDE = 5
_FRIDAY = 4
_THIRD_FRIDAY = range(15, 22)


def expirations(day: date) -> list[date]:
    """Return the expirations listed on a day.

    Fridays up to 10 days away and third Fridays up to 65 days away; a Friday without trading expires on the
    session before it.

    Examples
    --------
    >>> [str(day) for day in expirations(date(2025, 4, 7))]
    ['2025-04-11', '2025-04-17', '2025-05-16']
    """
    ahead = [day + timedelta(days=n) for n in range(MONTHLY_DAYS + 1)]
    fridays = [d for d in ahead if d.weekday() == _FRIDAY]
    chosen = [d for d in fridays if (d - day).days <= WEEKLY_DAYS or d.day in _THIRD_FRIDAY]
    last_days = [d if is_session(d) else previous_session(d).date for d in chosen]
    return [d for d in last_days if d >= day]


def strike_step(stock: Stock, spot: float, days: int) -> float:
    """Return the distance of two strikes: of the exchange's steps, the nearest to a third of a deviation.

    The last week adds no finer strikes.
    """
    wanted = 0.35 * spot * stock.vol * np.sqrt(max(days, 7) / 365.0)
    return min(_STEPS, key=lambda step: abs(np.log(step / wanted)))


def list_contracts(config: SimulatorConfig, paths: StockPaths) -> pl.DataFrame:
    """List the contracts of all sessions.

    Every morning each expiration gets the strikes around the last price; what is listed stays until it
    expires.

    Returns
    -------
    pl.DataFrame
        Sorted by `ticker` (the vendor's, with `O:`), one row per contract: ticker, symbol (column in the
        paths), underlying, expiration, expiry_ns, option_type ("C"/"P"), sign (+1/-1), strike, first_session
        (index), offset_ns (of its quotes within the quoting interval), activity (typical prints a day at the
        money), open_interest.
    """
    rows = [
        {
            "ticker": f"O:{stock.ticker}{expiration:%y%m%d}{letter}{round(strike * 1000):08d}",
            "symbol": symbol,
            "underlying": stock.ticker,
            "expiration": expiration,
            "expiry_ns": expiry_ns(expiration),
            "option_type": letter,
            "sign": sign,
            "strike": strike,
            "first_session": first,
        }
        for symbol, stock in enumerate(config.stocks)
        for expiration, ladder in _ladders(stock, symbol, paths).items()
        for strike, first in ladder.items()
        for letter, sign in (("C", 1), ("P", -1))
    ]
    frame = pl.DataFrame(rows).sort("ticker")
    rng = generator(config, Stream.CONTRACTS)
    seconds = rng.integers(1, max(2, config.quote_minutes * 60 - 1), frame.height)
    return frame.with_columns(
        pl.Series("offset_ns", seconds * NS_PER_SECOND + rng.integers(0, NS_PER_SECOND, frame.height)),
        pl.Series("activity", np.exp(rng.normal(np.log(6.0), 1.0, frame.height))),
        pl.Series("open_interest", np.exp(rng.normal(6.0, 1.5, frame.height)).astype(np.int64)),
    )


def _ladders(stock: Stock, symbol: int, paths: StockPaths) -> dict[date, dict[float, int]]:
    """Return every expiration's strikes of one symbol, each with the session that lists it."""
    ladders: dict[date, dict[float, int]] = {}
    for index, session in enumerate(paths.sessions):
        # Strikes are set before the open, from the last price known then.
        spot = float(paths.price[max(int(paths.first_node[index]) - 1, 0), symbol])
        for expiration in expirations(session.date):
            step = strike_step(stock, spot, (expiration - session.date).days)
            centre = round(spot / step)
            for rung in range(max(centre - _STRIKES_EACH_SIDE, 1), centre + _STRIKES_EACH_SIDE + 1):
                ladders.setdefault(expiration, {}).setdefault(rung * step, index)
    return ladders
