"""Pricing of option bars: values, statuses, point-in-time rates, both bars side by side."""

from datetime import date
from math import exp

import polars as pl
import pytest

from pipelines.analytics import analyse
from pipelines.ingest import ingest
from pipelines.rates import newest_curve
from strikelake.calendar import NS_PER_MINUTE, et_ns, session
from strikelake.errors import EmptyLakeError
from strikelake.lake.store import Lake
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

DAY = date(2025, 1, 8)


def _write(lake, name, rows):
    columns = table(name).columns
    frame = pl.DataFrame(rows, schema=columns)
    lake.replace_many(name, {key[0]: part for key, part in frame.partition_by("date", as_dict=True).items()})


def _option(symbol, underlying, strike, clock, close, *, minutes=1, expiration=date(2025, 2, 21), side="C"):
    start = et_ns(DAY, clock)
    known = start + NS_PER_MINUTE if minutes else session(DAY).close_ns
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    contract = {"occ_symbol": symbol, "underlying": underlying, "expiration": expiration}
    return {
        **contract,
        **prices,
        "date": DAY,
        "option_type": side,
        "strike": strike,
        "ts_ns": start,
        "volume": 1.0,
        "transactions": 1,
        "available_at": known,
    }


def _stock(ticker, clock, close):
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    start = et_ns(DAY, clock)
    times = {"ts_ns": start, "available_at": start + NS_PER_MINUTE}
    return {**prices, **times, "date": DAY, "ticker": ticker, "volume": 1.0, "transactions": 1}


def test_day_bars_give_back_the_volatility_they_were_made_with(lake):
    steps = []
    report = analyse(lake, date(2025, 1, 2), date(2025, 1, 8), progress=lambda *step: steps.append(step))
    rows = lake.scan("option_analytics").collect()
    assert (report.sessions, report.rows) == (5, rows.height)
    assert steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert sum(report.by_status.values()) == report.rows
    assert report.by_status["solved"] > 0.9 * report.rows
    assert (report.implied_underlying, report.without_underlying) == ({}, {})
    assert (report.adjusted_rows, report.default_rate_sessions) == (0, 0)
    solved = rows.filter(pl.col("status") == "solved")
    assert ((solved["implied_vol"] - 0.3).abs() <= solved["iv_error"] * 1.001 + 0.004).all()
    assert (
        solved.select(pl.col("delta", "gamma", "vega", "theta", "rho").is_finite().all()).row(0)
        == (True,) * 5
    )
    assert solved["rate"].to_list() == pytest.approx([0.04] * solved.height)
    unsolved = rows.filter(pl.col("status") != "solved")
    assert unsolved.select("implied_vol", "iv_error", "delta").null_count().row(0) == (unsolved.height,) * 3


@pytest.mark.parametrize(("rows", "commits"), [(1, 5), (100, 3), (500_000, 1)])
def test_sessions_share_commits_and_whatever_their_size_the_rows_are_the_same(
    lake, priced_lake, monkeypatch, rows, commits
):
    monkeypatch.setattr("pipelines.analytics._ROWS_A_COMMIT", rows)
    span = date(2025, 1, 2), date(2025, 1, 8)
    analyse(lake, *span)
    assert lake.versions()["option_analytics"] == commits
    keys = ["date", "occ_symbol"]
    stored, expected = (
        each.scan("option_analytics", *span).collect().sort(keys) for each in (lake, priced_lake)
    )
    assert stored.equals(expected)


def test_running_again_changes_nothing(lake):
    analyse(lake, DAY, DAY)
    before = lake.versions()["option_analytics"]
    analyse(lake, DAY, DAY)
    assert lake.versions()["option_analytics"] == before


def test_minute_bars_see_the_last_stock_minute_and_keep_the_day_rows(lake):
    analyse(lake, DAY, DAY)
    days = lake.scan("option_analytics").filter(pl.col("bar") == "1d").collect().height
    symbol = "SPY250221C00100000"
    _write(lake, "stock_minute_bars", [_stock("SPY", "10:00", 100.0), _stock("SPY", "10:05", 101.0)])
    _write(
        lake,
        "option_minute_bars",
        [_option(symbol, "SPY", 100.0, clock, 4.0) for clock in ("09:59", "10:00", "10:04", "10:05")],
    )
    report = analyse(lake, DAY, DAY, bar="1m")
    found = lake.scan("option_analytics").collect()
    assert found.filter(pl.col("bar") == "1d").height == days
    minutes = found.filter(pl.col("bar") == "1m").sort("ts_ns")
    assert minutes["underlying_price"].to_list() == [None, 100.0, 100.0, 101.0]
    assert minutes["status"].to_list() == ["missing_input", "solved", "solved", "solved"]
    stale = (minutes["ts_ns"] - minutes["underlying_ts_ns"]).to_list()
    assert stale == [None, 0, 4 * NS_PER_MINUTE, 0]
    assert minutes["available_at"].to_list() == (minutes["ts_ns"] + NS_PER_MINUTE).to_list()
    assert report.without_underlying == {"SPY": 1}


