"""What becomes of options without orders: exercise, assignment, expiration, as Alpaca settles them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from strikelake.calendar import et_date, next_session, sessions
from strikelake.contracts import MULTIPLIER, OptionContract, expiry_ns
from strikelake.orders import Effect, Side
from strikelake.sandbox.alpaca_json import money
from strikelake.sandbox.desk_orders import DeskLeg, RefusalError, Ticket, forbidden, is_option
from strikelake.sandbox.desk_splits import split
from strikelake.sandbox.exchange import current_session, splits_of
from strikelake.sandbox.margin import covering_shares
from strikelake.sandbox.permissions import LAST_OPENING_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from strikelake.sandbox.desk import Desk

    Happening = Callable[["Desk", int], None]

AUTOMATIC = Decimal("0.01")
"""In the money by this much, an option is exercised at its expiration."""


class Expiring(NamedTuple):
    """A position that expires: its contract, how many are held, and by how much it is in the money.

    `shares` come (positive) or go when it is exercised or assigned.
    """

    contract: OptionContract
    held: int
    intrinsic: Decimal
    shares: int

    @property
    def in_the_money(self) -> bool:
        """Whether it is exercised without being asked."""
        return self.intrinsic >= AUTOMATIC


def agenda(desk: Desk, after: int, until: int) -> list[tuple[int, Happening]]:
    """Return what happens by itself with `after < time <= until`, in order: splits, and sessions' ends."""
    found: list[tuple[int, Happening]] = [(one.effective_ns, split) for one in splits_of(desk.exchange)]
    for session in sessions(et_date(after), et_date(until)):
        found += [(session.close_ns - LAST_OPENING_NS, liquidate), (session.close_ns, close)]
    return sorted({pair for pair in found if after < pair[0] <= until}, key=lambda pair: pair[0])


def deliverable(desk: Desk, contract: OptionContract, held: int) -> int:
    """Return the shares that exercising what is held brings: a long call's come, a long put's go."""
    shares = int(held * desk.books.shares(contract.occ_symbol))
    return shares if contract.option_type == "C" else -shares


def cost(contract: OptionContract, held: int) -> Decimal:
    """Return the dollars that exercising what is held costs, negative where it brings them."""
    return contract.strike * held * MULTIPLIER * (1 if contract.option_type == "C" else -1)


def exercise(desk: Desk, symbol: str, now: int) -> None:
    """Exercise all of a long position that no order is closing.

    Raises
    ------
    RefusalError
        As Alpaca answers: nothing held, out of the money, market closed, cash or shares missing.
    """
    held = _long(desk, symbol)
    contract = OptionContract.parse(symbol)
    session = current_session(now)
    if not session.open_ns <= now < session.close_ns:
        raise forbidden("exercise requests are not accepted after market close until midnight")
    if symbol in desk.not_exercised:
        raise forbidden("cannot exercise position marked as do-not-exercise")
    wanted = min(desk.available(symbol), held)
    if wanted <= 0:
        raise forbidden("no qty available to exercise")
    if _intrinsic(desk, contract, now) <= 0:
        raise forbidden(
            "you are attempting to exercise an out of the money option contract, "
            "please contact support@alpaca.markets to complete this request"
        )
    shares = deliverable(desk, contract, wanted)
    due, free = cost(contract, wanted), desk.buying_power(now)
    if due > free:
        raise forbidden(f"insufficient cash available (required: {money(due)}, available: {money(free)})")
    there = _free_shares(desk, contract.underlying)
    if -shares > there:
        raise forbidden(
            f"insufficient underlying qty available for deliverable: {contract.underlying} "
            f"(requested: {-shares}, available: {there})"
        )
    _deliver(desk, contract, wanted, "OPEXC", now)


def do_not_exercise(desk: Desk, symbol: str, now: int) -> None:
    """Let a long position expire whatever it is worth.

    Raises
    ------
    RefusalError
        When nothing is held, or it is not the day of its expiration, or that is over.
    """
    _long(desk, symbol)
    end = expiry_ns(OptionContract.parse(symbol).expiration)
    if et_date(end) != et_date(now):
        raise forbidden("dne requests are only accepted on the expiration day of the option contract")
    if now >= end:
        raise forbidden("dne requests are not accepted after market close")
    desk.not_exercised.add(symbol)


def liquidate(desk: Desk, moment: int) -> None:
    """Sell what expires in the money and the account could not exercise, as Alpaca does before the close."""
    stocks = desk.exchange.stocks
    expiring = [o for o in _expiring(desk, moment) if o.in_the_money and o.contract.underlying in stocks]
    paid = sum((cost(option.contract, option.held) for option in expiring), Decimal(0))
    for option in expiring:
        underlying = option.contract.underlying
        shares = sum(o.shares for o in expiring if o.contract.underlying == underlying)
        unpaid = option.contract.option_type == "C" and paid > desk.books.cash
        missing = option.contract.option_type == "P" and desk.books.quantity(underlying) + shares < 0
        if option.held > 0 and (unpaid or missing):
            leg = DeskLeg(option.contract.occ_symbol, Side.SELL, Effect.CLOSE)
            try:
                desk.submit(Ticket("", (leg,), desk.available(leg.symbol)), moment)
            except RefusalError:
                # Another order is selling it, or it covers a short leg: then it goes to the close as it is.
                continue


