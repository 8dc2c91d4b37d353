import gzip
import io
from dataclasses import dataclass
from datetime import date

import polars as pl
import pytest

from strikelake.calendar import et_ns, session
from strikelake.errors import BadFileError, CalendarError
from strikelake.lake.quality import check, count_rules
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles, SourceFile
from strikelake.vendors.flat_rows import read_rows

DAY = date(2025, 1, 6)
NINE_THIRTY = et_ns(DAY, "09:30")
BAR_HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
QUOTE_HEADER = (
    "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,sequence_number,sip_timestamp"
)
GOOD = f"SPY,10,1,2,3,0.5,{NINE_THIRTY},4"


def source_file(dataset: Dataset, day: date = DAY, key: str = "x/2025-01-06.csv.gz") -> SourceFile:
    return SourceFile(dataset, day, key, "etag", 1, 0)


@dataclass
class ParsedFile:
    """All blocks of a file together."""

    rows: pl.DataFrame
    broken: pl.DataFrame
    raw: dict[int, str]
    total: int
    repaired: int
    ignored: tuple[str, ...]
    odd: int


def parse(file: SourceFile, content: bytes, **options) -> ParsedFile:
    found = read_rows(file, io.BytesIO(content), **options)
    blocks = list(found.blocks)
    columns = {"row_number": pl.Int64()} | table(file.dataset).columns
    plain = [
        pl.from_arrow(block.plain)
        .with_columns(pl.lit(file.date).alias("date"), pl.Series("row_number", block.numbers))
        .select(pl.col(name).cast(dtype) for name, dtype in columns.items())
        for block in blocks
    ]
    return ParsedFile(
        pl.concat([*plain, *(block.odd for block in blocks)]).sort("row_number"),
        pl.concat([block.broken for block in blocks]),
        {number: text for block in blocks for number, text in block.raw.items()},
        sum(block.lines - block.unwanted for block in blocks),
        sum(block.repaired for block in blocks),
        found.ignored,
        sum(block.odd.height for block in blocks),
    )


def read(*lines: str, dataset: Dataset = Dataset.STOCK_MINUTE_BARS, day: date = DAY) -> ParsedFile:
    return parse(source_file(dataset, day), gzip.compress("\n".join([*lines, ""]).encode()))


def test_columns_are_found_by_name():
    shuffled = read(f"window_start,low,high,close,open,volume,ticker\n{NINE_THIRTY},0.5,3,2,1,10,SPY")
    row = shuffled.rows.row(0, named=True)
    assert row == {
        "row_number": 2,
        "date": DAY,
        "ticker": "SPY",
        "ts_ns": NINE_THIRTY,
        "open": 1.0,
        "high": 3.0,
        "low": 0.5,
        "close": 2.0,
        "volume": 10.0,
        "transactions": None,
        "available_at": NINE_THIRTY + 60_000_000_000,
    }


def test_surplus_columns_are_reported_and_missing_ones_refused():
    assert read(f"{BAR_HEADER},vwap,otc", f"{GOOD},1.5,").ignored == ("vwap", "otc")
    with pytest.raises(BadFileError, match=r"lacks the columns volume: .* the header is 'ticker,open,close"):
        read("ticker,open,close,high,low,window_start", f"SPY,1,2,3,0.5,{NINE_THIRTY}")
    with pytest.raises(BadFileError, match="names a column twice"):
        read(f"{BAR_HEADER},open", f"{GOOD},1")


def test_integers_survive_beyond_2_to_the_53():
    moment = NINE_THIRTY + 1
    line = f"O:SPY250117C00500000,302,1,1,302,1,1,5,{moment}"
    assert read(QUOTE_HEADER, line, dataset=Dataset.OPTION_QUOTES).rows["ts_ns"].to_list() == [moment]


