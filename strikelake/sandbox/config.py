"""What the local market is made of: its symbols, its span and its seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from strikelake.errors import SandboxError
from strikelake.sandbox.universe import MEDIUM, STOCKS, Stock


@dataclass(frozen=True, slots=True)
class Split:
    """New shares for old ones: `new` for each `old`, from the open of `ex_date`; announced on `declared`."""

    ticker: str
    ex_date: date
    declared: date
    old: int
    new: int


SPLITS = (
    Split("INTC", date(2025, 3, 10), date(2025, 2, 18), 4, 1),
    Split("META", date(2025, 2, 24), date(2025, 1, 29), 1, 2),
)
"""The splits of the simulated market: one that keeps the contracts' root, and one that does not."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """A simulated market. Equal configurations give byte-identical files.

    Attributes
    ----------
    symbols
        Tickers out of `strikelake.sandbox.universe.STOCKS`.
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
        Minutes between two quotes of a contract near the money; others are quoted a sixth as often.
    stock_ticks
        Whether published sessions have files of stock trades and quotes too; the live session always does.
    """

    symbols: tuple[str, ...] = MEDIUM
    sessions: int = 60
    start: date = date(2025, 1, 2)
    seed: int = 7
    edge: float = 0.2
    quote_minutes: int = 5
    stock_ticks: bool = False

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
            ("quote_minutes", self.quote_minutes, 1, 30),
        ):
            if not low <= value <= high:
                raise SandboxError(f"sandbox setting {name} is {value}: give it a value from {low} to {high}")

    @property
    def stocks(self) -> tuple[Stock, ...]:
        """The chosen symbols in the order of their tickers, so that the files are sorted."""
        return tuple(stock for stock in STOCKS if stock.ticker in self.symbols)
