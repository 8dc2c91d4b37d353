"""What the local market is made of: its symbols, its span and its seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from strikelake.errors import SandboxError


@dataclass(frozen=True, slots=True)
class Stock:
    """How one simulated symbol behaves.

    Attributes
    ----------
    ticker
        As in the files.
    price
        Dollars at the start of the first session.
    beta
        Exposure to the market factor, whose volatility is `MARKET_VOL`.
    sector_vol, own_vol
        Yearly volatility of the technology factor's share and of the symbol's own shocks.
    daily_volume
        Shares on an average full day.
    spread
        Width of its options' spreads relative to the others'.
    """

    ticker: str
    price: float
    beta: float
    sector_vol: float
    own_vol: float
    daily_volume: float
    spread: float

    @property
    def vol(self) -> float:
        """Long-run yearly volatility."""
        return float(((self.beta * MARKET_VOL) ** 2 + self.sector_vol**2 + self.own_vol**2) ** 0.5)


MARKET_VOL = 0.15
"""Long-run yearly volatility of the market factor."""

STOCKS = (
    Stock("AAPL", 245.0, 1.05, 0.08, 0.15, 5.0e7, 0.9),
    Stock("AMZN", 220.0, 1.15, 0.10, 0.19, 4.0e7, 1.1),
    Stock("GOOGL", 190.0, 1.05, 0.08, 0.20, 3.0e7, 1.2),
    Stock("IWM", 221.0, 1.15, 0.00, 0.09, 3.0e7, 0.6),
    Stock("META", 600.0, 1.15, 0.09, 0.22, 1.5e7, 1.1),
    Stock("MSFT", 420.0, 0.95, 0.09, 0.12, 2.2e7, 1.0),
    Stock("NVDA", 138.0, 1.55, 0.18, 0.30, 2.2e8, 0.8),
    Stock("QQQ", 510.0, 1.15, 0.07, 0.03, 3.5e7, 0.5),
    Stock("SPY", 590.0, 1.00, 0.00, 0.01, 5.0e7, 0.4),
    Stock("TSLA", 385.0, 1.50, 0.10, 0.48, 9.0e7, 0.9),
)
"""The symbols of the micro, small and medium tiers, in the order of their tickers."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """A simulated market. Equal configurations give byte-identical files.

    Attributes
    ----------
    symbols
        Tickers out of `STOCKS`.
    sessions
        Sessions published as flat files; one more follows and is served live.
    start
        First session, or a date before it.
    seed
        Of every random stream.
    edge
        Correlation of a symbol's latent interest with its return over the next 30 minutes, 0 to 1. 0 leaves
        nothing to predict while everything else stays as it is; see `strikelake.sandbox.paths`.
    quote_minutes
        Minutes between two quotes of a contract.
    """

    symbols: tuple[str, ...] = tuple(stock.ticker for stock in STOCKS)
    sessions: int = 60
    start: date = date(2025, 1, 2)
    seed: int = 7
    edge: float = 0.2
    quote_minutes: int = 5

    def __post_init__(self) -> None:
        known = tuple(stock.ticker for stock in STOCKS)
        if unknown := sorted(set(self.symbols) - set(known)):
            raise SandboxError(
                f"the sandbox has no symbols {', '.join(unknown)}: choose from {', '.join(known)}"
            )
        for name, value, low, high in (
            ("symbols", len(set(self.symbols)), 1, len(known)),
            ("sessions", self.sessions, 1, 2500),
            ("edge", self.edge, 0.0, 1.0),
            ("quote_minutes", self.quote_minutes, 1, 60),
        ):
            if not low <= value <= high:
                raise SandboxError(f"sandbox setting {name} is {value}: give it a value from {low} to {high}")

    @property
    def stocks(self) -> tuple[Stock, ...]:
        """The chosen symbols in the order of their tickers, so that the files are sorted."""
        return tuple(stock for stock in STOCKS if stock.ticker in self.symbols)
