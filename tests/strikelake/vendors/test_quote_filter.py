import gzip
import io
from datetime import date

import pytest

from strikelake.calendar import et_ns
from strikelake.errors import ConfigError
from strikelake.vendors.flat_files import Dataset, SourceFile
from strikelake.vendors.flat_rows import read_rows
from strikelake.vendors.quote_filter import QuoteFilter

DAY = date(2025, 1, 6)
NOON = et_ns(DAY, "12:00")
HEADER = "ticker,ask_price,ask_size,bid_price,bid_size,sip_timestamp"
SYMBOLS = [
    "AAPL1250117C00100000",
    "AAPL250117C00100000",
    "AAPL250620C00100000",
    "AAPLX250117C00100000",
    "SPX250117C05000000",
    "SPXW250106C05000000",
    "SPY250117C00500000",
]


def kept(quotes: QuoteFilter, *extra: str, header: str = HEADER, order=(0, 1, 2, 3, 4, 5)):
    file = SourceFile(Dataset.OPTION_QUOTES, DAY, "x", "etag", 1, 0)
    rows = [f"O:{symbol},1.6,1,1.5,1,{NOON}".split(",") for symbol in SYMBOLS]
    lines = [header, *(",".join(row[place] for place in order) for row in rows), *extra]
    blocks = list(read_rows(file, io.BytesIO(gzip.compress("\n".join(lines).encode())), quotes).blocks)
    symbols = [
        s
        for block in blocks
        for s in block.plain["occ_symbol"].to_pylist() + block.odd["occ_symbol"].to_list()
    ]
    return symbols, sum(block.unwanted for block in blocks), blocks


@pytest.mark.parametrize(
    ("quotes", "symbols"),
    [
        (QuoteFilter(), SYMBOLS),
        (QuoteFilter(frozenset({"AAPL"})), SYMBOLS[:3]),
        (QuoteFilter(frozenset({"SPX", "SPY"})), SYMBOLS[4:]),
        (QuoteFilter(max_dte=0), SYMBOLS[5:6]),
        (QuoteFilter(frozenset({"AAPL"}), max_dte=11), SYMBOLS[:2]),
        (QuoteFilter(frozenset({"MSFT"})), []),
    ],
)
def test_contracts_are_kept_by_underlying_and_expiration(quotes, symbols):
    found, unwanted, blocks = kept(quotes)
    assert (found, unwanted) == (symbols, len(SYMBOLS) - len(symbols))
    assert set(blocks[0].plain["occ_symbol"].combine_chunks().dictionary.to_pylist()) == set(symbols)


def test_the_ticker_may_come_last():
    header = "ask_price,ask_size,bid_price,bid_size,sip_timestamp,ticker"
    odd = f"+1.6,1,1.5,1,{NOON},O:MSFT250117C00100000"
    found, unwanted, _ = kept(
        QuoteFilter(frozenset({"SPY"})),
        odd,
        odd.replace("MSFT", "SPY"),
        header=header,
        order=(1, 2, 3, 4, 5, 0),
    )
    assert (found, unwanted) == (["SPY250117C00500000", "SPY250117C00100000"], 6)


def test_what_is_not_wanted_is_not_looked_at():
    found, _, blocks = kept(
        QuoteFilter(frozenset({"SPY"})), "O:TSLA250117C00100000,broken", "O:SPY250117C00100000,x"
    )
    assert (found, [n for block in blocks for n in block.raw]) == (["SPY250117C00500000"], [10])


def test_every_filter_says_what_it_keeps():
    assert str(QuoteFilter()) == "quotes of all underlyings, any expiration, the last of each minute"
    chosen = QuoteFilter(frozenset({"SPY", "AAPL"}), 30, "all")
    assert str(chosen) == "quotes of AAPL SPY, expiring within 30 days, every one"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_dte": -1}, "max_dte of the quotes is -1: give days"),
        ({"underlyings": frozenset()}, "of no underlying: name some"),
    ],
)
def test_filters_that_make_no_sense_are_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        QuoteFilter(**wrong)
