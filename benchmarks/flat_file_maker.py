"""Made-up files in the vendor's layout and of its shape: many contracts, few bars each, prices that walk.

What decides how files compress was set beside a real chain (AAPL, 2014-06-06, 22,138 minute bars), where 71 %
of bars have one price, a contract has 0.62 distinct closes a bar, a bar's median volume is 5 and its mean 16,
and a row takes 9.3 bytes gzipped (gzip -6); here it is 71 %, 0.42, 5 and 15, and 9.2 bytes.
"""

import gzip
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE, session

MINUTES, SINGLE, NO_BID = 390, 0.6, 0.07
PENNIES_BELOW, SMALL = 3, 100
STEP, VOLUME = 0.03, (1.6, 1.5)


def minute_file(path: Path, day: date, rows: int, *, seed: int = 1) -> None:
    """Write option minute bars sorted by ticker and time, about `rows` of them, as .csv.gz.

    Busy contracts trade in most minutes while most trade in a few, as in the vendor's files.
    """
    rng = np.random.default_rng(seed)
    contracts = _contracts(rng, day, rows // 14)
    busy = np.minimum(MINUTES, np.maximum(1, rng.pareto(0.9, len(contracts)) * 4.5)).astype(int)
    contract = np.repeat(np.arange(len(contracts)), busy)
    start = np.cumsum(busy) - busy
    minute = np.sort(rng.random(len(contract)) + contract) - contract
    # Spread each contract's minutes over the session without repeats.
    place = np.arange(len(contract)) - start[contract]
    room = MINUTES - busy[contract]
    minute = place + np.floor(minute * (room + 1)).astype(np.int64)
    level = _walk(rng, contract, STEP)
    open_, close = (_tick(level * np.exp(rng.normal(0, 0.01, len(level)))) for _ in range(2))
    close = np.where(rng.random(len(level)) < SINGLE, open_, close)
    single = open_ == close
    stretch = [np.where(single, 0, np.abs(rng.normal(0, 0.004, len(level)))) for _ in range(2)]
    trades = np.where(single, 1, rng.geometric(0.3, len(level)) + 1)
    frame = pl.DataFrame(
        {
            "ticker": contracts.gather(contract),
            "volume": np.maximum(trades, _sizes(rng, len(level))),
            "open": open_,
            "close": close,
            "high": np.maximum(_tick(np.maximum(open_, close) * (1 + stretch[0])), np.maximum(open_, close)),
            "low": np.minimum(_tick(np.minimum(open_, close) * (1 - stretch[1])), np.minimum(open_, close)),
            "window_start": session(day).open_ns + minute * NS_PER_MINUTE,
            "transactions": trades,
        }
    )
    _write(path, frame)


def _walk(rng: np.random.Generator, contract: np.ndarray, step: float) -> np.ndarray:
    """Return a price for each row, in dollars: of each contract a walk."""
    logs = np.cumsum(rng.normal(0, step, len(contract)))
    starts = np.flatnonzero(np.diff(contract, prepend=-1))
    first = np.repeat(logs[starts], np.diff(np.append(starts, len(contract))))
    return np.exp(logs - first + rng.normal(0.8, 1.3, contract.max() + 1)[contract])


def _sizes(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.maximum(1, rng.lognormal(*VOLUME, count)).astype(int)


def _tick(price: np.ndarray) -> np.ndarray:
    return np.maximum(
        0.01, np.round(np.where(price < PENNIES_BELOW, np.round(price, 2), np.round(price * 20) / 20), 2)
    )


def _contracts(rng: np.random.Generator, day: date, count: int) -> pl.Series:
    roots = np.unique(
        ["".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVW"), rng.integers(1, 5))) for _ in range(3_500)]
    )
    expirations = [day + timedelta(days=int(days)) for days in (0, 3, 7, 14, 21, 35, 63, 91, 182, 365)]
    share = rng.pareto(0.8, len(roots)) + 0.02
    sizes = np.maximum(2, share / share.sum() * count).astype(int)
    symbols = set()
    for root, size in zip(roots, sizes, strict=True):
        step = 0.5 if size < SMALL else 2.5
        for place in range(min(size, 20_000)):
            expiration = expirations[place % len(expirations)]
            strike = int((20 + step * (place // 20)) * 1_000)
            symbols.add(f"O:{root}{expiration:%y%m%d}{'CP'[place // 10 % 2]}{strike:08d}")
    return pl.Series(sorted(symbols))


def quote_file(path: Path, day: date, rows: int, *, seed: int = 2) -> None:
    """Write option quotes sorted by ticker and time, about `rows` of them, as .csv.gz."""
    rng = np.random.default_rng(seed)
    contracts, contract, moments = _ticks(rng, day, rows)
    bid = _tick(_walk(rng, contract, STEP / 10))
    missing = rng.random(len(contract)) < NO_BID
    frame = pl.DataFrame(
        {
            "ticker": contracts.gather(contract),
            "ask_exchange": rng.integers(300, 326, len(contract)),
            "ask_price": np.round(bid + 0.05 * rng.geometric(0.5, len(contract)), 2),
            "ask_size": _sizes(rng, len(contract)),
            "bid_exchange": np.where(missing, 0, rng.integers(300, 326, len(contract))),
            "bid_price": np.where(missing, 0.0, bid),
            "bid_size": np.where(missing, 0, _sizes(rng, len(contract))),
            "sequence_number": rng.integers(1, 2 * 10**9, len(contract)),
            "sip_timestamp": moments,
        }
    )
    _write(path, frame)


def trade_file(path: Path, day: date, rows: int, *, seed: int = 3) -> None:
    """Write option trades sorted by ticker and time, about `rows` of them, as .csv.gz."""
    rng = np.random.default_rng(seed)
    contracts, contract, moments = _ticks(rng, day, rows)
    frame = pl.DataFrame(
        {
            "ticker": contracts.gather(contract),
            "conditions": rng.choice([209, 219, 227, 232, 233], len(contract)),
            "correction": 0,
            "exchange": rng.integers(300, 326, len(contract)),
            "price": _tick(_walk(rng, contract, STEP / 10)),
            "sip_timestamp": moments,
            "size": _sizes(rng, len(contract)),
        }
    )
    _write(path, frame)


def _ticks(rng: np.random.Generator, day: date, rows: int) -> tuple[pl.Series, np.ndarray, np.ndarray]:
    """Return contracts, and the contract and the moment of each tick."""
    contracts = _contracts(rng, day, rows // 200)
    contract = np.repeat(np.arange(len(contracts)), rows // len(contracts))
    hours = session(day)
    moment = (rng.random(len(contract)) * (hours.close_ns - hours.open_ns)).astype(np.int64) + hours.open_ns
    return contracts, contract, moment[np.lexsort((moment, contract))]


def _write(path: Path, frame: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(frame.write_csv().encode(), 6, mtime=0))
