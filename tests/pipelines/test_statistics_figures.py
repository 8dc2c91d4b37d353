"""Figures and page of statistics that are made up: what must be on them is known."""

import re
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from features.catalog import catalog
from features.information import Information, bonferroni
from features.statistics import Distribution, FeatureStatistics, describe
from features.verdicts import Verdict
from pipelines.audit import AuditReport
from pipelines.audit_page import write_audit
from pipelines.audit_verdicts import read_verdicts, write_verdicts
from pipelines.statistics import StatisticsReport
from pipelines.statistics_figures import (
    by_evidence,
    coverage_figure,
    coverage_legend,
    drift_figure,
    information_figure,
    information_legend,
    threshold,
)
from pipelines.statistics_page import write_statistics
from strikelake.errors import ConfigError

HORIZONS = (1, 5)
T_VALUES = {
    "return_1": (0.5, -1.0),
    "rsi_7": (1.0, -4.5),
    "gap": (3.0, 2.5),
    "minutes_to_close": (None, None),
}
PSI = {"return_1": 0.05, "rsi_7": 1e-6, "gap": 0.4, "minutes_to_close": None}
SERIES = pl.DataFrame({"asof": [1_700_000_000_000_000_000], "coefficient": [0.1]})
SHAPE = Distribution(0.0, 1.0, (0.0,) * 7, None, None, None, (-1.0, 0.0, 1.0), (1, 2), (2, 1))


def _information(horizon, t_value):
    known = t_value is not None
    coefficient = t_value / 50.0 if known else None
    return Information(horizon, "names", coefficient, t_value, t_value, 100, SERIES)


def _known(name):
    found = tuple(_information(*pair) for pair in zip(HORIZONS, T_VALUES[name], strict=True))
    nulls = {"warm_up": 20, "undefined": 5}
    family = catalog()[name].family
    return FeatureStatistics(name, family, 100, 75, nulls, SHAPE, {1: 0.5}, found, PSI[name], 0.1)


@pytest.fixture
def report():
    """Four features that are known, one without any t-value, and one that has no table."""
    never = FeatureStatistics("atm_iv", "options", 100, 0, {"no options": 100}, None, {}, (), None, None)
    features = (*map(_known, T_VALUES), never)
    return StatisticsReport("1d", date(2024, 1, 2), date(2024, 6, 3), 8, HORIZONS, features)


def _markers(figure):
    """Return the dots of a figure as rows of name, place and custom data."""
    return [
        (name, at, own)
        for trace in figure.data
        if trace.mode == "markers"
        for name, at, own in zip(trace.y, trace.x, trace.customdata, strict=True)
    ]


def _rows(figure):
    return list(figure.layout.yaxis.categoryarray)


def test_each_t_value_is_a_dot_in_its_feature_s_row_and_the_largest_come_first(report):
    figure = information_figure(report)
    drawn = sorted((name, at) for name, at, _ in _markers(figure))
    assert drawn == sorted((name, t) for name, pair in T_VALUES.items() for t in pair if t is not None)
    assert _rows(figure) == ["rsi_7", "gap", "return_1", "minutes_to_close"]
    assert [each.name for each in by_evidence(report)] == _rows(figure)
    assert {own[0] for _, _, own in _markers(figure)} == {f"feature-{n}" for n in _rows(figure)[:3]}
    low, high = figure.layout.xaxis.range
    assert low < -4.5 < 4.5 < high


def test_lines_stand_at_two_and_where_so_many_t_values_begin_to_count(report):
    lines = {
        trace.name: sorted({x for x in trace.x if x is not None}) for trace in information_figure(report).data
    }
    strict = bonferroni(6)  # of eight, two are not defined
    assert threshold(report) == strict == pytest.approx(2.638, abs=1e-3)
    assert lines["±2"] == [-2.0, 2.0]
    assert lines["Bonferroni"] == [-strict, strict]
    words = [words for _, _, words in information_legend(report)]
    assert words[-1] == "±2.64, Bonferroni: 5 % over 6 t-values"
    assert words[:2] == ["price", "calendar"]
    none = replace(report, features=report.features[3:])
    assert threshold(none) is None
    assert "Bonferroni" not in {trace.name for trace in information_figure(none).data}


def test_families_differ_in_colour_and_horizons_in_shape(report):
    dots = [trace for trace in information_figure(report).data if trace.mode == "markers"]
    assert len({trace.marker.symbol for trace in dots}) == len(HORIZONS)
    assert len({trace.marker.color for trace in dots}) == 2
    own = replace(report.features[0], name="mine", family="own")
    entries = information_legend(replace(report, features=(*report.features, own)))
    assert [words for _, _, words in entries][2] == "own"
    assert len({colour for _, colour, _ in entries[:3]}) == 3


def test_bars_of_coverage_add_up_and_the_least_covered_come_first(report):
    figure = coverage_figure(report)
    assert _rows(figure)[0] == "atm_iv"
    assert set(_rows(figure)) == {each.name for each in report.features}
    shares = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in figure.data}
    assert shares["known"]["gap"] == 0.75
    assert shares["warm up"]["gap"] == 0.2
    assert shares["no rows of a table it reads"] == {"atm_iv": 1.0} | dict.fromkeys(T_VALUES, 0.0)
    for name in _rows(figure):
        assert sum(share[name] for share in shares.values()) == pytest.approx(1.0)
    assert len({trace.marker.pattern.shape for trace in figure.data}) == len(figure.data)
    assert [words for _, _, words in coverage_legend(report)] == list(shares)


