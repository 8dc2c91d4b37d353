"""What a split makes of the simulated broker's account: shares and contracts are counted anew at midnight."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.contracts import OptionContract
from strikelake.sandbox.books import Held
from strikelake.sandbox.desk_orders import is_option
from strikelake.sandbox.exchange import splits_of
from strikelake.splits import adjust_contract

if TYPE_CHECKING:
    from strikelake.sandbox.desk import Desk
    from strikelake.splits import Split


def split(desk: Desk, moment: int) -> None:
    """Adjust the positions to the splits that come into force, and cancel what is ordered of their shares."""
    for one in (one for one in splits_of(desk.exchange) if one.effective_ns == moment):
        for order in desk.open_orders():
            if order.ticket.legs[0].symbol == one.ticker and order.status.is_open:
                desk.cancel(order, moment)
        for symbol in list(desk.books.positions):
            if symbol == one.ticker:
                _split_shares(desk, one, moment)
            elif is_option(symbol) and OptionContract.parse(symbol).underlying == one.ticker:
                _adjust(desk, symbol, one, moment)
        desk.books.record(moment)


def _split_shares(desk: Desk, one: Split, moment: int) -> None:
    """Turn shares into new ones, and parts of a share into cash."""
    books, ratio = desk.books, one.ratio
    held = books.positions[one.ticker]
    exact = Decimal(held.quantity) * ratio.numerator / ratio.denominator
    whole = int(exact)
    price = desk.board.last_price(one.ticker, moment) or Decimal(0)
    cash = (exact - whole) * price
    books.cash += cash
    books.positions[one.ticker] = Held(whole, held.average_price * ratio.denominator / ratio.numerator)
    if whole == 0:
        del books.positions[one.ticker]
    group = books.note("SPLIT", one.ticker, whole - held.quantity, Decimal(0), moment)
    if cash:
        books.note("CIL", one.ticker, 0, cash, moment, group=group)


def _adjust(desk: Desk, symbol: str, one: Split, moment: int) -> None:
    """Exchange contracts for those that they become."""
    books, held = desk.books, desk.books.positions.pop(symbol)
    after = adjust_contract(symbol, one, books.shares(symbol))
    quantity = held.quantity * after.contracts
    books.positions[after.occ_symbol] = Held(quantity, held.average_price / after.contracts)
    books.delivers[after.occ_symbol] = after.shares
    desk.board.adjusted[after.occ_symbol] = symbol, after.contracts
    group = books.note("SPLIT", symbol, -held.quantity, Decimal(0), moment)
    books.note("SPLIT", after.occ_symbol, quantity, Decimal(0), moment, group=group)
