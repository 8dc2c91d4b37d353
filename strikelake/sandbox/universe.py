"""The symbols of the simulated market: how they move, what they pay and when they report.

Prices, volumes, dividends and the months of reports resemble those of early 2025; the names are real, every
number that comes out is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

MARKET_VOL = 0.15
"""Long-run yearly volatility of the market factor."""


class Sector(IntEnum):
    """Symbols of one sector share a factor; its number names the factor's random stream."""

    BROAD = 0
    TECHNOLOGY = 1
    CONSUMER = 2
    FINANCE = 3
    HEALTH = 4
    ENERGY = 5


@dataclass(frozen=True, slots=True)
class Payout:
    """A quarterly cash dividend.

    Attributes
    ----------
    amount
        Dollars per share and quarter, before any split of the span.
    month, day
        The first ex-date of a year is the first session on or after it; the others follow three months apart.
    notice
        Calendar days between the declaration and the ex-date.
    """

    amount: float
    month: int
    day: int
    notice: int = 21


@dataclass(frozen=True, slots=True)
class Reports:
    """Quarterly earnings reports.

    Attributes
    ----------
    month, day
        The first report of a year is on the first session on or after it; the others three months apart.
    move
        Standard deviation of the jump that a report causes at the next open.
    before_open
        Whether it is published before the open; after the close otherwise.
    """

    month: int
    day: int
    move: float
    before_open: bool = False


@dataclass(frozen=True, slots=True)
class Stock:
    """How one simulated symbol behaves.

    Attributes
    ----------
    ticker, name
        As in the files.
    number
        Of its random streams: it never changes, so that a symbol's path does not depend on which others are
        simulated.
    price
        Dollars at the start of the first session.
    beta
        Exposure to the market factor, whose volatility is `MARKET_VOL`.
    sector, sector_vol, own_vol
        The sector's factor and its yearly volatility in this symbol, and that of the symbol's own shocks.
    daily_volume
        Shares on an average full day.
    spread
        Width of its options' spreads relative to the others'.
    payout, reports
        Dividends and earnings; None for none.
    """

    ticker: str
    name: str
    number: int
    price: float
    beta: float
    sector: Sector
    sector_vol: float
    own_vol: float
    daily_volume: float
    spread: float
    payout: Payout | None = None
    reports: Reports | None = None

    @property
    def vol(self) -> float:
        """Long-run yearly volatility."""
        return float(((self.beta * MARKET_VOL) ** 2 + self.sector_vol**2 + self.own_vol**2) ** 0.5)

    @property
    def fund(self) -> bool:
        """Whether it is an exchange-traded fund: no reports, no jumps of its own, options in whole cents."""
        return self.sector is Sector.BROAD


_BROAD, _TECH, _CONSUMER = Sector.BROAD, Sector.TECHNOLOGY, Sector.CONSUMER
_FINANCE, _HEALTH, _ENERGY = Sector.FINANCE, Sector.HEALTH, Sector.ENERGY
_STAPLES = Reports(1, 20, 0.03, before_open=True)

