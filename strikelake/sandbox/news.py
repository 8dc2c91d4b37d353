"""Articles about the simulated companies, in the shape of the vendor's news.

An article's sentiment leans towards its symbol's latent interest at the time (see
`strikelake.sandbox.paths`): it says something about the next hour exactly as far as the planted edge does.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns
from strikelake.sandbox.paths import StockPaths, Stream, generator

if TYPE_CHECKING:
    from strikelake.calendar import Session
    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.universe import Stock

_PER_SESSION = 0.8
_LEAN = 0.7
_NEUTRAL = 0.45
_HOURS = ("06:00", "19:00")
_PUBLISHERS = (("Sandbox Wire", "wire.sandbox.invalid"), ("Local Market Daily", "daily.sandbox.invalid"))
_TITLES = {
    "positive": (
        "{name} gains as buyers return",
        "Why {name} looks stronger than its price",
        "{ticker}: demand surprises",
    ),
    "negative": (
        "{name} slips on weak demand",
        "Analysts cut their view of {name}",
        "{ticker}: sellers take over",
    ),
    "neutral": ("What to watch at {name}", "{ticker} trades in line with the market", "{name} holds steady"),
}
_REASONS = {
    "positive": "The article expects {ticker} to do better.",
    "negative": "The article expects {ticker} to do worse.",
    "neutral": "The article takes no side on {ticker}.",
}


def articles(config: SimulatorConfig, paths: StockPaths) -> list[dict[str, Any]]:
    """Return the articles of all sessions, oldest first, as the vendor's REST spells them."""
    found = [
        article
        for symbol, stock in enumerate(config.stocks)
        for article in _of_symbol(config, stock, symbol, paths)
    ]
    return sorted(found, key=lambda article: (article["published_utc"], article["id"]))


def _of_symbol(config: SimulatorConfig, stock: Stock, symbol: int, paths: StockPaths) -> list[dict[str, Any]]:
    rng = generator(config, Stream.NEWS, stock.number)
    found = []
    for index, session in enumerate(paths.sessions):
        begin, end = (et_ns(session.date, hour) for hour in _HOURS)
        for moment in np.sort(rng.integers(begin, end, rng.poisson(_PER_SESSION))).tolist():
            interest = paths.interest[_node(paths, index, session, moment), symbol]
            score = _LEAN * interest + np.sqrt(1.0 - _LEAN**2) * rng.standard_normal()
            found.append(_article(stock, moment // NS_PER_SECOND * NS_PER_SECOND, float(score), rng))
    return found


def _node(paths: StockPaths, index: int, session: Session, moment: int) -> int:
    """Return the last node at or before a moment of a session's day."""
    rows = paths.nodes(index)
    if moment < session.open_ns:
        return max(int(rows.start) - 1, 0)
    return min(int(rows.start) + (moment - session.open_ns) // NS_PER_MINUTE, int(rows.stop) - 1)


def _article(stock: Stock, moment: int, score: float, rng: np.random.Generator) -> dict[str, Any]:
    sentiment = "neutral" if abs(score) < _NEUTRAL else "positive" if score > 0.0 else "negative"
    words = {"name": stock.name, "ticker": stock.ticker}
    title = _TITLES[sentiment][int(rng.integers(len(_TITLES[sentiment])))].format(**words)
    publisher, host = _PUBLISHERS[int(rng.integers(len(_PUBLISHERS)))]
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{stock.ticker} {moment} {title}"))
    published = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // NS_PER_SECOND)
    reason = _REASONS[sentiment].format(**words)
    return {
        "id": name.replace("-", ""),
        "publisher": {
            "name": publisher,
            "homepage_url": f"https://{host}/",
            "logo_url": f"https://{host}/logo.svg",
            "favicon_url": f"https://{host}/favicon.ico",
        },
        "title": title,
        "author": "The simulator",
        "published_utc": f"{published:%Y-%m-%dT%H:%M:%SZ}",
        "article_url": f"https://{host}/{name}",
        "tickers": [stock.ticker],
        "description": f"{title}. {reason}",
        "keywords": ["simulated"],
        "insights": [{"ticker": stock.ticker, "sentiment": sentiment, "sentiment_reasoning": reason}],
    }
