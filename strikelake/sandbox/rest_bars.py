"""Bars in the sandbox's REST: stocks, options and indices, of any span, as far as they are known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.calendar import NEW_YORK, NS_PER_MINUTE, et_date, et_ns
from strikelake.sandbox.rest_http import NS_PER_MS, ProblemError, bound, early

if TYPE_CHECKING:
    from datetime import date

    from strikelake.sandbox.rest_http import Call

_LIMIT, _MOST = 5_000, 50_000
_SPANS = {
    "minute": ("m", 0),
    "hour": ("h", 0),
    "day": ("d", 0),
    "week": ("w", 7),
    "month": ("mo", 31),
    "quarter": ("q", 92),
    "year": ("y", 366),
}
"""Of each timespan: its letter, and the days by which a range is widened to hold whole spans."""


async def aggregates(call: Call) -> dict[str, Any]:
    """Answer `/v2/aggs/ticker/…/range/…`. Where there is nothing the vendor leaves `results` out."""
    ticker, span = call.path("ticker"), (int(call.path("multiplier")), call.path("timespan"))
    start, end = bound(call.path("start"), last=False), bound(call.path("end"), last=True)
    early(call, end)
    adjusted = call.query.get("adjusted", "true") == "true"
    bars = history(call, ticker, span, start, end, adjusted=adjusted)
    down = call.query.get("sort", "asc") == "desc"
    limit = call.limit(_LIMIT, _MOST)
    page = bars.sort("window_start", descending=down)
    rows = [shown(row, ticker) for row in page.head(limit).iter_rows(named=True)]
    answer: dict[str, Any] = {"ticker": ticker, "adjusted": adjusted}
    answer |= {"queryCount": len(rows), "resultsCount": len(rows), "count": len(rows)}
    if page.height > limit:
        following = int(page["window_start"][limit]) // NS_PER_MS
        first, last = (call.path("start"), following) if down else (following, call.path("end"))
        target = f"/v2/aggs/ticker/{ticker}/range/{span[0]}/{span[1]}/{first}/{last}"
        answer["next_url"] = call.next_url(target, call.query)
    return answer | {"results": rows} if rows else answer


async def grouped(call: Call) -> dict[str, Any]:
    """Answer `/v2/aggs/grouped`: a day's bars of all stocks, stamped at the close."""
    start = bound(call.path("day"), last=False)
    early(call, start)
    close = {"t": et_ns(et_date(start), "16:00") // NS_PER_MS}
    rows = []
    for ticker in sorted(call.venue.exchange.stocks):
        bars = history(call, ticker, (1, "day"), start, start, adjusted=call.query.get("adjusted") != "false")
        rows += [{"T": ticker} | shown(row, ticker) | close for row in bars.iter_rows(named=True)]
    return {"queryCount": len(rows), "resultsCount": len(rows), "count": len(rows), "results": rows}


def history(
    call: Call, ticker: str, span: tuple[int, str], start: int, end: int, *, adjusted: bool
) -> pl.DataFrame:
    """Return bars that start from `start` to `end` (ns UTC) and are known; the present one as far as it goes.

    Minute bars are known when their minute has ended. Spans of a day and more are those that hold `start`.

    Returns
    -------
    pl.DataFrame
        window_start, open, high, low, close, volume, vwap, transactions; sorted by window_start.
    """
    count, name = span
    if name not in _SPANS or count < 1:
        raise ProblemError(400, f"the sandbox serves no ranges of {count} {name}: use {', '.join(_SPANS)}")
    letter, margin = _SPANS[name]
    wider = timedelta(days=margin * count)
    minutes = call.archive.minutes(ticker, et_date(start) - wider, et_date(end) + wider)
    known = minutes.filter(pl.col("window_start") <= call.now - NS_PER_MINUTE)
    middle = (pl.col("high") + pl.col("low") + pl.col("close")) / 3.0
    priced = known.with_columns(middle.alias("vwap"))
    if adjusted and ":" not in ticker:
        priced = _adjusted(priced, call, ticker)
    if span == (1, "minute"):
        return priced.filter(pl.col("window_start").is_between(start, end)).with_columns(_ROUNDED)
    whole = priced.group_by(_starts(count, letter).alias("label"), maintain_order=True).agg(_SPAN)
    begins = start if letter in {"m", "h"} else _start_of(start, count, letter)
    return (
        whole.rename({"label": "window_start"})
        .filter(pl.col("window_start").is_between(begins, end))
        .with_columns(_ROUNDED)
    )


def shown(row: dict[str, Any], ticker: str) -> dict[str, Any]:
    """Return one bar as the vendor spells it; an index has neither volume nor trades."""
    bar = {
        "v": row["volume"],
        "vw": row["vwap"],
        "o": row["open"],
        "c": row["close"],
        "h": row["high"],
        "l": row["low"],
        "t": row["window_start"] // NS_PER_MS,
        "n": row["transactions"],
    }
    return {name: bar[name] for name in "ochlt"} if ticker.startswith("I:") else bar


def splits_of(call: Call, ticker: str) -> list[tuple[date, float]]:
    """Return a ticker's splits until today: ex-dates, and new shares for an old one."""
    from datetime import date

    lines = [line for line in call.archive.lines("splits") if line["ticker"] == ticker]
    found = [
        (date.fromisoformat(line["execution_date"]), float(line["split_to"]) / float(line["split_from"]))
        for line in lines
    ]
    return [(day, ratio) for day, ratio in found if day <= call.today]


def _adjusted(bars: pl.DataFrame, call: Call, ticker: str) -> pl.DataFrame:
    for day, ratio in splits_of(call, ticker):
        factor = pl.when(pl.col("window_start") < et_ns(day, "00:00")).then(ratio).otherwise(1.0)
        prices = [pl.col(name) / factor for name in ("open", "high", "low", "close", "vwap")]
        bars = bars.with_columns(*prices, pl.col("volume") * factor)
    return bars


def _starts(count: int, letter: str) -> pl.Expr:
    """Return the start of the span that holds each bar, in New York; the vendor's weeks begin on Sundays."""
    local = pl.from_epoch("window_start", "ns").dt.replace_time_zone("UTC").dt.convert_time_zone(NEW_YORK.key)
    if letter == "w":
        local = local.dt.offset_by("1d").dt.truncate(f"{count}w").dt.offset_by("-1d")
    else:
        local = local.dt.truncate(f"{count}{letter}")
    return local.dt.epoch("ns")


def _start_of(moment: int, count: int, letter: str) -> int:
    return int(pl.DataFrame({"window_start": [moment]}).select(_starts(count, letter)).item())


_SPAN = (
    pl.col("open").first(),
    pl.col("high").max(),
    pl.col("low").min(),
    pl.col("close").last(),
    pl.col("volume").sum(),
    # An index has no volume to weigh by.
    pl.when(pl.col("volume").sum() > 0)
    .then((pl.col("vwap") * pl.col("volume")).sum() / pl.col("volume").sum())
    .otherwise(pl.col("vwap").mean())
    .alias("vwap"),
    pl.col("transactions").sum(),
)
_ROUNDED = (
    pl.col("volume").round(6),
    pl.col("vwap").round(4),
    *(pl.col(name).round(4) for name in ("open", "high", "low", "close")),
)
