import threading
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strikelake.calendar import et_ns
from strikelake.errors import EmptyLakeError, LakeError
from strikelake.lake.store import Lake
from strikelake.schemas import table

MON, TUE, WED = date(2025, 1, 6), date(2025, 1, 7), date(2025, 1, 8)
TABLE = "stock_day_bars"


def closes(frame: pl.LazyFrame) -> dict[tuple[date, str], float]:
    rows = frame.select("date", "ticker", "close").collect().sort("date", "ticker")
    return {(day, ticker): close for day, ticker, close in rows.iter_rows()}


def yields(day: date, rate: float) -> pl.DataFrame:
    row = {"date": day, "tenor_days": 30, "yield_rate": rate, "available_at": et_ns(day, "18:00")}
    return pl.DataFrame([row], schema=table("treasury_yields").columns)


def test_what_is_written_is_read_with_every_column(lake, bars):
    frame = bars(MON, SPY=10.0, AAPL=20.0)
    lake.replace(TABLE, MON, frame)
    assert frame.sort("ticker").equals(lake.scan(TABLE).collect().sort("ticker"))
    assert lake.scan(TABLE).collect_schema() == pl.Schema(table(TABLE).columns)
    assert lake.tables() == [TABLE]


def test_replacing_a_date_leaves_the_others(lake, bars):
    lake.replace_many(TABLE, {MON: bars(MON, SPY=1.0), TUE: bars(TUE, SPY=2.0)})
    lake.replace(TABLE, TUE, bars(TUE, SPY=3.0, QQQ=4.0))
    assert closes(lake.scan(TABLE)) == {(MON, "SPY"): 1.0, (TUE, "QQQ"): 4.0, (TUE, "SPY"): 3.0}
    assert lake.sessions(TABLE) == [MON, TUE]


def test_the_same_rows_in_any_order_make_no_new_version(lake, bars):
    frame = bars(MON, SPY=1.0, QQQ=2.0)
    first = lake.replace(TABLE, MON, frame)
    assert lake.replace(TABLE, MON, frame.reverse()) == first
    assert lake.versions() == {TABLE: first}


def test_old_versions_stay_readable(lake, bars):
    first = lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    second = lake.replace(TABLE, MON, bars(MON, SPY=2.0))
    third = lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    by_version = [closes(lake.scan(TABLE, as_of=version)) for version in (first, second, third)]
    assert by_version == [{(MON, "SPY"): close} for close in (1.0, 2.0, 1.0)]
    assert closes(lake.scan(TABLE, as_of={TABLE: second})) == {(MON, "SPY"): 2.0}


def test_versions_outlive_checkpoints(lake, bars):
    versions = [lake.replace(TABLE, MON, bars(MON, SPY=float(n))) for n in range(1, 24)]
    assert any((lake.root / TABLE / "_delta_log").glob("*.checkpoint*.parquet"))
    assert list(range(1, 24)) == [closes(lake.scan(TABLE, as_of=v))[MON, "SPY"] for v in versions]


def test_ranges_and_underlyings_select(lake, bars):
    lake.replace_many(TABLE, {day: bars(day, SPY=1.0, QQQ=2.0) for day in (MON, TUE, WED)})
    assert {(TUE, "QQQ"), (WED, "QQQ")} == set(closes(lake.scan(TABLE, TUE, underlyings=["QQQ"])))
    assert {(MON, "SPY"), (TUE, "SPY")} == set(closes(lake.scan(TABLE, end=TUE, underlyings=["SPY"])))


def test_only_files_of_the_dates_asked_for_are_opened(lake, bars):
    lake.replace_many(TABLE, {day: bars(day, SPY=1.0) for day in (MON, TUE, WED)})
    for file in (lake.root / TABLE / f"date={WED}").iterdir():
        file.write_bytes(b"not parquet")
    assert {(MON, "SPY"), (TUE, "SPY")} == set(closes(lake.scan(TABLE, MON, TUE)))
    later = lake.scan(TABLE).filter(pl.col("date") < WED)
    assert {(MON, "SPY"), (TUE, "SPY")} == set(closes(later))


def test_an_empty_frame_empties_its_date(lake, bars):
    lake.replace_many(TABLE, {MON: bars(MON, SPY=1.0), TUE: bars(TUE, SPY=2.0)})
    lake.replace(TABLE, MON, bars(MON))
    assert lake.sessions(TABLE) == [TUE]


