"""Features into the lake, and the live window against them."""

import shutil
from datetime import date

import numpy as np
import polars as pl
import pytest

from features.bars import COLUMNS, extend, frame_of
from features.catalog import catalog
from features.context import needs
from pipelines.featurize import featurize
from pipelines.inputs import read_facts
from pipelines.live_features import history, live_features
from strikelake.calendar import NS_PER_MINUTE, et_ns, session, sessions
from strikelake.errors import EmptyLakeError
from strikelake.lake.store import Lake
from strikelake.schemas import table

START, END = date(2025, 2, 12), date(2025, 2, 18)


def _wide(lake, **chosen):
    rows = lake.scan("features", **chosen).collect()
    return rows.pivot(on="feature", index=["asof", "underlying", "date"], values="value").sort(
        "asof", "underlying"
    )


@pytest.fixture
def priced(priced_lake, tmp_path):
    return Lake(shutil.copytree(priced_lake.root, tmp_path / "priced"))


@pytest.fixture(scope="module")
def stored(priced_lake, tmp_path_factory):
    """A lake with features, to read from."""
    lake = Lake(shutil.copytree(priced_lake.root, tmp_path_factory.mktemp("stored") / "lake"))
    featurize(lake, START, END, bar="30m")
    return lake


def _today(lake):
    return lake.scan("stock_minute_bars", END, END).collect()


