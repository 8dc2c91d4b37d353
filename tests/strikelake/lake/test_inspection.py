"""What is said of a lake, and that damage is found."""

from datetime import date

import polars as pl
import pytest

from strikelake.calendar import session
from strikelake.errors import EmptyLakeError
from strikelake.lake.inspection import Fault, status, verify
from strikelake.lake.months import months, write_copy
from strikelake.lake.packing import file_name
from strikelake.lake.tables import Table
from strikelake.lake.versions import digest
from strikelake.schemas import table

THU, FRI, MON, TUE = date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 6), date(2025, 1, 7)
TABLE = "stock_day_bars"


@pytest.fixture
def filled(lake, bars):
    lake.replace_many(TABLE, {day: bars(day, SPY=1.0, QQQ=2.0) for day in (THU, MON, TUE)})
    return lake


def parquet(lake, day):
    return next((lake.root / TABLE / f"date={day}").glob("*.parquet"))


def faults(lake, *args):
    return [(fault.date, fault.found) for fault in verify(lake, TABLE, *args)]


def ingested(lake, day, rows):
    row = (TABLE, day, "key", "etag", 1, "committed", rows, 0, 1, "")
    frame = pl.DataFrame([row], schema=table("ingestions").columns, orient="row")
    lake.update("ingestions", lambda present: pl.concat([present, frame]))


def test_status_counts_and_names_missing_sessions(filled):
    found = status(filled, TABLE)
    assert (found.table, found.version, found.sessions, found.rows) == (TABLE, 1, 3, 6)
    assert (found.first, found.last, found.missing) == (THU, TUE, (FRI,))
    assert found.size == sum(parquet(filled, day).stat().st_size for day in (THU, MON, TUE))
    assert (found.copies, found.copies_size) == (0, 0)
    spec = filled.table(TABLE)
    write_copy(spec.place, spec.spec, months(spec.files())[0])
    assert status(filled, TABLE).copies == 1


def test_sessions_between_two_reports_are_not_missing(lake):
    for day in (THU, TUE):
        row = (day, "SPY", session(day).close_ns, None, None, session(day).open_ns)
        lake.replace("earnings", day, pl.DataFrame([row], schema=table("earnings").columns, orient="row"))
    assert (status(lake, "earnings").sessions, status(lake, "earnings").missing) == (2, ())


def test_status_of_emptied_and_absent_tables(lake, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    lake.replace(TABLE, MON, bars(MON))
    found = status(lake, TABLE)
    assert (found.sessions, found.first, found.rows, found.missing) == (0, None, 0, ())
    with pytest.raises(EmptyLakeError, match="has no table features"):
        status(lake, "features")


def test_a_sound_table_has_no_faults(filled):
    spec = filled.table(TABLE)
    write_copy(spec.place, spec.spec, months(spec.files())[0])
    ingested(filled, MON, 2)
    assert faults(filled) == []
    assert list(verify(filled, "ingestions")) == []


def test_a_flipped_bit_a_cut_and_a_lost_file_are_found(filled):
    whole = parquet(filled, THU).read_bytes()
    parquet(filled, THU).write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    parquet(filled, MON).write_bytes(parquet(filled, MON).read_bytes()[:-5])
    parquet(filled, TUE).unlink()
    (_, flipped), (_, cut), (day, lost) = faults(filled)
    assert "its hash differs from its name" in flipped
    assert "bytes and the log says" in cut
    assert (day, "the file is gone" in lost) == (TUE, True)
    assert len(faults(filled, MON, MON)) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.reverse(), "not sorted by"),
        (lambda rows: rows.with_columns(volume=pl.lit(-1.0)), "break its rules (volume|min 2)"),
        (lambda rows: pl.concat([rows, rows]), "primary_key 4"),
        (lambda rows: rows.drop("low"), "lack the columns ['low']"),
        (lambda rows: rows.cast({"close": pl.Float32}), "close is Float32, not Float64"),
    ],
)
def test_a_file_that_breaks_its_tables_promise_is_found(filled, monkeypatch, change, said):
    """The hash is right and the log believes in the file: only reading it shows."""
    path = parquet(filled, MON)
    changed = change(filled.scan(TABLE, MON, MON).drop("date").collect())
    changed.write_parquet(path)
    content = path.read_bytes()
    renamed = path.with_name(file_name(digest(content), packed=False))
    path.rename(renamed)
    files = filled.table(TABLE).files()
    ours = pl.col("date") == MON
    told = files.with_columns(
        path=pl.when(ours).then(pl.lit(f"date={MON}/{renamed.name}")).otherwise("path"),
        rows=pl.when(ours).then(changed.height).otherwise("rows"),
        size=pl.when(ours).then(len(content)).otherwise("size"),
    )
    monkeypatch.setattr(Table, "files", lambda *_: told)
    assert [(day, said in found) for day, found in faults(filled)] == [(MON, True)]


def test_rows_that_differ_from_the_ingestions_are_found(filled):
    ingested(filled, MON, 3)
    ingested(filled, FRI, 7)
    assert faults(filled) == [
        (FRI, "it has 0 rows and `ingestions` says 7"),
        (MON, "it has 2 rows and `ingestions` says 3"),
    ]
    assert faults(filled, MON, None) == [(MON, "it has 2 rows and `ingestions` says 3")]


def test_a_copy_with_other_values_is_found(filled):
    spec = filled.table(TABLE)
    month = months(spec.files())[0]
    write_copy(spec.place, spec.spec, month)
    path = filled.root / TABLE / month.copy
    rows = pl.read_parquet(path)
    rows.with_columns(close=pl.lit(1.5)).write_parquet(path)
    said = "it has 6 rows and its days 6, or their values differ: delete it"
    assert list(verify(filled, TABLE)) == [Fault(TABLE, None, month.copy, said)]
    rows.reverse().write_parquet(path)
    assert [fault.found for fault in verify(filled, TABLE)] == ["it is not sorted by ('ticker', 'ts_ns')"]
