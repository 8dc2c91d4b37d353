"""The live session's stream of trades, quotes, bars and values, as the vendor spells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from strikelake.sandbox.archive import Archive

CLUSTERS = {
    "options": ("T", "Q", "AM", "A", "FMV"),
    "stocks": ("T", "Q", "AM", "A", "FMV"),
    "indices": ("AM", "V"),
}
"""What each cluster streams. Fair values of stocks are the middle of the quote."""

_NS_PER_MS = NS_PER_SECOND // 1000


@dataclass(slots=True)
class Feed:
    """The events of one session, made from the market's files when they are first asked for.

    Parameters
    ----------
    archive
        The market's files. A kind of event whose file the market lacks has no events.
    live
        The session.
    """

    archive: Archive
    live: date
    _tables: dict[tuple[str, str], pl.DataFrame] = field(default_factory=dict)

    def between(self, cluster: str, kind: str, after: int, until: int) -> pl.DataFrame:
        """Return the events with `after < at <= until` (ns UTC).

        Returns
        -------
        pl.DataFrame
            at (when the vendor would send it), sym, and the fields of the event; sorted by at.
        """
        if (cluster, kind) not in self._tables:
            made = _MAKERS[cluster, kind](self)
            self._tables[cluster, kind] = made.sort("at", "sym", maintain_order=True) if made.width else made
        table = self._tables[cluster, kind]
        if table.is_empty():
            return table
        first, stop = (int(table["at"].search_sorted(moment, side="right")) for moment in (after, until))
        return table[first:stop]

    def today(self, name: str, time: str) -> pl.DataFrame:
        """Return a table's rows of the session; without columns where there is none."""
        frame = self.archive.frame(name)
        start = et_ns(self.live, "00:00")
        return frame.filter(pl.col(time) >= start) if frame.width else frame


def _quotes(name: str) -> Callable[[Feed], pl.DataFrame]:
    def make(feed: Feed) -> pl.DataFrame:
        frame = feed.today(name, "sip_timestamp")
        if not frame.width:
            return frame
        extra = [_list("conditions").list.first().alias("c"), _list("indicators").alias("i")]
        return frame.select(
            at="sip_timestamp",
            sym="ticker",
            bx="bid_exchange", bp="bid_price", bs="bid_size",
            ax="ask_exchange", ap="ask_price", **{"as": "ask_size"},
            t=pl.col("sip_timestamp") // _NS_PER_MS,
            q="sequence_number",
            **({"c": extra[0], "i": extra[1], "z": pl.col("tape")} if "tape" in frame.columns else {}),
        )  # fmt: skip

    return make


def _fair_values(name: str) -> Callable[[Feed], pl.DataFrame]:
    def make(feed: Feed) -> pl.DataFrame:
        frame = feed.today(name, "sip_timestamp")
        if not frame.width:
            return frame
        middle = (pl.col("bid_price") + pl.col("ask_price")) / 2.0
        value = pl.coalesce("value", middle) if "value" in frame.columns else middle
        return frame.select(
            at="sip_timestamp", sym="ticker", fmv=value.round(4), t=pl.col("sip_timestamp") // _NS_PER_MS
        )

    return make


def _trades(name: str) -> Callable[[Feed], pl.DataFrame]:
    def make(feed: Feed) -> pl.DataFrame:
        frame = feed.today(name, "sip_timestamp")
        if not frame.width:
            return frame
        stock = {"i": pl.col("id").cast(pl.String), "z": pl.col("tape")} if "tape" in frame.columns else {}
        # Files of option trades carry no sequence numbers; the stream numbers them in order.
        number = "sequence_number" if "sequence_number" in frame.columns else None
        ordered = frame.sort("sip_timestamp", maintain_order=True).with_row_index("row", offset=1)
        return ordered.select(
            at="sip_timestamp", sym="ticker", x="exchange", **stock, p="price", s="size",
            c=_list("conditions"), t=pl.col("sip_timestamp") // _NS_PER_MS,
            q=pl.col(number or "row").cast(pl.Int64),
        )  # fmt: skip

    return make


