import pytest

from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.errors import SandboxError
from strikelake.sandbox.clock import SandboxClock


def test_the_clock_starts_a_minute_before_the_open(sandbox):
    opened = et_ns(sandbox.live_session, "09:30")
    assert SandboxClock(sandbox.clock_url).now() == opened - NS_PER_MINUTE


def test_the_clock_moves_only_when_told_and_never_back(sandbox):
    clock = SandboxClock(sandbox.clock_url)
    start = clock.now()
    clock.sleep_until(start + NS_PER_MINUTE)
    clock.sleep_until(start)
    assert clock.now() == start + NS_PER_MINUTE


def test_a_missing_sandbox_is_named_with_its_remedy():
    with pytest.raises(
        SandboxError, match=r"127.0.0.1:9/clock does not answer.*start it with `strikelake sandbox up`"
    ):
        SandboxClock("http://127.0.0.1:9/clock").now()


def test_a_refusal_is_passed_on(sandbox):
    with pytest.raises(SandboxError, match=r"refused: .*to_ns"):
        SandboxClock(sandbox.clock_url)._ask("POST", "/advance", {"to": 1})
