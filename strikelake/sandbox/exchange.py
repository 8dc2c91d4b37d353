"""The simulated market as the servers see it: bars, contracts and quotes with their times."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE, Session, et_date, is_session, next_session, session
from strikelake.contracts import MULTIPLIER, OptionContract
from strikelake.splits import Split, split_ratio

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bars:
    """Minute bars of one stock, one array per column; `start` is the start of each minute, ns UTC."""

    start: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    transactions: NDArray[np.int64]

    def known(self, now: int) -> int:
        """Return how many bars have ended at `now`."""
        return int(np.searchsorted(self.start, now - NS_PER_MINUTE, side="right"))


@dataclass(frozen=True, slots=True)
class Tape:
    """Quotes of one contract in order of time; prices in cents, 0 for a missing side.

    `implied_vol`, `spot`, `years` and `rate` are the truth behind each quote; NaN for quotes of the session
    before.
    """

    ts_ns: NDArray[np.int64]
    bid: NDArray[np.int64]
    ask: NDArray[np.int64]
    bid_size: NDArray[np.int64]
    ask_size: NDArray[np.int64]
    implied_vol: NDArray[np.float64]
    spot: NDArray[np.float64]
    years: NDArray[np.float64]
    rate: NDArray[np.float64]

    def last(self, now: int) -> int | None:
        """Return the row of the last quote at or before `now`; None before the first."""
        found = int(np.searchsorted(self.ts_ns, now, side="right")) - 1
        return found if found >= 0 else None

    def between(self, after: int, until: int) -> range:
        """Return the rows with `after < ts_ns <= until`."""
        rows = np.searchsorted(self.ts_ns, [after, until], side="right")
        return range(int(rows[0]), int(rows[1]))


@dataclass(frozen=True, slots=True)
class Listing:
    """One contract of the live session, and how many shares it delivers."""

    contract: OptionContract
    open_interest: int
    tape: Tape
    shares: Decimal = Decimal(MULTIPLIER)

    @property
    def part(self) -> float:
        """The shares it delivers, in hundreds: what its strike is compared with is so much of a price."""
        return float(self.shares) / MULTIPLIER

    def mark(self, now: int, *, long: bool) -> Decimal:
        """Return what closing would trade at, dollars per share: the bid when long, the ask when short."""
        row = self.tape.last(now)
        if row is None:
            return Decimal(0)
        return dollars(int(self.tape.bid[row] if long else self.tape.ask[row]))


@dataclass(frozen=True, slots=True)
class Exchange:
    """Everything that can be looked up; what is known at a time is decided by the caller's `now`.

    Attributes
    ----------
    live
        The session that trades.
    stocks
        Minute bars of all sessions, by ticker.
    listings
        The live session's contracts by OCC symbol, in the order of their symbols.
    reference
        Lines of the reference files by name: `splits`, `dividends`, `treasury_curves`.
    """

    live: Session
    stocks: dict[str, Bars]
    listings: dict[str, Listing]
    reference: dict[str, list[dict[str, str | None]]] = field(default_factory=dict)

    @property
    def start_ns(self) -> int:
        """Where the simulated clock starts: one minute before the open."""
        return self.live.open_ns - NS_PER_MINUTE

    def last_price(self, ticker: str, now: int) -> tuple[float, int] | None:
        """Return the close of the last ended minute bar and its end; None before the first."""
        bars = self.stocks[ticker]
        known = bars.known(now)
        return (float(bars.close[known - 1]), int(bars.start[known - 1]) + NS_PER_MINUTE) if known else None


def dollars(cents: int) -> Decimal:
    """Return cents as dollars, exact.

    Examples
    --------
    >>> dollars(105)
    Decimal('1.05')
    """
    return Decimal(cents).scaleb(-2)


def current_session(moment: int) -> Session:
    """Return the session of a moment's day when it has not closed yet, otherwise the next one."""
    day = et_date(moment)
    if is_session(day) and moment < session(day).close_ns:
        return session(day)
    return next_session(day)


def splits_of(exchange: Exchange) -> tuple[Split, ...]:
    """Return the splits that the market's reference files announce."""
    lines = exchange.reference.get("splits", [])
    return tuple(
        Split(
            str(line["ticker"]),
            date.fromisoformat(str(line["execution_date"])),
            split_ratio(float(line["split_from"] or 0), float(line["split_to"] or 0)),
        )
        for line in lines
    )


def load(directory: Path) -> Exchange:
    """Read what `strikelake.sandbox.simulator.write` stored for the servers."""
    folder = directory / "market"
    minutes = pl.read_parquet(folder / "stock_minutes.parquet").sort("ticker", "window_start")
    contracts = pl.read_parquet(folder / "contracts.parquet")
    quotes = pl.read_parquet(folder / "quotes.parquet")
    stocks = {
        str(ticker): Bars(
            frame["window_start"].to_numpy(),
            *(frame[name].to_numpy() for name in ("open", "high", "low", "close", "volume", "transactions")),
        )
        for (ticker,), frame in minutes.group_by("ticker", maintain_order=True)
    }
    tapes = {str(t): _tape(f) for (t,), f in quotes.group_by("ticker", maintain_order=True)}
    listings = {}
    columns = contracts.select("ticker", "open_interest", "shares_per_contract")
    for ticker, open_interest, shares in columns.iter_rows():
        contract = OptionContract.parse(ticker)
        listings[contract.occ_symbol] = Listing(contract, open_interest, tapes[ticker], Decimal(str(shares)))
    last = int(minutes["window_start"].max())  # type: ignore[arg-type]  # an Int64 column's max
    files = sorted((directory / "reference").glob("*.csv"))
    reference = {path.stem: pl.read_csv(path, infer_schema=False).to_dicts() for path in files}
    return Exchange(session(et_date(last)), stocks, listings, reference)


def _tape(frame: pl.DataFrame) -> Tape:
    cents = [(frame[name] * 100).round().cast(pl.Int64).to_numpy() for name in ("bid_price", "ask_price")]
    truth = [frame[name].fill_null(np.nan).to_numpy() for name in ("implied_vol", "spot", "years", "rate")]
    sizes = [frame[name].to_numpy() for name in ("bid_size", "ask_size")]
    return Tape(frame["sip_timestamp"].to_numpy(), *cents, *sizes, *truth)
