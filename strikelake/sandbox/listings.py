"""Which option contracts the simulated exchange lists, and on which strikes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake import splits
from strikelake.calendar import NS_PER_SECOND, is_session, next_session, previous_session
from strikelake.contracts import MULTIPLIER, OptionContract, expiry_ns
from strikelake.sandbox import events
from strikelake.sandbox.paths import StockPaths, Stream, generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strikelake.sandbox.config import SimulatorConfig, Split
    from strikelake.sandbox.universe import Stock

MONTHLY_DAYS = 130
WEEKLY_DAYS = 31
DAILY_DAYS = 7
_STEPS = (0.5, 1.0, 2.5, 5.0, 10.0)
_STRIKES_EACH_SIDE = 6
_STEP_DEVIATIONS = 0.45
_FRIDAY, _SATURDAY = 4, 5
_THIRD_FRIDAY = range(15, 22)
_QUARTER_ENDS = (3, 6, 9, 12)
_LATE_DAY = 20


def expirations(day: date, *, fund: bool = False) -> list[date]:
    """Return the expirations listed on a day.

    Fridays up to 31 days away and third Fridays up to 130 days away; funds also have every session of the
    coming week, and the last session of a quarter. A Friday without trading expires on the session before it.

    Examples
    --------
    >>> [str(day) for day in expirations(date(2025, 4, 7))][:3]
    ['2025-04-11', '2025-04-17', '2025-04-25']
    """
    ahead = [day + timedelta(days=n) for n in range(MONTHLY_DAYS + 1)]
    chosen = [
        d
        for d in ahead
        if (d.weekday() == _FRIDAY and ((d - day).days <= WEEKLY_DAYS or d.day in _THIRD_FRIDAY))
        or (fund and d.weekday() < _SATURDAY and (d - day).days <= DAILY_DAYS)
        or (fund and _ends_quarter(d))
    ]
    last_days = {d if is_session(d) else previous_session(d).date for d in chosen}
    return sorted(d for d in last_days if d >= day)


def strike_step(stock: Stock, spot: float, days: int) -> float:
    """Return the distance of two strikes: of the exchange's steps, the nearest to half a deviation.

    The last week adds no finer strikes.
    """
    wanted = _STEP_DEVIATIONS * spot * stock.vol * np.sqrt(max(days, 7) / 365.0)
    return min(_STEPS, key=lambda step: abs(np.log(step / wanted)))


def list_contracts(config: SimulatorConfig, paths: StockPaths) -> pl.DataFrame:
    """List the contracts of all sessions.

    Every morning each expiration gets the strikes around the last price; what is listed stays until it
    expires, or until a split adjusts it (`strikelake.splits`): from the ex-date on it has another symbol.

    Returns
    -------
    pl.DataFrame
        Sorted by `ticker` (the vendor's, with `O:`), one row per contract: ticker, root, symbol (column in
        the paths), underlying, expiration, expiry_ns, option_type ("C"/"P"), sign (+1/-1), strike,
        first_session and last_session (indices, the last in which it trades), listed_from and listed_to
        (their dates; listed_to may lie after the paths), exercise_style, shares_per_contract, adjusted,
        adjusted_from (its ticker before a split, or null), ratio (contracts for each one before), offset_ns
        (of its quotes within the quoting interval), activity (typical trades a day at the money).
    """
    frames = [_of_symbol(config, stock, number, paths) for number, stock in enumerate(config.stocks)]
    return pl.concat(frames).sort("ticker")


def listed(contracts: pl.DataFrame, paths: StockPaths, index: int) -> pl.DataFrame:
    """Return the contracts that trade in a session, sorted by ticker."""
    day = paths.sessions[index].date
    trading = (pl.col("first_session") <= index) & (pl.col("last_session") >= index)
    return contracts.filter(trading & (pl.col("expiration") >= day))


@dataclass(frozen=True, slots=True)
class _Listed:
    """One strike of an expiration, calls and puts alike.

    Attributes
    ----------
    root, strike
        Of its symbol.
    first, last
        Sessions in which it trades.
    before
        Root and strike before a split, None where there was none.
    ratio
        Contracts for each one before.
    shares
        What one delivers.
    """

    root: str
    strike: float
    first: int
    last: int
    before: tuple[str, float] | None = None
    ratio: int = 1
    shares: Decimal = Decimal(MULTIPLIER)


def _of_symbol(config: SimulatorConfig, stock: Stock, symbol: int, paths: StockPaths) -> pl.DataFrame:
    rows = [
        {
            "ticker": _ticker(entry.root, expiration, letter, entry.strike),
            "root": entry.root,
            "symbol": symbol,
            "underlying": stock.ticker,
            "expiration": expiration,
            "expiry_ns": expiry_ns(expiration),
            "option_type": letter,
            "sign": sign,
            "strike": entry.strike,
            "first_session": entry.first,
            "last_session": entry.last,
            "listed_from": paths.sessions[entry.first].date,
            "listed_to": min(expiration, paths.sessions[entry.last].date)
            if entry.last < len(paths.sessions) - 1
            else expiration,
            "exercise_style": "american",
            "shares_per_contract": float(entry.shares),
            "adjusted": entry.before is not None,
            "adjusted_from": entry.before and _ticker(entry.before[0], expiration, letter, entry.before[1]),
            "ratio": entry.ratio,
        }
        for expiration, entries in _ladders(config, stock, symbol, paths).items()
        for entry in entries
        for letter, sign in (("C", 1), ("P", -1))
    ]
    frame = pl.DataFrame(rows, schema_overrides={"adjusted_from": pl.String}).sort("ticker")
    rng = generator(config, Stream.CONTRACTS, stock.number)
    seconds = rng.integers(1, max(2, config.quote_minutes * 60 - 1), frame.height)
    return frame.with_columns(
        pl.Series("offset_ns", seconds * NS_PER_SECOND + rng.integers(0, NS_PER_SECOND, frame.height)),
        pl.Series("activity", np.exp(rng.normal(0.0, 1.0, frame.height))),
    )


def _ladders(
    config: SimulatorConfig, stock: Stock, symbol: int, paths: StockPaths
) -> dict[date, list[_Listed]]:
    """Return every expiration's strikes of one symbol."""
    days = [session.date for session in paths.sessions]
    divided = {
        s.ex_date: s
        for s in events.splits(config, *days[:: max(len(days) - 1, 1)])
        if s.ticker == stock.ticker
    }
    last = len(days) - 1
    ladders: dict[date, dict[tuple[str, float], _Listed]] = {}
    ended: dict[date, list[_Listed]] = {}
    for index, day in enumerate(days):
        # Strikes are set before the open, from the last price known then.
        spot = float(paths.price[max(int(paths.first_node[index]) - 1, 0), symbol])
        split = divided.get(day) if index else None
        if split is not None:
            spot *= split.old / split.new
            for expiration in (e for e in ladders if e >= day):
                old = list(ladders[expiration].values())
                ended.setdefault(expiration, []).extend(replace(e, last=index - 1) for e in old)
                adjusted = [_adjusted(entry, expiration, split, index) for entry in old]
                ladders[expiration] = {(entry.root, entry.strike): entry for entry in adjusted}
        for expiration in expirations(day, fund=stock.fund):
            ladder = ladders.setdefault(expiration, {})
            # A symbol from before a split is not given to another contract.
            taken = {entry.strike for entry in ended.get(expiration, ()) if entry.root == stock.ticker}
            for strike in set(_strikes(stock, spot, (expiration - day).days)) - taken:
                ladder.setdefault((stock.ticker, strike), _Listed(stock.ticker, strike, index, last))
    return {day: [*ended.get(day, []), *ladder.values()] for day, ladder in ladders.items()}


