"""What REST and stream serve beyond the broker's exchange: history of bars, contracts, prints and reference.

Files are read when they are first asked for. Nothing here knows the time: callers cut at theirs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.calendar import et_ns, sessions
from strikelake.sandbox.flat_files import Folder, key

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

_KEPT_SESSIONS = 16


@dataclass(slots=True)
class Archive:
    """The files that `strikelake.sandbox.simulator.write` made.

    Parameters
    ----------
    directory
        The market's folder.
    """

    directory: Path
    _frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    _parts: dict[str, dict[str, pl.DataFrame]] = field(default_factory=dict)
    _option_days: dict[date, dict[str, pl.DataFrame]] = field(default_factory=dict)

    def frame(self, name: str) -> pl.DataFrame:
        """Return a table of `market/`, without columns where the market has no such table."""
        if name not in self._frames:
            path = self.directory / "market" / f"{name}.parquet"
            self._frames[name] = pl.read_parquet(path) if path.exists() else pl.DataFrame()
        return self._frames[name]

    def of_ticker(self, name: str, ticker: str) -> pl.DataFrame | None:
        """Return a ticker's rows of a table, in the table's order; None where it has none."""
        if name not in self._parts:
            self._parts[name] = _by_ticker(self.frame(name))
        return self._parts[name].get(ticker)

    def minutes(self, ticker: str, first: date, last: date) -> pl.DataFrame:
        """Return a ticker's minute bars of the sessions from `first` to `last`; the future is not cut off.

        Returns
        -------
        pl.DataFrame
            window_start, open, high, low, close, volume, transactions (the last two zero for an index).
        """
        found = (
            self._option_minutes(ticker, first, last) if ticker.startswith("O:") else self._history(ticker)
        )
        start, stop = et_ns(first, "00:00"), et_ns(last, "23:59:59")
        return found.filter(pl.col("window_start").is_between(start, stop))

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a reference file, csv (all text) or jsonl; none without a file."""
        folder = self.directory / "reference"
        if (path := folder / f"{name}.jsonl").exists():
            return [json.loads(line) for line in path.read_text().splitlines()]
        if (path := folder / f"{name}.csv").exists():
            return pl.read_csv(path, infer_schema=False).to_dicts()
        return []

    def _history(self, ticker: str) -> pl.DataFrame:
        name = "index_minutes" if ticker.startswith("I:") else "stock_minutes"
        found = self.of_ticker(name, ticker)
        return _NO_BARS if found is None else _bars(found)

    def _option_minutes(self, ticker: str, first: date, last: date) -> pl.DataFrame:
        days = [session.date for session in sessions(first, last)]
        found = [part for day in days if (part := self._option_day(day).get(ticker)) is not None]
        live = self.of_ticker("option_minutes", ticker)
        return pl.concat([_NO_BARS, *found, *([] if live is None else [_bars(live)])])

    def _option_day(self, day: date) -> dict[str, pl.DataFrame]:
        """Return one published session's option bars; the last few sessions asked for are kept."""
        if day not in self._option_days:
            path = self.directory / "flatfiles" / key(Folder.OPTION_MINUTE_BARS, day)
            if not path.exists():
                return {}
            if len(self._option_days) >= _KEPT_SESSIONS:
                self._option_days.pop(next(iter(self._option_days)))
            self._option_days[day] = _by_ticker(_bars(pl.read_csv(path), "ticker"))
        return self._option_days[day]


def _bars(frame: pl.DataFrame, *more: str) -> pl.DataFrame:
    columns = [
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(0, kind).alias(name)
        for name, kind in _NO_BARS.schema.items()
    ]
    return frame.select(*more, *columns)


def _by_ticker(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    if frame.is_empty():
        return {}
    parts = frame.partition_by("ticker", maintain_order=True, as_dict=True, include_key=False)
    return {str(ticker): part for (ticker,), part in parts.items()}


_NO_BARS = pl.DataFrame(
    schema={
        "window_start": pl.Int64,
        **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64),
        "transactions": pl.Int64,
    }
)
