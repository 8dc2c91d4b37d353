"""Laps of a decision, and the collector that waits."""

import gc

import pytest

from pipelines import latency
from pipelines.latency import Stopwatch, undisturbed


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    moments = iter([10.0, 10.5, 10.75, 11.75, 12.0])
    monkeypatch.setattr(latency, "perf_counter", lambda: next(moments))
    return Stopwatch()


def test_laps_add_up_by_part_and_the_vendors_are_not_ours(watch: Stopwatch) -> None:
    for part in ("bars", "features", "quotes", "features"):
        watch.lap(part)

    assert watch.parts == {"bars": 500.0, "features": 500.0, "quotes": 1000.0}
    assert watch.own_ms == 500.0


def test_the_collector_is_back_after_a_decision_that_fails() -> None:
    def decide() -> None:
        with undisturbed():
            assert not gc.isenabled()
            raise ValueError("no decision")

    with pytest.raises(ValueError, match="no decision"):
        decide()

    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with undisturbed():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