def _minutes(name: str) -> Callable[[Feed], pl.DataFrame]:
    return lambda feed: _bars(feed.today(name, "window_start"), NS_PER_MINUTE)


def _stock_seconds(feed: Feed) -> pl.DataFrame:
    return _bars(feed.today("stock_seconds", "window_start"), NS_PER_SECOND)


def _option_seconds(feed: Feed) -> pl.DataFrame:
    """Return second bars of the prints: option files have none."""
    trades = feed.today("option_trades", "sip_timestamp")
    if not trades.width:
        return trades
    start = (pl.col("sip_timestamp") // NS_PER_SECOND * NS_PER_SECOND).alias("window_start")
    ordered = trades.sort("ticker", "sip_timestamp", maintain_order=True)
    price, size = pl.col("price"), pl.col("size")
    return _bars(
        ordered.group_by("ticker", start, maintain_order=True).agg(
            open=price.first(), high=price.max(), low=price.min(), close=price.last(),
            volume=size.sum(), transactions=pl.len(),
        ),
        NS_PER_SECOND,
    )  # fmt: skip


def _bars(frame: pl.DataFrame, length: int) -> pl.DataFrame:
    """Return bars with the day so far at each of them; an index has neither volume nor trades."""
    if not frame.width:
        return frame
    ordered = frame.sort("ticker", "window_start")
    start = pl.col("window_start")
    prices = {
        "op": pl.col("open").first().over("ticker"),
        "o": pl.col("open"), "c": pl.col("close"), "h": pl.col("high"), "l": pl.col("low"),
    }  # fmt: skip
    span = {"s": start // _NS_PER_MS, "e": (start + length) // _NS_PER_MS}
    if "volume" not in frame.columns:
        return ordered.select(at=start + length, sym="ticker", **prices, **span)
    volume, mean = pl.col("volume"), (pl.col("high") + pl.col("low") + pl.col("close")) / 3.0
    traded, money = volume.cum_sum().over("ticker"), (mean * volume).cum_sum().over("ticker")
    return ordered.select(
        at=start + length, sym="ticker", v=volume, av=traded.round(6), vw=mean.round(4), **prices,
        a=(money / traded).round(4), z=(volume / pl.col("transactions")).round().cast(pl.Int64), **span,
    )  # fmt: skip


def _values(feed: Feed) -> pl.DataFrame:
    """Return an index's values, known at the end of each minute."""
    frame = feed.today("index_minutes", "window_start")
    if not frame.width:
        return frame
    at = pl.col("window_start") + NS_PER_MINUTE
    return frame.select(at=at, sym="ticker", val="close", T="ticker", t=at // _NS_PER_MS)


def _list(column: str) -> pl.Expr:
    """Return codes separated by commas, or one, as a list; empty where there is none."""
    text = pl.col(column).cast(pl.String).fill_null("")
    return text.str.extract_all(r"\d+").cast(pl.List(pl.Int64))


_MAKERS: dict[tuple[str, str], Callable[[Feed], pl.DataFrame]] = {
    ("options", "T"): _trades("option_trades"),
    ("options", "Q"): _quotes("quotes"),
    ("options", "AM"): _minutes("option_minutes"),
    ("options", "A"): _option_seconds,
    ("options", "FMV"): _fair_values("quotes"),
    ("stocks", "T"): _trades("stock_trades"),
    ("stocks", "Q"): _quotes("stock_quotes"),
    ("stocks", "AM"): _minutes("stock_minutes"),
    ("stocks", "A"): _stock_seconds,
    ("stocks", "FMV"): _fair_values("stock_quotes"),
    ("indices", "AM"): _minutes("index_minutes"),
    ("indices", "V"): _values,
}


def event(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `Feed.between` as it is sent."""
    del row["at"]
    if kind == "V":
        del row["sym"]
    return {"ev": kind, **row}
