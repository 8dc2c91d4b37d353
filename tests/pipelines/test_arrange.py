from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.arrange import LastOfMinute, Order, merge, to_arrow
from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.lake.staging import StagedWriter
from strikelake.schemas import table
from strikelake.vendors.columns import arrow_schema

DAY = date(2025, 1, 6)
OPEN = et_ns(DAY, "09:30")


def quotes(keys) -> pl.DataFrame:
    """Stock quotes of (ticker, time, mark); the mark tells quotes of one moment apart."""
    frame = pl.DataFrame(
        keys, schema={"ticker": pl.String, "ts_ns": pl.Int64, "bid_size": pl.Float64}, orient="row"
    )
    spec = table("stock_quotes")
    made = frame.with_columns(
        pl.col("ts_ns") + OPEN, date=DAY, bid_price=1.0, available_at=pl.col("ts_ns") + OPEN
    )
    missing = [
        pl.lit(None, dtype=dtype).alias(n) for n, dtype in spec.columns.items() if n not in made.columns
    ]
    return made.with_columns(missing).select(*spec.columns)


def arranged(frame: pl.DataFrame, name: str, folder, parts: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    spec, schema = table(name), arrow_schema(name)
    order, numbers, bad = Order(spec), np.arange(frame.height) + 2, []
    with StagedWriter(spec, folder / "a.parquet", schema) as writer:
        for start in range(0, frame.height, parts):
            rows = to_arrow(frame.slice(start, parts), schema)
            writer.append(order.take(rows, numbers[start : start + parts]))
            writer._flush()
        staged = writer.finish()
    if not order.late_rows:
        return _rows(map(staged.read, range(staged.groups))), pl.DataFrame()
    late = order.late(DAY)
    tables = list(merge(spec, staged, late, np.sort(late["row_number"].to_numpy()), bad))
    return _rows(tables), pl.concat(bad) if bad else pl.DataFrame()


def _rows(tables):
    return pl.concat(
        [pl.from_arrow(each).with_columns(pl.col(pl.Categorical).cast(pl.String)) for each in tables]
    )


keys = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 5)), min_size=1, max_size=25)


@settings(deadline=None, max_examples=60)
@given(keys, st.integers(1, 7))
def test_any_order_becomes_the_order_of_a_stable_sort(tmp_path_factory, found, parts):
    frame = quotes([(ticker, moment, float(place)) for place, (ticker, moment) in enumerate(found)])
    rows, _ = arranged(frame, "stock_quotes", tmp_path_factory.mktemp("x"), parts)
    wanted = frame.sort("ticker", "ts_ns", maintain_order=True)
    names = ["ticker", "ts_ns", "bid_size"]
    assert rows.select(names).rows() == wanted.select(names).rows()


def bars(*rows: tuple[str, int, float]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["ticker", "ts_ns", "close"], orient="row")
    price = pl.col("close")
    made = frame.with_columns(
        pl.col("ts_ns") + OPEN,
        open=price,
        high=price,
        low=price,
        volume=1.0,
        transactions=pl.lit(1, pl.Int64),
        date=DAY,
        available_at=pl.col("ts_ns") + OPEN + 1,
    )
    return made.select(*table("stock_minute_bars").columns)


@pytest.mark.parametrize("parts", [1, 2, 3, 10])
def test_rows_that_repeat_a_key_are_found_wherever_they_are(tmp_path, parts):
    frame = bars(
        ("A", 0, 1.0),
        ("A", 5, 1.0),
        ("B", 0, 1.0),
        ("A", 0, 1.0),
        ("B", 0, 2.0),
        ("C", 1, 1.0),
        ("B", 1, 1.0),
    )
    rows, bad = arranged(frame, "stock_minute_bars", tmp_path, parts)
    assert rows.select("ticker", pl.col("ts_ns") - OPEN).rows() == [("A", 0), ("A", 5), ("B", 1), ("C", 1)]
    assert sorted(bad.rows()) == [(4, "primary_key"), (5, "row|duplicate"), (6, "primary_key")]


def test_ordered_rows_pass_as_they_are():
    order, schema = Order(table("stock_quotes")), arrow_schema("stock_quotes")
    rows = to_arrow(quotes([("A", 0, 1.0), ("A", 0, 2.0), ("B", 0, 3.0)]), schema)
    assert order.take(rows, np.arange(3)) is rows
    assert order.late_rows == 0


@settings(deadline=None, max_examples=60)
@given(keys, st.integers(1, 7))
def test_the_last_of_each_minute_is_kept_wherever_blocks_end(found, parts):
    schema, sampler = arrow_schema("stock_quotes"), LastOfMinute(table("stock_quotes"))
    spread = [(t, moment * NS_PER_MINUTE // 2, float(n)) for n, (t, moment) in enumerate(found)]
    frame = quotes(spread).sort("ticker", "ts_ns", maintain_order=True)
    tables = [sampler.take(to_arrow(frame.slice(n, parts), schema)) for n in range(0, frame.height, parts)]
    seen = [mark for each in [*tables, *sampler.rest()] for mark in each["bid_size"].to_pylist()]
    minute = pl.col("ts_ns") // NS_PER_MINUTE
    wanted = frame.group_by("ticker", minute.alias("minute"), maintain_order=True).agg(
        pl.col("bid_size").last()
    )
    assert seen == wanted["bid_size"].to_list()
