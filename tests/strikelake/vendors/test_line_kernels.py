"""What the compiled parser says of a line is what Python says of it."""

import gzip
import io
import math
from datetime import date

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strikelake.calendar import et_ns
from strikelake.lake.quality import check
from strikelake.schemas import table
from strikelake.vendors.columns import complete
from strikelake.vendors.exact_lines import parse_exactly
from strikelake.vendors.flat_files import Dataset, SourceFile
from strikelake.vendors.flat_rows import Block, read_rows

DAY = date(2025, 1, 6)
NINE_THIRTY = et_ns(DAY, "09:30")
INDEX_HEADER = "ticker,open,close,high,low,window_start"
BAR_HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
TRADE_HEADER = "ticker,price,sequence_number,sip_timestamp,size"

digits = st.text("0123456789", max_size=25)
numbers = st.one_of(
    st.tuples(digits, digits).map(".".join),
    digits.filter(bool),
    st.floats(min_value=0, allow_infinity=False).map(repr),
    st.decimals(0, 10**6, places=6).map(str),
).filter(lambda text: text != ".")


def read(dataset: Dataset, *lines: str, block_bytes: int | None = None) -> list[Block]:
    file = SourceFile(dataset, DAY, "x/2025-01-06.csv.gz", "etag", 1, 0)
    stream = io.BytesIO(gzip.compress("\n".join(lines).encode(), 1))
    return list(read_rows(file, stream, block_bytes=block_bytes).blocks)


def column(blocks: list[Block], name: str) -> dict[int, object]:
    found = {}
    for block in blocks:
        found |= dict(zip(block.numbers.tolist(), block.plain[name].to_pylist(), strict=True))
        found |= dict(block.odd.select("row_number", name).iter_rows())
    return dict(sorted(found.items()))


@settings(deadline=None, max_examples=150)
@given(st.lists(numbers, min_size=1, max_size=30))
@example(
    ["69.86160000000000", "9007199254740993", "0.1", "1e5", "115.030000", ".5", "5.", "0.30000000000000004"]
)
@example(["123456.7", "1234567.8", "99999999", "0.000000000000000001", "1797693134862315708145274237317e280"])
def test_decimals_are_those_of_float(texts):
    lines = [f"I:X{n},{text},{text},{text},{text},{NINE_THIRTY}" for n, text in enumerate(texts)]
    seen = column(read(Dataset.INDEX_MINUTE_BARS, INDEX_HEADER, *lines), "open")
    assert [float(text) for text in texts] == list(seen.values())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=30))
@example([2**53 + 1, 2**63 - 1, 0, 9, 99_999_999, 100_000_000])
def test_whole_numbers_are_exact(values):
    lines = [f"A{n},1.5,{value},{NINE_THIRTY},1" for n, value in enumerate(values)]
    blocks = read(Dataset.STOCK_TRADES, TRADE_HEADER, *lines)
    assert values == list(column(blocks, "sequence_number").values())
    assert sum(block.odd.height for block in blocks) == 0


def test_whole_numbers_beyond_64_bits_are_no_numbers():
    beyond = [2**63, 10**19 - 1, 10**19, 2**64 + 5, 10**23, 2**128 + 7]
    lines = [f"A{n},1.5,{value},{NINE_THIRTY},1" for n, value in enumerate(beyond)]
    blocks = read(Dataset.STOCK_TRADES, TRADE_HEADER, *lines)
    broken = pl.concat([block.broken for block in blocks])
    assert broken["rule"].to_list() == ["sequence_number|parse"] * 6