# fmt: off
STOCKS = (
    Stock("AAPL", "Apple Inc.", 1, 245.0, 1.05, _TECH, 0.08, 0.15, 5.0e7, 0.9,
          Payout(0.25, 2, 10, 11), Reports(1, 28, 0.04)),
    Stock("ADBE", "Adobe Inc.", 11, 440.0, 1.15, _TECH, 0.10, 0.22, 3.5e6, 1.3,
          None, Reports(3, 12, 0.07)),
    Stock("AMD", "Advanced Micro Devices", 12, 121.0, 1.60, _TECH, 0.20, 0.30, 4.0e7, 0.9,
          None, Reports(2, 4, 0.07)),
    Stock("AMZN", "Amazon.Com Inc", 2, 220.0, 1.15, _CONSUMER, 0.10, 0.19, 4.0e7, 1.1,
          None, Reports(2, 6, 0.06)),
    Stock("CRM", "Salesforce, Inc.", 13, 330.0, 1.15, _TECH, 0.10, 0.20, 6.0e6, 1.2,
          Payout(0.40, 3, 12), Reports(2, 26, 0.07)),
    Stock("GOOGL", "Alphabet Inc. Class A Common Stock", 3, 190.0, 1.05, _TECH, 0.08, 0.20, 3.0e7, 1.2,
          Payout(0.20, 3, 10, 34), Reports(2, 4, 0.05)),
    Stock("HD", "Home Depot, Inc.", 14, 390.0, 0.95, _CONSUMER, 0.08, 0.14, 3.5e6, 1.2,
          Payout(2.30, 3, 13), Reports(2, 25, 0.035, before_open=True)),
    Stock("INTC", "Intel Corp", 15, 20.2, 1.10, _TECH, 0.15, 0.35, 7.0e7, 1.0,
          None, Reports(1, 28, 0.08)),
    Stock("IWM", "iShares Russell 2000 ETF", 4, 221.0, 1.15, _BROAD, 0.00, 0.09, 3.0e7, 0.6,
          Payout(0.60, 3, 18, 2)),
    Stock("JNJ", "Johnson & Johnson", 16, 144.0, 0.55, _HEALTH, 0.07, 0.10, 7.0e6, 1.1,
          Payout(1.24, 2, 18, 45), Reports(1, 22, 0.02, before_open=True)),
    Stock("JPM", "JPMorgan Chase & Co.", 17, 240.0, 1.05, _FINANCE, 0.10, 0.12, 9.0e6, 0.9,
          Payout(1.25, 1, 6, 24), Reports(1, 15, 0.03, before_open=True)),
    Stock("MA", "Mastercard Incorporated", 18, 525.0, 0.95, _FINANCE, 0.07, 0.11, 2.5e6, 1.3,
          Payout(0.76, 1, 10, 24), Reports(1, 28, 0.03, before_open=True)),
    Stock("META", "Meta Platforms, Inc. Class A Common Stock", 5, 600.0, 1.15, _TECH, 0.09, 0.22, 1.5e7, 1.1,
          Payout(0.53, 3, 14, 28), Reports(1, 28, 0.07)),
    Stock("MSFT", "Microsoft Corp", 6, 420.0, 0.95, _TECH, 0.09, 0.12, 2.2e7, 1.0,
          Payout(0.83, 2, 20, 72), Reports(1, 28, 0.04)),
    Stock("NFLX", "NetFlix Inc", 19, 890.0, 1.15, _CONSUMER, 0.08, 0.26, 4.0e6, 1.2,
          None, Reports(1, 21, 0.08)),
    Stock("NVDA", "Nvidia Corp", 7, 138.0, 1.55, _TECH, 0.18, 0.30, 2.2e8, 0.8,
          Payout(0.01, 3, 12, 14), Reports(2, 26, 0.07)),
    Stock("PG", "Procter & Gamble Company", 20, 167.0, 0.45, _CONSUMER, 0.05, 0.11, 6.5e6, 1.1,
          Payout(1.01, 1, 24, 17), _STAPLES),
    Stock("PYPL", "PayPal Holdings, Inc. Common Stock", 21, 86.0, 1.25, _FINANCE, 0.10, 0.26, 1.1e7, 1.1,
          None, Reports(2, 4, 0.08, before_open=True)),
    Stock("QQQ", "Invesco QQQ Trust, Series 1", 8, 510.0, 1.15, _BROAD, 0.07, 0.03, 3.5e7, 0.5,
          Payout(0.75, 3, 24, 3)),
    Stock("SPY", "SPDR S&P 500 ETF Trust", 9, 590.0, 1.00, _BROAD, 0.00, 0.01, 5.0e7, 0.4,
          Payout(1.75, 3, 21, 3)),
    Stock("TSLA", "Tesla, Inc. Common Stock", 10, 385.0, 1.50, _CONSUMER, 0.10, 0.48, 9.0e7, 0.9,
          None, Reports(1, 28, 0.09)),
    Stock("UNH", "UnitedHealth Group Incorporated", 22, 510.0, 0.65, _HEALTH, 0.09, 0.17, 4.5e6, 1.2,
          Payout(2.10, 3, 10, 17), Reports(1, 16, 0.04, before_open=True)),
    Stock("V", "VISA Inc.", 23, 315.0, 0.90, _FINANCE, 0.07, 0.10, 6.0e6, 1.1,
          Payout(0.59, 2, 11, 14), Reports(1, 28, 0.03)),
    Stock("XOM", "Exxon Mobil Corporation", 24, 107.0, 0.80, _ENERGY, 0.14, 0.12, 1.6e7, 1.0,
          Payout(0.99, 2, 12, 14), Reports(1, 28, 0.025, before_open=True)),
)
# fmt: on
"""The symbols of all account tiers, in the order of their tickers."""

MEDIUM = ("AAPL", "AMZN", "GOOGL", "IWM", "META", "MSFT", "NVDA", "QQQ", "SPY", "TSLA")
"""The symbols of the micro, small and medium tiers: the default market."""