def _adjusted(entry: _Listed, expiration: date, split: Split, index: int) -> _Listed:
    """Return what a strike becomes in a split."""
    before = OptionContract(entry.root, expiration, "C", Decimal(str(entry.strike)))
    terms = splits.Split(split.ticker, split.ex_date, splits.split_ratio(split.old, split.new))
    after = splits.adjust_contract(before.occ_symbol, terms, entry.shares)
    contract = OptionContract.parse(after.occ_symbol)
    return replace(
        entry,
        root=contract.root,
        strike=float(contract.strike),
        first=index,
        before=(entry.root, entry.strike),
        ratio=after.contracts,
        shares=after.shares,
    )


def _strikes(stock: Stock, spot: float, days: int) -> Iterator[float]:
    step = strike_step(stock, spot, days)
    centre = round(spot / step)
    for rung in range(max(centre - _STRIKES_EACH_SIDE, 1), centre + _STRIKES_EACH_SIDE + 1):
        yield rung * step


def _ticker(root: str, expiration: date, letter: str, strike: float) -> str:
    return f"O:{root}{expiration:%y%m%d}{letter}{round(strike * 1000):08d}"


def _ends_quarter(day: date) -> bool:
    """Return whether a session is the last of a quarter."""
    return (
        day.month in _QUARTER_ENDS
        and day.day > _LATE_DAY
        and is_session(day)
        and next_session(day).date.month != day.month
    )
