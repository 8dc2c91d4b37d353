from strikelake.calendar import NS_PER_SECOND
from strikelake.sandbox.plans import BASIC, BUSINESS, Meter


def test_a_request_is_let_through_when_the_oldest_of_the_last_minute_has_passed():
    meter, second = Meter(), NS_PER_SECOND
    assert [meter.wait("a", BASIC, n * second) for n in range(6)] == [0, 0, 0, 0, 0, 55]
    assert meter.wait("a", BASIC, 59 * second) == 1
    assert meter.wait("b", BASIC, 59 * second) == 0
    assert [meter.wait("a", BASIC, 60 * second) for _ in range(2)] == [0, 1]
    meter.clear()
    assert meter.wait("a", BASIC, 60 * second) == 0


def test_the_large_plan_has_no_limit():
    meter = Meter()
    assert {meter.wait("a", BUSINESS, 0) for _ in range(1000)} == {0}