def test_files_that_no_version_mentions_are_harmless(lake, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    folder = lake.root / TABLE / f"date={MON}"
    (folder / "part-of-a-killed-run.parquet").write_bytes(b"PAR1")
    (folder / ".part-0.parquet.tmp").write_bytes(b"")
    assert closes(lake.scan(TABLE)) == {(MON, "SPY"): 1.0}


def test_a_failing_write_leaves_the_table_as_it_was(lake, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    with pytest.raises(LakeError):
        lake.replace_many(TABLE, {MON: bars(MON, SPY=2.0), TUE: bars(TUE, SPY=-1.0)})
    assert closes(lake.scan(TABLE)) == {(MON, "SPY"): 1.0}


@pytest.mark.parametrize("same_date", [True, False])
def test_writers_at_once_lose_nothing_and_double_nothing(tmp_path, bars, same_date):
    start, errors = threading.Barrier(4), []

    def write(number: int) -> None:
        day = MON if same_date else MON + timedelta(days=number)
        start.wait()
        try:
            Lake(tmp_path).replace(TABLE, day, bars(day, SPY=float(number + 1)))
        except LakeError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    rows = Lake(tmp_path).scan(TABLE).collect()
    assert rows.height == (1 if same_date else 4)


def test_an_update_sees_what_another_writer_did_meanwhile(lake):
    lake.overwrite("treasury_yields", yields(MON, 0.01))
    intruded = []

    def change(present: pl.DataFrame) -> pl.DataFrame:
        if not intruded:
            intruded.append(True)
            other = Lake(lake.root)
            other.update("treasury_yields", lambda rows: pl.concat([rows, yields(TUE, 0.02)]))
        return pl.concat([present, yields(WED, 0.03)])

    lake.update("treasury_yields", change)
    assert lake.sessions("treasury_yields") == [MON, TUE, WED]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from([MON, TUE, WED]), st.sampled_from([1.0, 2.0, 3.0]), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_every_version_is_what_a_dictionary_would_hold(tmp_path_factory, bars, writes):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    held: dict[tuple[date, str], float] = {}
    history = {}
    for write in writes:
        version = lake.replace_many(TABLE, {day: bars(day, SPY=close) for day, close in write.items()})
        held |= {(day, "SPY"): close for day, close in write.items()}
        history[version] = dict(held)
    assert history == {version: closes(lake.scan(TABLE, as_of=version)) for version in history}


def test_small_tables_are_kept_in_one_file(lake):
    lake.overwrite("treasury_yields", yields(MON, 0.05))
    lake.overwrite("treasury_yields", yields(TUE, 0.04))
    assert lake.scan("treasury_yields").collect()["yield_rate"].to_list() == [0.04]
    assert lake.scan("treasury_yields", as_of=1).collect()["yield_rate"].to_list() == [0.05]
    with pytest.raises(EmptyLakeError, match=r"treasury_yields .* has no rows from 2025-01-08 to the end"):
        lake.scan("treasury_yields", WED)


def test_missing_rows_name_the_remedy(lake, bars):
    with pytest.raises(EmptyLakeError, match=r"has no table features: run `strikelake featurize`"):
        lake.scan("features")
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    remedy = (
        r"no rows from 2025-01-07 to the end \(it holds 2025-01-06 to 2025-01-06\): run `strikelake ingest`"
    )
    with pytest.raises(EmptyLakeError, match=remedy):
        lake.scan(TABLE, TUE)
    assert lake.sessions("features") == []


def test_wrong_versions_are_named(lake, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    with pytest.raises(LakeError, match="stock_day_bars has versions 0 to 1, not 7"):
        lake.scan(TABLE, as_of=7)
    with pytest.raises(LakeError, match="as_of names no version of stock_day_bars, only of features: add it"):
        lake.scan(TABLE, as_of={"features": 1})


def test_wrong_frames_are_named(lake, bars):
    good = bars(MON, SPY=1.0)
    with pytest.raises(LakeError, match="lack the columns \\['low'\\]"):
        lake.replace(TABLE, MON, good.drop("low"))
    with pytest.raises(LakeError, match="volume is Int64, not Float64"):
        lake.replace(TABLE, MON, good.cast({"volume": pl.Int64}))
    with pytest.raises(LakeError, match=r"1 rows for stock_day_bars are of 2025-01-06 and not of 2025-01-07"):
        lake.replace(TABLE, TUE, good)
    with pytest.raises(LakeError, match=r"break its rules \(primary_key 2\)"):
        lake.replace(TABLE, MON, pl.concat([good, good]))
    assert lake.tables() == []


def test_wrong_kinds_of_table_are_named(lake, bars):
    with pytest.raises(LakeError, match="did you mean 'stock_day_bars'"):
        lake.scan("stock_daily_bars")
    with pytest.raises(LakeError, match="treasury_yields is kept in one file: use overwrite or update"):
        lake.replace("treasury_yields", MON, yields(MON, 0.05))
    with pytest.raises(LakeError, match="stock_day_bars is kept in a file for each date: name the days"):
        lake.overwrite(TABLE, bars(MON, SPY=1.0))
    with pytest.raises(LakeError, match=r"gs://bucket is no folder and no s3://"):
        Lake("gs://bucket")


def test_a_damaged_log_is_named(lake, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    for entry in (lake.root / TABLE / "_delta_log").glob("*.json"):
        entry.write_text("{")
    with pytest.raises(LakeError, match=r"the Delta log in .* does not read"):
        lake.scan(TABLE)