fields = st.one_of(
    st.sampled_from(
        ["", "1", "0", "-1", "2.50", "1e2", '"3"', '"1,2"', "x", " 4", "nan", "1.2.3", "00012", "+7"]
    ),
    numbers,
)
tickers = st.sampled_from(["SPY", "BRK.B", '"QQQ"', "", "spy", "A,B", 'A"B', "\u00e9", "NWSA/FOXA"])
moments = st.sampled_from([str(NINE_THIRTY), str(NINE_THIRTY + 60_000_000_000), "1", "", f"{NINE_THIRTY}.0"])


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(tickers, fields, fields, fields, moments, fields), min_size=1, max_size=12))
def test_fast_and_exact_parsing_agree_on_every_line(rows):
    """Plain lines must be good by the schema, and say what the exact parser says of them."""
    file = SourceFile(Dataset.STOCK_MINUTE_BARS, DAY, "x", "etag", 1, 0)
    good = f"ZZZ,1,1,1,1,1,{NINE_THIRTY},1"
    lines = [f"{t},{volume},{p},{p},{high},{p},{ts},{n}" for t, volume, p, high, ts, n in rows] + [good]
    blocks = read(Dataset.STOCK_MINUTE_BARS, BAR_HEADER, *lines)
    exact = parse_exactly(file, tuple(BAR_HEADER.split(",")), dict(enumerate(lines, 2)))
    rows_exactly = complete(file, exact.rows)
    spec = table("stock_minute_bars")
    for name in spec.columns:
        if name != "date":
            one_by_one = dict(rows_exactly.select("row_number", name).iter_rows())
            assert repr(column(blocks, name)) == repr(one_by_one), name
    numbers = [number for block in blocks for number in block.numbers.tolist()]
    plain = rows_exactly.filter(pl.col("row_number").is_in(numbers)).unique(["ticker", "ts_ns"])
    assert check(spec, plain).bad.is_empty()


@settings(deadline=None, max_examples=50)
@given(st.integers(64, 400), st.integers(1, 40))
def test_where_blocks_end_does_not_matter(block_bytes, count):
    lines = [f"A{n // 3},{n},1,2,3,0.5,{NINE_THIRTY + n},{n}" for n in range(count)]
    lines[count // 2] = f"A{count // 6},many,1,2,3,0.5,{NINE_THIRTY},1"
    whole = read(Dataset.STOCK_MINUTE_BARS, BAR_HEADER, *lines)
    parts = read(Dataset.STOCK_MINUTE_BARS, BAR_HEADER, *lines, block_bytes=block_bytes)
    for name in ("ticker", "volume", "ts_ns", "transactions"):
        assert column(whole, name) == column(parts, name)
    assert {n: raw for block in parts for n, raw in block.raw.items()} == whole[0].raw
    assert [n for block in parts for n in block.broken["row_number"]] == [count // 2 + 2]


def test_symbols_are_read_from_the_right():
    symbols = {
        "O:SPXW250117P05000500": ("SPXW250117P05000500", "SPX", date(2025, 1, 17), "P", 5000.5),
        "O:AAPL1250117C00100000": ("AAPL1250117C00100000", "AAPL", date(2025, 1, 17), "C", 100.0),
        "O:BRK.B250228C00012345": ("BRK.B250228C00012345", "BRK.B", date(2025, 2, 28), "C", 12.345),
        "O:O250131C00055000": ("O250131C00055000", "O", date(2025, 1, 31), "C", 55.0),
        "SPY250930P00000001": ("SPY250930P00000001", "SPY", date(2025, 9, 30), "P", 0.001),
    }
    lines = [f"{symbol},1,2,2,2,2,{NINE_THIRTY},1" for symbol in symbols]
    block = read(Dataset.OPTION_MINUTE_BARS, BAR_HEADER, *lines)[0]
    names = ["occ_symbol", "underlying", "expiration", "option_type", "strike"]
    assert [tuple(row.values()) for row in block.plain.select(names).to_pylist()] == list(symbols.values())


def test_symbols_that_are_none_are_odd():
    wrong = [
        "O:SPY250230C00500000",
        "O:SPY251301C00500000",
        "O:SPY250431C00500000",
        "O:SPY250117X00500000",
        "O:SPY250117C00000000",
        "O:1SPY250117C00500000",
        "O:250117C00500000",
        "O:SPY25O117C00500000",
        "P:SPY250117C00500000",
    ]
    lines = [f"{symbol},1,2,2,2,2,{NINE_THIRTY},1" for symbol in wrong]
    block = read(Dataset.OPTION_MINUTE_BARS, BAR_HEADER, *lines)[0]
    assert (block.plain.num_rows, len(block.raw)) == (0, len(wrong))
    assert block.broken.height + check(table("option_minute_bars"), block.odd).bad.height == len(wrong)


def test_nothing_is_not_a_number():
    block = read(
        Dataset.OPTION_QUOTES,
        "ticker,ask_price,ask_size,bid_price,bid_size,sip_timestamp",
        f"O:SPY250117C00500000,0,0,1.5,7,{NINE_THIRTY}",
    )[0]
    assert block.plain["ask_price"].to_pylist() == [None]
    assert not any(math.isnan(x) for x in block.plain["bid_price"].to_pylist())
