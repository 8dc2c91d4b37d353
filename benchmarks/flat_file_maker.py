"""A made-up minute file in the vendor's layout and of its shape: many contracts, few bars each."""

import gzip
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE, session

MINUTES, SINGLE, NO_BID = 390, 0.6, 0.07
PENNIES_BELOW, SMALL = 3, 100


def minute_file(path: Path, day: date, rows: int, *, seed: int = 1) -> None:
    """Write option minute bars sorted by ticker and time, about `rows` of them, as .csv.gz.

    Prices are in cents or nickels, more than half of the bars have one price, and busy contracts trade in
    most minutes while most trade in a few: as in the vendor's files.
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
    level = np.exp(rng.normal(0.8, 1.3, len(contracts)))[contract]
    open_, close = (_tick(level * np.exp(rng.normal(0, 0.02, len(level)))) for _ in range(2))
    close = np.where(rng.random(len(level)) < SINGLE, open_, close)
    single = open_ == close
    stretch = [np.where(single, 0, np.abs(rng.normal(0, 0.004, len(level)))) for _ in range(2)]
    trades = np.where(single, 1, rng.geometric(0.3, len(level)) + 1)
    frame = pl.DataFrame(
        {
            "ticker": contracts.gather(contract),
            "volume": trades * rng.geometric(0.25, len(level)),
            "open": open_,
            "close": close,
            "high": np.maximum(_tick(np.maximum(open_, close) * (1 + stretch[0])), np.maximum(open_, close)),
            "low": np.minimum(_tick(np.minimum(open_, close) * (1 - stretch[1])), np.minimum(open_, close)),
            "window_start": session(day).open_ns + minute * NS_PER_MINUTE,
            "transactions": trades,
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(frame.write_csv().encode(), 6, mtime=0))


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
    contracts = _contracts(rng, day, rows // 200)
    contract = np.repeat(np.arange(len(contracts)), rows // len(contracts))
    hours = session(day)
    moment = (rng.random(len(contract)) * (hours.close_ns - hours.open_ns)).astype(np.int64) + hours.open_ns
    order = np.lexsort((moment, contract))
    bid = _tick(np.exp(rng.normal(0.8, 1.3, len(contracts)))[contract])
    missing = rng.random(len(contract)) < NO_BID
    frame = pl.DataFrame(
        {
            "ticker": contracts.gather(contract),
            "ask_exchange": rng.integers(300, 326, len(contract)),
            "ask_price": np.round(bid + 0.05, 2),
            "ask_size": rng.integers(1, 500, len(contract)),
            "bid_exchange": np.where(missing, 0, 302),
            "bid_price": np.where(missing, 0.0, bid),
            "bid_size": np.where(missing, 0, 7),
            "sequence_number": rng.integers(1, 2 * 10**9, len(contract)),
            "sip_timestamp": moment[order],
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(frame.write_csv().encode(), 1, mtime=0))
