"""Whether the simulated broker takes an order: Alpaca's levels, quantities and buying power, in its words."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.calendar import NS_PER_MINUTE
from strikelake.contracts import OptionContract, expiry_ns
from strikelake.orders import Effect, Side
from strikelake.sandbox.alpaca_json import money
from strikelake.sandbox.desk_orders import (
    DeskLeg,
    OrderClass,
    OrderType,
    Ticket,
    cash_flow,
    forbidden,
    is_option,
    signed_quantities,
    unreadable,
)
from strikelake.sandbox.exchange import current_session
from strikelake.sandbox.margin import covering_shares, requirement, uncovered_call

if TYPE_CHECKING:
    from strikelake.sandbox.desk import Desk

LAST_OPENING_NS = 30 * NS_PER_MINUTE
"""Before an expiration: positions in it can no longer be opened, and those nobody can pay for are sold."""
_LONG_OPTIONS, _SPREADS = 2, 3
_CENT = Decimal("0.01")


def admit(desk: Desk, ticket: Ticket, now: int) -> tuple[Ticket, Decimal]:
    """Check an order against the account.

    Returns
    -------
    tuple of Ticket and Decimal
        The ticket with every leg's effect filled in, and the dollars of buying power that it keeps.

    Raises
    ------
    RefusalError
        As the broker answers.
    """
    for leg in ticket.legs:
        if not desk.board.lists(leg.symbol):
            raise _unknown(ticket, leg.symbol)
    ticket = replace(ticket, legs=tuple(_with_effect(desk, leg) for leg in ticket.legs))
    if ticket.option:
        _check_times(ticket, now)
        _check_level(desk, ticket)
    _check_quantities(desk, ticket)
    if ticket.option:
        _check_cover(desk, ticket)
    else:
        _check_exits(desk, ticket, now)
    return ticket, _check_money(desk, ticket, now)


def available(desk: Desk, symbol: str) -> int:
    """Return how much of a position no open order is closing; signed as the position.

    Orders of one bracket or OCO close it once only; shares that cover short calls are not available.
    """
    quantity = desk.books.quantity(symbol)
    by_family: dict[int, int] = {}
    for order in desk.open_orders():
        closing = sum(
            order.remaining * leg.ratio
            for leg in order.ticket.legs
            if leg.symbol == symbol and leg.effect is Effect.CLOSE
        )
        family = id(order.parent or order)
        by_family[family] = max(by_family.get(family, 0), closing)
    closing = sum(by_family.values())
    if quantity <= 0:
        return quantity + closing
    books = desk.books
    locked = 0 if is_option(symbol) else covering_shares(books.quantities(), symbol, books.shares)
    return quantity - max(closing, locked)


def _unknown(ticket: Ticket, symbol: str) -> Exception:
    if ticket.multi:
        return unreadable(f"asset not found for {symbol}")
    return unreadable(f'contract "{symbol}" not found' if ticket.option else f'asset "{symbol}" not found')


def _with_effect(desk: Desk, leg: DeskLeg) -> DeskLeg:
    """Fill in what the client left open, and refuse what does not fit the position."""
    held = desk.books.quantity(leg.symbol)
    inferred = Effect.CLOSE if held * leg.sign < 0 else Effect.OPEN
    if leg.effect not in {None, inferred}:
        raise unreadable(
            f"position intent mismatch, inferred: {leg.side}_to_{inferred}, "
            f"specified: {leg.side}_to_{leg.effect}"
        )
    return replace(leg, effect=inferred)


def _check_times(ticket: Ticket, now: int) -> None:
    if ticket.type is OrderType.MARKET and now < current_session(now).open_ns:
        raise unreadable("options market orders are only allowed during market hours")
    for leg in ticket.legs:
        end = expiry_ns(OptionContract.parse(leg.symbol).expiration)
        if now >= end:
            raise unreadable(f'contract "{leg.symbol}" is expired')
        if leg.effect is Effect.OPEN and now >= end - LAST_OPENING_NS:
            raise unreadable(f'contract "{leg.symbol}" expires soon, unable to open new positions')


def _check_level(desk: Desk, ticket: Ticket) -> None:
    level = desk.config.options_level
    opening = [leg for leg in ticket.legs if leg.effect is Effect.OPEN]
    if opening and level < 1:
        raise forbidden("account not authorized to trade options")
    if opening and ticket.multi and level < _SPREADS:
        raise forbidden("account not eligible to trade spreads or uncovered contracts")
    if any(leg.side is Side.BUY for leg in opening) and level < _LONG_OPTIONS:
        raise forbidden("account not eligible to trade long option contracts")


def _check_quantities(desk: Desk, ticket: Ticket) -> None:
    for leg in ticket.legs:
        if not ticket.option and leg.side is Side.SELL and leg.effect is Effect.OPEN:
            raise forbidden("account is not allowed to short")
        if leg.effect is not Effect.CLOSE:
            continue
        wanted, held = ticket.quantity * leg.ratio, abs(desk.books.quantity(leg.symbol))
        free = max(abs(available(desk, leg.symbol)), 0)
        if free < wanted:
            closing = [o for o in desk.open_orders() if leg.symbol in {part.symbol for part in o.ticket.legs}]
            raise forbidden(
                f"insufficient qty available for order (requested: {wanted}, available: {free})",
                available=str(free),
                existing_qty=str(held),
                held_for_orders=str(held - free),
                related_orders=[order.order_id for order in closing],
                symbol=leg.symbol,
            )


def _check_cover(desk: Desk, ticket: Ticket) -> None:
    """Refuse what leaves a call uncovered that was covered before; sales that are under way count as done."""
    before = desk.books.quantities(_pending_sales(desk))
    after = dict(before)
    for symbol, by in signed_quantities(ticket).items():
        after[symbol] = after.get(symbol, 0) + by
    delivers = desk.books.shares
    bare = uncovered_call(after, delivers)
    if bare is None or uncovered_call(before, delivers) is not None:
        return
    underlying = OptionContract.parse(bare).underlying
    if desk.config.options_level < _SPREADS and bare == ticket.legs[0].symbol:
        required = ticket.quantity * delivers(bare)
        free = max(0, desk.books.quantity(underlying) - covering_shares(before, underlying, delivers))
        raise forbidden(
            "insufficient underlying qty available for covered call "
            f"(required: {required}, available: {free})",
            available_qty=str(free),
            required_qty=str(required),
            symbol=bare,
        )
    raise forbidden("account not eligible to trade uncovered option contracts", symbol=bare)


def _pending_sales(desk: Desk) -> dict[str, int]:
    """Return what open orders of one leg will have sold, and what multi-leg orders will have changed."""
    change: dict[str, int] = {}
    for order in desk.open_orders():
        if order.ticket.option and (order.ticket.multi or order.ticket.legs[0].side is Side.SELL):
            for symbol, by in signed_quantities(order.ticket, order.remaining).items():
                change[symbol] = change.get(symbol, 0) + by
    return change


def _check_exits(desk: Desk, ticket: Ticket, now: int) -> None:
    """Check a bracket's prices against the last one, as it would be placed at once."""
    leg = ticket.legs[0]
    if ticket.order_class is OrderClass.OCO and leg.effect is Effect.OPEN:
        raise unreadable("oco orders must be exit orders")
    if ticket.order_class is OrderClass.BRACKET and leg.effect is Effect.CLOSE:
        raise unreadable("bracket orders must be entry orders")
    base = ticket.shown_limit or desk.board.last_price(leg.symbol, now)
    stop = next((leave.stop for leave in ticket.exits if leave.stop is not None), None)
    if base is None or stop is None or ticket.order_class is OrderClass.OTO:
        return
    sells = (leg.side is Side.BUY) is (ticket.order_class is OrderClass.BRACKET)
    if stop > base - _CENT if sells else stop < base + _CENT:
        bound = "<= base_price - 0.01" if sells else ">= base_price + 0.01"
        raise unreadable(f"stop_loss.stop_price must be {bound}", base_price=str(base))


