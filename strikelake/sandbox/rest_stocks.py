"""The snapshot of many stocks at once in the sandbox's REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.calendar import NS_PER_MINUTE, previous_session
from strikelake.sandbox.rest_http import NS_PER_MS, ProblemError

if TYPE_CHECKING:
    from strikelake.sandbox.exchange import Bars
    from strikelake.sandbox.rest_http import Call
    from strikelake.sandbox.venue import Venue


async def snapshots(call: Call) -> dict[str, Any]:
    """Answer `/v2/snapshot/locale/us/markets/stocks/tickers`; unknown tickers are left out."""
    call.require_live()
    stocks = call.venue.exchange.stocks
    asked = call.query.get("tickers", "")
    known = [name for name in (asked.split(",") if asked else sorted(stocks)) if name in stocks]
    found = [_snapshot(name, stocks[name], call.venue) for name in known]
    return {"count": len(found), "tickers": found}


async def snapshot(call: Call) -> dict[str, Any]:
    """Answer `/v2/snapshot/locale/us/markets/stocks/tickers/{ticker}`."""
    call.require_live()
    ticker, stocks = call.path("ticker"), call.venue.exchange.stocks
    if ticker not in stocks:
        raise ProblemError(404, "Ticker not found.")
    return {"ticker": _snapshot(ticker, stocks[ticker], call.venue)}


def _snapshot(ticker: str, bars: Bars, venue: Venue) -> dict[str, Any]:
    """Return today so far; zeros before the first bar, as the vendor writes them."""
    stop, live = bars.known(venue.now), venue.exchange.live
    opened = np.searchsorted(bars.start, [previous_session(live.date).open_ns, live.open_ns])
    first = min(int(opened[1]), stop)
    today, before = _span(bars, first, stop), _span(bars, int(opened[0]), first)
    shown = {"ticker": ticker, "day": today, "prevDay": before, "min": _NO_MINUTE, "updated": 0}
    if stop > first:
        shown["min"] = _minute(bars, stop - 1) | {"av": round(today["v"])}
        shown["updated"] = int(bars.start[stop - 1]) + NS_PER_MINUTE
        change = today["c"] - before["c"]
        shown["todaysChange"] = round(change, 4)
        shown["todaysChangePerc"] = round(100.0 * change / before["c"], 4) if before["c"] else 0
    return shown


_NO_MINUTE: dict[str, Any] = {"av": 0, "c": 0, "h": 0, "l": 0, "n": 0, "o": 0, "t": 0, "v": 0, "vw": 0}


def _minute(bars: Bars, row: int) -> dict[str, Any]:
    stamp = {"t": int(bars.start[row]) // NS_PER_MS, "n": int(bars.transactions[row])}
    return _span(bars, row, row + 1) | stamp


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
