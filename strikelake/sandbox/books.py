"""What the simulated broker's account holds: cash, positions, and everything that ever changed them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER
from strikelake.sandbox.desk_orders import Status, is_option, multiplier

if TYPE_CHECKING:
    from strikelake.orders import Side
    from strikelake.sandbox.quotes import QuoteBoard


@dataclass(frozen=True, slots=True)
class Held:
    """Contracts or shares of one symbol, negative when short, and their average price, dollars per share."""

    quantity: int
    average_price: Decimal


@dataclass(frozen=True, slots=True)
class Execution:
    """One leg of a fill, as the activities report it.

    Attributes
    ----------
    number
        Counts all activities.
    order_id
        Of the leg's own order.
    filled, left
        Units of the leg that have filled so far, and that have not.
    """

    number: int
    order_id: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    ts_ns: int
    filled: int
    left: int
    status: Status


@dataclass(frozen=True, slots=True)
class OptionEvent:
    """What happens to a position without an order.

    Attributes
    ----------
    kind
        OPEXC exercised, OPASN assigned, OPEXP expired, OPCSH settled in cash; OPTRD is the trade in the
        underlying that comes of the first two. SPLIT: shares or contracts that come or go in a split, CIL
        cash in lieu of a part of a share.
    quantity
        Change of the position: contracts, or shares of an OPTRD.
    price
        Strike, of an OPTRD only.
    amount
        Dollars received, negative when paid.
    group
        Shared by the events of one exercise or assignment.
    """

    number: int
    kind: str
    symbol: str
    quantity: int
    price: Decimal | None
    amount: Decimal
    ts_ns: int
    group: int


Activity = Execution | OptionEvent


@dataclass(frozen=True, slots=True)
class Balance:
    """Cash and positions from a moment on."""

    ts_ns: int
    cash: Decimal
    positions: dict[str, Held]


@dataclass(slots=True)
class Books:
    """Cash and positions, with their history; methods that value them take `now` (ns UTC)."""

    board: QuoteBoard
    cash: Decimal
    positions: dict[str, Held] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    delivers: dict[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.record(self.board.exchange.start_ns)

    def record(self, now: int) -> None:
        """Remember how things stand, for the account's history."""
        self.balances.append(Balance(now, self.cash, dict(self.positions)))

    def quantity(self, symbol: str) -> int:
        """Return what is held of a symbol, 0 when nothing is."""
        return self.positions[symbol].quantity if symbol in self.positions else 0

    def shares(self, symbol: str) -> Decimal:
        """Return what one contract delivers: 100 shares, unless a split has changed it."""
        listed = self.board.exchange.listings.get(symbol)
        return self.delivers.get(symbol, listed.shares if listed else Decimal(MULTIPLIER))

    def quantities(self, change: dict[str, int] | None = None) -> dict[str, int]:
        """Return all positions, after a change."""
        found = {symbol: held.quantity for symbol, held in self.positions.items()}
        for symbol, by in (change or {}).items():
            found[symbol] = found.get(symbol, 0) + by
        return found

    def move(self, symbol: str, change: int, price: Decimal) -> None:
        """Change a position; the average price moves only when it grows."""
        held = self.positions.get(symbol, Held(0, Decimal(0)))
        quantity = held.quantity + change
        if quantity == 0:
            self.positions.pop(symbol, None)
        elif held.quantity * change >= 0:
            paid = held.average_price * held.quantity + price * change
            self.positions[symbol] = Held(quantity, paid / quantity)
        else:
            crossed = held.quantity * quantity < 0
            self.positions[symbol] = Held(quantity, price if crossed else held.average_price)

    def note(
        self,
        kind: str,
        symbol: str,
        quantity: int,
        amount: Decimal,
        now: int,
        *,
        price: Decimal | None = None,
        group: int | None = None,
    ) -> int:
        """Write an `OptionEvent` into the activities; return its group: its number where it begins one."""
        number = len(self.activities)
        group = number if group is None else group
        self.activities.append(OptionEvent(number, kind, symbol, quantity, price, amount, now, group))
        return group

    def market_value(self, symbol: str, now: int, held: Held | None = None) -> Decimal:
        """Return what a position is worth in dollars: at the bid when long, minus the ask when short."""
        quantity = (held or self.positions[symbol]).quantity
        return self.board.mark(symbol, now, long=quantity > 0) * quantity * multiplier(symbol)

    def equity(self, now: int) -> Decimal:
        """Return cash plus positions at the side they would close at, in dollars."""
        return self.cash + sum((self.market_value(symbol, now) for symbol in self.positions), Decimal(0))

    def equity_at(self, moment: int) -> Decimal:
        """Return what the account was worth at a moment of the past, in dollars."""
        then = [balance for balance in self.balances if balance.ts_ns <= moment] or self.balances[:1]
        held = then[-1].positions
        values = (self.market_value(symbol, moment, position) for symbol, position in held.items())
        return then[-1].cash + sum(values, Decimal(0))

    def short_prices(self, now: int) -> dict[str, Decimal]:
        """Return what shares that are sold short would cost to buy back, dollars per share."""
        return {
            symbol: self.board.mark(symbol, now, long=False)
            for symbol, held in self.positions.items()
            if held.quantity < 0 and not is_option(symbol)
        }
