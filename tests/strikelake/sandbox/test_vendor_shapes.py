"""The sandbox's answers against the vendors' published ones: the same fields of the same kinds."""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from strikelake.calendar import et_ns
from strikelake.sandbox.clock import SandboxClock

pytestmark = pytest.mark.real

# Only business plans and traded contracts have these.
EXTRAS = {"fmv", "last_trade"}


@pytest.fixture
def ask(sandbox):
    """Send a request as the vendors' clients do and return its body."""
    parts = urlsplit(sandbox.broker_url)
    headers = {
        "APCA-API-KEY-ID": sandbox.broker_key,
        "APCA-API-SECRET-KEY": sandbox.broker_secret,
        "Authorization": f"Bearer {sandbox.api_key}",
    }

    def send(method, path, body=None):
        connection = HTTPConnection(parts.hostname, parts.port, timeout=120)
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    SandboxClock(sandbox.clock_url).sleep_until(et_ns(sandbox.live_session, "10:00"))
    return send


def published(real_data, name):
    body = json.loads((real_data / "fixtures" / name).read_text())
    return body.get("response", body) if isinstance(body, dict) else body


def missing(theirs, ours, allowed=frozenset()):
    """Fields they have and we lack, and fields that are text in one and not in the other."""
    absent = {name for name in theirs if name not in ours} - allowed
    kinds = {
        name
        for name, value in theirs.items()
        if value is not None and ours.get(name) is not None and name not in absent
        if isinstance(value, str) != isinstance(ours[name], str)
    }
    return absent, kinds


def test_bars(real_data, ask):
    theirs = published(real_data, "massive_rest/v2/aggs/ticker/AAPL/range/1/day/2005-04-01/2005-04-04.json")
    ours = ask("GET", "/v2/aggs/ticker/SPY/range/1/minute/2025-01-07/2025-01-07")
    assert missing(theirs, ours) == (set(), set())
    assert missing(theirs["results"][0], ours["results"][0]) == (set(), set())


def test_the_chain(real_data, ask):
    theirs = published(real_data, "massive_rest/v3/snapshot/options/AAPL.json")
    ours = ask("GET", "/v3/snapshot/options/AAPL?limit=250")
    assert missing(theirs, ours) == (set(), set())
    near = min(
        ours["results"], key=lambda r: abs(r["details"]["strike_price"] - r["underlying_asset"]["price"])
    )
    [theirs] = theirs["results"]
    assert missing(theirs, near, EXTRAS) == (set(), set())
    for part in ("details", "greeks", "last_quote", "underlying_asset"):
        assert missing(theirs[part], near[part]) == (set(), set())