def test_drift_is_sorted_and_what_the_axis_does_not_reach_is_drawn_at_its_end(report):
    figure = drift_figure(report)
    assert _rows(figure) == ["gap", "return_1", "rsi_7"]
    assert {name: at for name, at, _ in _markers(figure)} == {"gap": 0.4, "return_1": 0.05, "rsi_7": 1e-3}
    assert {own[1] for _, _, own in _markers(figure)} == {0.4, 0.05, 1e-6}


def _dangling(page):
    return set(re.findall(r"href='#([^']+)'", page)) - set(re.findall(r"id='([^']+)'", page))


def test_every_feature_has_a_section_that_its_row_leads_to_and_back(report, tmp_path):
    page = write_statistics(tmp_path, report, catalog()).read_text()
    assert _dangling(page) == set()
    for each in report.features:
        assert f"<section id='feature-{each.name}'><h2>{each.name}, {each.family}</h2>" in page
        assert page.count(f"id='row-{each.name}'") == (each.distribution is not None)
    assert "the open over the previous bar" in page
    assert "<b>*-4.5</b>" in page  # beyond the Bonferroni line
    assert "<td class='n'>-1.0</td>" in page
    assert "3 of 6" in page
    assert "Audit" not in page
    assert page.count("class='lazy'") == len(report.known)


def test_few_returns_that_do_not_overlap_are_told(report, tmp_path):
    assert "do not overlap: 5 (20)" in write_statistics(tmp_path, report, catalog()).read_text()


def _audit(folder, bar="1d", features=None):
    verdicts = (
        Verdict("gap", 4, 4),
        Verdict("rsi_7", 4, 4, error="ValueError: <none>"),
        Verdict("return_1", 4, 0, advice="audit later dates"),
        Verdict("atm_iv", 4, 0),
    )
    found = AuditReport("lookahead", bar, (1_700_000_000_000_000_000,), verdicts)
    page = write_audit(folder, found).read_text()
    write_verdicts(folder, found, features or catalog())
    return page


def test_verdicts_of_an_audit_lead_to_its_page(report, tmp_path):
    other = catalog() | {"gap": replace(catalog()["gap"], lookback=9)}
    for folder, bar, features in (("new", "1d", None), ("old", "30m", other)):
        _audit(tmp_path / "audits" / folder, bar, features)
    audits = [read_verdicts(tmp_path / "audits" / folder) for folder in ("new", "old")]
    page = write_statistics(tmp_path / "stats", report, catalog(), audits).read_text()

    def said(name):
        return re.findall(rf"href='(\.\./audits/\w+/index\.html)#verdict-{name}'>([^<]+)<", page)

    new, old = "../audits/new/index.html", "../audits/old/index.html"
    assert said("gap")[:2] == [(new, "lookahead: passed"), (old, "lookahead: changed since on 30m bars")]
    assert said("rsi_7")[0] == (new, "lookahead: cannot be computed")
    assert said("return_1")[0] == (new, "lookahead: NOT PROVED")
    assert said("minutes_to_close") == []
    assert len(said("atm_iv")) == 2  # it has no row of numbers, and a section
    audited = (tmp_path / "audits" / "new" / "index.html").read_text()
    assert all(f"id='verdict-{name}'" in audited for name in ("gap", "rsi_7", "return_1", "atm_iv"))


def test_an_audit_s_page_shows_every_verdict_at_a_glance_the_worst_first(tmp_path):
    page = _audit(tmp_path)
    assert _dangling(page) == set()
    chips = re.search(r"<p class='chips'>(.*?)</p>", page)[1]
    assert re.findall(r">([^<>]+)</a>", chips) == ["! rsi_7", "? return_1", "? atm_iv", "✓ gap"]
    assert re.findall(r"id='verdict-(\w+)'", page) == ["rsi_7", "return_1", "atm_iv", "gap"]
    assert "href='#trouble-rsi_7'" in page


def test_a_folder_without_verdicts_is_told_with_the_remedy(tmp_path):
    with pytest.raises(ConfigError, match=r"has no verdicts\.json: .*strikelake audit lookahead --report"):
        read_verdicts(tmp_path)
    (tmp_path / "verdicts.json").write_text('{"check": "lookahead"}')
    with pytest.raises(
        ConfigError, match=r"verdicts\.json is not what an audit writes \(KeyError: 'verdicts'\)"
    ):
        read_verdicts(tmp_path)
    (tmp_path / "verdicts.json").write_text("[")
    with pytest.raises(ConfigError, match="is not what an audit writes"):
        read_verdicts(tmp_path)


def test_a_coefficient_that_never_varies_is_suspected_and_comes_first(report, tmp_path):
    rows, asof = 40, pl.Series("asof", range(40))
    keys = pl.DataFrame({"asof": asof}).join(pl.DataFrame({"underlying": list("ABCDE")}), how="cross")
    moved = keys.with_columns(forward_return=pl.Series([(7 * n * n) % 101 / 100 for n in range(5 * rows)]))
    found = describe("leak", "own", moved.rename({"forward_return": "value"}), {1: moved, 5: moved})
    assert (found.information[0].coefficient, found.information[0].t_value) == (pytest.approx(1.0), None)
    leaking = replace(report, features=(*report.features, replace(found, name="return_3")))
    assert (report.suspect, leaking.suspect) == ((), ("return_3",))
    assert by_evidence(leaking)[0].name == "return_3"
    assert "does it look ahead? return_3." in write_statistics(tmp_path, leaking, catalog()).read_text()
