"""Faults of the stream: what Massive's client makes of each."""

import json

import pytest
from websockets.exceptions import ConnectionClosedError

from strikelake.calendar import NS_PER_MINUTE, et_ns


@pytest.fixture
def opened(sandbox):
    """The live session's open, ns UTC."""
    return et_ns(sandbox.live_session, "09:30")


def minutes(heard, opened):
    """The minutes of the bars that were heard."""
    return [(event.end_timestamp * 10**6 - opened) // NS_PER_MINUTE for event in heard.events]


@pytest.mark.fault("stream.mute")
def test_a_mute_stream(stream, fault, opened):
    fault("stream.mute", times=3)
    with stream("stocks", "AM.SPY") as heard:
        heard.advance(opened + 4 * NS_PER_MINUTE)
        heard.wait(1)
        # Three minutes are missing, and nothing says so.
        assert (minutes(heard, opened), heard.ended) == ([4], False)


@pytest.mark.fault("stream.mute_auth")
def test_silence_after_the_key(stream, fault, pending):
    fault("stream.mute_auth")
    with stream("stocks", "AM.SPY", wait=False) as heard:
        heard.until(lambda: not pending())
        # It waits for an answer for ever: no timeout, no error.
        assert heard.silence() == ([], False)
        assert heard.state() == []


@pytest.mark.fault("stream.close")
def test_a_clean_close(stream, fault, opened):
    fault("stream.close", after=1)
    with stream("stocks", "AM.SPY", max_reconnects=5) as heard:
        heard.advance(opened + 3 * NS_PER_MINUTE)
        heard.until(lambda: heard.ended)
        # connect() returns as if all were well; no reconnect, no error.
        assert (heard.error, len(heard.events)) == (None, 1)


@pytest.mark.fault("stream.abort")
def test_a_connection_that_breaks(stream, fault, opened):
    fault("stream.abort", after=1)
    with stream("stocks", "AM.SPY", max_reconnects=5) as heard:
        with heard.reconnecting():
            heard.advance(opened + 3 * NS_PER_MINUTE)
        heard.subscribed(["AM.SPY"])
        heard.advance(opened + 4 * NS_PER_MINUTE)
        heard.wait(2)
        # It is back at once, and what was sent meanwhile is lost without a word.
        assert minutes(heard, opened) == [1, 4]


@pytest.mark.fault("stream.drop")
def test_a_drop_before_the_subscriptions(stream, fault, sandbox, opened):
    fault("stream.drop")
    with stream("stocks", "AM.SPY", wait=False, max_reconnects=5) as heard:
        heard.until(lambda: heard.state() == [[]])
        heard.advance(opened + 3 * NS_PER_MINUTE)
        # It reconnected and forgot what it was asked to subscribe to: silent for ever.
        assert heard.silence() == ([], False)
        assert heard.state() == [[]]


@pytest.mark.fault("stream.slow_consumer")
def test_a_client_that_is_sent_away(stream, fault, opened):
    fault("stream.slow_consumer")
    with stream("stocks", "AM.SPY") as heard:
        heard.advance(opened + NS_PER_MINUTE)
        heard.until(lambda: heard.ended)
    assert isinstance(heard.error, ConnectionClosedError)
    assert heard.error.rcvd.code == 1008


@pytest.mark.fault("stream.broken_json")
def test_a_broken_frame(stream, fault, opened):
    fault("stream.broken_json")
    with stream("stocks", "AM.SPY", max_reconnects=5) as heard:
        heard.advance(opened + 2 * NS_PER_MINUTE)
        heard.until(lambda: heard.ended)
    # The reconnects that were asked for do not happen: connect() is dead.
    assert isinstance(heard.error, json.JSONDecodeError)


@pytest.mark.fault("stream.duplicate")
def test_an_event_that_comes_twice(stream, fault, opened):
    fault("stream.duplicate")
    with stream("stocks", "AM.SPY") as heard:
        heard.advance(opened + 2 * NS_PER_MINUTE)
        heard.wait(3)
        assert minutes(heard, opened) == [1, 1, 2]


@pytest.mark.fault("stream.out_of_order")
def test_events_that_change_places(stream, fault, opened):
    fault("stream.out_of_order")
    with stream("stocks", "AM.SPY") as heard:
        heard.advance(opened + 3 * NS_PER_MINUTE)
        heard.wait(3)
        assert minutes(heard, opened) == [2, 1, 3]
