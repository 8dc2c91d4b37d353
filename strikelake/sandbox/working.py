"""What happens next to the orders that work: the earliest fill or stop among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strikelake.sandbox.matching import Match, WorkingLeg, match, reached

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strikelake.sandbox.desk_orders import DeskOrder
    from strikelake.sandbox.quotes import QuoteBoard


def next_event(
    board: QuoteBoard, orders: Iterable[DeskOrder], until: int
) -> tuple[DeskOrder, Match | int] | None:
    """Return what happens next.

    Returns
    -------
    tuple of DeskOrder and Match or int
        An order with its fill, or with the time (ns UTC) at which its stop is reached; None when nothing
        happens up to `until`. Of two at one time the older order comes first.
    """
    found = [
        (order, event)
        for order in orders
        if order.status.works and not order.stuck
        if (event := _event(board, order, min(until, order.expires_ns))) is not None
    ]
    return min(found, key=lambda pair: _moment(pair[1]), default=None)


def _event(board: QuoteBoard, order: DeskOrder, until: int) -> Match | int | None:
    ticket, leg = order.ticket, order.ticket.legs[0]
    if ticket.stop is not None and order.triggered_ns is None:
        return reached(board.tape(leg.symbol), leg.side, ticket.stop, order.submitted_ns, until)
    legs = [WorkingLeg(board.tape(part.symbol), part.side, part.ratio) for part in ticket.legs]
    return match(legs, ticket.limit, order.looks_after_ns, until, order.remaining)


def _moment(event: Match | int) -> int:
    return event.ts_ns if isinstance(event, Match) else event
