"""What changes in a running sandbox: the simulated time, the broker's books and the injected faults."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from strikelake.sandbox.desk import BrokerConfig, Desk

if TYPE_CHECKING:
    from strikelake.sandbox.exchange import Exchange

FAULTS = ("http_500", "http_500_after")
"""`http_500`: the next order is answered 500 and not placed. `http_500_after`: placed, then answered 500."""


@dataclass(slots=True)
class Venue:
    """State shared by all endpoints; one event loop owns it, so it needs no lock.

    Attributes
    ----------
    exchange
        The simulated market.
    account
        What the broker's account starts with.
    broker_keys, data_key
        (key, secret) that the broker accepts, and the key that the market data server accepts.
    """

    exchange: Exchange
    account: BrokerConfig
    broker_keys: tuple[str, str]
    data_key: str
    now: int = field(init=False)
    desk: Desk = field(init=False)
    faults: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start the live session over: the clock before the open, an untouched account, no faults."""
        self.now = self.exchange.start_ns
        self.desk = Desk(self.exchange, self.account)
        self.faults.clear()

    def advance(self, moment: int) -> int:
        """Move the time forward and settle what happened until then; the past changes nothing.

        Returns
        -------
        int
            The time now, ns UTC.
        """
        if moment > self.now:
            self.now = moment
            self.desk.advance(moment)
        return self.now

    def take_fault(self, name: str) -> bool:
        """Return whether a fault is due, and use it up."""
        due = self.faults[name] > 0
        self.faults[name] -= due
        return due
