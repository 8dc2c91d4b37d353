"""Technical indicators in the sandbox's REST, by TA-Lib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.calendar import et_date
from strikelake.sandbox.rest_bars import history, shown
from strikelake.sandbox.rest_http import NS_PER_MS, ProblemError, bound, early

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from strikelake.sandbox.rest_http import Call

_LIMIT, _MOST = 10, 5_000
_WINDOWS = {"sma": 50, "ema": 50, "rsi": 14}
_HISTORY_NS = 3 * 366 * 86_400 * 10**9


async def indicator(call: Call) -> dict[str, Any]:
    """Answer `/v1/indicators/{name}/{ticker}`: values of closes, the newest first."""
    name, ticker = call.path("name"), call.path("ticker")
    if name not in {*_WINDOWS, "macd"}:
        raise ProblemError(404, f"there is no indicator {name!r}")
    first, last = _range(call)
    early(call, last)
    span = (1, call.query.get("timespan", "day"))
    adjusted = call.query.get("adjusted", "true") == "true"
    bars = history(call, ticker, span, max(0, first - _HISTORY_NS), last, adjusted=adjusted)
    values = _values(call, name, bars[call.query.get("series_type", "close")].to_numpy())
    stamps = bars["window_start"].to_numpy()
    kept = np.flatnonzero((stamps >= first) & np.isfinite(values[-1]))
    if call.query.get("order", "desc") == "desc":
        kept = kept[::-1]
    rows = [_value(int(stamps[row]), values, int(row)) for row in kept]
    page = call.page(rows, _LIMIT, _MOST)
    return page | {
        "results": {"underlying": _underlying(call, bars, span, ticker), "values": page["results"]}
    }


def _range(call: Call) -> tuple[int, int]:
    """Return the bounds of `timestamp`, ns UTC, both included."""
    query, first, last = call.query, 0, call.now
    if exact := query.get("timestamp"):
        return bound(exact, last=False), bound(exact, last=True)
    for comparison in ("gte", "gt"):
        if text := query.get(f"timestamp.{comparison}"):
            first = bound(text, last=False) + (comparison == "gt")
    for comparison in ("lte", "lt"):
        if text := query.get(f"timestamp.{comparison}"):
            last = bound(text, last=comparison == "lte") - (comparison == "lt")
    return first, last


def _values(call: Call, name: str, prices: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    import talib

    if name == "macd":
        windows = [_window(call, f"{part}_window", size) for part, size in _MACD.items()]
        return tuple(talib.MACD(prices, *windows))
    compute = {"sma": talib.SMA, "ema": talib.EMA, "rsi": talib.RSI}[name]
    return (compute(prices, _window(call, "window", _WINDOWS[name])),)


_MACD = {"short": 12, "long": 26, "signal": 9}


def _window(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise ProblemError(400, f"{name} must be between 1 and {_MOST}")
    return int(text)


def _value(stamp: int, values: tuple[NDArray[np.float64], ...], row: int) -> dict[str, Any]:
    shown = {"timestamp": stamp // NS_PER_MS, "value": float(values[0][row])}
    if len(values) > 1:
        shown |= {"signal": float(values[1][row]), "histogram": float(values[2][row])}
    return shown


def _underlying(call: Call, bars: pl.DataFrame, span: tuple[int, str], ticker: str) -> dict[str, Any]:
    base = f"{call.request.base_url}".rstrip("/")
    starts = bars["window_start"]
    first, last = (et_date(int(starts[0])), et_date(int(starts[-1]))) if bars.height else (call.today,) * 2
    url = {"url": f"{base}/v2/aggs/ticker/{ticker}/range/{span[0]}/{span[1]}/{first}/{last}?limit=50000"}
    if call.query.get("expand_underlying", "false") != "true":
        return url
    return url | {"aggregates": [shown(row, ticker) for row in bars.iter_rows(named=True)]}
