"""What the simulated companies are filed under: their industries' codes, and one that changes its own."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from strikelake.sandbox.config import SimulatorConfig

SIC_CODES = {
    **dict.fromkeys(("ADBE", "CRM", "MSFT"), 7372),
    **dict.fromkeys(("AMD", "INTC", "NVDA"), 3674),
    **dict.fromkeys(("GOOGL", "META"), 7370),
    **dict.fromkeys(("MA", "PYPL", "V"), 7389),
    "AAPL": 3571,
    "AMZN": 5961,
    "HD": 5211,
    "JNJ": 2834,
    "JPM": 6021,
    "NFLX": 7841,
    "PG": 2840,
    "TSLA": 3711,
    "UNH": 6324,
    "XOM": 2911,
}
"""Code of each company in the Standard Industrial Classification, as the SEC lists it; funds have none."""

MOVES = (("AMZN", date(2025, 2, 3), 7374),)
"""Companies that take another code on the way: a simulated shop that becomes a simulated data centre."""


def classifications(config: SimulatorConfig, listed: date, today: date) -> pl.DataFrame:
    """Return what each symbol is from a date on: ticker, date, security_type, sic_code."""
    rows = [
        (stock.ticker, listed, "ETF" if stock.fund else "CS", SIC_CODES.get(stock.ticker))
        for stock in config.stocks
    ]
    rows += [
        (ticker, day, "CS", code) for ticker, day, code in MOVES if ticker in config.symbols and day <= today
    ]
    columns = {"ticker": pl.String, "date": pl.Date, "security_type": pl.String, "sic_code": pl.Int64}
    return pl.DataFrame(rows, schema=columns, orient="row").sort("ticker", "date")
