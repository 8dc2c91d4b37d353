"""The journal against the broker: what we think we have, and what is there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.place import refresh
from strikelake.contracts import OptionContract, expiry_ns
from strikelake.journal.states import IntentState
from strikelake.orders import Side

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.place import OrderDesk
    from strikelake.journal.states import IntentRecord
    from strikelake.portfolio import Holding
    from strikelake.splits import Split


@dataclass(frozen=True, slots=True)
class PositionDifference:
    """Contracts (or shares) that the journal explains, and those that the broker has; negative when short."""

    symbol: str
    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class Differences:
    """What reconciling found.

    Attributes
    ----------
    adopted
        Orders of ours that the broker had and the journal had not confirmed.
    never_sent
        Intents that the broker has no order for: the crash came before the request.
    foreign_orders
        Open orders that this journal did not send.
    positions
        Positions that fills do not explain, and fills without their position.
    settled
        Holdings that expired and are gone.
    adjusted
        Splits, and the holdings that are other contracts since.
    """

    adopted: tuple[str, ...] = ()
    never_sent: tuple[str, ...] = ()
    foreign_orders: tuple[str, ...] = ()
    positions: tuple[PositionDifference, ...] = ()
    settled: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()

    @property
    def halts_entries(self) -> bool:
        """Whether a position cannot be explained, so that nothing new may be opened."""
        return bool(self.positions)

    def lines(self) -> tuple[str, ...]:
        """Return each difference in one line that says what to do, the empty tuple when there is none."""
        return (
            *(f"order {name} was at the broker: adopted" for name in self.adopted),
            *(f"order {name} never reached the broker: forgotten" for name in self.never_sent),
            *(f"order {name} is not ours: left alone" for name in self.foreign_orders),
            *(
                f"position {p.symbol} is {p.actual} at the broker and {p.expected} here: no entries until "
                "it is closed or explained"
                for p in self.positions
            ),
            *(f"holding {name} expired: settled" for name in self.settled),
            *(f"{text}: counted anew" for text in self.adjusted),
        )


def reconcile(account_id: str, desk: OrderDesk, splits: Iterable[Split] = ()) -> Differences:
    """Bring the journal up to date with the broker and report what does not fit.

    Every open intent is looked up: found orders are adopted, and those the broker does not have are marked
    never sent. Expired holdings that left no position are settled.

    Parameters
    ----------
    account_id
        The account that both sides are about.
    desk
        Broker, journal and clock.
    splits
        Of which some may have come into force: the journal adopts those of shares whose contracts are held.

    Raises
    ------
    BrokerUnavailableError
        When the broker gives no definite answer; nothing may be opened before it does.
    BrokerError
        When the broker denies an order that it had confirmed.
    """
    adopted, never_sent = _resolve(desk.journal.open_intents(account_id), desk)
    adjusted = _adopt_splits(account_id, desk, splits)
    foreign = _foreign_orders(desk, adopted)
    settled = _settle_expired(account_id, desk)
    positions = _compare_positions(account_id, desk)
    if positions:
        # An order may have filled between the two looks, or arrived after its last one.
        adopted += _resolve(_concerned(positions, account_id, desk), desk)[0]
        positions = _compare_positions(account_id, desk)
    return Differences(
        tuple(adopted), tuple(never_sent), tuple(foreign), positions, tuple(settled), tuple(adjusted)
    )


def _resolve(records: Iterable[IntentRecord], desk: OrderDesk) -> tuple[list[str], list[str]]:
    adopted, never_sent = [], []
    for record in records:
        after = refresh(record, desk)
        if after.state is IntentState.NEVER_SENT:
            never_sent.append(record.intent.client_order_id)
        elif not record.state.at_broker:
            adopted.append(record.intent.client_order_id)
    return adopted, never_sent


def _concerned(
    positions: Iterable[PositionDifference], account_id: str, desk: OrderDesk
) -> list[IntentRecord]:
    """Return the intents that could still explain a difference."""
    symbols = {position.symbol for position in positions}
    return [
        record
        for record in desk.journal.records(account_id)
        if not record.state.has_ended and symbols.intersection(leg.occ_symbol for leg in record.intent.legs)
    ]


def _foreign_orders(desk: OrderDesk, adopted: list[str]) -> list[str]:
    """Return open orders that are not in the journal; one that arrived after all is adopted."""
    foreign = []
    for order in desk.broker.open_orders():
        record = desk.journal.find(order.client_order_id)
        if record is None:
            foreign.append(order.client_order_id)
        elif record.state is IntentState.NEVER_SENT:
            desk.journal.update(order, desk.clock.now())
            adopted.append(order.client_order_id)
    return foreign


def _adopt_splits(account_id: str, desk: OrderDesk, splits: Iterable[Split]) -> list[str]:
    """Tell the journal of the splits that have come into force over what is held."""
    now, found = desk.clock.now(), []
    holdings = desk.journal.trades(account_id).holdings
    for split in splits:
        names = [
            holding.client_order_id
            for holding in holdings
            if holding.underlying == split.ticker and holding.opened_at < split.effective_ns <= now
        ]
        if names and desk.journal.adopt(split, now):
            terms = f"{split.ratio.numerator} for {split.ratio.denominator}"
            found.append(f"{split.ticker} split {terms} on {split.ex_date}, held by {', '.join(names)}")
    return found


def _settle_expired(account_id: str, desk: OrderDesk) -> list[str]:
    now = desk.clock.now()
    expired = [h for h in desk.journal.trades(account_id).holdings if _last_expiry(h) <= now]
    if not expired:
        return []
    present = {position.occ_symbol for position in desk.broker.positions()}
    gone = [h for h in expired if not present.intersection(leg.occ_symbol for leg in h.legs)]
    for holding in gone:
        desk.journal.settle(holding.client_order_id, now, "expired and gone from the broker's positions")
    return [holding.client_order_id for holding in gone]


def _last_expiry(holding: Holding) -> int:
    return max(expiry_ns(OptionContract.parse(leg.occ_symbol).expiration) for leg in holding.legs)


def _compare_positions(account_id: str, desk: OrderDesk) -> tuple[PositionDifference, ...]:
    expected = _contracts(desk.journal.trades(account_id).holdings)
    actual = {position.occ_symbol: position.quantity for position in desk.broker.positions()}
    return tuple(
        PositionDifference(symbol, expected.get(symbol, 0), actual.get(symbol, 0))
        for symbol in sorted(expected.keys() | actual.keys())
        if expected.get(symbol, 0) != actual.get(symbol, 0)
    )


def _contracts(holdings: Iterable[Holding]) -> Counter[str]:
    """Return signed contracts per symbol over all holdings."""
    total: Counter[str] = Counter()
    for holding in holdings:
        for leg in holding.legs:
            total[leg.occ_symbol] += holding.quantity * leg.ratio * (1 if leg.side is Side.BUY else -1)
    return total
