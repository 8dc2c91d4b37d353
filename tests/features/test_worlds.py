"""Worlds differ from the recorded one in nothing that was known."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.worlds import OtherTables, World, changeable

NOON = 1_000


@pytest.fixture
def rows():
    return pl.DataFrame(
        {
            "underlying": ["A", "B", "A", "B"],
            "available_at": [900, 1_000, 1_001, 1_100],
            "ts_ns": [1, 2, 3, 4],
            "open": [1.0, 2.0, 3.0, 4.0],
            "high": [1.5, 2.5, 3.5, 4.5],
            "low": [0.5, 1.5, 2.5, 3.5],
            "close": [1.1, 2.1, 3.1, 4.1],
            "count": [1, 2, 3, 4],
            "tone": ["good", "bad", "ugly", None],
        }
    )


def test_what_was_known_is_the_same_in_every_world(rows):
    for kind in ("recorded", "removed", "changed", "still"):
        there = World(NOON, kind).of("bars", rows)
        assert_frame_equal(there.filter(pl.col("available_at") <= NOON), rows[:2])
    assert_frame_equal(World(NOON).of("bars", rows), rows)
    assert World(NOON, "removed").of("bars", rows).height == 2


def test_every_later_fact_is_changed_and_no_key_or_time(rows):
    changed = World(NOON, "changed").of("bars", rows)
    facts = changeable(rows)
    assert facts == ["open", "high", "low", "close", "count", "tone"]
    assert_frame_equal(changed.drop(facts), rows.drop(facts))
    for name in facts[:-1]:
        assert (changed[name][2:] != rows[name][2:]).all()
    assert changed.select((pl.col("high") == pl.max_horizontal("open", "high", "low", "close")).all()).item()
    assert_frame_equal(World(NOON, "changed").of("bars", rows), changed)
    assert not World(NOON, "changed", seed=1).of("bars", rows).equals(changed)


def test_a_world_may_differ_in_one_place_only(rows):
    def left(**chosen):
        return World(NOON, "removed", **chosen).of("bars", rows)["available_at"].to_list()

    assert left(table="news") == [900, 1_000, 1_001, 1_100]
    assert left(symbol="B") == [900, 1_000, 1_001]
    assert left(until=1_001) == [900, 1_000, 1_100]
    assert left(since=1_001) == [900, 1_000, 1_001]
    only_close = World(NOON, "changed", column="close").of("bars", rows)
    assert_frame_equal(only_close.drop("close"), rows.drop("close"))
    whole = World(NOON, "changed").of("bars", rows)
    assert only_close["close"].to_list() == whole["close"].to_list()


def test_prices_stay_where_they_were(rows):
    still = World(NOON, "still").of("bars", rows)
    assert still["open"].to_list() == [1.0, 2.0, 1.1, 2.1]
    assert still["high"].to_list() == [1.5, 2.5, 1.1, 2.1]


def test_a_table_that_is_not_about_time_stays(rows):
    sectors = rows.select("underlying", "tone")
    assert World(NOON, "removed").of("sectors", sectors).equals(sectors)


def test_tables_of_another_world_are_made_when_they_are_looked_at(monkeypatch):
    made = []
    monkeypatch.setattr(World, "of", lambda _, name, rows: made.append(name) or rows.head(1))
    rows = pl.DataFrame({"asof": [1, 2]})
    other = OtherTables({"bars": rows, "news": rows, "earnings": rows}, World(1, "removed"))
    assert (len(other), list(other)) == (3, ["bars", "news", "earnings"])
    assert [other["news"].height for _ in range(3)] == [1, 1, 1]
    assert made == ["news"]
    assert {**other, "bars": rows}["earnings"].height == 1
    with pytest.raises(KeyError):
        other["nothing"]
