"""The backtest's own books: cash, open trades, fills and closed trades, all in Decimal."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from backtests.costs import Costs, fill_fees
from strikelake.contracts import MULTIPLIER
from strikelake.orders import Fill, Side
from strikelake.portfolio import Holding, adjust_holding
from strikelake.strategy.exits import closing_legs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backtests.fills import Execution
    from strikelake.orders import Leg, OrderIntent
    from strikelake.splits import Split


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade from entry to exit.

    Attributes
    ----------
    client_order_id
        Of the order that opened it.
    underlying, strategy, direction, quantity
        As in the order.
    opened_at, closed_at
        When entry and exit were executed, ns UTC.
    entry_price, exit_price
        Net dollars per share paid and received; quantity and entry are those after a split in between.
    fees
        Dollars of both ways.
    pnl
        Dollars gained after fees.
    reason
        Of the exit: `stop`, `target`, `time`, `expiration`, `halt`, or `settled` at expiry.
    """

    client_order_id: str
    underlying: str
    strategy: str
    direction: int
    quantity: int
    opened_at: int
    closed_at: int
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    pnl: Decimal
    reason: str


@dataclass(slots=True)
class Ledger:
    """What the simulated account holds and has done."""

    cash: Decimal
    costs: Costs
    holdings: dict[frozenset[str], Holding] = field(default_factory=dict)
    entry_fills: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)

    def positions(self) -> dict[str, int]:
        """Return contracts held by symbol, negative when short, in a fixed order."""
        held: dict[str, int] = {}
        for holding in self.holdings.values():
            for leg in holding.legs:
                signed = leg.ratio * holding.quantity * (1 if leg.side is Side.BUY else -1)
                held[leg.occ_symbol] = held.get(leg.occ_symbol, 0) + signed
        return dict(sorted(held.items()))

    def open_value(self) -> Decimal:
        """Return the dollars that all positions are worth at their marks."""
        return sum(
            (self.marks[symbol] * quantity * MULTIPLIER for symbol, quantity in self.positions().items()),
            Decimal(0),
        )

    def open(self, intent: OrderIntent, execution: Execution) -> None:
        """Book the execution of an entry."""
        fees = self._book(
            intent.client_order_id, intent.legs, intent.quantity, execution.prices, execution.ts_ns
        )
        self.entry_fills[intent.client_order_id] = (execution.ts_ns, fees)
        self.holdings[_symbols(intent.legs)] = Holding(
            client_order_id=intent.client_order_id,
            underlying=intent.underlying,
            strategy=intent.strategy,
            legs=intent.legs,
            quantity=intent.quantity,
            entry_price=execution.net,
            opened_at=intent.asof,
            exit_at=intent.asof if intent.exit_at is None else intent.exit_at,
            direction=intent.direction,
            max_loss=intent.max_loss,
        )

    def close(self, intent: OrderIntent, execution: Execution) -> None:
        """Book the execution of an exit."""
        holding = self.holdings.pop(_symbols(intent.legs))
        fees = self._book(
            intent.client_order_id, intent.legs, intent.quantity, execution.prices, execution.ts_ns
        )
        self._finish(holding, -execution.net, execution.ts_ns, fees, intent.reason)

    def settle(self, holding: Holding, prices: tuple[Decimal, ...], ts_ns: int) -> None:
        """Book a holding's expiry: each leg closed at its intrinsic value, in cash and without fees."""
        self.holdings.pop(_symbols(holding.legs))
        legs = closing_legs(holding)
        self._book(holding.client_order_id, legs, holding.quantity, prices, ts_ns, free=True)
        net = sum(
            (
                price * leg.ratio * (1 if leg.side is Side.SELL else -1)
                for leg, price in zip(legs, prices, strict=True)
            ),
            Decimal(0),
        )
        self._finish(holding, net, ts_ns, Decimal(0), "settled")

    def adjust(self, split: Split, ts_ns: int) -> dict[str, tuple[str, int]]:
        """Turn the holdings on a split's shares into what the clearing house makes of them.

        Nothing is paid and nothing is worth more or less: the fills trade the old contracts for the new ones
        at their marks, without fees.

        Returns
        -------
        dict
            By the old symbol of each contract held: its new one, and how many there are for one before.
        """
        adjusted: dict[str, tuple[str, int]] = {}
        for key, before in tuple(self.holdings.items()):
            after = adjust_holding(before, split)
            if after is before:
                continue
            del self.holdings[key]
            self.holdings[_symbols(after.legs)] = after
            more = after.quantity // before.quantity
            for leg, to in zip(before.legs, after.legs, strict=True):
                adjusted[leg.occ_symbol] = to.occ_symbol, more
                self.marks[to.occ_symbol] = self.marks[leg.occ_symbol] / more
            self.fills += [*self._trades_at_mark(before, closing_legs(before), ts_ns)]
            self.fills += [*self._trades_at_mark(after, after.legs, ts_ns)]
        return adjusted

    def _trades_at_mark(self, holding: Holding, legs: tuple[Leg, ...], ts_ns: int) -> Iterator[Fill]:
        for leg in legs:
            contracts, price = leg.ratio * holding.quantity, self.marks[leg.occ_symbol]
            yield Fill(holding.client_order_id, leg.occ_symbol, leg.side, contracts, price, ts_ns, Decimal(0))

    def _book(
        self,
        order_id: str,
        legs: tuple[Leg, ...],
        quantity: int,
        prices: tuple[Decimal, ...],
        ts_ns: int,
        *,
        free: bool = False,
    ) -> Decimal:
        """Move cash for every leg and return the fees."""
        total = Decimal(0)
        for leg, price in zip(legs, prices, strict=True):
            contracts = quantity * leg.ratio
            fees = Decimal(0) if free else fill_fees(contracts, self.costs)
            paid = price * contracts * MULTIPLIER
            self.cash += (-paid if leg.side is Side.BUY else paid) - fees
            self.marks[leg.occ_symbol] = price
            self.fills.append(Fill(order_id, leg.occ_symbol, leg.side, contracts, price, ts_ns, fees))
            total += fees
        return total

    def _finish(self, holding: Holding, exit_price: Decimal, ts_ns: int, fees: Decimal, reason: str) -> None:
        opened_at, entry_fees = self.entry_fills.pop(holding.client_order_id)
        gain = (exit_price - holding.entry_price) * holding.quantity * MULTIPLIER
        self.trades.append(
            Trade(
                client_order_id=holding.client_order_id,
                underlying=holding.underlying,
                strategy=holding.strategy,
                direction=holding.direction,
                quantity=holding.quantity,
                opened_at=opened_at,
                closed_at=ts_ns,
                entry_price=holding.entry_price,
                exit_price=exit_price,
                fees=entry_fees + fees,
                pnl=gain - entry_fees - fees,
                reason=reason,
            )
        )


def _symbols(legs: tuple[Leg, ...]) -> frozenset[str]:
    return frozenset(leg.occ_symbol for leg in legs)
