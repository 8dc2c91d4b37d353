"""Bad input: what becomes of a file, and of each row in it."""

import gzip
from datetime import date

import polars as pl
import pytest

from pipelines.intake import take_in
from pipelines.vet import vet
from strikelake.calendar import et_ns
from strikelake.errors import BadFileError, QualityError
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles
from strikelake.vendors.quote_filter import QuoteFilter

DAY = date(2025, 1, 6)
NINE_THIRTY = et_ns(DAY, "09:30")
MINUTE = 60_000_000_000
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
QUOTE_HEADER = (
    "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,sequence_number,sip_timestamp"
)
MINUTES = Dataset.STOCK_MINUTE_BARS


@pytest.fixture
def put(tmp_path):
    def put(content: bytes, dataset: Dataset = MINUTES, day: date = DAY):
        path = tmp_path / dataset.prefix / f"{day:%Y/%m}" / f"{day}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        source = DirectoryFlatFiles(tmp_path)
        return source, source.list(dataset, day, day)[0]

    return put


def packed(*lines: str, header: str = HEADER) -> bytes:
    return gzip.compress("\n".join([header, *lines, ""]).encode())


def bar(ticker: str, minute: int, **changes: object) -> str:
    row = {
        "volume": 10,
        "open": 1,
        "close": 2,
        "high": 3,
        "low": 0.5,
        "start": NINE_THIRTY + minute * MINUTE,
        "n": 4,
    }
    return ",".join(map(str, [ticker, *(row | changes).values()]))


def rows_of(staged) -> pl.DataFrame:
    groups = [staged.read(group) for group in range(staged.groups)]
    found = [pl.from_arrow(group) for group in groups or [staged.schema.empty_table()]]
    return pl.concat(found).with_columns(pl.col(pl.Categorical).cast(pl.String))


def taken(put, tmp_path, content: bytes, dataset: Dataset = MINUTES, quotes: QuoteFilter | None = None):
    found = take_in(*put(content, dataset), tmp_path, quotes or QuoteFilter())
    return found, rows_of(found.staged)


DAMAGED = {
    "truncated gzip": (packed(*[bar("SPY", n) for n in range(300)])[:-200], "no whole gzip file"),
    "a gzip file without its end": (packed(bar("SPY", 0))[:-4], "no whole gzip file"),
    "a wrong checksum": (packed(bar("SPY", 0))[:-8] + bytes(8), "no whole gzip file"),
    "an error page": (b"<html>503</html>", "no whole gzip file"),
    "binary garbage": (bytes(range(256)) * 40, "no whole gzip file"),
    "binary garbage, gzipped": (gzip.compress(bytes(range(256)) * 400), "lacks the columns"),
    "one endless line": (gzip.compress(b"a" * 200_000), "no CSV file: a line is longer|lacks the columns"),
    "one endless row": (packed("A" * 9_000_000), "no CSV file: a line is longer"),
    "nothing": (b"", "is empty: fetch it again"),
    "nothing, gzipped": (gzip.compress(b""), "is empty: fetch it again"),
    "a header alone": (packed(), "has a header and no rows"),
    "a missing column": (packed("SPY,1", header="ticker,volume"), "lacks the columns open, close, high, low"),
    "another day": (
        packed(bar("SPY", 2_000)),
        "no row of 2025-01-06, its first is of 2025-01-07: it is misnamed",
    ),
    "another day, long": (packed(*[bar("SPY", 2_000 + n % 9) for n in range(60_000)]), "it is misnamed"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_as_a_whole(put, tmp_path, name):
    content, said = DAMAGED[name]
    with pytest.raises(BadFileError, match=said) as caught:
        take_in(*put(content), tmp_path, QuoteFilter())
    assert "2025/01/2025-01-06.csv.gz" in str(caught.value)
    refused = vet(*put(content), 0.01, tmp_path, QuoteFilter())
    assert (str(refused.outcome.fault), refused.good) == (str(caught.value), None)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"open": -1}, "open|min_exclusive; low_is_lowest"),
        ({"low": 0}, "low|min_exclusive"),
        ({"high": 1e9}, "high|max"),
        ({"high": "inf"}, "high|inf"),
        ({"close": "nan"}, "close|nan"),
        ({"volume": -5}, "volume|min"),
        ({"volume": ""}, "volume|nullability"),
        ({"n": -1}, "transactions|min"),
        ({"n": 1.5}, "transactions|parse"),
        ({"start": ""}, "ts_ns|nullability"),
        ({"start": NINE_THIRTY - 86_400 * 10**9}, "ts_ns|date"),
        ({"high": 0.7}, "high_is_highest"),
    ],
)
def test_a_bad_row_is_told_by_number_rule_and_text(put, tmp_path, changes, rules):
    bad = bar("SPY", 1, **changes)
    found, rows = taken(put, tmp_path, packed(bar("SPY", 0), bad, bar("SPY", 2)))
    broken = found.bad.row(0)
    assert (broken[0], found.raw) == (3, {3: bad})
    assert set(rules.split("; ")) <= set(broken[1].split("; "))
    assert (rows.height, found.total) == (2, 3)


def test_odd_rows_that_are_good_keep_their_place(put, tmp_path):
    odd = [
        bar("SPY", 1, volume="1e2"),
        bar("SPY", 2, open="+1"),
        bar("SPY", 3, volume="0.12345678901234567890"),
    ]
    found, rows = taken(put, tmp_path, packed(bar("SPY", 0), *odd, bar("SPY", 4)))
    assert found.bad.is_empty()
    assert rows["volume"].to_list() == [10.0, 100.0, 10.0, 0.12345678901234567890, 10.0]
    assert rows["ts_ns"].is_sorted()


