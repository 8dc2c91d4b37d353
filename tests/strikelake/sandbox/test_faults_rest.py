"""Faults of Massive's REST: what the vendor's client makes of each, and what our adapter does."""

from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest
from urllib3.exceptions import MaxRetryError

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns
from strikelake.errors import VendorUnavailableError
from strikelake.risk.limits import DenialCode, check_quote
from strikelake.vendors.rest import RestMarketData

PAGE = 50
EXPIRATIONS = {"expiration_from": date(2025, 1, 7), "expiration_to": date(2025, 3, 1)}


class NoTime:
    """A clock that waits for nothing, for our own pauses."""

    def now(self):
        return 0

    def sleep_until(self, moment):
        pass


@pytest.fixture
def massive(sandbox, clock):
    """Massive's client; it tries again once instead of three times."""
    from massive import RESTClient

    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    return RESTClient(api_key=sandbox.api_key, base=sandbox.rest_url, retries=1, read_timeout=120)


@pytest.fixture
def ours(sandbox, massive, patience):
    source = RestMarketData(sandbox.api_key, sandbox.rest_url, clock=NoTime())
    pool = source.connection.client.client._pool
    send = pool.request
    pool.request = lambda *args, **options: send(*args, **options, timeout=patience())
    yield source
    source.close()


def chain(massive):
    return list(massive.list_snapshot_options_chain("AAPL", params={"limit": PAGE}))


def bars(massive):
    return massive.get_aggs("AAPL", 1, "minute", "2025-01-07", "2025-01-07")


@pytest.mark.fault("rest.http_429")
@pytest.mark.fault("rest.http_500")
@pytest.mark.fault("rest.http_503")
@pytest.mark.fault("rest.http_504")
@pytest.mark.fault("rest.html")
@pytest.mark.fault("rest.hang")
@pytest.mark.fault("rest.reset")
@pytest.mark.parametrize("kind", ["http_429", "http_500", "http_503", "http_504", "html", "hang", "reset"])
def test_massive_raises_what_is_not_its_own(massive, fault, kind):
    massive.client.connection_pool_kw["timeout"] = 0.5
    fault(f"rest.{kind}", times=None)
    with pytest.raises(MaxRetryError, match="Max retries exceeded with url"):
        bars(massive)


@pytest.mark.parametrize("kind", ["http_429", "http_500", "http_503", "http_504", "html", "hang", "reset"])
def test_ours_tries_again_and_then_says_what_it_was(ours, fault, kind):
    fault(f"rest.{kind}")
    assert ours.chain("AAPL", **EXPIRATIONS).height > PAGE
    fault(f"rest.{kind}", times=None)
    with pytest.raises(VendorUnavailableError, match="does not answer"):
        ours.chain("AAPL", **EXPIRATIONS)


@pytest.mark.fault("rest.broken_json")
def test_massive_makes_an_empty_market_of_half_an_answer(massive, fault):
    assert len(bars(massive)) > 0
    fault("rest.broken_json")
    assert bars(massive) == []


@pytest.mark.fault("rest.bad_page")
@pytest.mark.fault("rest.empty_page")
@pytest.mark.parametrize("kind", ["bad_page", "empty_page"])
def test_massive_cuts_a_chain_short_in_silence(massive, fault, kind):
    whole = len(chain(massive))
    assert whole > PAGE
    fault(f"rest.{kind}")
    assert len(chain(massive)) == PAGE


@pytest.mark.parametrize(
    ("kind", "said"),
    [("broken_json", "damaged page"), ("bad_page", "damaged page"), ("empty_page", "without results")],
)
def test_ours_takes_a_whole_chain_or_none(ours, fault, kind, said, monkeypatch):
    # Our own pages are as long as the vendor allows; the small market fits one.
    monkeypatch.setattr("strikelake.vendors.rest._CONTRACTS_PER_PAGE", PAGE)
    fault(f"rest.{kind}")
    with pytest.raises(VendorUnavailableError, match=said):
        ours.chain("AAPL", **EXPIRATIONS)
    assert ours.chain("AAPL", **EXPIRATIONS).height > PAGE


@pytest.mark.fault("rest.stale_quotes")
def test_massive_hands_old_quotes_on(massive, ours, clock, sandbox, fault):
    clock.sleep_until(et_ns(sandbox.live_session, "11:00"))
    stale_ns = 25 * NS_PER_MINUTE
    assert max(quote.last_quote.last_updated for quote in chain(massive)) > clock.now() - stale_ns
    fault("rest.stale_quotes", times=None)
    old = [quote.last_quote for quote in chain(massive)]
    assert max(quote.last_updated for quote in old) < clock.now() - stale_ns
    assert max(quote.bid for quote in old) > 0
    limits = SimpleNamespace(max_quote_age_ns=900 * NS_PER_SECOND, max_spread=Decimal(9))
    row = ours.chain("AAPL", **EXPIRATIONS).drop_nulls().row(0, named=True)
    age = clock.now() - row["quote_ts_ns"]
    denial = check_quote("AAPL", row["occ_symbol"], Decimal(1), Decimal("1.01"), age, limits)
    assert denial.code is DenialCode.STALE_QUOTE
