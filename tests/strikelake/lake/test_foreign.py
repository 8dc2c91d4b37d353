"""Tables that a newer program wrote, and logs that are damaged: one line that says which, and what to do."""

from datetime import date

import polars as pl
import pytest
from deltalake import write_deltalake

from strikelake.errors import LakeError

MON = date(2025, 1, 6)
TABLE = "stock_day_bars"


@pytest.fixture
def log(lake, bars):
    """The first entry of a table's log."""
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    return min((lake.root / TABLE / "_delta_log").glob("*.json"))


def refused(lake):
    with pytest.raises(LakeError) as caught:
        lake.scan(TABLE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_columns_of_a_newer_version_are_named(lake, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    rows = bars(MON, SPY=1.0).with_columns(pl.lit(1).alias("vwap"), pl.lit(2).alias("odd_lots"))
    write_deltalake(lake.root / TABLE, rows.to_arrow(), mode="overwrite", schema_mode="overwrite")
    assert refused(lake) == (
        "stock_day_bars has columns that this version does not know (odd_lots, vwap): "
        "a newer one wrote it: update Strikelake"
    )


def test_a_newer_log_is_told_from_a_damaged_one(lake, log):
    text = log.read_text()
    log.write_text(text.replace('"minReaderVersion":1', '"minReaderVersion":99'))
    assert refused(lake).endswith("a newer program wrote it: update Strikelake")


@pytest.mark.parametrize("content", ["", "{", '{"protocol": 5}'])
def test_a_damaged_log_is_one_line(lake, log, content):
    log.write_text(content)
    said = refused(lake)
    assert said.startswith(f"the Delta log in {lake.root / TABLE} does not read: ")
    assert said.endswith("; restore a backup")
    assert len(said) < 600
