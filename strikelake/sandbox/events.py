"""What is scheduled for the simulated companies: dividends, splits and earnings reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from strikelake.calendar import is_session, next_session
from strikelake.sandbox.config import SPLITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strikelake.sandbox.config import SimulatorConfig, Split
    from strikelake.sandbox.universe import Stock

_QUARTERS = range(0, 12, 3)
_PAID_AFTER = timedelta(days=14)
_REPORT_NOTICE = timedelta(days=25)


@dataclass(frozen=True, slots=True)
class Dividend:
    """A cash dividend, dollars per share of the ex-date; whoever holds the stock before the open gets it."""

    ticker: str
    ex_date: date
    amount: float
    declared: date

    @property
    def paid(self) -> date:
        """When the cash arrives."""
        return self.ex_date + _PAID_AFTER


@dataclass(frozen=True, slots=True)
class Report:
    """An earnings report; `reacts` is the session at whose open the price jumps."""

    ticker: str
    day: date
    announced: date
    before_open: bool
    quarter: int
    move: float

    @property
    def reacts(self) -> date:
        """The report's session when it comes before the open, the following session otherwise."""
        return self.day if self.before_open else next_session(self.day).date


def splits(config: SimulatorConfig, first: date, last: date) -> list[Split]:
    """Return the splits of the chosen symbols with an ex-date from `first` to `last`, both included."""
    return [split for split in SPLITS if split.ticker in config.symbols and first <= split.ex_date <= last]


def dividends(stock: Stock, first: date, last: date, splits: list[Split]) -> list[Dividend]:
    """Return the dividends of a stock with an ex-date from `first` to `last`, in order.

    `splits` are those of the simulated span: after one of them the same payment comes on more shares.
    """
    payout = stock.payout
    if payout is None:
        return []
    found = []
    for day in _quarterly(payout.month, payout.day, first, last):
        ratio = 1.0
        for split in splits:
            ratio *= split.new / split.old if split.ticker == stock.ticker and split.ex_date <= day else 1.0
        declared = day - timedelta(days=payout.notice)
        found.append(Dividend(stock.ticker, day, round(payout.amount / ratio, 4), declared))
    return found


def reports(stock: Stock, first: date, last: date) -> list[Report]:
    """Return the earnings reports of a stock from `first` to `last`, in order."""
    plan = stock.reports
    if plan is None:
        return []
    return [
        Report(stock.ticker, day, day - _REPORT_NOTICE, plan.before_open, _quarter(day), plan.move)
        for day in _quarterly(plan.month, plan.day, first, last)
    ]


def _quarterly(month: int, day: int, first: date, last: date) -> Iterator[date]:
    """Yield the first session on or after a day of every third month."""
    for year in range(first.year - 1, last.year + 1):
        for later in _QUARTERS:
            wanted = date(year + (month - 1 + later) // 12, (month - 1 + later) % 12 + 1, day)
            found = wanted if is_session(wanted) else next_session(wanted).date
            if first <= found <= last:
                yield found


def _quarter(reported: date) -> int:
    """Return the fiscal quarter, 1 to 4, that a report in a calendar quarter is about: the one before."""
    return ((reported.month - 1) // 3 + 3) % 4 + 1