def test_values_that_do_not_parse_break_their_own_row():
    parsed = read(
        BAR_HEADER,
        GOOD,
        f"A,abc,1,2,3,0.5,{NINE_THIRTY},4",
        f"B,10,1,2,3,0.5,{NINE_THIRTY}.5,many",
        "",
        f"C,10,1,2,3,0.5,{NINE_THIRTY},4,5",
        "D,10,1",
        f'"E,10,1,2,3,0.5,{NINE_THIRTY},4',
        GOOD.replace("SPY", "QQQ"),
    )
    bad = check(table("stock_minute_bars"), parsed.rows).bad
    assert parsed.broken.rows() == [
        (3, "volume|parse"),
        (4, "window_start|parse; transactions|parse"),
        (6, "row|fields"),
    ]
    assert bad["row_number"].to_list() == [5, 7, 8]
    assert {n: parsed.raw[n] for n in (3, 7)} == {3: f"A,abc,1,2,3,0.5,{NINE_THIRTY},4", 7: "D,10,1"}
    assert parsed.total == 8


def test_bytes_that_are_no_text_break_their_own_row():
    lines = f"{BAR_HEADER}\n{GOOD}\n".encode() + b"\xff\xfe" + GOOD.encode()
    parsed = parse(source_file(Dataset.STOCK_MINUTE_BARS), gzip.compress(lines))
    assert check(table("stock_minute_bars"), parsed.rows).good["ticker"].to_list() == ["SPY"]


def test_windows_line_ends_and_a_byte_order_mark_are_read():
    content = f"\ufeff{BAR_HEADER}\r\n{GOOD}\r\n"
    parsed = parse(source_file(Dataset.STOCK_MINUTE_BARS), gzip.compress(content.encode()))
    assert (parsed.rows.height, parsed.broken.height) == (1, 0)
    assert parsed.odd == 0


def test_option_symbols_become_contracts():
    lines = [
        f"O:SPXW250117P05000500,1,2,2,2,2,{NINE_THIRTY},1",
        f"O:SPY259917C00500000,1,2,2,2,2,{NINE_THIRTY},1",
        f"SPY,1,2,2,2,2,{NINE_THIRTY},1",
    ]
    parsed = read(BAR_HEADER, *lines, dataset=Dataset.OPTION_MINUTE_BARS)
    contract = parsed.rows.row(0, named=True)
    names = ("occ_symbol", "underlying", "expiration", "option_type", "strike")
    assert [contract[name] for name in names] == [
        "SPXW250117P05000500",
        "SPX",
        date(2025, 1, 17),
        "P",
        5000.5,
    ]
    assert parsed.broken.rows() == [(4, "ticker|occ")]
    assert count_rules(check(table("option_minute_bars"), parsed.rows).bad) == {"expiration|nullability": 1}


def test_a_missing_side_of_a_quote_is_null():
    lines = [
        f"O:SPY250117C00500000,0,0,0,302,1.5,7,1,{NINE_THIRTY}",
        f"O:SPY250117C00500000,302,1.6,8,0,0.0,0,2,{NINE_THIRTY}",
        f"O:SPY250117C00500000,0,0,0,0,0,0,3,{NINE_THIRTY}",
        f"O:SPY250117C00500000,302,1.4,1,302,1.5,1,4,{NINE_THIRTY}",
    ]
    parsed = read(QUOTE_HEADER, *lines, dataset=Dataset.OPTION_QUOTES)
    sides = parsed.rows.select("bid_price", "bid_size", "ask_price", "ask_size").rows()
    assert sides == [
        (1.5, 7.0, None, None),
        (None, None, 1.6, 8.0),
        (None, None, None, None),
        (1.5, 1.0, 1.4, 1.0),
    ]
    assert check(table("option_quotes"), parsed.rows).bad.is_empty()


def test_each_kind_is_available_when_it_could_be_known():
    midnight = et_ns(DAY, "00:00")
    day_bar = read(BAR_HEADER, f"SPY,10,1,2,3,0.5,{midnight},4", dataset=Dataset.STOCK_DAY_BARS)
    assert day_bar.rows["available_at"].to_list() == [session(DAY).close_ns]
    half_day = date(2024, 11, 29)
    line = f"SPY,10,1,2,3,0.5,{et_ns(half_day, '00:00')},4"
    early = read(BAR_HEADER, line, dataset=Dataset.STOCK_DAY_BARS, day=half_day)
    assert early.rows["available_at"].to_list() == [et_ns(half_day, "13:00")]
    quote = f"O:SPY250117C00500000,1,1,1,1,1,1,1,{NINE_THIRTY}"
    quotes = read(QUOTE_HEADER, quote, dataset=Dataset.OPTION_QUOTES).rows
    assert quotes["available_at"].to_list() == [NINE_THIRTY]


