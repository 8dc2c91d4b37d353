"""What the simulated market expects of its companies, within the paths and in an option's life after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strikelake.calendar import session as session_of
from strikelake.sandbox import events
from strikelake.sandbox.surface import AHEAD

if TYPE_CHECKING:
    from datetime import date

    from strikelake.sandbox.config import SimulatorConfig, Split
    from strikelake.sandbox.paths import StockPaths


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the market expects of the symbols: dividends, reports and splits, by column of the paths."""

    dividends: tuple[tuple[events.Dividend, ...], ...]
    reports: tuple[tuple[events.Report, ...], ...]
    splits: tuple[Split, ...]

    def cash(self, symbol: int, day: date, until: date) -> list[tuple[int, float]]:
        """Return the dividends after a session and up to a date: (open of the ex-date, dollars per share).

        Dollars are per share of `day`: what comes after a split comes on more shares.
        """
        found = []
        for dividend in self.dividends[symbol]:
            if day < dividend.ex_date <= until:
                amount = dividend.amount
                for split in self.splits:
                    if split.ticker == dividend.ticker and day < split.ex_date <= dividend.ex_date:
                        amount *= split.new / split.old
                found.append((session_of(dividend.ex_date).open_ns, amount))
        return found

    def report_variance(self, symbol: int, day: date, until: date) -> float:
        """Return the variance of the jumps at opens after a session and up to a date."""
        return sum(r.move**2 for r in self.reports[symbol] if day < r.reacts <= until)


def schedule(config: SimulatorConfig, paths: StockPaths) -> Schedule:
    """Return what is expected within the paths and in an option's life after them."""
    first, last = paths.sessions[0].date, paths.sessions[-1].date
    until = last + AHEAD
    divided = events.splits(config, first, until)
    return Schedule(
        tuple(tuple(events.dividends(stock, first, until, divided)) for stock in config.stocks),
        tuple(tuple(events.reports(stock, first, until)) for stock in config.stocks),
        tuple(divided),
    )
