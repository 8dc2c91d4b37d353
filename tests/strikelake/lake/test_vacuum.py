"""What vacuum removes, and what it must not."""

import os
import time
from datetime import date, timedelta

import pytest

from strikelake.errors import LakeError
from strikelake.lake.months import months, write_copy
from strikelake.lake.vacuum import remove

MON, TUE = date(2025, 1, 6), date(2025, 1, 7)
TABLE = "stock_day_bars"
NOTHING = timedelta(0)


def later() -> int:
    """A time after everything that was written so far."""
    return time.time_ns() + 60 * 10**9


def close(lake, **kwargs) -> float:
    return lake.scan(TABLE, **kwargs).collect()["close"].sum()


def files(lake) -> int:
    return len(list((lake.root / TABLE).rglob("part-*")))


@pytest.fixture
def filled(lake, bars):
    """Versions 1 to 4 of Monday, and a Tuesday in the third."""
    for number in (1, 2, 3, 4):
        frames = {MON: bars(MON, SPY=float(number))}
        if number == 3:
            frames[TUE] = bars(TUE, SPY=10.0)
        lake.replace_many(TABLE, frames)
    return lake


def test_the_latest_version_is_never_removed(filled):
    found = remove(filled.table(TABLE), later(), NOTHING, frozenset(), delete=True)
    assert (found.kept, found.versions, found.files) == ((4,), (0, 1, 2, 3), 3)
    assert found.size > 0
    assert close(filled) == 14.0
    assert files(filled) == 2
    with pytest.raises(LakeError, match="version 2 of stock_day_bars was vacuumed: read one that was kept"):
        filled.scan(TABLE, as_of=2)


def test_without_delete_nothing_changes(filled):
    found = remove(filled.table(TABLE), later(), NOTHING, frozenset(), delete=False)
    assert (len(found.versions), found.files) == (4, 3)
    assert [close(filled, as_of=version) for version in (1, 2, 3)] == [1.0, 2.0, 13.0]


def test_protected_versions_stay_and_a_second_run_finds_nothing(filled):
    remove(filled.table(TABLE), later(), NOTHING, frozenset({2}), delete=True)
    assert close(filled, as_of=2) == 2.0
    again = remove(filled.table(TABLE), later(), NOTHING, frozenset({2}), delete=True)
    assert (again.kept, again.versions, again.files) == ((2, 4), (), 0)
    assert filled.replace(TABLE, TUE, filled.scan(TABLE, TUE, TUE).collect()) == 4


def test_versions_that_were_current_lately_stay(filled):
    moment = later()
    made = filled.table(TABLE).log().history()
    third = next(entry["timestamp"] for entry in made if entry["version"] == 3) * 1_000_000
    kept = remove(
        filled.table(TABLE),
        moment,
        timedelta(microseconds=(moment - third) // 1000),
        frozenset(),
        delete=False,
    )
    assert kept.kept == (3, 4)
    assert remove(filled.table(TABLE), moment, timedelta(days=1), frozenset(), delete=False).versions == ()


def test_what_killed_runs_left_behind_goes_once_it_is_old(filled):
    orphans = [
        filled.root / TABLE / f"date={MON}" / name for name in ("part-x.parquet", ".part-y.parquet.123")
    ]
    for orphan in orphans:
        orphan.write_bytes(b"PAR1")
    assert remove(filled.table(TABLE), later(), timedelta(days=1), frozenset(), delete=True).files == 0
    for orphan in orphans:
        os.utime(orphan, (1, 1))
    assert remove(filled.table(TABLE), later(), timedelta(days=1), frozenset(), delete=True).files == 2
    assert [orphan.exists() for orphan in orphans] == [False, False]


def test_copies_of_kept_versions_stay_and_others_go(filled, bars):
    table = filled.table(TABLE)
    old = months(table.files())[0]
    write_copy(table.place, table.spec, old)
    filled.replace(TABLE, MON, bars(MON, SPY=5.0))
    new = months(table.files())[0]
    write_copy(table.place, table.spec, new)
    remove(table, later(), NOTHING, frozenset({4}), delete=True)
    assert close(filled, as_of=4) == 14.0
    assert {file.path for file in table.place.files("_months")} == {old.copy, new.copy}
    remove(table, later(), NOTHING, frozenset(), delete=True)
    assert {file.path for file in table.place.files("_months")} == {new.copy}
    assert close(filled) == 15.0


def test_protected_versions_that_are_not_there_are_told(filled):
    found = remove(filled.table(TABLE), later(), NOTHING, frozenset({2, 9}), delete=True)
    assert (found.unknown, found.kept) == ((9,), (2, 4))