def test_known_bad_window_starts_are_mended_in_day_bars_only():
    line = GOOD.replace(str(NINE_THIRTY), "-68400000000000")
    mended = read(BAR_HEADER, line, dataset=Dataset.STOCK_DAY_BARS)
    assert (mended.repaired, mended.rows["ts_ns"].to_list()) == (1, [et_ns(DAY, "00:00")])
    with pytest.raises(
        BadFileError, match=r"no row of 2025-01-06, its first is of 1969-12-31: it is misnamed"
    ):
        read(BAR_HEADER, line)


def test_rows_of_another_date_are_bad_and_a_file_of_them_is_refused():
    stray = GOOD.replace(str(NINE_THIRTY), str(et_ns(date(2025, 1, 7), "00:00")))
    late = GOOD.replace(str(NINE_THIRTY), str(et_ns(DAY, "23:59")))
    assert read(BAR_HEADER, GOOD, stray, late).broken.rows() == [(3, "ts_ns|date")]
    with pytest.raises(
        BadFileError, match=r"x/2025-01-06.csv.gz has no row of 2025-01-06, its first is of 2025-01-07"
    ):
        read(BAR_HEADER, stray, stray)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: whole[:-9], "no whole gzip file"),
        (lambda whole: whole[:30] + b"\0\0" + whole[32:], "no whole gzip file"),
        (lambda whole: whole[:-8] + b"\0" * 8, "no whole gzip file .*CRC"),
        (lambda whole: whole + b"more", "no whole gzip file"),
        (lambda _: b"<html>503</html>", "no whole gzip file"),
        (lambda _: b"", "is empty: fetch it again"),
        (lambda _: gzip.compress(b"\0\1\2"), "lacks the columns"),
        (lambda _: gzip.compress(BAR_HEADER.encode()), "has a header and no rows"),
        (lambda _: gzip.compress(f"{BAR_HEADER}\n\n".encode()), "has a header and no rows"),
    ],
)
def test_damaged_files_are_refused_by_name(damage, said):
    whole = gzip.compress(f"{BAR_HEADER}\n{GOOD}\n".encode() * 40)
    with pytest.raises(BadFileError, match=said) as caught:
        parse(source_file(Dataset.STOCK_MINUTE_BARS), damage(whole))
    assert "x/2025-01-06.csv.gz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_no_session_is_refused():
    saturday = date(2025, 1, 4)
    line = f"SPY,10,1,2,3,0.5,{et_ns(saturday, '00:00')},4"
    with pytest.raises(CalendarError, match="2025-01-04 is not a trading session"):
        read(BAR_HEADER, line, dataset=Dataset.STOCK_DAY_BARS, day=saturday)


SAMPLES = [
    ("options_day_aggs_v1", Dataset.OPTION_DAY_BARS, date(2026, 5, 22), 1, {"ts_ns|date": 3}),
    ("options_day_aggs_v1_bad_window_start", Dataset.OPTION_DAY_BARS, date(2025, 2, 10), 2, {}),
    ("options_minute_aggs_v1", Dataset.OPTION_MINUTE_BARS, date(2023, 3, 13), 1, {"ts_ns|date": 1}),
    ("options_quotes_v1", Dataset.OPTION_QUOTES, date(2026, 5, 22), 1, {"ts_ns|date": 1}),
    ("stocks_day_aggs_v1_2026", Dataset.STOCK_DAY_BARS, date(2026, 5, 22), 1, {}),
    ("stocks_minute_aggs_v1_2025", Dataset.STOCK_MINUTE_BARS, date(2025, 4, 16), 2, {}),
    ("stocks_minute_aggs_v1_2026", Dataset.STOCK_MINUTE_BARS, date(2026, 5, 22), 1, {}),
    ("stocks_quotes_v1_2026", Dataset.OPTION_QUOTES, date(2026, 5, 22), 0, {"ticker|occ": 1}),
    ("stocks_quotes_v1_2026", Dataset.STOCK_QUOTES, date(2026, 5, 22), 1, {}),
    ("stocks_trades_v1_2026", Dataset.STOCK_TRADES, date(2026, 5, 22), 1, {}),
    ("options_trades_v1", Dataset.OPTION_TRADES, date(2026, 5, 22), 1, {"ts_ns|date": 1}),
    ("options_trades_v1", Dataset.OPTION_TRADES, date(2015, 1, 5), 1, {"ts_ns|date": 1}),
    ("options_trades_v1_doc_8col", Dataset.OPTION_TRADES, date(2023, 3, 13), 1, {}),
    ("indices_minute_aggs_v1", Dataset.INDEX_MINUTE_BARS, date(2023, 3, 28), 2, {}),
]


