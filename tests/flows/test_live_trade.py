"""A session whose broker or vendor cannot be reached is not begun, and says what to do."""

from datetime import date
from decimal import Decimal

import pytest

from flows import live_trade, wiring
from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.brokers.memory import MemoryBroker
from strikelake.calendar import SystemClock
from strikelake.errors import BrokerUnavailableError, NotEntitledError, VendorUnavailableError
from strikelake.portfolio import Account
from strikelake.vendors.live import LiveMarketData
from strikelake.vendors.rest import RestMarketData

DAY = date(2025, 4, 1)
NOBODY = "http://127.0.0.1:9"
ACCOUNT = Account("A1", Decimal(10**6), Decimal(10**6), Decimal(10**6), 3)


class Refusing:
    """A vendor that knows no key."""

    def check(self):
        raise NotEntitledError("401; check the API key and its plan")


@pytest.fixture
def begin(monkeypatch):
    """Begin a session with a broker and a vendor; what comes after asking them fails the test."""

    def too_far(*_):
        pytest.fail("the session went on without its broker or vendor")

    def run(broker, vendor):
        monkeypatch.setattr(wiring, "clock", lambda _: SystemClock())
        monkeypatch.setattr(wiring, "broker", lambda _: broker)
        monkeypatch.setattr(wiring, "live_market_data", lambda _: vendor)
        for later in ("registry", "lake", "journal"):
            monkeypatch.setattr(wiring, later, too_far)
        live_trade._trade.fn(None, DAY)

    return run


def test_without_a_broker_no_session_is_begun(begin):
    broker = AlpacaBroker("key", "secret", url=NOBODY, timeout=1.0)
    with pytest.raises(BrokerUnavailableError) as told:
        begin(broker, Refusing())
    expected = (
        "no session was begun and nothing was sent: no usable answer from http://127.0.0.1:9 about the "
        "account (ConnectionError): check the network and ALPACA_ENDPOINT. `strikelake doctor` says which "
        "endpoints answer; started again it joins at the next decision"
    )
    assert expected == str(told.value)


def test_without_a_vendor_no_session_is_begun(begin):
    vendor = LiveMarketData(RestMarketData("key", NOBODY, 1.0), SystemClock())
    with pytest.raises(VendorUnavailableError, match=r"^no session was begun .* does not answer"):
        begin(MemoryBroker(ACCOUNT, SystemClock()), vendor)


def test_a_key_that_is_refused_is_told_as_it_is(begin):
    with pytest.raises(NotEntitledError, match="check the API key"):
        begin(MemoryBroker(ACCOUNT, SystemClock()), Refusing())
