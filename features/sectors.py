"""Which sector an underlying belongs to, for sector strength: the companies of the account tiers' universe.

Sectors are those of the Global Industry Classification Standard as of 2025. A company that moved before then
(GOOGL and META left technology in 2018, V and MA in 2023) is counted where it is now: a name for a group of
peers, not a forecast. Funds have none.
"""

from __future__ import annotations

SECTORS = {
    **dict.fromkeys(
        ("AAPL", "MSFT", "NVDA", "ADBE", "CRM", "AMD", "INTC", "IBM", "CSCO", "ORCL"), "technology"
    ),
    **dict.fromkeys(("GOOGL", "GOOG", "META", "NFLX", "DIS", "T", "VZ"), "communication"),
    **dict.fromkeys(("AMZN", "TSLA", "HD", "MCD", "NKE"), "consumer discretionary"),
    **dict.fromkeys(("PG", "KO", "PEP", "WMT", "COST"), "consumer staples"),
    **dict.fromkeys(("JPM", "V", "MA", "PYPL", "BAC", "GS", "AIG", "C", "WFC"), "financials"),
    **dict.fromkeys(("JNJ", "UNH", "PFE", "MRK", "LLY"), "health care"),
    **dict.fromkeys(("XOM", "CVX", "COP"), "energy"),
    **dict.fromkeys(("BA", "CAT", "GE", "HON", "WM"), "industrials"),
}
"""Sector by ticker."""
