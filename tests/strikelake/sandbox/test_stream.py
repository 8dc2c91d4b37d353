"""The stream through Massive's own client."""

from itertools import pairwise

import massive
import pytest
from massive.exceptions import AuthError

from strikelake.calendar import NS_PER_MINUTE, et_ns


@pytest.fixture
def minute(sandbox):
    """A minute of the live session, ns UTC."""
    return lambda text: et_ns(sandbox.live_session, text)


@pytest.fixture
def contracts(sandbox):
    """Contracts near the money, as the stream names them."""
    rest = massive.RESTClient(api_key=sandbox.api_key, base=sandbox.rest_url)
    found = list(rest.list_snapshot_options_chain("SPY", params={"limit": 250}))
    near = sorted(found, key=lambda s: abs(s.details.strike_price - s.underlying_asset.price))
    return [snapshot.details.ticker for snapshot in near]


def test_minute_bars_come_when_their_minute_ends(stream, sandbox, minute):
    with stream("stocks", "AM.SPY") as heard:
        heard.advance(minute("09:33"))
        events = heard.wait(3)
    assert [(e.event_type, e.symbol) for e in events] == [("AM", "SPY")] * 3
    assert [e.end_timestamp * 10**6 for e in events] == [minute("09:31"), minute("09:32"), minute("09:33")]
    rest = massive.RESTClient(api_key=sandbox.api_key, base=sandbox.rest_url)
    day = sandbox.live_session
    bars = list(rest.list_aggs("SPY", 1, "minute", day, day, adjusted=False))
    assert [(e.open, e.high, e.low, e.close, e.volume, e.vwap) for e in events] == [
        (b.open, b.high, b.low, b.close, b.volume, b.vwap) for b in bars
    ]
    assert events[-1].accumulated_volume == pytest.approx(sum(b.volume for b in bars))


def test_wildcards_and_several_subscriptions(stream, minute):
    with stream("stocks", "AM.*") as heard:
        heard.advance(minute("09:32"))
        assert [e.symbol for e in heard.wait(4)] == ["AAPL", "SPY"] * 2
    with stream("stocks", "AM.SP*") as heard:
        heard.advance(minute("09:34"))
        assert [e.symbol for e in heard.wait(2)] == ["SPY"] * 2


def test_quotes_are_those_of_the_snapshot(stream, sandbox, minute, contracts):
    chosen = contracts[:3]
    with stream("options", *(f"Q.{ticker}" for ticker in chosen)) as heard:
        heard.advance(minute("09:40"))
        events = heard.wait(3)
    assert [e.timestamp for e in events] == sorted(e.timestamp for e in events)
    rest = massive.RESTClient(api_key=sandbox.api_key, base=sandbox.rest_url)
    for ticker in chosen:
        last = [e for e in events if e.symbol == ticker][-1]
        quote = rest.get_snapshot_option("SPY", ticker).last_quote
        assert (last.bid_price, last.bid_size, last.ask_price, last.ask_size) == (
            quote.bid, quote.bid_size, quote.ask, quote.ask_size,
        )  # fmt: skip
        assert last.timestamp == quote.last_updated // 10**6


def test_the_same_steps_give_the_same_events(stream, minute, contracts):
    runs = []
    for _ in range(2):
        with stream("options", f"Q.{contracts[0]}", f"Q.{contracts[1]}") as heard:
            heard.reset()
            for time in ("09:36", "09:41", "09:50"):
                heard.advance(minute(time))
            runs.append(heard.wait_for_quotes(after=minute("09:45") // 10**6, symbols=2))
    assert runs[0] == runs[1]


def test_an_unsubscribed_symbol_is_silent(stream, minute):
    with stream("stocks", "AM.SPY", "AM.AAPL") as heard:
        heard.advance(minute("09:31"))
        heard.wait(2)
        heard.unsubscribe("AM.SPY")
        heard.advance(minute("09:32"))
        assert [e.symbol for e in heard.wait(3)][2:] == ["AAPL"]


def test_time_that_runs_streams_by_itself(stream, sandbox, minute):
    with stream("stocks", "AM.SPY") as heard:
        heard.run(36_000)
        events = heard.wait(30)
        heard.run(0)
    gaps = {b.start_timestamp - a.start_timestamp for a, b in pairwise(events)}
    assert gaps == {NS_PER_MINUTE // 10**6}


def test_the_key_is_checked(stream):
    with pytest.raises(AuthError, match="authentication failed"), stream("stocks", "AM.*", key="wrong"):
        pass


def test_a_small_plan_has_no_stream(stream, sandbox):
    with (
        pytest.raises(AuthError, match="doesn't include websocket access"),
        stream("stocks", "AM.*", key=sandbox.basic_key),
    ):
        pass


def test_one_connection_a_cluster(stream, raw, sandbox):
    with stream("stocks", "AM.SPY"):
        second = raw("stocks", sandbox.api_key)
        assert second.statuses()[-1] == "max_connections"
        with pytest.raises(Exception, match="1008"):
            second.receive()
        assert raw("options", sandbox.api_key).statuses()[-1] == "auth_success"


def test_a_thousand_contracts_and_no_more(raw, sandbox):
    socket = raw("options", sandbox.api_key)
    names = [f"Q.O:SPY250117C{strike:08d}" for strike in range(1001)]
    socket.say("subscribe", ",".join(names))
    answers = [socket.receive()[0] for _ in names]
    assert {a["status"] for a in answers[:1000]} == {"success"}
    assert answers[0]["message"] == f"subscribed to: {names[0]}"
    assert answers[1000] == {
        "ev": "status", "status": "error", "message": f"more than 1000 contracts: {names[1000]}",
    }  # fmt: skip
    socket.say("unsubscribe", names[0])
    assert socket.receive()[0]["message"] == f"unsubscribed to: {names[0]}"
    socket.say("subscribe", names[1000])
    assert socket.receive()[0]["status"] == "success"


def test_fair_values_need_the_business_plan(raw, stream, sandbox, minute, contracts):
    name = f"FMV.{contracts[0]}"
    socket = raw("options", sandbox.api_key)
    socket.say("subscribe", name)
    assert socket.receive()[0]["message"] == f"not authorized: {name} needs the business plan"
    with stream("options", name, key=sandbox.business_key) as heard:
        heard.advance(minute("09:36"))
        event = heard.wait(1)[0]
    assert (event.event_type, event.ticker, event.fmv > 0) == ("FMV", contracts[0], True)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ('{"action": "subscribe", "params": "Q.*"}', "wildcards are not allowed: Q.*"),
        ('{"action": "subscribe", "params": "V.SPY"}', "invalid subscription: V.SPY"),
        ('{"action": "dance", "params": ""}', "unknown action: dance"),
        ("hello", "invalid message"),
    ],
)
def test_what_makes_no_sense_is_refused(raw, sandbox, sent, said):
    socket = raw("options", sandbox.api_key)
    socket.connection.send(sent)
    assert socket.receive() == [{"ev": "status", "status": "error", "message": said}]


def test_without_a_key_nothing_is_subscribed(raw):
    socket = raw("options", None)
    assert socket.statuses() == ["connected"]
    socket.say("subscribe", "T.*")
    assert socket.receive()[0]["message"] == "not authorized"


def test_the_sandbox_says_who_listens(stream, sandbox):
    from strikelake.sandbox.console import ask

    with stream("stocks", "AM.SPY"):
        state = ask(f"{sandbox.control_url}/sandbox")
    assert state["streams"] == [{"cluster": "stocks", "subscriptions": ["AM.SPY"]}]