@pytest.mark.real
@pytest.mark.parametrize(("name", "dataset", "day", "good", "broken"), SAMPLES)
def test_rows_quoted_from_real_files(real_data, name, dataset, day, good, broken):
    """The samples mix rows of several days: those of other days are told, the others are good."""
    content = gzip.compress((real_data / "vendor_samples" / f"{name}.csv").read_bytes())
    parsed = parse(source_file(dataset, day, name), content)
    checked = check(table(dataset), parsed.rows)
    assert (checked.good.height, checked.bad.height) == (good, 0)
    assert count_rules(parsed.broken) == broken


def sample(folder, name: str, dataset: Dataset, day: date) -> dict[str, object]:
    content = gzip.compress((folder / "vendor_samples" / f"{name}.csv").read_bytes())
    return parse(source_file(dataset, day, name), content).rows.row(0, named=True)


@pytest.mark.real
def test_old_trades_have_no_conditions_and_another_time(real_data):
    old = sample(real_data, "options_trades_v1", Dataset.OPTION_TRADES, date(2015, 1, 5))
    assert (old["conditions"], old["participant_ns"], old["size"]) == (None, None, 1.0)
    eight = sample(real_data, "options_trades_v1_doc_8col", Dataset.OPTION_TRADES, date(2023, 3, 13))
    assert (eight["conditions"], eight["participant_ns"]) == ("232", 1678715620948000000)


@pytest.mark.real
def test_stock_ticks_have_lists_of_conditions_and_fractions(real_data):
    day = date(2026, 5, 22)
    trade = sample(real_data, "stocks_trades_v1_2026", Dataset.STOCK_TRADES, day)
    assert (trade["conditions"], trade["id"], trade["size"]) == ("12,37", "52983525159748", 4.0)
    assert (trade["trf_ns"], trade["ts_ns"]) == (1779436803799271495, 1779436803799308985)
    quote = sample(real_data, "stocks_quotes_v1_2026", Dataset.STOCK_QUOTES, day)
    assert (quote["conditions"], quote["indicators"], quote["bid_price"]) == ("1,81", None, None)
    bar = sample(real_data, "stocks_day_aggs_v1_2026", Dataset.STOCK_DAY_BARS, day)
    assert (bar["volume"], bar["low"]) == (2036584.149027, 113.675)


@pytest.mark.parametrize(
    ("day", "close"), [(DAY, ("16:00", "16:15")), (date(2024, 11, 29), ("13:00", "13:15"))]
)
def test_options_on_indices_and_broad_funds_trade_until_a_quarter_past_the_close(day, close):
    midnight = et_ns(day, "00:00")
    symbols = ("AAPL250117C00200000", "SPXW250117P05000000", "SPY250117C00500000", "SPYX250117C00500000")
    # A price in scientific notation is parsed by the slower, exact path.
    for price in ("1", "1e0"):
        lines = [f"O:{symbol},10,1,{price},3,0.5,{midnight},4" for symbol in symbols]
        rows = read(BAR_HEADER, *lines, dataset=Dataset.OPTION_DAY_BARS, day=day).rows
        known = [close[0], close[1], close[1], close[0]]
        assert rows["available_at"].to_list() == [et_ns(day, moment) for moment in known]


@pytest.mark.real
def test_indices_have_no_volume_and_are_known_later(real_data):
    day = date(2023, 3, 28)
    minute = sample(real_data, "indices_minute_aggs_v1", Dataset.INDEX_MINUTE_BARS, day)
    assert (minute["ticker"], minute["open"], minute["high"]) == ("I:AAVE100", 69.8616, 69.8834)
    assert "volume" not in minute
    line = f"I:VIX,-1,0,1,-2,{et_ns(DAY, '00:00')}"
    row = read("ticker,open,close,high,low,window_start", line, dataset=Dataset.INDEX_DAY_BARS).rows
    assert row.select("low", "available_at").row(0) == (-2.0, et_ns(DAY, "16:15"))


