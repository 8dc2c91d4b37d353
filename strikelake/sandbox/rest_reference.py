"""Reference answers of the sandbox's REST: corporate actions, tickers, news and the yields of past days."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from strikelake.calendar import NS_PER_SECOND
from strikelake.sandbox.rest_http import ProblemError, day_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.sandbox.rest_http import Call

_NUMBERS = ("split_from", "split_to", "cash_amount")
_WHOLE = ("frequency",)
_SPLIT = ("ticker", "execution_date", "split_from", "split_to")
_DIVIDEND = (
    "ticker", "ex_dividend_date", "cash_amount", "declaration_date", "record_date", "pay_date", "frequency",
    "dividend_type",
)  # fmt: skip
_YIELDS_MOST = 50_000


async def splits(call: Call) -> dict[str, Any]:
    """Answer `/v3/reference/splits`, the newest first: those that have been announced."""
    return call.listed(call.ordered(_actions(call, "splits", _SPLIT), _SPLIT[1], "desc"))


async def dividends(call: Call) -> dict[str, Any]:
    """Answer `/v3/reference/dividends`, the newest first: those that have been announced."""
    return call.listed(call.ordered(_actions(call, "dividends", _DIVIDEND), _DIVIDEND[1], "desc"))


async def yields(call: Call) -> dict[str, Any]:
    """Answer `/fed/v1/treasury-yields`: the curves of the days before today, in percent, the newest first."""
    today = str(call.today)
    curves = [_curve(line) for line in call.archive.lines("treasury_curves") if line["date"] < today]
    return call.listed(call.ordered(curves, "date", "desc"), most=_YIELDS_MOST)


async def news(call: Call) -> dict[str, Any]:
    """Answer `/v2/reference/news`: what has been published, the newest first unless asked otherwise."""
    ticker = call.query.get("ticker")
    now = f"{datetime.fromtimestamp(call.now // NS_PER_SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"
    found = [
        article
        for article in call.archive.lines("news")
        if article["published_utc"] <= now and (ticker is None or ticker in article["tickers"])
    ]
    page = call.listed(call.ordered(found, "published_utc", "desc"))
    return page | {"count": len(page["results"])}


async def tickers(call: Call) -> dict[str, Any]:
    """Answer `/v3/reference/tickers`."""
    found = call.listed([_ticker(line) for line in call.archive.lines("tickers")])
    return found | {"count": len(found["results"])}


async def ticker(call: Call) -> dict[str, Any]:
    """Answer `/v3/reference/tickers/{ticker}`: as it was on a `date`, today where none is given."""
    line = _line(call)
    asked = call.query.get("date")
    day = min(day_of(asked), call.today) if asked else call.today
    if str(day) < _listed_on(line):
        raise ProblemError(404, "Ticker not found.")
    # The day of listing and the industry are told of one ticker, not in lists.
    return {
        "results": _ticker(line)
        | {"list_date": line["list_date"]}
        | _industry(call, line["ticker"], str(day))
    }


async def events(call: Call) -> dict[str, Any]:
    """Answer `/vX/reference/tickers/{ticker}/events`: the tickers that a company has had."""
    line = _line(call)
    listing = {
        "type": "ticker_change",
        "date": _listed_on(line),
        "ticker_change": {"ticker": line["ticker"]},
    }
    return {
        "results": {"name": line["name"], "composite_figi": line["composite_figi"], "events": [listing]},
    }


def _actions(call: Call, kind: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    today = str(call.today)
    known = [line for line in call.archive.lines(kind) if (line.get("declaration_date") or "") <= today]
    return [{name: _typed(name, line[name]) for name in columns if line.get(name)} for line in known]


def _typed(name: str, text: str) -> Any:
    return float(text) if name in _NUMBERS else int(text) if name in _WHOLE else text


def _curve(line: Mapping[str, str | None]) -> dict[str, Any]:
    """Return one day: `1month` of the file, a decimal, is the vendor's `yield_1_month`, in percent."""
    shown: dict[str, Any] = {"date": line["date"]}
    for name, text in line.items():
        if text and (found := re.fullmatch(r"(\d+)(month|year)", name)):
            shown[f"yield_{found[1]}_{found[2]}"] = round(float(text) * 100.0, 6)
    return shown


def _line(call: Call) -> dict[str, Any]:
    wanted = call.path("ticker")
    for line in call.archive.lines("tickers"):
        if wanted in {line["ticker"], line["composite_figi"]}:
            return line
    raise ProblemError(404, "Ticker not found.")


def _industry(call: Call, ticker: str, day: str) -> dict[str, Any]:
    """Return what a company was filed under on a date; nothing of a fund."""
    told = [
        line["sic_code"]
        for line in call.archive.lines("classifications")
        if line["ticker"] == ticker and line["date"] <= day
    ]
    return {"sic_code": told[-1]} if told and told[-1] else {}


def _listed_on(line: Mapping[str, Any]) -> str:
    """Return when a ticker began: where the market does not say, with the vendor's stock history."""
    return str(line.get("list_date") or "2003-09-10")


def _ticker(line: Mapping[str, Any]) -> dict[str, Any]:
    index = line["type"] == "INDEX"
    shown = {
        "ticker": line["ticker"],
        "name": line["name"],
        "market": "indices" if index else "stocks",
        "locale": "us",
        "active": True,
        "primary_exchange": line["primary_exchange"],
        "type": line["type"],
        "currency_name": "usd",
        "composite_figi": line["composite_figi"],
    }
    return {
        name: value for name, value in shown.items() if value is not None and not (index and name == "type")
    }
