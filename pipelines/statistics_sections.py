"""A feature's own section on the page of statistics: what it is, what audits say, and its plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backtests import pages
from backtests.figures import BLUE, GREY, styled
from features.words import history, summary
from pipelines.statistics_figures import ANCHOR
from strikelake.calendar import et_date

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtests.pages import Html
    from features.feature import Feature
    from features.information import Information
    from features.statistics import FeatureStatistics

ROW = "row-"
"""How the anchor of a feature's row of numbers begins; its name follows."""

_DASHES = (("solid", "full"), ("dash", "dashed"), ("dot", "dotted"), ("dashdot", "dash-dotted"))


def reasons(each: FeatureStatistics) -> str:
    """Return null rows by reason, the most frequent first."""
    return ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in each.nulls.items())


def feature_section(each: FeatureStatistics, feature: Feature, verdicts: Html) -> str:
    """Return what a feature is, and its plots; why it has none where it is never known.

    Parameters
    ----------
    each, feature
        Its statistics, and what it is.
    verdicts
        What audits say of it; a dash where none does.
    """
    known = each.distribution is not None
    values = {
        "What it is": summary(feature),
        "Units": feature.units,
        "History": history(feature),
        "Known at": feature.available_at,
        "Null": feature.nulls.removeprefix("null "),
        "Known": f"{each.coverage:.1%} of {each.rows:,} rows"
        + (f"; nulls: {reasons(each)}" if each.nulls else ""),
        "Audit": verdicts,
    }
    if verdicts == "–":
        del values["Audit"]
    back = f"<p class='note'>{pages.link('its numbers', f'#{ROW}{each.name}')}</p>" if known else ""
    body = pages.terms(values) + back + (_plots(each) if known else "")
    return pages.section(f"{each.name}, {each.family}", body, anchor=f"{ANCHOR}{each.name}")


def _plots(each: FeatureStatistics) -> str:
    """Return the distribution early and late, the coefficients with their errors, and their sum over time."""
    from plotly.subplots import make_subplots

    dashes = ", ".join(
        f"{info.horizon} {word}" for info, (_, word) in zip(each.information, _DASHES, strict=False)
    )
    titles = (
        "first third (grey, dotted) and last third",
        "IC by horizon, ± 2 errors",
        f"IC summed: {dashes}",
    )
    figure = make_subplots(rows=1, cols=3, subplot_titles=titles, horizontal_spacing=0.07)
    found = each.distribution
    assert found is not None  # noqa: S101 - features that are never known have no section
    middles = [(low + high) / 2 for low, high in zip(found.edges, found.edges[1:], strict=False)]
    for counts, colour, dash in ((found.first, GREY, "dot"), (found.last, BLUE, "solid")):
        total = sum(counts) or 1
        figure.add_scatter(
            x=middles,
            y=[count / total for count in counts],
            line={"color": colour, "shape": "hvh", "dash": dash},
            row=1,
            col=1,
        )
    _coefficients(figure, each.information)
    for info, (dash, _) in zip(each.information, _DASHES, strict=False):
        _added_up(figure, info, dash)
    styled(figure, height=230)
    figure.update_layout(margin={"t": 34})
    figure.update_annotations(font={"size": 12})
    return pages.late_chart(figure)


def _coefficients(figure: Any, information: Sequence[Information]) -> None:
    known = [info for info in information if info.coefficient is not None and info.t_value]
    errors = [2.0 * abs((info.coefficient or 0.0) / (info.t_value or 1.0)) for info in known]
    figure.add_scatter(
        x=[f"{info.horizon}" for info in known],
        y=[info.coefficient for info in known],
        error_y={"type": "data", "array": errors, "color": GREY},
        mode="markers",
        marker={"color": BLUE, "size": 9},
        row=1,
        col=2,
    )
    figure.update_xaxes(type="category", row=1, col=2)


def _added_up(figure: Any, info: Information, dash: str) -> None:
    step = max(1, info.series.height // 200)
    thin = info.series.with_columns(total=info.series["coefficient"].cum_sum()).gather_every(step)
    figure.add_scatter(
        x=[et_date(asof) for asof in thin["asof"]],
        y=thin["total"].to_list(),
        name=f"{info.horizon} bars",
        line={"color": BLUE, "width": 1.5, "dash": dash},
        row=1,
        col=3,
    )
    figure.update_xaxes(nticks=4, row=1, col=3)
