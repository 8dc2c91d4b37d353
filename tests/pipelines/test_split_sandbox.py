"""A contract bought on Friday and held over Monday's split: the local broker's books and the journal's."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from pipelines.place import OrderDesk, place
from pipelines.reconcile import Differences, reconcile
from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.calendar import et_ns, session
from strikelake.journal.intents import IntentJournal
from strikelake.orders import Effect, Leg, OrderIntent, Side, client_order_id
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.launch import RunningSandbox, start
from strikelake.splits import Split, adjust_contract
from strikelake.vendors.rest import RestMarketData

FRIDAY, MONDAY = session(date(2025, 2, 21)), session(date(2025, 2, 24))
SPLIT = Split("META", MONDAY.date, Fraction(2))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    config = SimulatorConfig(symbols=("META",), sessions=2, start=date(2025, 2, 19))
    with start(config, tmp_path / "sandbox") as running:
        assert running.live_session == FRIDAY.date
        yield running


def bought(sandbox: RunningSandbox, desk: OrderDesk, account_id: str) -> OrderIntent:
    """Buy two of the cheapest contracts that somebody bids a dollar for."""
    rest = RestMarketData(sandbox.api_key, sandbox.rest_url)
    chain = rest.chain("META", expiration_from=date(2025, 3, 7), expiration_to=date(2025, 3, 7))
    rest.close()
    cheapest = chain.filter(pl.col("bid_price") > 1.0).sort("ask_price").row(0, named=True)
    legs = (Leg(cheapest["occ_symbol"], Side.BUY, Effect.OPEN),)
    asof = desk.clock.now()
    intent = OrderIntent(
        asof=asof,
        underlying="META",
        strategy="long_put",
        legs=legs,
        quantity=2,
        limit_price=Decimal(str(round(cheapest["ask_price"] + 1, 1))),
        reason="entry",
        max_loss=Decimal(500),
        client_order_id=client_order_id(account_id, "long_put", asof, legs),
        exit_at=MONDAY.close_ns,
        direction=-1,
    )
    place(intent, account_id, desk)
    return intent


def test_a_split_leaves_books_that_agree(sandbox: RunningSandbox, tmp_path: Path) -> None:
    clock = SandboxClock(sandbox.clock_url)
    broker = AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url)
    account_id = broker.account().account_id
    clock.sleep_until(et_ns(FRIDAY.date, "10:00"))
    with IntentJournal(tmp_path / "j.db") as journal:
        desk = OrderDesk(broker, journal, clock)
        intent = bought(sandbox, desk, account_id)
        clock.sleep_until(FRIDAY.close_ns)
        assert reconcile(account_id, desk, [SPLIT]) == Differences()
        before, (old,) = broker.account().equity, broker.positions()
        clock.sleep_until(MONDAY.open_ns)

        (new,) = broker.positions()
        unexplained = reconcile(account_id, desk)
        explained = reconcile(account_id, desk, [SPLIT])
        (holding,) = journal.trades(account_id).holdings

    after = adjust_contract(intent.legs[0].occ_symbol, SPLIT)
    assert (old.occ_symbol, old.quantity) == (intent.legs[0].occ_symbol, 2)
    assert (new.occ_symbol, new.quantity, new.average_price * 2) == (after.occ_symbol, 4, old.average_price)
    assert broker.account().equity == before
    assert {p.symbol for p in unexplained.positions} == {old.occ_symbol, new.occ_symbol}
    assert (explained.positions, len(explained.adjusted)) == ((), 1)
    assert (holding.legs[0].occ_symbol, holding.quantity) == (new.occ_symbol, new.quantity)
    assert holding.entry_price == new.average_price
