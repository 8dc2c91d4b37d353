"""Every planted leak is caught, every honest twin passes, and what catches which is as documented."""

import polars as pl
import pytest

from features.label_audit import audit_label
from features.labels import direction
from features.lookahead import draw
from features.planted_market import planted_market
from features.selftest import selftest

NAMED = {
    "centred_window",
    "label_shifted_the_wrong_way",
    "full_frame_normalisation",
    "tomorrows_open_interest",
    "same_bar_fill",
    "target_encoded_symbol",
}


@pytest.fixture(scope="module")
def trials():
    steps = []
    found = selftest(samples=6, progress=lambda *step: steps.append(step))
    assert steps[-1] == (len(found), len(found))
    return {trial.plant.name: trial for trial in found}


def test_every_leak_is_caught_and_every_honest_twin_passes(trials):
    assert [name for name, trial in trials.items() if not trial.caught] == []
    assert [name for name, trial in trials.items() if trial.false_alarm] == []
    assert set(trials) > NAMED
    assert len(trials) >= 20


def test_another_market_and_other_moments_give_the_same_answer():
    found = selftest(samples=6, seed=3)
    assert [trial.plant.name for trial in found if not trial.caught or trial.false_alarm] == []


@pytest.mark.parametrize(
    ("name", "table", "columns"),
    [
        ("centred_window", "bars", ("close",)),
        ("day_close_intraday", "stock_day_bars", ("close",)),
        ("tomorrows_open_interest", "open_interest", ("open_interest",)),
        ("surface_by_date", "option_summaries", ("atm_iv",)),
        ("news_by_date", "news", ("tone",)),
        ("sectors_of_today", "classifications", ("sic_code",)),
        ("sector_by_filing_period", "classifications", ("sic_code",)),
        ("split_adjusted_level", "corporate_actions", ("split_from", "split_to")),
        ("session_mean_volume", "bars", ("volume",)),
        ("survivor_universe", "bars", ()),
    ],
)
def test_the_table_and_column_behind_a_leak_are_named(trials, name, table, columns):
    source = trials[name].leak.source
    assert (source.table, source.columns) == (table, columns)


def test_cutting_alone_would_miss_one():
    names = {"rare_look_ahead", "backward_fill", "news_by_date"}
    found = selftest(samples=8, kinds=("removed",), names=names)
    assert [trial.plant.name for trial in found if not trial.caught] == ["rare_look_ahead"]


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("same_bar_fill", "filled before asof"),
        ("label_of_the_past", "known too soon"),
        ("past_called_future", "filled before asof"),
        ("known_at_too_early", "later than known_at"),
    ],
)
def test_labels_that_cheat_are_caught_by_the_check_for_it(trials, name, check):
    assert trials[name].ways[0] == check


@pytest.mark.parametrize(
    ("cheat", "check"),
    [
        ({"known_at": pl.col("asof").shift(-1)}, "later than known_at"),
        ({"known_at": pl.col("asof")}, "known too soon"),
        ({"value": pl.col("close").shift(-9) / pl.col("close")}, "later than known_at"),
    ],
)
def test_a_label_that_cheats_in_few_rows_is_caught_beside_the_sampled_ones(cheat, check):
    tables = planted_market()
    bars = tables["bars"].filter(underlying="ALFA").sort("asof")
    dear = (pl.col("underlying") == "ALFA") & (pl.col("asof") == bars["asof"][200])
    honest = {"value": pl.col("close").shift(-4) / pl.col("close"), "known_at": pl.col("asof").shift(-4)}
    mixed = {name: pl.when(dear).then(cheat.get(name, true)).otherwise(true) for name, true in honest.items()}

    def label(tables):
        rows = tables["bars"].with_columns(
            (value.over("underlying")).alias(name) for name, value in mixed.items()
        )
        return rows.select("asof", "underlying", "value", "known_at").drop_nulls()

    verdict = audit_label("rare", label, tables, bars["asof"].to_list()[198:200], still=None)
    assert check in {finding.check for finding in verdict.findings}
    assert {finding.asof for finding in verdict.findings} == {bars["asof"][200]}


def test_a_label_that_raises_is_told():
    tables = planted_market()
    verdict = audit_label("broken", lambda tables: tables["nothing"], tables, [1])
    assert verdict.status == "error"
    assert verdict.error.startswith("KeyError: 'nothing'")


def test_our_own_label_passes(bars):
    def forward(tables):
        return direction(tables["bars"], 3).rename({"forward_return": "value"})

    moments = draw(bars["asof"].unique().sort().to_list()[100:-4], 6)
    verdict = audit_label("forward_return", forward, {"bars": bars}, moments)
    assert (verdict.status, verdict.seen) == ("passed", verdict.checked)
    assert verdict.checked == 4 * bars.filter(pl.col("asof").is_in(moments)).height
