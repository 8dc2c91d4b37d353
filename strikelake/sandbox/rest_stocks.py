"""Stocks in the sandbox's REST: minute and day bars, and the snapshot of many tickers at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns, previous_session

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from strikelake.sandbox.exchange import Bars
    from strikelake.sandbox.venue import Venue

_NS_PER_MS = NS_PER_SECOND // 1000


def snapshots(tickers: str, venue: Venue) -> dict[str, Any]:
    """Return the snapshot of tickers, as `/v2/snapshot/locale/us/markets/stocks/tickers` does.

    Parameters
    ----------
    tickers
        Separated by commas; empty is all. Unknown ones are left out.
    venue
        The market; its time decides what is known.
    """
    asked = tickers.split(",") if tickers else sorted(venue.exchange.stocks)
    known = [name for name in asked if name in venue.exchange.stocks]
    found = [_snapshot(name, venue.exchange.stocks[name], venue) for name in known]
    return {"count": len(found), "tickers": found}


def day_bars(ticker: str, days: Iterable[date], venue: Venue) -> list[dict[str, Any]]:
    """Return a ticker's day bars, the live session's as far as it is known; none without a trade."""
    found, bars = [], venue.exchange.stocks[ticker]
    stop = bars.known(venue.now)
    for day in days:
        edges = np.searchsorted(bars.start, [et_ns(day, "00:00"), et_ns(day + timedelta(days=1), "00:00")])
        first, last = (min(int(edge), stop) for edge in edges)
        if first < last:
            stamp = {"t": et_ns(day, "00:00") // _NS_PER_MS, "n": int(bars.transactions[first:last].sum())}
            found.append(_span(bars, first, last) | stamp)
    return found


def grouped(day: date, venue: Venue) -> dict[str, Any]:
    """Return a day's bars of all tickers, as `/v2/aggs/grouped` does: stamped at the close."""
    close = {"t": et_ns(day, "16:00") // _NS_PER_MS}
    tickers = sorted(venue.exchange.stocks)
    rows = [{"T": name} | found | close for name in tickers for found in day_bars(name, [day], venue)]
    return {"queryCount": len(rows), "resultsCount": len(rows), "count": len(rows), "results": rows}


def bar(bars: Bars, row: int) -> dict[str, Any]:
    """Return one minute bar as the vendor spells it."""
    middle = (bars.high[row] + bars.low[row] + bars.close[row]) / 3.0
    return {
        "v": float(bars.volume[row]),
        "o": float(bars.open[row]),
        "c": float(bars.close[row]),
        "h": float(bars.high[row]),
        "l": float(bars.low[row]),
        "vw": round(float(middle), 4),
        "t": int(bars.start[row]) // _NS_PER_MS,
        "n": int(bars.transactions[row]),
    }


def _snapshot(ticker: str, bars: Bars, venue: Venue) -> dict[str, Any]:
    """Return today so far; zeros before the first bar, as the vendor writes them."""
    stop, live = bars.known(venue.now), venue.exchange.live
    opened = np.searchsorted(bars.start, [previous_session(live.date).open_ns, live.open_ns])
    first = min(int(opened[1]), stop)
    today, before = _span(bars, first, stop), _span(bars, int(opened[0]), first)
    shown = {"ticker": ticker, "day": today, "prevDay": before, "min": _NO_MINUTE, "updated": 0}
    if stop > first:
        shown["min"] = bar(bars, stop - 1) | {"av": today["v"]}
        shown["updated"] = int(bars.start[stop - 1]) + NS_PER_MINUTE
        shown["todaysChange"] = round(today["c"] - before["c"], 4)
    return shown


_NO_MINUTE: dict[str, Any] = {"av": 0, "c": 0, "h": 0, "l": 0, "n": 0, "o": 0, "t": 0, "v": 0, "vw": 0}


def _span(bars: Bars, first: int, stop: int) -> dict[str, Any]:
    if first >= stop:
        return dict.fromkeys(("c", "h", "l", "o", "v", "vw"), 0)
    part, volume = slice(first, stop), bars.volume[first:stop]
    middle = (bars.high[part] + bars.low[part] + bars.close[part]) / 3.0
    return {
        "c": float(bars.close[stop - 1]),
        "h": float(bars.high[part].max()),
        "l": float(bars.low[part].min()),
        "o": float(bars.open[first]),
        "v": round(float(volume.sum()), 6),
        "vw": round(float((middle * volume).sum() / volume.sum()), 4),
    }
