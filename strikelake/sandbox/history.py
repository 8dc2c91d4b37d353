"""The account's value over time, as Alpaca's portfolio history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, previous_session
from strikelake.sandbox.desk_orders import unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.sandbox.desk import Desk

_STEPS = {"1Min": 1, "5Min": 5, "15Min": 15, "1H": 60}
"""Minutes of each step within a day."""


def portfolio(desk: Desk, query: Mapping[str, str], now: int) -> dict[str, Any]:
    """Return equity and profit, step by step; the account exists since the session before the live one.

    Raises
    ------
    RefusalError
        With status 422 for a timeframe that there is none of.
    """
    timeframe = query.get("timeframe", "1D")
    live, base = desk.exchange.live, float(desk.config.cash)
    before = previous_session(live.date)
    if timeframe == "1D":
        starts, ends = [before.open_ns, live.open_ns], [before.close_ns, now]
        starts, ends = (starts, ends) if now >= live.open_ns else (starts[:1], ends[:1])
    elif timeframe in _STEPS:
        step = _STEPS[timeframe] * NS_PER_MINUTE
        starts = list(range(live.open_ns, min(now, live.close_ns), step))
        ends = [min(start + step, now) for start in starts]
    else:
        raise unreadable(f"invalid timeframe: {timeframe} is none of {', '.join(_STEPS)}, 1D")
    equity = [float(desk.books.equity_at(end)) for end in ends]
    return {
        "timestamp": [start // NS_PER_SECOND for start in starts],
        "equity": equity,
        "profit_loss": [value - base for value in equity],
        "profit_loss_pct": [value / base - 1.0 if base else None for value in equity],
        "base_value": base,
        "base_value_asof": str(before.date),
        "timeframe": timeframe,
        "cashflow": {},
    }
