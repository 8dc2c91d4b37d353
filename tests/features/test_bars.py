"""Resampling, labels of windows, segments."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from features.bars import COLUMNS, extend, frame_of, from_day_bars, resample
from strikelake.calendar import NS_PER_MINUTE, et_ns, session, sessions

DAY = date(2025, 1, 8)
HALF_DAY = date(2025, 7, 3)


def test_windows_are_labelled_by_their_end(minutes):
    found = resample(minutes(DAY, [0, 1, 29, 30]), "30m")
    assert found["asof"].to_list() == [et_ns(DAY, "10:00"), et_ns(DAY, "10:30")]
    assert found.row(0, named=True) == {
        "asof": et_ns(DAY, "10:00"),
        "underlying": "SPY",
        "date": DAY,
        "open": 100.0,
        "high": 131.0,
        "low": 98.0,
        "close": 130.0,
        "volume": 30.0,
        "segment": 0,
    }


def test_a_bar_is_known_once_its_last_minute_is(minutes):
    rows = minutes(DAY, range(390))
    found = resample(rows, "30m").join(rows.select("available_at"), left_on="asof", right_on="available_at")
    assert found.height == 13


def test_minutes_outside_regular_hours_are_left_out(minutes):
    assert resample(minutes(DAY, [-90, -1, 390, 500])).is_empty()
    assert resample(minutes(DAY, [-1, 389])).select("asof", "volume").rows() == [
        (session(DAY).close_ns, 10.0)
    ]


def test_half_day_ends_at_one(minutes):
    found = resample(minutes(HALF_DAY, range(390)), "30m")
    assert found.height == 7
    assert found["asof"][-1] == et_ns(HALF_DAY, "13:00")


def test_a_width_that_does_not_divide_the_session_ends_with_it(minutes):
    found = resample(minutes(DAY, range(390)), "1h")
    assert found["asof"].to_list()[-2:] == [et_ns(DAY, "15:30"), et_ns(DAY, "16:00")]
    assert found["volume"].to_list()[-2:] == [600.0, 300.0]


def test_empty_windows_give_no_bar_and_order_of_rows_does_not_matter(minutes):
    rows = pl.concat([minutes(DAY, [0, 100]), minutes(DAY, [5, 7], "QQQ")])
    found = resample(rows)
    assert found.select("underlying", "open", "close").rows() == [
        ("QQQ", 105.0, 108.0),
        ("SPY", 100.0, 101.0),
        ("SPY", 200.0, 201.0),
    ]
    assert found.equals(resample(rows.reverse()))


def test_of_rows_for_the_same_minute_the_last_counts(minutes):
    rows, again = minutes(DAY, [0, 1]), minutes(DAY, [1]).with_columns(close=pl.lit(7.0), volume=pl.lit(3.0))
    found = resample(pl.concat([rows, again]))
    assert found.select("close", "volume").rows() == [(7.0, rows["volume"][0] + 3.0)]


def test_days_that_are_no_session_are_left_out(minutes):
    rows = minutes(DAY, [0]).with_columns(date=pl.lit(date(2025, 1, 9)))
    assert resample(rows).is_empty()


def test_no_minutes_give_an_empty_frame_of_bars(minutes):
    found = resample(minutes(DAY, [0]).clear())
    assert dict(found.schema) == COLUMNS
    assert found.is_empty()


@pytest.mark.parametrize("bar", ["", "30", "0m", "7h", "30s", "390m"])
def test_a_width_outside_the_session_is_named(minutes, bar):
    with pytest.raises(ValueError, match=f"bar '{bar}' is not a width.*such as 30m"):
        resample(minutes(DAY, [0]), bar)


def test_resampling_to_days_points_to_day_bars(minutes):
    with pytest.raises(ValueError, match="from_day_bars"):
        resample(minutes(DAY, [0]), "1d")


def _day_bars(ticker, days):
    rows = {"date": [d.date for d in days], "ts_ns": [d.open_ns - 570 * NS_PER_MINUTE for d in days]}
    prices = {name: [10.0] * len(days) for name in ("open", "high", "low", "close", "volume")}
    return pl.DataFrame({**rows, **prices, "ticker": [ticker] * len(days)})


def test_day_bars_are_known_at_the_close():
    days = sessions(date(2025, 1, 2), date(2025, 1, 10))
    assert from_day_bars(_day_bars("SPY", days))["asof"].to_list() == [d.close_ns for d in days]


@pytest.mark.parametrize(("silent", "segments"), [(5, [0, 0, 0, 0]), (6, [0, 0, 1, 1])])
def test_a_long_silence_starts_a_new_segment_of_that_ticker(silent, segments):
    days = sessions(date(2025, 1, 2), date(2025, 3, 3))
    broken = _day_bars("WM", [*days[:2], *days[2 + silent : 4 + silent]])
    whole = _day_bars("SPY", days)
    found = from_day_bars(pl.concat([broken, whole]))
    assert found.filter(pl.col("underlying") == "WM")["segment"].to_list() == segments
    assert found.filter(pl.col("underlying") == "SPY")["segment"].unique().to_list() == [0]


@pytest.mark.parametrize("cut", [0, 1, 5, 6, 7, 8, 9])
def test_bars_extended_at_any_session_are_those_of_all_minutes(minutes, cut):
    days = [day.date for day in sessions(date(2025, 1, 2), date(2025, 1, 31))]
    # SPY is silent for six sessions, one more than a series may be, and QQQ only trades around them.
    spy = [minutes(day, [3, 40, 41, 389]) for day in (*days[:2], *days[8:10])]
    qqq = [minutes(day, [100, 250]).with_columns(ticker=pl.lit("QQQ")) for day in days[1:9]]
    whole = pl.concat([*spy, *qqq])
    before = pl.col("date") < days[cut]
    extended = frame_of(extend(resample(whole.filter(before)), whole.filter(~before)))
    assert extended.equals(resample(whole))
    assert extended.filter(pl.col("underlying") == "SPY")["segment"].unique().to_list() == [0, 1]


def test_nothing_extended_by_nothing_is_nothing(minutes):
    rows, none = minutes(DAY, [0, 31]), pl.DataFrame(schema=COLUMNS)
    assert frame_of(extend(resample(rows), rows.clear())).equals(resample(rows))
    assert frame_of(extend(none, rows)).equals(resample(rows))
    assert frame_of(extend(none, rows.clear())).equals(none)


def test_extending_by_an_unknown_price_is_refused(minutes):
    known, rows = resample(minutes(date(2025, 1, 7), [0, 31])), minutes(DAY, [0, 31])
    holed = rows.with_columns(close=pl.when(pl.col("ts_ns") == rows["ts_ns"][0]).then("close"))
    with pytest.raises(ValueError, match=r"null or infinite values \(1 in close\): drop those bars"):
        extend(known, holed)
    assert resample(holed)["close"].null_count() == 1


def test_volumes_of_parts_of_shares_add_up_alike_live_and_in_history():
    """Ten names' first half hour beside forty sessions: polars itself adds them in another order."""
    rng, names = np.random.default_rng(3), 10
    days = sessions(date(2025, 1, 2), date(2025, 2, 28))
    starts = [at.open_ns for at in days[:-1] for _ in range(390)] + [days[-1].open_ns] * 30
    offsets = [minute for _ in days[:-1] for minute in range(390)] + [*range(30)]
    one = pl.DataFrame({"ts_ns": np.array(starts) + np.array(offsets) * NS_PER_MINUTE}).with_columns(
        date=pl.Series([at.date for at in days[:-1] for _ in range(390)] + [days[-1].date] * 30),
        **{name: pl.lit(1.0) for name in ("open", "high", "low", "close")},
    )
    rows = pl.concat(
        one.with_columns(ticker=pl.lit(f"S{n}"), volume=pl.Series(rng.uniform(0.0, 1e5, one.height)))
        for n in range(names)
    )
    today = pl.col("date") == days[-1].date
    assert frame_of(extend(resample(rows.filter(~today)), rows.filter(today))).equals(resample(rows))
    alone = resample(rows.filter(pl.col("ticker") == "S3"))
    assert alone.equals(resample(rows).filter(pl.col("underlying") == "S3"))