def close(desk: Desk, moment: int) -> None:
    """End the session: day orders, expirations, and assignments before an ex-dividend date."""
    desk.expire_orders(moment)
    expiring = _expiring(desk, moment)
    # Assignments first: the shares that they take or bring are there when the long legs are exercised.
    for option in sorted(expiring, key=lambda o: o.held):
        _expire(desk, option, moment)
    for symbol in list(desk.books.positions):
        if is_option(symbol) and desk.books.quantity(symbol) < 0 and _called_away(desk, symbol, moment):
            _deliver(desk, OptionContract.parse(symbol), desk.books.quantity(symbol), "OPASN", moment)


def _expire(desk: Desk, option: Expiring, moment: int) -> None:
    contract, held = option.contract, option.held
    if contract.underlying not in desk.exchange.stocks:
        _settle_in_cash(desk, option, moment)
        return
    if option.in_the_money and held < 0:
        _deliver(desk, contract, held, "OPASN", moment)
        return
    # Without its shares a put is not exercised: Alpaca opens no short position that way.
    there = contract.option_type == "C" or -option.shares <= desk.books.quantity(contract.underlying)
    if option.in_the_money and contract.occ_symbol not in desk.not_exercised and there:
        _deliver(desk, contract, held, "OPEXC", moment)
        return
    _remove(desk, contract, held, "OPEXP", Decimal(0), moment)
    desk.books.record(moment)


def _settle_in_cash(desk: Desk, option: Expiring, moment: int) -> None:
    amount = max(option.intrinsic, Decimal(0)) * option.held * MULTIPLIER
    desk.books.cash += amount
    kind = "OPCSH" if option.in_the_money else "OPEXP"
    _remove(desk, option.contract, option.held, kind, amount, moment)
    desk.books.record(moment)


def _deliver(desk: Desk, contract: OptionContract, held: int, kind: str, moment: int) -> None:
    """Turn contracts into a trade of their shares, for a hundred times the strike."""
    shares, amount = deliverable(desk, contract, held), -cost(contract, held)
    group = _remove(desk, contract, held, kind, Decimal(0), moment)
    desk.books.cash += amount
    price = -amount / shares
    desk.books.move(contract.underlying, shares, price)
    desk.books.note("OPTRD", contract.underlying, shares, amount, moment, price=price, group=group)
    desk.books.record(moment)


def _remove(desk: Desk, contract: OptionContract, held: int, kind: str, amount: Decimal, moment: int) -> int:
    desk.books.move(contract.occ_symbol, -held, Decimal(0))
    return desk.books.note(kind, contract.occ_symbol, -held, amount, moment)


def _long(desk: Desk, symbol: str) -> int:
    held = desk.books.quantity(symbol)
    if held <= 0 or not is_option(symbol):
        raise RefusalError(404, 40410000, f"long position not found: {symbol}")
    return held


def _free_shares(desk: Desk, ticker: str) -> int:
    books = desk.books
    return books.quantity(ticker) - covering_shares(books.quantities(), ticker, books.shares)


def _expiring(desk: Desk, moment: int) -> list[Expiring]:
    day = et_date(moment)
    found = []
    for symbol, held in desk.books.positions.items():
        if is_option(symbol):
            contract = OptionContract.parse(symbol)
            if et_date(expiry_ns(contract.expiration)) <= day:
                shares = deliverable(desk, contract, held.quantity)
                found.append(Expiring(contract, held.quantity, _intrinsic(desk, contract, moment), shares))
    return found


def _intrinsic(desk: Desk, contract: OptionContract, moment: int) -> Decimal:
    """Return how far a contract is in the money, dollars per share; negative when it is out of it."""
    price = desk.board.last_price(contract.underlying, moment)
    if price is None:
        # An index has no shares; what its options were quoted around is as good as its print.
        tape = desk.board.tape(contract.occ_symbol)
        row = tape.last(moment)
        price = Decimal(str(round(float(tape.spot[row]), 2))) if row is not None else contract.strike
    worth = price * desk.books.shares(contract.occ_symbol) / MULTIPLIER
    return worth - contract.strike if contract.option_type == "C" else contract.strike - worth


def _called_away(desk: Desk, symbol: str, moment: int) -> bool:
    """Whether a holder would take the next session's dividend: it exceeds the time value of the call."""
    contract = OptionContract.parse(symbol)
    ex_date = next_session(et_date(moment)).date
    paid = [
        Decimal(line["cash_amount"] or "0")
        for line in desk.exchange.reference.get("dividends", [])
        if line.get("ticker") == contract.underlying
        and date.fromisoformat(line["ex_dividend_date"] or "0001-01-01") == ex_date
    ]
    intrinsic = _intrinsic(desk, contract, moment)
    if contract.option_type != "C" or not paid or intrinsic < AUTOMATIC:
        return False
    return sum(paid, Decimal(0)) > desk.board.mark(symbol, moment, long=False) - intrinsic
