"""Statistics of features as a page: a table, and small plots of each."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from backtests import pages
from backtests.pages import Html
from features.information import FEWEST_MOMENTS
from pipelines.audit_verdicts import ANCHOR as VERDICT
from pipelines.statistics_figures import (
    ANCHOR,
    CUSTOMARY,
    MUCH_DRIFT,
    by_evidence,
    coverage_figure,
    coverage_legend,
    drift_figure,
    drift_legend,
    information_figure,
    information_legend,
    t_values,
    threshold,
)
from pipelines.statistics_sections import ROW, feature_section, reasons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.feature import Feature
    from features.statistics import FeatureStatistics
    from pipelines.audit_verdicts import Audited
    from pipelines.statistics import StatisticsReport
    from pipelines.statistics_figures import Legend

_NOTE = (
    "IC is the information coefficient: Spearman's rank correlation with the return over so many bars. Its "
    "t-value is adjusted for the overlap of returns (Hansen and Hodrick); of twenty features that say "
    "nothing one lies beyond ±2 by chance. Beyond the Bonferroni line anything at all is seen in at most one "
    "of twenty such pages, if no feature says anything. Click a feature for what it is and how it behaved."
)
SUSPECT = "no t-value, as the coefficient is the same at every moment: does it look ahead?"
"""Said before the names of `StatisticsReport.suspect`."""
_COVERED = "Bars with a value, and why the others have none; the least covered first."
_DRIFTED = "Between the first and the last third of the time; by custom, above 0.1 is some, above 0.25 much."
_NUMBERS = (
    "AC 1 is the correlation with the bar before, KS the Kolmogorov-Smirnov distance between the first and "
    "the last third. Bold lies beyond ±2, a star beyond the Bonferroni line."
)
_VERDICTS = {
    "passed": ("passed", "good"),
    "failed": ("FAILED", "bad"),
    "error": ("cannot be computed", "bad"),
    "unseen": ("NOT PROVED", "doubt"),
    "stale": ("changed since", "doubt"),
}


def write_statistics(
    folder: Path,
    report: StatisticsReport,
    features: Mapping[str, Feature],
    audits: Sequence[Audited] = (),
) -> Path:
    """Write the statistics as one folder; see `pages.write_page`.

    Parameters
    ----------
    folder
        Made when missing; an earlier report in it is replaced.
    report
        The statistics.
    features
        What the features of the report are, by name.
    audits
        Audits whose verdicts are shown, with links to their pages.

    Returns
    -------
    Path
        Of the `index.html`.
    """
    facts = (
        f"{len(report.features)} features",
        f"{report.bar} bars from {report.start} to {report.end}",
        f"{report.underlyings} underlyings",
    )
    verdicts = {name: _verdicts(folder, feature, report.bar, audits) for name, feature in features.items()}
    parts = [
        _tiles(report),
        pages.section(
            "What they say about returns",
            pages.note(_NOTE + _few(report) + _suspect(report))
            + _figure(information_figure(report), information_legend(report)),
        ),
        pages.pair(
            pages.section(
                "Coverage", pages.note(_COVERED) + _figure(coverage_figure(report), coverage_legend(report))
            ),
            pages.section(
                "Drift", pages.note(_DRIFTED) + _figure(drift_figure(report), drift_legend(report))
            ),
        ),
        pages.section("In numbers", pages.note(_NUMBERS) + _said(report, verdicts if audits else None)),
        pages.section("What they look like", _looks(report)),
        *(
            pages.note(f"Never known ({why}): {', '.join(names)}.")
            for why, names in report.never_known.items()
        ),
        *(feature_section(each, features[each.name], verdicts[each.name]) for each in report.features),
    ]
    return pages.write_page(folder, "Statistics of features", facts, parts)


def decimal(value: float | None, places: int = 2, *, signed: bool = False) -> str:
    """Return a number to some places, a dash where there is none.

    Examples
    --------
    >>> decimal(0.1234), decimal(0.1234, 3, signed=True)
    ('0.12', '+0.123')
    """
    if value is None:
        return "–"
    return f"{value:+.{places}f}" if signed else f"{value:.{places}f}"


def _tiles(report: StatisticsReport) -> str:
    found, strict = t_values(report), threshold(report)
    beyond = sum(abs(value) > CUSTOMARY for value in found)
    chance = 2.0 * NormalDist().cdf(-CUSTOMARY) * len(found)
    drifted = sum(each.psi is not None and each.psi > MUCH_DRIFT for each in report.known)
    values = {
        "features that are ever known": f"{len(report.known)} of {len(report.features)}",
        f"t-values beyond ±{CUSTOMARY:g}; {chance:.0f} by chance": f"{beyond} of {len(found)}",
    }
    if strict is not None:
        values[f"beyond ±{strict:.2f} (Bonferroni)"] = f"{sum(abs(value) > strict for value in found)}"
    return pages.tiles(values | {f"drift much (PSI above {MUCH_DRIFT})": f"{drifted}"})


def _few(report: StatisticsReport) -> str:
    """Return a warning of horizons with too few returns that do not overlap; empty where there is none."""
    spans = {
        horizon: max((each.information[place].moments for each in report.known), default=0) // horizon
        for place, horizon in enumerate(report.horizons)
    }
    few = [f"{horizon} ({count})" for horizon, count in spans.items() if count < FEWEST_MOMENTS]
    if not few:
        return ""
    return (
        f" Mind bars ahead with fewer than {FEWEST_MOMENTS} returns that do not overlap: {', '.join(few)}. "
        "Their t-values scatter more widely than either line allows for."
    )


def _suspect(report: StatisticsReport) -> str:
    return f" {SUSPECT.capitalize()} {', '.join(report.suspect)}." if report.suspect else ""


def _figure(figure: Any, legend: Legend) -> str:
    return pages.legend(legend) + pages.chart(figure, anchors=ANCHOR)


def _verdicts(folder: Path, feature: Feature, bar: str, audits: Sequence[Audited]) -> Html:
    """Return what audits say of a feature, each a link to its row on their pages."""
    said = []
    for audit in audits:
        status = audit.status(feature)
        if status is None:
            continue
        word, kind = _VERDICTS[status]
        text = word if audit.bar == bar else f"{word} on {audit.bar} bars"
        where = Path(os.path.relpath(audit.page.resolve(), folder.resolve())).as_posix()
        link = pages.link(f"{audit.check}: {text}", f"{where}#{VERDICT}{feature.name}")
        said.append(pages.marked(link, kind))
    return Html(", ".join(said) or "–")


def _name(each: FeatureStatistics, *, anchor: bool = False) -> Html:
    row = f"{ROW}{each.name}" if anchor else None
    return pages.link(each.name, f"#{ANCHOR}{each.name}", anchor=row)


def _said(report: StatisticsReport, verdicts: Mapping[str, Html] | None) -> str:
    heads = ["Feature", "Family", "AC 1"]
    for horizon in report.horizons:
        heads += [f"IC {horizon}", f"t {horizon}"]
    heads += ["PSI", "KS"]
    kinds = ["", "", *["n"] * (len(heads) - 2)]
    strict = threshold(report)
    rows = []
    for each in by_evidence(report):
        said = [
            text
            for info in each.information
            for text in (decimal(info.coefficient, 3, signed=True), _t_value(info.t_value, strict))
        ]
        memory = next(iter(each.autocorrelation.values()), None)
        row = [
            _name(each, anchor=True),
            each.family,
            decimal(memory),
            *said,
            decimal(each.psi),
            decimal(each.ks),
        ]
        rows.append(row if verdicts is None else [*row, verdicts[each.name]])
    if verdicts is not None:
        heads, kinds = [*heads, "Audit"], [*kinds, ""]
    return pages.table(heads, kinds, rows)


def _t_value(value: float | None, strict: float | None) -> str:
    text = decimal(value, 1, signed=True)
    if value is None or abs(value) <= CUSTOMARY:
        return text
    return Html(f"<b>{'*' if strict is not None and abs(value) > strict else ''}{text}</b>")


def _looks(report: StatisticsReport) -> str:
    heads = ("Feature", "Coverage", "Median", "Skew", "Kurtosis", "Outliers", "Nulls")
    return pages.table(heads, ["", *["n"] * 5, "wrap"], [_look(each) for each in report.known])


def _look(each: FeatureStatistics) -> list[str]:
    found = each.distribution
    assert found is not None  # noqa: S101 - features that are never known are told apart
    outliers = "–" if found.outliers is None else f"{found.outliers:.1%}"
    shape = [f"{found.quantiles[3]:.3g}", decimal(found.skew), decimal(found.kurtosis), outliers]
    return [_name(each), f"{each.coverage:.1%}", *shape, reasons(each)]
