"""What Massive's streams bring, as frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.calendar import NS_PER_SECOND
from strikelake.vendors.records import flatten

if TYPE_CHECKING:
    from collections.abc import Iterable

_NS_PER_MS = NS_PER_SECOND // 1000
_TIMES = ("ts_ns", "available_at")

_TRADE = {
    "ticker": ("sym", pl.String),
    "ts_ns": ("t", pl.Int64),
    "price": ("p", pl.Float64),
    "size": ("s", pl.Float64),
    "exchange": ("x", pl.Int64),
    "sequence_number": ("q", pl.Int64),
}
_QUOTE = {
    "ticker": ("sym", pl.String),
    "ts_ns": ("t", pl.Int64),
    "bid_price": ("bp", pl.Float64),
    "bid_size": ("bs", pl.Float64),
    "bid_exchange": ("bx", pl.Int64),
    "ask_price": ("ap", pl.Float64),
    "ask_size": ("as", pl.Float64),
    "ask_exchange": ("ax", pl.Int64),
    "sequence_number": ("q", pl.Int64),
}
_BAR = {
    "ticker": ("sym", pl.String),
    "ts_ns": ("s", pl.Int64),
    "open": ("o", pl.Float64),
    "high": ("h", pl.Float64),
    "low": ("l", pl.Float64),
    "close": ("c", pl.Float64),
    "volume": ("v", pl.Float64),
    "available_at": ("e", pl.Int64),
}
_FAIR_VALUE = {"ticker": ("sym", pl.String), "ts_ns": ("t", pl.Int64), "fair_value": ("fmv", pl.Float64)}
_INDEX_VALUE = {"ticker": ("T", pl.String), "ts_ns": ("t", pl.Int64), "value": ("val", pl.Float64)}
_FIELDS: dict[str, dict[str, tuple[str, Any]]] = {
    "T": _TRADE,
    "Q": _QUOTE,
    "AM": _BAR,
    "A": _BAR,
    "FMV": _FAIR_VALUE,
    "V": _INDEX_VALUE,
}


@dataclass(frozen=True, slots=True)
class Events:
    """Events of one kind that arrived together.

    Attributes
    ----------
    kind
        `T` trades, `Q` quotes, `AM` bars of a minute, `A` of a second, `FMV` fair values, `V` index values.
    rows
        ticker and ts_ns (a bar's start, otherwise the event's time; ns UTC, whole milliseconds), and: price,
        size, exchange, sequence_number of trades; both sides of quotes, 0 where a side is missing; open,
        high, low, close, volume and available_at (the bar's end) of bars; fair_value; value. In the order of
        arrival, which is not always that of time.
    """

    kind: str
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of which events are missing: REST has them.

    Attributes
    ----------
    start_ns
        Time of the last event before, or of the first attempt to connect; ns UTC.
    end_ns
        When the subscriptions were confirmed again.
    reason
        What ended the connection before.
    """

    start_ns: int
    end_ns: int
    reason: str


def batches(events: Iterable[dict[str, Any]]) -> list[Events]:
    """Return decoded events by kind, the kinds in the order of their first event; other kinds are left out.

    Raises
    ------
    VendorError
        When a value is of another kind than its column.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        found.setdefault(event["ev"], []).append(event)
    return [_frame(kind, rows) for kind, rows in found.items() if kind in _FIELDS]


def event_time(event: dict[str, Any]) -> int:
    """Return when an event was, ns UTC: a bar's end, otherwise its own time."""
    return int(event.get("e", event.get("t", 0))) * _NS_PER_MS


def event_key(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return what two copies of an event share."""
    return (
        event["ev"],
        event.get("sym", event.get("T")),
        event.get("q"),
        event.get("t", event.get("s")),
    )


def _frame(kind: str, rows: list[dict[str, Any]]) -> Events:
    fields = _FIELDS[kind]
    times = [pl.col(name) * _NS_PER_MS for name in _TIMES if name in fields]
    return Events(kind, flatten(rows, fields).with_columns(times))