def _check_money(desk: Desk, ticket: Ticket, now: int) -> Decimal:
    """Return the dollars an order would tie up; refuse it when they are not there."""
    net = ticket.limit if ticket.limit is not None else _price_now(desk, ticket, now)
    premium = cash_flow(ticket, net)
    after = desk.books.quantities(signed_quantities(ticket))
    more = requirement(after, desk.books.short_prices(now), desk.books.shares) - desk.margin(now)
    cost, free = premium + more + desk.config.fee * ticket.contracts, desk.buying_power(now)
    if cost <= free:
        return max(cost, Decimal(0))
    needed, there = money(cost), money(free)
    said = f"(required: {needed}, available: {there})"
    if not ticket.option:
        raise forbidden("insufficient buying power", buying_power=there, cost_basis=needed)
    if not ticket.multi and ticket.legs[0].side is Side.SELL:
        raise forbidden(
            f"insufficient options buying power for cash-secured put {said}",
            buying_power=there,
            required_options_buying_power=needed,
        )
    raise forbidden(
        f"insufficient options buying power {said}", options_buying_power=there, cost_basis=needed
    )


def _price_now(desk: Desk, ticket: Ticket, now: int) -> Decimal:
    """Return the net price of an order without a limit: its stop, or the last quotes; a missing side is 0."""
    if ticket.stop is not None:
        return ticket.stop * ticket.legs[0].sign
    marks = [
        desk.board.mark(leg.symbol, now, long=leg.side is Side.SELL) * leg.ratio * leg.sign
        for leg in ticket.legs
    ]
    return sum(marks, Decimal(0))
