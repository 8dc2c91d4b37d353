"""Surfaces: known volatilities come back, nothing later is looked at, nothing is done twice."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from pipelines.slices import STEP, at_decisions, decision_times, fit_smiles, smile_points
from pipelines.surface_rows import surface_rows, with_rank
from pipelines.surfaces import build_surfaces
from strikelake.calendar import session
from strikelake.contracts import LATE_NS
from strikelake.errors import EmptyLakeError
from strikelake.lake.store import Lake
from strikelake.schemas import table

DAY = date(2025, 1, 8)
OPEN, CLOSE = session(DAY).open_ns, session(DAY).close_ns
FORWARD, YEARS = 100.0, 40 / 365


def _rows(*contracts, at=CLOSE, status="solved"):
    """Rows of option_analytics: (strike, side, vol) of one expiration."""
    columns = table("option_analytics").columns
    frame = pl.DataFrame(
        [
            {
                "date": DAY,
                "occ_symbol": f"SPY250221{side}{int(strike * 1000):08d}",
                "underlying": "SPY",
                "expiration": date(2025, 2, 21),
                "option_type": side,
                "strike": strike,
                "ts_ns": at - 60_000_000_000,
                "forward": FORWARD,
                "years": YEARS,
                "implied_vol": vol if status == "solved" else None,
                "iv_error": 0.002,
                "status": status,
                "available_at": at,
            }
            for strike, side, vol in contracts
        ],
        schema_overrides=columns,
    )
    absent = [
        pl.lit(None, dtype=kind).alias(name) for name, kind in columns.items() if name not in frame.columns
    ]
    return frame.with_columns(absent).select(columns.keys())


CHAIN = [
    (strike, "P" if strike < FORWARD else "C", 0.3 - (strike - 100) * 0.002) for strike in range(80, 125, 5)
]


def test_a_session_has_a_decision_every_half_hour_and_at_its_close():
    times = decision_times(session(DAY), "quote")
    assert (times[0], times[-1], len(times)) == (OPEN + STEP, CLOSE, 13)
    assert decision_times(session(DAY), "1d") == [CLOSE]
    half_day = session(date(2024, 11, 29))
    assert decision_times(half_day, "1m")[-1] == half_day.close_ns
    assert len(decision_times(half_day, "1m")) == 7


@pytest.mark.parametrize(
    ("bar", "minute", "decisions"),
    [
        ("1m", -30, [0]),  # before the open: the first decision, if it is young enough
        ("1m", 1, [0]),
        ("1m", 30, [0]),
        ("1m", 31, [1]),
        ("quote", 30, [0, 1]),
        ("quote", 31, [1, 2]),
        ("1m", 390, [12]),
        ("1m", 391, []),
        ("1d", 390, [0]),
    ],
)
def test_a_row_counts_at_the_decisions_after_it_while_it_is_fresh(bar, minute, decisions):
    rows = _rows((100.0, "C", 0.3), at=OPEN + minute * 60_000_000_000)
    times = decision_times(session(DAY), bar)
    found = at_decisions(rows, session(DAY), bar)
    expected = [times[place] for place in decisions if times[place] - rows["available_at"][0] < 2 * STEP]
    assert found["asof"].to_list() == ([] if minute == -30 else expected)
    assert (found["available_at"] <= found["asof"]).all()


def test_day_bars_of_options_that_trade_on_count_when_that_ends():
    """The last contract may have settled on the closing price, at 16:00."""
    late, early = _rows((100.0, "C", 0.3), at=CLOSE + LATE_NS), _rows((105.0, "C", 0.3), at=CLOSE)
    found = at_decisions(pl.concat([late, early]), session(DAY), "1d")
    assert found["asof"].to_list() == [CLOSE + LATE_NS] * 2
    after = _rows((100.0, "C", 0.3), at=CLOSE + LATE_NS + 1)
    assert at_decisions(after, session(DAY), "1d").is_empty()


def test_only_the_newest_row_of_a_contract_counts():
    older, newer = (_rows((100.0, "C", vol), at=CLOSE - age) for vol, age in ((0.2, 2), (0.3, 1)))
    found = at_decisions(pl.concat([newer, older]), session(DAY), "1m")
    assert found["implied_vol"].to_list() == [0.3]


def test_a_strike_is_represented_by_its_out_of_the_money_contract():
    rows = _rows((90.0, "C", 0.5), (90.0, "P", 0.3), (110.0, "C", 0.25), (110.0, "P", 0.6), (95.0, "C", 0.4))
    points = smile_points(rows.with_columns(asof=CLOSE))
    assert points["vol"].to_list() == [0.3, 0.4, 0.25]
    assert points["in_the_money"].to_list() == [False, True, False]
    assert points["k"].to_list() == pytest.approx(np.log([0.9, 0.95, 1.1]))


def test_points_without_a_volatility_or_with_a_wide_error_are_left_out():
    wide = _rows((90.0, "P", 0.3)).with_columns(iv_error=0.1)
    unsolved = _rows((110.0, "C", 0.3), status="expired")
    expiring = _rows((105.0, "C", 0.3)).with_columns(years=30 / 525_600)
    rows = pl.concat([wide, unsolved, expiring, _rows((100.0, "C", 0.3))])
    assert smile_points(rows.with_columns(asof=CLOSE))["k"].to_list() == [0.0]


def test_a_quote_is_as_wide_as_its_volatilities():
    rows = _rows((100.0, "C", 0.3)).with_columns(bid_iv=pl.lit(0.28), ask_iv=pl.lit(0.32), asof=CLOSE)
    assert smile_points(rows)["error"].to_list() == pytest.approx([0.02])


@pytest.mark.parametrize(
    ("contracts", "status"),
    [
        (CHAIN, "fitted"),
        (CHAIN[:4], "too_few_contracts"),
        ([(s + 30.0, "C", v) for s, _, v in CHAIN], "one_sided"),
    ],
)
def test_a_smile_is_fitted_or_says_why_not(contracts, status):
    smiles = fit_smiles(smile_points(_rows(*contracts).with_columns(asof=CLOSE)), "1d")
    assert smiles["status"].to_list() == [status]
    assert (smiles["atm_iv"].to_list() == [None]) == (status != "fitted")


def test_the_numbers_of_a_known_smile():
    rows = _rows(*CHAIN).with_columns(asof=CLOSE)
    smiles = fit_smiles(smile_points(rows), "1d")
    assert smiles.select("atm_iv", "skew").row(0) == pytest.approx((0.3, -0.2), abs=0.01)
    assert (smiles["rmse"][0] < 0.002, smiles["min_g"][0] >= 0.0) == (True, True)
    row = surface_rows(smiles, rows).row(0, named=True)
    assert row["atm_iv_30d"] == pytest.approx(0.3, abs=0.003)
    assert row["risk_reversal_25d"] < -0.02
    assert (row["atm_iv_7d"], row["atm_iv_90d"], row["reason"]) == (None, None, "tenors_out_of_reach")


def test_an_underlying_without_a_smile_says_why():
    thin = _rows(*CHAIN[:3]).with_columns(asof=CLOSE)
    dead = _rows(*CHAIN[:3], status="missing_input").with_columns(asof=CLOSE, underlying=pl.lit("TWX"))
    rows = pl.concat([thin, dead])
    found = surface_rows(fit_smiles(smile_points(rows), "1d"), rows).sort("underlying")
    assert found["reason"].to_list() == ["no_fitted_expiration", "no_solved_contracts"]
    assert found["expirations"].to_list() == [0, 0]


def test_the_rank_is_the_place_in_the_range_with_todays_value():
    closes = pl.DataFrame(
        {"underlying": ["A", "A", "B"], "date": [DAY] * 3, "atm_iv_30d": [0.2, 0.4, None]},
        schema_overrides={"atm_iv_30d": pl.Float64},
    )
    rows = pl.DataFrame({"underlying": ["A", "A", "A", "B", "C"], "atm_iv_30d": [0.25, 0.5, None, 0.3, 0.3]})
    found = with_rank(rows, closes)
    assert found["iv_rank"].to_list() == pytest.approx([0.25, 1.0, None, None, None])
    assert found["iv_rank_sessions"].to_list() == [3, 3, 2, 1, 1]


def test_surfaces_of_a_lake_give_back_the_volatility_it_was_priced_with(priced_lake, tmp_path):
    import shutil

    lake = Lake(shutil.copytree(priced_lake.root, tmp_path / "lake"))
    span = date(2025, 1, 2), date(2025, 2, 18)
    report = build_surfaces(lake, *span)
    assert (report.sessions, report.skipped) == (31, 0)
    assert lake.versions()["surfaces"] == 2  # 21 sessions, and 10
    assert set(report.smiles) == {"fitted", "one_sided"}  # the walks leave the strikes at times
    rows = lake.scan("surfaces").collect().sort("asof", "underlying")
    assert (rows.height, sum(report.surfaces.values()), report.indices) == (62, 62, {})
    levels = rows["atm_iv_60d"].drop_nulls()
    assert levels.len() > 40
    assert levels.to_list() == pytest.approx([0.3] * levels.len(), abs=0.003)
    assert (rows["butterfly_free"].drop_nulls().all(), rows["available_at"].to_list()) == (
        True,
        rows["asof"].to_list(),
    )
    assert rows["iv_rank_sessions"].max() == 20
    assert rows.filter(pl.col("asof") == rows["asof"].max())["realized_vol"].is_between(0.1, 0.6).all()
    _assert_a_second_run_does_nothing(lake, span)
    _assert_history_alone_gives_the_same(priced_lake, tmp_path, rows)


def _assert_a_second_run_does_nothing(lake, span):
    before = lake.versions()
    assert build_surfaces(lake, *span).skipped == 31
    assert lake.versions() == before
    assert build_surfaces(lake, span[1], span[1], again=True).sessions == 1
    assert lake.versions() == before


def _assert_history_alone_gives_the_same(priced_lake, tmp_path, rows):
    """A lake that ends in January has January's rows."""
    import shutil

    cut = date(2025, 1, 31)
    past = Lake(shutil.copytree(priced_lake.root, tmp_path / "past"))
    for name in ("option_analytics", "stock_day_bars"):
        gone = [day for day in past.sessions(name) if day > cut]
        empty = past.scan(name).head(0).collect()
        past.replace_many(name, dict.fromkeys(gone, empty))
    build_surfaces(past, date(2025, 1, 2), cut)
    expected = rows.filter(pl.col("date") <= cut)
    assert past.scan("surfaces").collect().sort("asof", "underlying").equals(expected)


def test_nothing_priced_names_the_remedy(tmp_path):
    with pytest.raises(EmptyLakeError, match="option_analytics: run `strikelake analytics`"):
        build_surfaces(Lake(tmp_path), DAY, DAY)
