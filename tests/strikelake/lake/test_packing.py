"""Packed rows read as they were written, whatever they are, in polars, in DuckDB and beside plain files."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.lake import versions
from strikelake.lake.packing import is_packed, packing
from strikelake.lake.store import Lake
from strikelake.schemas import table

DAY = date(2025, 1, 6)
OPEN = session(DAY).open_ns
# What a price may be: cents, ten-thousandths, floats that are neither, prices beyond 32 bits of ticks.
PRICES = st.one_of(
    st.integers(1, 10**6).map(lambda cents: cents / 100),
    st.integers(1, 2**31).map(lambda ticks: ticks / 10_000),
    st.floats(1e-300, 1e7),
    st.just(700_000.01),
)


def bars(name, prices, *, known=NS_PER_MINUTE, volume=3.0):
    """Rows of a table of minute bars, one minute after the other, from their four prices."""
    opened, high, low, close = zip(*prices, strict=True)
    count = len(prices)
    start = OPEN + np.arange(count) * NS_PER_MINUTE
    named = {"ticker": "SPY"} if name.startswith("stock") else CONTRACT
    frame = pl.DataFrame({"ts_ns": start, "open": opened, "high": high, "low": low, "close": close})
    return frame.with_columns(
        *(pl.lit(value).alias(column) for column, value in named.items()),
        date=DAY, volume=volume, transactions=None, available_at=pl.col("ts_ns") + known,
    ).select(pl.col(column).cast(kind) for column, kind in table(name).columns.items())  # fmt: skip


CONTRACT = {
    "occ_symbol": "SPY250117C00500000",
    "underlying": "SPY",
    "expiration": date(2025, 1, 17),
    "option_type": "C",
    "strike": 500.0,
}


def stored(rows, name):
    """What the rows become: packed, and read back."""
    packed = packing(name)
    arrow = packed.pack(rows.drop("date").to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks())
    back = packed.unpack(pl.from_arrow(arrow).lazy().with_columns(date=pl.lit(DAY)))
    return pl.from_arrow(arrow), back.collect()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["option_minute_bars", "stock_minute_bars"]),
    st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES), min_size=1, max_size=20),
    st.sampled_from([NS_PER_MINUTE, NS_PER_MINUTE + 1]),
    st.sampled_from([3.0, 0.25, 2.0**40]),
)
def test_bars_read_as_they_were_written(name, prices, known, volume):
    rows = bars(name, prices, known=known, volume=volume)
    assert stored(rows, name)[1].equals(rows)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.none() | PRICES, st.none() | PRICES, st.integers(0, 1)), min_size=1, max_size=20)
)
def test_quotes_read_as_they_were_written(sides):
    bid, ask, later = zip(*sides, strict=True)
    schema = table("option_quotes").columns
    floats = {"bid_price": pl.Float64, "ask_price": pl.Float64}
    given = {"bid_price": bid, "ask_price": ask, "later": later}
    frame = pl.DataFrame(given, schema_overrides=floats).with_columns(
        *(pl.lit(value).alias(column) for column, value in CONTRACT.items()),
        date=DAY, ts_ns=pl.lit(OPEN + 7), available_at=OPEN + 7 + pl.col("later"),
        bid_size=pl.when(pl.col("bid_price").is_not_null()).then(2.0),
        ask_size=pl.when(pl.col("ask_price").is_not_null()).then(2.5),
    )  # fmt: skip
    rows = frame.select(
        pl.col(column).cast(kind) for column, kind in schema.items() if column in frame.columns
    )
    missing = [
        pl.lit(None, kind).alias(column) for column, kind in schema.items() if column not in rows.columns
    ]
    whole = rows.with_columns(missing).select(*schema)
    assert stored(whole, "option_quotes")[1].equals(whole)


def test_plain_bars_are_stored_as_whole_numbers_alone():
    rows = bars("option_minute_bars", [(1.05, 1.1, 1.0, 1.05), (1.05, 1.05, 1.05, 1.05)])
    found, _ = stored(rows, "option_minute_bars")
    assert found.select("open_ticks", "close_step", "high_over", "low_under").rows() == [
        (10_500, 0, 500, 500),
        (10_500, 0, 0, 0),
    ]
    assert found["minute"].to_list() == [OPEN // NS_PER_MINUTE, OPEN // NS_PER_MINUTE + 1]
    kept = packing("option_minute_bars").kept
    assert set(kept) == {"ts_ns", "open", "high", "low", "close", "volume", "available_at"}
    assert all(found[name].null_count() == 2 for name in kept)


@pytest.mark.parametrize("price", [700_000.01, 1.23456])
def test_an_odd_bar_keeps_its_values(price):
    name = "option_minute_bars"
    rows = bars(name, [(price, price, price, price), (2.0, 2.0, 2.0, 2.0)])
    found, back = stored(rows, name)
    assert found["open"].to_list() == [price, None]
    assert back.equals(rows)


def test_a_lake_of_plain_files_goes_on_being_read_and_written(tmp_path, monkeypatch):
    lake, name = Lake(tmp_path), "option_minute_bars"
    rows = bars(name, [(1.05, 1.1, 1.0, 1.05), (0.043, 0.05, 0.04, 0.05)])
    next_day = date(2025, 1, 7)
    later = rows.with_columns(
        date=next_day, ts_ns=pl.col("ts_ns") + 1440 * NS_PER_MINUTE,
        available_at=pl.col("available_at") + 1440 * NS_PER_MINUTE,
    ).cast(rows.schema)  # fmt: skip
    with monkeypatch.context() as before:
        before.setattr(versions, "packing", lambda _: None)
        lake.replace(name, DAY, rows)
    lake.replace(name, next_day, later)
    assert [is_packed(path) for path in lake.table(name).files()["path"]] == [False, True]
    both = pl.concat([rows, later])
    assert lake.scan(name).collect().sort("ts_ns").equals(both)
    assert lake.sql("select * from option_minute_bars order by ts_ns").equals(both)
    assert lake.scan(name, underlyings=["SPY"]).filter(pl.col("close") > 1).collect().height == 2
    assert (
        lake.sql("select sum(close) from option_minute_bars where date = '2025-01-06'").item() == 1.05 + 0.05
    )
