"""Audits of a lake: the catalogue passes, and what reads the lake wrongly does not."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from features import labels
from features.catalog import catalog
from features.context import needs
from features.feature import Feature
from features.selftest import selftest
from features.worlds import World
from pipelines import audit, audit_subject
from pipelines.audit_page import write_audit
from pipelines.audit_words import sentence
from pipelines.ingest import ingest
from pipelines.inputs import read_facts
from pipelines.other_lake import OtherLake
from pipelines.reference import load_reference
from strikelake.calendar import et_ns
from strikelake.errors import DatasetError, EmptyLakeError, LakeError
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

ANY = (date.min, date.max)
NOON = et_ns(date(2025, 2, 10), "12:00")


def _feature(name, compute, inputs=("close",), lookback=1):
    return {name: Feature(name, "own", inputs, lookback, "-", compute)}


def _run(lake, check="lookahead", features=None, names=None, **more):
    chosen = features or catalog()
    options = {"bar": "30m", "samples": 3} | more
    return audit.audit_features(lake, check, chosen, names or list(chosen), *ANY, **options)


NAMES = [
    name for name, feature in catalog().items() if feature.lookback <= (224 if feature.on == "bars" else 20)
]
"""What the small lake has enough history for."""


def test_the_catalogue_and_the_label_pass_on_a_lake(told_lake):
    steps = []
    report = _run(told_lake, names=NAMES, horizon=4, progress=lambda *step: steps.append(step))
    assert [verdict.name for verdict in report.verdicts if verdict.status != "passed"] == []
    assert (report.failed, report.unproved) == ((), ())
    assert [verdict.name for verdict in report.labels] == list(labels.catalog(4))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert report.checked > 3 * 2 * 4 * len(NAMES)


def test_the_catalogue_declares_enough_history_on_a_lake(told_lake):
    verdicts = _run(told_lake, "lookback", names=NAMES).verdicts
    assert [verdict.name for verdict in verdicts if verdict.status != "passed"] == []


def test_a_leak_is_traced_to_the_lake_s_own_table(priced_lake):
    def next_close(inputs):
        return np.append(inputs["close"][1:], np.nan) / inputs["close"]

    report = _run(priced_lake, features=_feature("next_close", next_close))
    (verdict,) = report.verdicts
    assert report.failed == ("next_close",)
    assert (verdict.source.table, verdict.source.columns) == ("stock_minute_bars", ("close",))
    assert 0 < verdict.source.known_at - verdict.findings[0].asof <= 18 * 3600 * 10**9
    said = sentence(verdict)
    assert re.match(
        r"\w+ at 2025-\d\d-\d\d \d\d:\d\d ET is [\d.]+, but null once later rows are removed", said
    )
    assert "it reads stock_minute_bars: close of " in said


def test_a_price_level_knows_the_splits_to_come(market_lake):
    report = _run(market_lake, features=_feature("level", lambda inputs: inputs["close"]), samples=12)
    (verdict,) = report.verdicts
    assert {finding.underlying for finding in verdict.findings} == {"MSFT"}
    assert (verdict.source.table, verdict.source.symbol) == ("corporate_actions", "MSFT")


@pytest.mark.parametrize(
    ("name", "hours", "table"),
    [("atm_iv", 6, "option_analytics"), ("sector_strength_13", 30 * 24, "classifications")],
)
def test_a_table_joined_by_date_is_caught_through_the_lake(priced_lake, monkeypatch, name, hours, table):
    def by_date(*arguments, **more):
        found = read_facts(*arguments, **more)
        early = pl.col("available_at") - hours * 3600 * 10**9
        return {name: rows.with_columns(early) for name, rows in found.items()}

    monkeypatch.setattr(audit_subject, "read_facts", by_date)
    chosen = {each: catalog()[each] for each in ("return_1", name)}
    report = _run(priced_lake, features=chosen, samples=6)
    assert report.failed == (name,)
    assert report.verdicts[1].source.table == table


def test_a_short_lookback_is_told_how_much_is_enough(priced_lake):
    short = {"rsi_7": replace(catalog()["rsi_7"], lookback=30)}
    (verdict,) = _run(priced_lake, "lookback", features=short).verdicts
    assert re.search(r"declare a lookback of \d+ or more: 30 is too short", sentence(verdict))


def test_the_catalogue_passes_on_the_lake_s_day_bars(market_lake):
    short = {
        name: catalog()[name]
        for name in NAMES
        if catalog()[name].lookback <= 8 and set(needs([catalog()[name]])) <= {"options"}
    }
    report = _run(market_lake, features=short, bar="1d", horizon=1)
    assert report.failed == ()
    assert {v.name for v in report.verdicts if v.status == "unseen"} == {
        "atm_iv", "atm_iv_change", "put_call_log_ratio", "delta_flow",
    }  # fmt: skip


def test_bad_choices_are_refused_with_the_remedy(market_lake):
    span = date(2030, 1, 1), date(2030, 1, 31)
    with pytest.raises(DatasetError, match="no session from 2030-01-01 to 2030-01-31"):
        audit.audit_features(market_lake, "lookahead", catalog(), ["gap"], *span, bar="1d", samples=1)
    with pytest.raises(EmptyLakeError, match="no stock_day_bars"):
        _run(Lake("nowhere"), bar="1d")


def test_a_lake_of_another_world_reads_what_was_known_and_nothing_else(priced_lake):
    recorded = priced_lake.scan("option_analytics", underlyings=["SPY"]).collect()
    held = {}
    removed = OtherLake(priced_lake, World(NOON, "removed"), held)
    changed = OtherLake(priced_lake, World(NOON, "changed"), held)
    known = pl.col("available_at") <= NOON
    for other in (removed, changed):
        rows = other.scan("option_analytics", underlyings=["SPY"]).filter(known).collect()
        assert rows.sort("ts_ns", "occ_symbol").equals(recorded.filter(known).sort("ts_ns", "occ_symbol"))
    assert removed.scan("option_analytics", underlyings=["SPY"]).filter(~known).collect().is_empty()
    assert changed.scan("option_analytics", underlyings=["SPY"]).collect().height == recorded.height
    assert len(held) == 3  # each filter on a key is read once, and all rows without any
    late = changed.scan("stock_day_bars").filter(pl.col("close") > 1_000.0).select("ticker").collect()
    assert late.height == changed.scan("stock_day_bars").collect().filter(pl.col("close") > 1_000.0).height
    with pytest.raises(EmptyLakeError, match="option_analytics has no rows"):
        removed.scan("option_analytics", date(2025, 2, 11))
    with pytest.raises(LakeError, match="answers no SQL"):
        removed.sql("select 1")


def test_the_page_says_what_failed_where_and_what_the_audit_catches(priced_lake, tmp_path):
    def next_close(inputs):
        return np.append(inputs["close"][1:], np.nan) / inputs["close"]

    def broken(inputs):
        raise RuntimeError("<no> luck")

    own = {**_feature("next_close", next_close), **_feature("broken", broken)}
    report = _run(priced_lake, features={**catalog(), **own}, names=["gap", *own], samples=2, horizon=2)
    page = write_audit(
        tmp_path / "page", report, selftest(samples=1, names={"survivor_universe"})
    ).read_text()
    assert "next_close: " in page
    assert "It reads stock_minute_bars: close of" in page
    assert "RuntimeError: &lt;no&gt; luck" in page
    assert "survivor universe" in page
    assert page.count("<tr>") > 10


@pytest.mark.slow
@pytest.mark.real
def test_the_catalogue_passes_on_real_day_bars_with_splits_and_a_reused_ticker(real_data, tmp_path):
    lake = Lake(tmp_path / "lake")
    files = DirectoryFlatFiles(real_data / "flatfiles")
    ingest(lake, files, [Dataset.STOCK_DAY_BARS], date(2008, 6, 2), date(2010, 12, 31))
    load_reference(lake, real_data / "reference")
    for check in ("lookahead", "lookback"):
        report = _run(lake, check, bar="1d", samples=4, horizon=1 if check == "lookahead" else None)
        assert report.failed == ()
        assert {v.status for v in report.verdicts if not needs([catalog()[v.name]])} <= {"passed", "unseen"}