def test_times_that_there_are_not_are_null():
    header = "ticker,price,sip_timestamp,size,participant_timestamp,trf_timestamp,sequence_number,conditions"
    lines = [
        f"A,1.5,{NINE_THIRTY},2,0,,0,",
        f'B,1.5,{NINE_THIRTY},2,"0",0,,"1 2"',
        f"C,+1.5,{NINE_THIRTY},2,0,0,,7",
    ]
    parsed = read(header, *lines, dataset=Dataset.STOCK_TRADES)
    names = ["participant_ns", "trf_ns", "sequence_number", "conditions"]
    assert parsed.rows.select(names).rows() == [
        (None, None, 0, None),
        (None, None, None, "1 2"),
        (None, None, None, "7"),
    ]
    assert parsed.odd == 1


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "dataset", "missing"),
    [
        ("indices_minute_aggs_v1", Dataset.STOCK_MINUTE_BARS, "volume"),
        ("options_trades_v1", Dataset.OPTION_MINUTE_BARS, "volume, open, close"),
        ("options_trades_v1_doc_8col", Dataset.OPTION_QUOTES, "ask_price, ask_size, bid_price"),
        ("options_quotes_v1", Dataset.OPTION_TRADES, "price, size"),
        ("stocks_trades_v1_2026", Dataset.STOCK_MINUTE_BARS, "volume, open, close"),
    ],
)
def test_other_kinds_of_real_files_are_refused(real_data, name, dataset, missing):
    content = gzip.compress((real_data / "vendor_samples" / f"{name}.csv").read_bytes())
    with pytest.raises(BadFileError, match=f"{name} lacks the columns {missing}"):
        parse(source_file(dataset, date(2026, 5, 22), name), content)


@pytest.mark.real
def test_a_real_option_day(real_data):
    source = DirectoryFlatFiles(real_data / "flatfiles")
    day = date(2014, 6, 6)
    for dataset, rows in ((Dataset.OPTION_DAY_BARS, 1216), (Dataset.OPTION_MINUTE_BARS, 22138)):
        parsed = parse(file := source.list(dataset, day, day)[0], (source.root / file.key).read_bytes())
        checked = check(table(dataset), parsed.rows)
        assert (checked.good.height, checked.bad.height, parsed.broken.height) == (rows, 0, 0)
    # Expirations of that time are Saturdays, and trades print after the close.
    assert date(2014, 6, 21) in checked.good["expiration"].unique()
    assert checked.good["ts_ns"].max() > et_ns(day, "16:00")


@pytest.mark.real
def test_real_quotes_are_one_sided_and_crossed(real_data):
    source = DirectoryFlatFiles(real_data / "flatfiles")
    day = date(2014, 6, 6)
    parsed = parse(
        file := source.list(Dataset.OPTION_QUOTES, day, day)[0], (source.root / file.key).read_bytes()
    )
    good = check(table("option_quotes"), parsed.rows).good
    assert good.height == parsed.total == 37957
    assert good.filter(good["bid_price"] > good["ask_price"]).height == 2
    assert good["bid_price"].null_count() + good["ask_price"].null_count() == 995


@pytest.mark.real
@pytest.mark.parametrize(
    ("dataset", "day", "rows"),
    [
        (Dataset.OPTION_TRADES, date(2014, 6, 6), 31227),
        (Dataset.STOCK_QUOTES, date(2013, 10, 4), 2399),
        (Dataset.OPTION_QUOTES, date(2021, 1, 5), None),
    ],
)
def test_real_ticks_are_plain(real_data, dataset, day, rows):
    source = DirectoryFlatFiles(real_data / "flatfiles")
    parsed = parse(file := source.list(dataset, day, day)[0], (source.root / file.key).read_bytes())
    assert (parsed.odd, parsed.broken.height, parsed.raw) == (0, 0, {})
    assert parsed.rows.height == (rows or parsed.total)
    assert parsed.rows["available_at"].to_list() == parsed.rows["ts_ns"].to_list()
