"""What changes in a running sandbox: the simulated time, the broker's books and the injected faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox import order_json
from strikelake.sandbox.desk import BrokerConfig, Desk, Update
from strikelake.sandbox.fault_table import KNOWN
from strikelake.sandbox.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from strikelake.sandbox.exchange import Exchange

STALE_NS = 30 * NS_PER_MINUTE
"""How old the faults `broker.stale_quotes` and `rest.stale_quotes` make a quote."""


@dataclass(slots=True)
class Venue:
    """State shared by all endpoints; one event loop owns it, so it needs no lock.

    Attributes
    ----------
    exchange
        The simulated market.
    account
        What the broker's account starts with.
    broker_keys
        (key, secret) that the broker accepts.
    listeners
        Each is called with every message of `trade_updates`, while it is in here.
    """

    exchange: Exchange
    account: BrokerConfig
    broker_keys: tuple[str, str]
    now: int = field(init=False)
    desk: Desk = field(init=False)
    faults: Faults = field(default_factory=lambda: Faults(KNOWN))
    listeners: list[Callable[[dict[str, Any]], None]] = field(default_factory=list)
    _told: int = 0

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start the live session over: the clock before the open, an untouched account, no faults."""
        self.now = self.exchange.start_ns
        self.desk = Desk(self.exchange, self.account, self._tell, self.faults)
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

    def quote_time(self, fault: str, what: str) -> int:
        """Return the time whose quotes an answer shows, ns UTC: now, or long ago when the fault is due."""
        return self.now - STALE_NS if self.faults.take(fault, what) else self.now

    def _tell(self, told: Update) -> None:
        """Pass an update on as it is now: the order goes on changing."""
        self._told += 1
        message = order_json.update(told, self.desk, self._told)
        for listener in tuple(self.listeners):
            listener(message)
