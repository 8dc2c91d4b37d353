from datetime import date
from itertools import permutations

import pytest

from strikelake.calendar import et_ns, session
from strikelake.errors import ConfigError
from strikelake.strategy.signals import Signal, actionable, decision_times, exit_time

DAY = date(2025, 1, 8)  # the 9th is no session


def signal(name, probability):
    return Signal(0, name, 1, probability)


def test_edge_and_direction_mirror_around_a_half():
    assert (pytest.approx(0.1), 1) == (signal("A", 0.6).edge, signal("A", 0.6).direction)
    assert (pytest.approx(0.1), -1) == (signal("A", 0.4).edge, signal("A", 0.4).direction)


def test_the_strongest_come_first_whatever_the_order():
    signals = [signal("B", 0.6), signal("A", 0.4), signal("C", 0.9), signal("D", 0.5)]
    for order in permutations(signals):
        assert [s.underlying for s in actionable(order, 0.02)] == ["C", "A", "B"]


@pytest.mark.parametrize("probability", [0.5, 0.52, 0.48, float("nan"), float("inf")])
def test_a_weak_or_missing_probability_is_not_actionable(probability):
    assert actionable([signal("A", probability)], 0.02 + 1e-12) == ()


def test_half_days_decide_until_half_past_twelve():
    times = decision_times(session(date(2025, 7, 3)))
    assert (et_ns(date(2025, 7, 3), "10:00"), et_ns(date(2025, 7, 3), "12:30")) == (times[0], times[-1])


@pytest.mark.parametrize(
    ("at", "bar", "horizon", "day", "expected"),
    [
        ("10:00", "30m", 1, DAY, "10:30"),
        ("10:00", "30m", 4, DAY, "12:00"),
        ("15:30", "30m", 1, DAY, "16:00"),
        ("15:30", "30m", 2, date(2025, 1, 10), "10:00"),
        ("16:00", "30m", 13, date(2025, 1, 10), "16:00"),
        ("10:00", "60m", 1, DAY, "10:30"),
        ("15:30", "60m", 1, DAY, "16:00"),
        ("16:00", "1d", 1, date(2025, 1, 10), "16:00"),
        ("10:00", "1d", 1, DAY, "16:00"),
        ("16:00", "1d", 3, date(2025, 1, 14), "16:00"),
    ],
)
def test_the_horizon_counts_bars_over_the_calendar(at, bar, horizon, day, expected):
    assert et_ns(day, expected) == exit_time(et_ns(DAY, at), bar, horizon)


@pytest.mark.parametrize("bar", ["1h", "0m", "m", "30", ""])
def test_an_unknown_bar_is_refused(bar):
    with pytest.raises(ConfigError, match="use 1d or minutes such as 30m"):
        exit_time(et_ns(DAY, "10:00"), bar, 1)


def test_a_horizon_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="a horizon of 0 bars"):
        exit_time(et_ns(DAY, "10:00"), "30m", 0)