def test_disordered_rows_are_put_in_order_and_repeated_ones_set_aside(put, tmp_path):
    lines = [
        bar("B", 0),
        bar("B", 2),
        bar("B", 1),
        bar("A", 3),
        bar("B", 2),
        bar("C", 0),
        bar("C", 0, volume=11),
    ]
    found, rows = taken(put, tmp_path, packed(*lines))
    keys = rows.select("ticker", (pl.col("ts_ns") - NINE_THIRTY) // MINUTE).rows()
    assert keys == [("A", 3), ("B", 0), ("B", 1), ("B", 2)]
    assert found.bad.rows() == [(6, "row|duplicate"), (7, "primary_key"), (8, "primary_key")]
    assert found.raw == {6: lines[4], 7: lines[5], 8: lines[6]}


def test_bad_rows_before_a_repeated_one_do_not_shift_its_number(put, tmp_path):
    lines = [bar("A", 0, open="x"), bar("A", 1), bar("A", 2, volume="y"), bar("A", 3), bar("A", 1, volume=7)]
    found, _ = taken(put, tmp_path, packed(*lines))
    assert found.bad["row_number"].to_list() == [2, 3, 4, 6]
    assert found.raw == {2: lines[0], 3: lines[1], 4: lines[2], 6: lines[4]}


def test_unknown_columns_are_told_and_repeated_trades_kept(put, tmp_path):
    header = "ticker,price,sip_timestamp,size,mood"
    lines = [f"SPY,1.5,{NINE_THIRTY},2,good"] * 2
    found, rows = taken(put, tmp_path, packed(*lines, header=header), Dataset.STOCK_TRADES)
    assert (found.ignored, rows.height, found.bad.height) == (("mood",), 2, 0)


def quote(second: int, bid: float, root: str = "SPY") -> str:
    return f"O:{root}250117C00500000,1,9,1,1,{bid},1,1,{NINE_THIRTY + second * 10**9}"


@pytest.mark.parametrize(
    ("quotes", "bids"),
    [
        (QuoteFilter(sampling="all"), [1.0, 2.0, 3.0, 4.0, 5.0]),
        (QuoteFilter(), [2.0, 4.0, 5.0]),
        (QuoteFilter(frozenset({"SPY"})), [4.0, 5.0]),
        (QuoteFilter(max_dte=3), []),
    ],
)
def test_quotes_are_filtered_and_sampled(put, tmp_path, quotes, bids):
    lines = [quote(1, 1, "AAPL"), quote(2, 2, "AAPL"), quote(0, 3), quote(59, 4), quote(60, 5)]
    found, rows = taken(put, tmp_path, packed(*lines, header=QUOTE_HEADER), Dataset.OPTION_QUOTES, quotes)
    assert rows["bid_price"].to_list() == bids
    assert found.total + found.unwanted == 5


def test_disordered_quotes_are_sampled_in_the_order_of_time(put, tmp_path):
    lines = [quote(5, 1), quote(59, 2), quote(70, 3), quote(30, 4), quote(61, 5)]
    _, rows = taken(put, tmp_path, packed(*lines, header=QUOTE_HEADER), Dataset.OPTION_QUOTES)
    assert rows["bid_price"].to_list() == [2.0, 3.0]


def test_too_many_bad_or_late_rows_are_not_kept(put, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.intake._MOST_BAD", 2)
    with pytest.raises(
        QualityError, match=r"more than 2 rows are bad \(volume.parse\); the first is 'SPY,x,"
    ):
        take_in(
            *put(packed(bar("A", 0), *[bar("SPY", n, volume="x") for n in range(3)])), tmp_path, QuoteFilter()
        )
    monkeypatch.setattr("pipelines.intake._MOST_LATE", 2)
    with pytest.raises(BadFileError, match="is not sorted: more than 2 rows come too late"):
        take_in(*put(packed(bar("B", 9), *[bar("A", n) for n in range(3)])), tmp_path, QuoteFilter())


@pytest.mark.real
def test_every_vendor_sample_is_taken_as_its_own_kind(real_data, put, tmp_path):
    kinds = {"options": "option", "stocks": "stock", "indices": "index"}
    shapes = {"day_aggs": "day_bars", "minute_aggs": "minute_bars", "quotes": "quotes", "trades": "trades"}
    seen = {}
    for path in sorted((real_data / "vendor_samples").glob("*.csv")):
        market, rest = path.stem.split("_", 1)
        shape = next(name for kind, name in shapes.items() if rest.startswith(kind))
        dataset = Dataset(f"{kinds[market]}_{shape}")
        day = date(2025, 2, 10) if "bad_window_start" in rest else _first_date(path.read_text(), dataset)
        found = take_in(*put(gzip.compress(path.read_bytes()), dataset, day), tmp_path, QuoteFilter())
        assert set(rows_of(found.staged).columns) == set(table(dataset).columns) - {"date"}
        assert set(found.bad["rule"]) <= {"ts_ns|date"}, path.name
        seen[path.stem] = found.staged.rows
    assert len(seen) == 12
    assert min(seen.values()) == 1


def _first_date(text: str, dataset: Dataset) -> date:
    header, first = text.splitlines()[:2]
    column = "sip_timestamp" if dataset.is_tick else "window_start"
    moment = int(pl.read_csv(f"{header}\n{first}".encode())[column][0])
    return (
        pl.Series([moment])
        .cast(pl.Datetime("ns", "UTC"))
        .dt.convert_time_zone("America/New_York")
        .dt.date()[0]
    )
