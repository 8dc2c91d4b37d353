"""The sandbox's REST against the vendor's OpenAPI document: no field of another kind, none that it lacks."""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import jsonschema
import pytest

from strikelake.calendar import et_ns

pytestmark = pytest.mark.real

STOCKS = "/v2/snapshot/locale/us/markets/stocks/tickers"
BARS = "/range/{multiplier}/{timespan}/{from}/{to}"
DAYS = "/range/1/day/2025-01-02/2025-01-07"
GROUPED = "/v2/aggs/grouped/locale/us/market/stocks"
CALLS = [
    (f"/v2/aggs/ticker/{{stocksTicker}}{BARS}", f"/v2/aggs/ticker/SPY{DAYS}"),
    (
        f"/v2/aggs/ticker/{{optionsTicker}}{BARS}",
        f"/v2/aggs/ticker/{{option}}{DAYS}",
    ),
    (
        "/v2/aggs/grouped/locale/us/market/stocks/{date}",
        "/v2/aggs/grouped/locale/us/market/stocks/2025-01-06",
    ),
    ("/v1/indicators/sma/{stockTicker}", "/v1/indicators/sma/SPY?window=2&expand_underlying=true"),
    ("/v1/indicators/ema/{stockTicker}", "/v1/indicators/ema/SPY?window=20&timespan=minute"),
    ("/v1/indicators/rsi/{stockTicker}", "/v1/indicators/rsi/SPY?timespan=minute"),
    ("/v1/indicators/macd/{stockTicker}", "/v1/indicators/macd/SPY?timespan=minute"),
    ("/v3/snapshot/options/{underlyingAsset}", "/v3/snapshot/options/SPY?limit=50"),
    ("/v3/snapshot/options/{underlyingAsset}/{optionContract}", "/v3/snapshot/options/SPY/{option}"),
    (STOCKS, STOCKS),
    (f"{STOCKS}/{{stocksTicker}}", f"{STOCKS}/SPY"),
    ("/v3/reference/options/contracts", "/v3/reference/options/contracts?underlying_ticker=SPY"),
    ("/v3/reference/options/contracts/{options_ticker}", "/v3/reference/options/contracts/{option}"),
    ("/v3/reference/exchanges", "/v3/reference/exchanges?asset_class=options"),
    ("/v3/reference/splits", "/v3/reference/splits"),
    ("/v3/reference/dividends", "/v3/reference/dividends"),
    ("/v3/reference/tickers", "/v3/reference/tickers"),
    ("/v3/reference/tickers/{ticker}", "/v3/reference/tickers/AAPL?date=2024-10-01"),
    ("/v2/reference/news", "/v2/reference/news?ticker=SPY"),
    ("/v1/marketstatus/now", "/v1/marketstatus/now"),
    ("/v1/marketstatus/upcoming", "/v1/marketstatus/upcoming"),
]
# The recorded answers have them, the document forgot them.
FORGOTTEN = {"count", "request_id"}


@pytest.fixture(scope="module")
def document(real_data):
    return json.loads((real_data / "fixtures" / "massive_spec" / "rest.json").read_text())


@pytest.fixture
def ask(sandbox, clock):
    parts = urlsplit(sandbox.rest_url)
    clock.sleep_until(et_ns(sandbox.live_session, "15:00"))

    def send(path):
        connection = HTTPConnection(parts.hostname, parts.port, timeout=120)
        connection.request("GET", path, headers={"Authorization": f"Bearer {sandbox.business_key}"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        assert answer.status == 200, found
        return found

    return send


@pytest.fixture
def option(ask):
    """A contract that has traded today, where the market has option prints."""
    found = ask("/v3/snapshot/options/SPY?limit=250")["results"]
    traded = [snapshot["details"]["ticker"] for snapshot in found if snapshot["day"]]
    return (traded or [found[0]["details"]["ticker"]])[0]


def schema_of(document, path):
    content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    return content["schema"] | {"components": document["components"]}


def strict(schema, document):
    """The schema with references resolved, where an object may have no field that it does not name."""
    if "$ref" in schema:
        target = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return strict(target, document)
    found = {name: value for name, value in schema.items() if name not in {"example", "format", "components"}}
    if "allOf" in schema:
        merged = {"type": "object", "properties": {}}
        for part in schema["allOf"]:
            merged["properties"] |= strict(part, document).get("properties", {})
        return merged | {"additionalProperties": False}
    if "properties" in schema:
        found["properties"] = {name: strict(value, document) for name, value in schema["properties"].items()}
        found["additionalProperties"] = False
    if "required" in schema:
        found["required"] = sorted(set(schema["required"]) - FORGOTTEN - {"day"})
    if "items" in schema:
        found["items"] = strict(schema["items"], document)
    return found


def known(answer):
    """The answer without what the document does not describe: forgotten fields, days without a trade."""
    if isinstance(answer, list):
        return [known(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: known(value)
        for name, value in answer.items()
        if name not in FORGOTTEN and not (name == "day" and value == {})
    }


@pytest.mark.parametrize(("path", "asked"), CALLS)
def test_an_answer_is_what_the_document_describes(document, ask, option, path, asked):
    schema = strict(schema_of(document, path), document)
    answer = known(ask(asked.replace("{option}", option)))
    found = jsonschema.Draft202012Validator(schema).iter_errors(answer)
    assert [f"{error.json_path}: {error.message}" for error in found] == []
