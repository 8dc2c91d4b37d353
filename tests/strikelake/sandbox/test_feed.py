"""The stream's events against the rows they are made of."""

from datetime import date

import polars as pl
import pytest

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns
from strikelake.sandbox.archive import Archive
from strikelake.sandbox.feed import Feed, event

LIVE = date(2025, 1, 7)
OPEN = et_ns(LIVE, "09:30")
CALL, PUT = "O:SPY250117C00590000", "O:SPY250117P00590000"


def write(folder, name, **columns):
    (folder / "market").mkdir(exist_ok=True)
    pl.DataFrame(columns).write_parquet(folder / "market" / f"{name}.parquet")


@pytest.fixture
def feed(tmp_path):
    return Feed(Archive(tmp_path), LIVE)


def shown(feed, cluster, kind, until=OPEN + 60 * NS_PER_MINUTE):
    rows = feed.between(cluster, kind, OPEN - 1, until)
    return [event(kind, row) for row in rows.iter_rows(named=True)]


@pytest.fixture
def prints(tmp_path):
    seconds = [0.25, 0.75, 61.0, 0.5]
    write(
        tmp_path,
        "option_trades",
        ticker=[CALL, CALL, CALL, PUT],
        conditions=[209, 227, 209, None],
        correction=[0] * 4,
        exchange=[300, 301, 302, 303],
        price=[1.0, 1.5, 1.25, 2.0],
        sip_timestamp=[OPEN + round(s * NS_PER_SECOND) for s in seconds],
        size=[1, 2, 3, 4],
    )


def test_option_trades_are_numbered_in_order(feed, prints):
    milliseconds = OPEN // 10**6
    found = shown(feed, "options", "T")
    assert found[0] == {
        "ev": "T", "sym": CALL, "x": 300, "p": 1.0, "s": 1, "c": [209], "t": milliseconds + 250, "q": 1,
    }  # fmt: skip
    assert [(e["sym"], e["q"], e["c"]) for e in found[1:]] == [
        (PUT, 2, []),
        (CALL, 3, [227]),
        (CALL, 4, [209]),
    ]


def test_seconds_are_made_of_prints_and_known_when_they_end(feed, prints):
    found = shown(feed, "options", "A")
    first = next(e for e in found if e["sym"] == CALL)
    start = OPEN // 10**6
    assert first == {
        "ev": "A", "sym": CALL, "v": 3, "av": 3, "vw": pytest.approx(4.0 / 3.0, abs=1e-4),
        "op": 1.0, "o": 1.0, "c": 1.5, "h": 1.5, "l": 1.0,
        "a": pytest.approx(4.0 / 3.0, abs=1e-4), "z": 2, "s": start, "e": start + 1000,
    }  # fmt: skip
    assert shown(feed, "options", "A", until=OPEN + NS_PER_SECOND - 1) == []
    assert [(e["av"], e["op"]) for e in found if e["sym"] == CALL] == [(3, 1.0), (6, 1.0)]


def test_yesterday_s_rows_are_no_events(feed, tmp_path):
    write(
        tmp_path,
        "option_minutes",
        ticker=[CALL] * 3,
        volume=[7.0, 1.0, 3.0],
        open=[1.0, 2.0, 3.0],
        close=[1.0, 2.5, 3.5],
        high=[1.0, 2.5, 3.5],
        low=[1.0, 2.0, 3.0],
        window_start=[OPEN - 86_400 * NS_PER_SECOND, OPEN, OPEN + NS_PER_MINUTE],
        transactions=[1, 1, 2],
    )
    found = shown(feed, "options", "AM")
    assert [(e["v"], e["av"], e["op"], e["z"]) for e in found] == [(1.0, 1.0, 2.0, 1), (3.0, 4.0, 2.0, 2)]


def test_an_index_has_values_and_bars_without_volume(feed, tmp_path):
    prices = {name: [6000.0] for name in ("open", "close", "high", "low")}
    write(tmp_path, "index_minutes", ticker=["I:SPX"], **prices, window_start=[OPEN])
    end = (OPEN + NS_PER_MINUTE) // 10**6
    assert shown(feed, "indices", "V") == [{"ev": "V", "val": 6000.0, "T": "I:SPX", "t": end}]
    [bar] = shown(feed, "indices", "AM")
    assert set(bar) == {"ev", "sym", "op", "o", "c", "h", "l", "s", "e"}


def test_stock_ticks_carry_their_codes_as_lists(feed, tmp_path):
    common = {"ticker": ["SPY"], "sip_timestamp": [OPEN], "sequence_number": [5], "tape": [2]}
    write(
        tmp_path,
        "stock_trades",
        **common,
        conditions=["12,37"], exchange=[4], id=["71"], price=[590.0], size=[0.5],
    )  # fmt: skip
    write(
        tmp_path,
        "stock_quotes",
        **common,
        ask_exchange=[7], ask_price=[590.2], ask_size=[3], bid_exchange=[4], bid_price=[590.0], bid_size=[2],
        conditions=["1"], indicators=["604"],
    )  # fmt: skip
    time = OPEN // 10**6
    assert shown(feed, "stocks", "T") == [
        {
            "ev": "T",
            "sym": "SPY",
            "x": 4,
            "i": "71",
            "z": 2,
            "p": 590.0,
            "s": 0.5,
            "c": [12, 37],
            "t": time,
            "q": 5,
        }
    ]
    assert shown(feed, "stocks", "Q") == [
        {
            "ev": "Q", "sym": "SPY", "bx": 4, "bp": 590.0, "bs": 2, "ax": 7, "ap": 590.2, "as": 3,
            "t": time, "q": 5, "c": 1, "i": [604], "z": 2,
        }
    ]  # fmt: skip
    assert shown(feed, "stocks", "FMV") == [{"ev": "FMV", "sym": "SPY", "fmv": 590.1, "t": time}]


def test_what_the_market_lacks_has_no_events(feed, tmp_path):
    assert shown(feed, "stocks", "A") == shown(feed, "options", "T") == shown(feed, "options", "A") == []
