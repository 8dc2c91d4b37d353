import re
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from strikelake.calendar import et_ns
from strikelake.errors import LakeError
from strikelake.lake.staging import StagedWriter
from strikelake.lake.store import Lake
from strikelake.schemas import table
from strikelake.vendors.columns import arrow_schema

DAY = date(2025, 1, 6)
NAME = "stock_minute_bars"


def rows(start: int, count: int):
    times = [et_ns(DAY, "04:00") + n for n in range(start, start + count)]
    frame = pl.DataFrame({"ts_ns": times}).with_columns(
        *(pl.lit(2.0).alias(name) for name in ("open", "high", "low", "close", "volume")),
        ticker=pl.lit("SPY"),
        transactions=pl.lit(None, dtype=pl.Int64),
        available_at=pl.col("ts_ns") + 1,
    )
    columns = [name for name in table(NAME).columns if name != "date"]
    schema = arrow_schema(NAME)
    found = frame.select(columns).to_arrow(compat_level=pl.CompatLevel.oldest())
    return found.set_column(0, "ticker", found["ticker"].dictionary_encode()).cast(schema)


def staged(path: Path, *counts: int):
    with StagedWriter(table(NAME), path, arrow_schema(NAME)) as writer:
        start = 0
        for count in counts:
            writer.append(rows(start, count))
            start += count
        return writer.finish()


def test_staged_rows_are_the_rows_of_their_date(tmp_path):
    lake = Lake(tmp_path / "lake")
    version = lake.replace_staged(NAME, {DAY: staged(tmp_path / "a", 3, 2)}, source="here")
    found = lake.scan(NAME).collect()
    assert found.height == 5
    assert found.columns == list(table(NAME).columns)
    assert lake.replace_staged(NAME, {DAY: staged(tmp_path / "b", 4, 1)}) == version
    assert lake.replace_staged(NAME, {DAY: staged(tmp_path / "c", 4)}) == version + 1
    assert lake.sql("select count(*) from stock_minute_bars").item() == 4


def test_a_staged_file_without_rows_leaves_its_date_without_rows(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.replace_staged(NAME, {DAY: staged(tmp_path / "a", 3)})
    lake.replace_staged(NAME, {DAY: staged(tmp_path / "b")})
    assert lake.sessions(NAME) == []


def test_row_groups_are_of_a_size_to_skip_by(tmp_path):
    staged(tmp_path / "a", *[10_000] * 20)
    file = pq.ParquetFile(tmp_path / "a")
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sum(sizes) == 200_000
    assert min(sizes[:-1]) >= 32_000
    assert max(sizes) <= 65_536
    assert file.metadata.row_group(1).column(0).statistics.min == "SPY"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(
        LakeError, match=f"cannot write to {re.escape(str(tmp_path / 'nowhere'))}: .* then run again"
    ):
        staged(tmp_path / "nowhere" / "a", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_named():
    with pytest.raises(LakeError, match=r"cannot write to /dev: .*free space"):
        staged(Path("/dev/full"), 70_000)