def test_an_underlying_without_bars_is_counted_and_named(lake):
    rows = [
        _option("SPXW250221C05900000", "SPX", 5900.0, "00:00", 80.0, minutes=0),
        _option("AAPL1250221C00100000", "AAPL", 100.0, "00:00", 4.0, minutes=0),
    ]
    _write(lake, "option_day_bars", rows)
    report = analyse(lake, DAY, DAY)
    assert report.by_status == {"missing_input": 2}
    assert report.without_underlying == {"SPX": 1}
    assert report.adjusted_rows == 1
    found = lake.scan("option_analytics", DAY, DAY).collect()
    assert found.select("underlying_price", "underlying_ts_ns", "implied_vol").null_count().row(0) == (
        2,
        2,
        2,
    )
    assert found["price"].sort().to_list() == [4.0, 80.0]


def test_an_index_is_priced_by_the_parity_of_its_options(lake):
    rows = [
        _option(f"SPXW250221{side}05900000", "SPX", 5900.0, "00:00", close, minutes=0, side=side)
        for side, close in (("C", 80.0), ("P", 70.0))
    ]
    _write(lake, "option_day_bars", rows)
    report = analyse(lake, DAY, DAY)
    assert report.by_status == {"solved": 2}
    assert (report.implied_underlying, report.without_underlying) == ({"SPX": 2}, {})
    found = lake.scan("option_analytics", DAY, DAY).collect()
    years, rate = found["years"][0], found["rate"][0]
    assert found["underlying_price"].to_list() == pytest.approx([5900.0 * exp(-rate * years) + 10.0] * 2)
    assert found["underlying_ts_ns"].to_list() == [et_ns(DAY, "00:00")] * 2
    assert found["available_at"].to_list() == [session(DAY).close_ns] * 2
    assert found["implied_vol"][0] == pytest.approx(found["implied_vol"][1], rel=1e-9)


def test_an_option_on_its_last_day_is_expired_at_the_close(lake):
    row = _option("SPY250108C00100000", "SPY", 100.0, "00:00", 1.0, minutes=0, expiration=DAY)
    _write(lake, "option_day_bars", [row])
    assert analyse(lake, DAY, DAY).by_status == {"expired": 1}


def test_without_a_curve_the_default_rate_is_used_and_counted(lake):
    lake.overwrite("treasury_yields", lake.scan("treasury_yields").filter(pl.col("date") >= DAY).collect())
    report = analyse(lake, DAY, DAY, rates_default=0.01)
    assert report.default_rate_sessions == 1
    assert lake.scan("option_analytics", DAY, DAY).collect()["rate"].unique().to_list() == [0.01]


def test_the_curve_of_the_evening_is_not_known_at_the_close():
    days = [date(2025, 1, 7), DAY]
    yields = pl.DataFrame(
        {
            "date": days,
            "tenor_days": 30,
            "yield_rate": [0.01, 0.02],
            "available_at": [et_ns(d, "18:00") for d in days],
        }
    )
    assert newest_curve(yields, session(DAY).close_ns)["yield_rate"].to_list() == [0.01]
    assert newest_curve(yields, et_ns(DAY, "18:00"))["yield_rate"].to_list() == [0.02]
    assert newest_curve(yields, et_ns(date(2025, 1, 7), "17:59")) is None
    assert newest_curve(yields, et_ns(date(2025, 3, 7), "17:59")) is None
    assert newest_curve(yields.clear(), session(DAY).close_ns) is None


def test_nothing_to_price_names_the_remedy(tmp_path):
    with pytest.raises(EmptyLakeError, match="option_day_bars: run `strikelake ingest`"):
        analyse(Lake(tmp_path), DAY, DAY)


@pytest.mark.real
def test_every_real_option_bar_has_a_volatility_or_a_reason(real_data, tmp_path):
    """At the rates of those years, as this lake has no yields."""
    lake = Lake(tmp_path)
    files = DirectoryFlatFiles(real_data / "flatfiles")
    kinds = [each for each in Dataset if each != Dataset.OPTION_QUOTES]
    for first, last in (
        ("2013-06-27", "2013-07-02"),
        ("2014-06-05", "2014-06-06"),
        ("2021-01-05", "2021-01-08"),
    ):
        ingest(lake, files, kinds, date.fromisoformat(first), date.fromisoformat(last))
    days, minutes = (
        analyse(lake, date(2013, 6, 27), date(2021, 1, 8), bar=bar, rates_default=0.001)
        for bar in ("1d", "1m")
    )
    assert (days.sessions, minutes.sessions) == (9, 8)
    assert (days.by_status["expired"], sum(days.by_status.values())) == (98, 1352)
    assert days.by_status["solved"] > 1200
    assert sum(minutes.by_status.values()) == 28102
    assert minutes.by_status["solved"] > 26000
    assert minutes.by_status["missing_input"] == 1011
    forwards = (
        lake.scan("forwards").filter(pl.col("method") == "implied", pl.col("status") == "solved").collect()
    )
    gaps = forwards.filter(pl.col("bar") == "1m", pl.col("years") > 7 / 365).median()
    assert gaps["gap_after"][0] < 0.6 * gaps["gap_before"][0]
    assert (days.implied_underlying, days.without_underlying) == ({"SPX": 44}, {})
    assert (minutes.implied_underlying, minutes.without_underlying) == ({"SPX": 4821}, {"SPX": 1011})
