"""No list is ever cut short in silence: every endpoint against every way to fail."""

from datetime import date

import pytest

from strikelake.errors import NotEntitledError, NotPublishedError, VendorError, VendorUnavailableError
from strikelake.vendors import rest_indicators, rest_market, rest_reference
from strikelake.vendors.rest import RestMarketData

DAY = date(2025, 3, 3)
LISTS = {
    "contracts": lambda data: rest_reference.contracts(data.connection, "SPY"),
    "splits": lambda data: rest_reference.splits(data.connection, DAY),
    "dividends": lambda data: rest_reference.dividends(data.connection, DAY),
    "yields": lambda data: rest_reference.treasury_yields(data.connection, DAY),
    "exchanges": lambda data: rest_market.exchanges(data.connection, "options"),
    "news": lambda data: rest_market.news(data.connection, start=DAY),
    "chain": lambda data: data.chain("SPY", expiration_from=DAY, expiration_to=DAY),
    "day bars": lambda data: data.day_bars(["SPY"], DAY, DAY),
    "option bars": lambda data: data.option_bars(["SPY250321C00500000"], DAY, DAY, bar="minute"),
    "grouped bars": lambda data: data.grouped_day_bars(DAY),
    "indicator": lambda data: rest_indicators.indicator(data.connection, "rsi", "SPY", DAY, DAY),
}
SECOND_PAGES = {
    "damaged JSON": (b'{"status": "OK", "results": [', "damaged page"),
    "no results": ({"status": "OK"}, "without results"),
    "an error with 200": ({"status": "ERROR", "results": []}, "status 'ERROR'"),
}


@pytest.fixture
def data(vendor):
    source = RestMarketData("key", vendor.url, timeout=120)
    yield source
    source.close()


@pytest.fixture(params=LISTS)
def listed(request, data):
    return lambda: LISTS[request.param](data)


@pytest.fixture
def first(vendor, request):
    """A whole and empty first page that names a second one."""
    results = {"values": []} if "indicator" in request.node.callspec.id else []
    path = "/v2/aggs/ticker/SPY/range/1/day/1/2"
    return {"status": "OK", "results": results, "next_url": f"{vendor.url}{path}?cursor=abc"}


@pytest.mark.parametrize(("second", "message"), SECOND_PAGES.values(), ids=SECOND_PAGES)
def test_a_damaged_second_page_raises(vendor, listed, first, second, message):
    vendor.will_answer(first, second)
    with pytest.raises(VendorUnavailableError, match=message):
        listed()
    assert len(vendor.asked) == 2
    assert "cursor=abc" in vendor.asked[1]


def test_a_circle_of_pages_is_left(vendor, listed, first):
    vendor.will_answer(first)
    with pytest.raises(VendorUnavailableError, match="the same next page twice"):
        listed()
    assert len(vendor.asked) == 2


@pytest.mark.parametrize(
    ("status", "error", "requests"),
    [(403, NotEntitledError, 1), (404, NotPublishedError, 1), (500, VendorUnavailableError, 4)],
)
def test_a_failing_second_page_raises(vendor, listed, first, status, error, requests):
    vendor.will_answer(first)
    vendor.then_answer({"status": "ERROR"}, status=status)
    with pytest.raises(error):
        listed()
    assert len(vendor.asked) == 1 + requests


def test_a_busy_vendor_is_waited_for(vendor, listed, first):
    whole = {key: value for key, value in first.items() if key != "next_url"}
    vendor.will_answer({"status": "ERROR"}, status=429, headers={"Retry-After": "0"})
    vendor.then_answer(whole)
    assert listed().is_empty()


@pytest.mark.parametrize("answer", [b"[{]", {"message": "sorry"}])
def test_what_has_no_pages_is_checked_too(vendor, data, answer):
    vendor.will_answer(answer)
    for ask in (rest_market.holidays, rest_market.market_status):
        with pytest.raises(VendorError, match=r"damaged page|no list|no market status"):
            ask(data.connection)
    with pytest.raises(VendorError, match=r"damaged page|no events of META"):
        rest_reference.ticker_changes(data.connection, "META")
    with pytest.raises(VendorError, match=r"damaged page|no details of META on 2025-01-02"):
        rest_reference.ticker_details(data.connection, "META", date(2025, 1, 2))


def test_news_carries_the_rating_of_each_ticker(vendor, data):
    article = {
        "id": "8ec6", "title": "Cuts", "published_utc": "2024-06-24T18:33:53Z", "tickers": ["UBS", "CS"],
        "keywords": ["rates"], "publisher": {"name": "Investing.com"},
        "insights": [{"ticker": "UBS", "sentiment": "positive", "sentiment_reasoning": "bullish"}],
    }  # fmt: skip
    vendor.will_answer({"status": "OK", "results": [article]})
    found = rest_market.news(data.connection, ticker="UBS", start=date(2024, 6, 24), end=date(2024, 6, 24))
    assert found.select("ticker", "sentiment", "sentiment_reasoning").rows() == [
        ("CS", None, None),
        ("UBS", "positive", "bullish"),
    ]
    assert "published_utc.gte=2024-06-24&published_utc.lte=2024-06-24T23%3A59%3A59Z" in vendor.asked[0]