def test_every_bar_gets_every_feature(priced):
    steps = []
    report = featurize(priced, START, END, bar="30m", progress=lambda *step: steps.append(step))
    stored = priced.scan("features").collect()
    assert report.sessions == len(sessions(START, END)) == stored["date"].n_unique()
    assert report.rows == stored.height == 4 * 4 * 13 * len(catalog())
    assert report.underlyings == ("AAPL", "MSFT", "QQQ", "SPY")
    assert steps == [(4, 4)]
    assert stored["available_at"].equals(stored["asof"], check_names=False)
    assert report.computed == report.rows
    assert report.null_share["atm_iv"] == 0.5  # MSFT and QQQ have none
    assert report.null_reasons["atm_iv"] == {"unknown_input": report.rows // len(catalog()) // 2}
    assert report.null_reasons["return_1"] == {}
    assert report.absent == ("earnings", "news", "open_interest", "own_index", "surfaces", "volatility_index")


def test_a_split_is_no_return(priced):
    featurize(priced, date(2025, 2, 10), date(2025, 2, 10), bar="30m")
    opening = _wide(priced).filter(pl.col("underlying") == "MSFT").row(0, named=True)
    assert abs(opening["gap"]) < 0.1
    raw = priced.scan(
        "stock_minute_bars", date(2025, 2, 7), date(2025, 2, 10), underlyings=["MSFT"]
    ).collect()
    assert raw.sort("ts_ns")["close"].pct_change().min() < -0.4


def test_running_again_changes_nothing_and_in_parts_gives_the_same_values(stored, priced):
    whole, versions = _wide(stored), stored.versions()
    featurize(stored, START, END, bar="30m")
    assert stored.versions() == versions
    for begin, end in ((date(2025, 2, 14), END), (START, date(2025, 2, 13))):
        featurize(priced, begin, end, bar="30m")
    np.testing.assert_allclose(
        _wide(priced).select(*catalog()), whole.select(*catalog()), rtol=1e-9, atol=1e-12
    )


def test_a_company_that_moves_changes_its_peers_alone_and_only_from_then_on(priced):
    names = ["return_1", "sector_strength_13"]
    featurize(priced, START, END, bar="30m", names=names)
    before = _wide(priced)
    assert before.filter(pl.col("underlying") == "QQQ")["sector_strength_13"].null_count() == 2 * 13
    day = date(2025, 2, 18)
    moved = {"date": day, "ticker": "SPY", "sic_code": 5411, "available_at": session(day).open_ns}
    row = pl.DataFrame([moved], schema=dict(table("classifications").columns))
    priced.update("classifications", lambda rows: pl.concat([rows, row]))
    report = featurize(priced, START, END, bar="30m", names=names)
    assert report.computed == 4 * 13  # of the sector feature, of the one session that may know of it
    after = _wide(priced)
    past, last = pl.col("date") < day, pl.col("date") == day
    assert after.filter(past).equals(before.filter(past))
    assert after.filter(last)["return_1"].equals(before.filter(last)["return_1"])
    peers = after.filter(last).filter(pl.col("sector_strength_13").is_not_null())["underlying"]
    assert set(peers) == {"AAPL", "MSFT", "QQQ", "SPY"}


def test_years_without_bars_between_sessions_are_no_obstacle(priced):
    _shift_copy(priced, date(2025, 2, 18), date(2023, 2, 21))
    steps = []
    names = [
        "macd_histogram_12_26_9",
        "atm_iv_change",
        "sector_strength_13",
    ]  # the longest history, and facts
    report = featurize(
        priced, date(2022, 1, 3), END, bar="30m", names=names, progress=lambda *step: steps.append(step)
    )
    assert report.sessions == 1 + len(sessions(date(2025, 1, 2), END))
    assert steps == [(32, 32)]


def _shift_copy(lake, day, earlier):
    """Give the lake the minutes of one session on a date years before."""
    shift = session(earlier).open_ns - session(day).open_ns
    moved = lake.scan("stock_minute_bars", day, day).with_columns(
        pl.col("ts_ns", "available_at") + shift, date=pl.lit(earlier)
    )
    lake.replace("stock_minute_bars", earlier, moved.collect())


def test_bars_of_another_width_stay(priced):
    for bar in ("1d", "1h"):
        featurize(priced, END, END, bar=bar, names=["return_1", "atm_iv"])
    counts = priced.scan("features").group_by("bar").agg(pl.col("asof").n_unique()).collect()
    assert dict(counts.rows()) == {"1d": 1, "1h": 7}


def test_without_options_those_features_are_null(lake):
    report = featurize(lake, END, END, bar="30m", underlyings=["SPY", "QQQ", "AAPL"])
    assert "options" in report.absent
    assert report.underlyings == ("AAPL", "QQQ", "SPY")
    assert report.null_share["atm_iv"] == 1.0


def test_the_live_window_ignores_what_is_not_known_yet(stored):
    known = history(stored, END)
    today = _today(stored)
    asof = et_ns(END, "11:00")
    whole = live_features(known.bars, today, read_facts(stored, END, END, needs(catalog().values())), asof)
    seen = live_features(known.bars, today.filter(pl.col("available_at") <= asof), known.facts, asof)
    assert whole.equals(seen)


def test_minutes_that_arrive_twice_count_once(stored):
    known = history(stored, END)
    today = _today(stored)
    asof = et_ns(END, "11:00")
    once = live_features(known.bars, today, known.facts, asof)
    assert live_features(known.bars, pl.concat([today, today]), known.facts, asof).equals(once)


def test_bars_of_the_session_itself_are_made_of_its_minutes_alone(stored):
    known = history(stored, END)
    today = _today(stored)
    asof = et_ns(END, "11:00")
    begun = frame_of(extend(known.bars, today.filter(pl.col("available_at") <= asof - 5 * NS_PER_MINUTE)))
    once = live_features(known.bars, today, known.facts, asof)
    assert live_features(begun, today, known.facts, asof).equals(once)


def test_minutes_of_other_sessions_are_not_looked_at(stored):
    known = history(stored, END)
    asof, before = et_ns(END, "11:00"), date(2025, 2, 14)
    minutes = stored.scan("stock_minute_bars", before, before).collect()
    late = minutes.filter(pl.col("ts_ns") >= et_ns(before, "15:50"))
    once = live_features(known.bars, _today(stored), known.facts, asof)
    assert live_features(known.bars, pl.concat([late, _today(stored)]), known.facts, asof).equals(once)


def test_an_underlying_that_did_not_trade_in_the_bar_has_no_row(stored):
    known = history(stored, END)
    today = _today(stored).filter(pl.col("ticker").is_in(["SPY", "AAPL"]))
    live = live_features(known.bars, today, known.facts, et_ns(END, "10:00"), names=["return_1"])
    assert live.columns == ["asof", "underlying", "date", "return_1"]
    assert live["underlying"].to_list() == ["AAPL", "SPY"]


def test_history_ends_before_the_session(stored):
    known = history(stored, END)
    assert known.bars["asof"].max() == session(date(2025, 2, 14)).close_ns
    assert known.facts["options"]["available_at"].max() == session(date(2025, 2, 14)).close_ns


@pytest.mark.parametrize("minutes", [-30, 0, 1, 400])
def test_a_time_that_ends_no_bar_is_refused(minutes):
    none = pl.DataFrame(schema=table("stock_minute_bars").columns)
    bars = pl.DataFrame(schema=COLUMNS)
    asof = session(END).open_ns + minutes * NS_PER_MINUTE
    with pytest.raises(ValueError, match="ET does not end a 30m bar"):
        live_features(bars, none, None, asof)


def test_nothing_to_read_names_the_remedy(tmp_path, lake):
    with pytest.raises(EmptyLakeError, match="stock_minute_bars: run `strikelake ingest`"):
        featurize(Lake(tmp_path / "none"), START, END, bar="30m")
    with pytest.raises(
        EmptyLakeError, match=r"no bars of regular hours for ABC from .*: run `strikelake ingest`"
    ):
        featurize(lake, START, END, bar="30m", underlyings=["ABC"])
    with pytest.raises(ValueError, match="bar '5x' is not a width"):
        featurize(lake, START, END, bar="5x")
