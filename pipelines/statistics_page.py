"""Statistics of features as a page: a table, and small plots of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backtests import pages
from backtests.figures import BLUE, GREY, styled
from strikelake.calendar import et_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from features.information import Information
    from features.statistics import FeatureStatistics
    from pipelines.statistics import StatisticsReport

_NOTE = (
    "IC is the information coefficient: Spearman's rank correlation with the return over so many bars. Its "
    "t-value is adjusted for the overlap of returns (Hansen and Hodrick); of twenty features that say "
    "nothing one lies beyond ±2 by chance. Drift is between the first and the last third of the time: a "
    "population stability index above 0.25, by custom, is much."
)


def write_statistics(folder: Path, report: StatisticsReport) -> Path:
    """Write the statistics as one folder; see `pages.write_page`.

    Parameters
    ----------
    folder
        Made when missing; an earlier report in it is replaced.
    report
        The statistics.

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
    parts = [
        pages.note(_NOTE),
        pages.section("What they say about returns", _said(report)),
        pages.section("What they look like", _looks(report)),
        *(
            pages.note(f"Never known ({why}): {', '.join(names)}.")
            for why, names in report.never_known.items()
        ),
        *(pages.section(f"{each.name}, {each.family}", _plots(each)) for each in report.known),
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


def reasons(each: FeatureStatistics) -> str:
    """Return null rows by reason, the most frequent first."""
    return ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in each.nulls.items())


def _said(report: StatisticsReport) -> str:
    heads = ["Feature", "AC 1"]
    for horizon in report.horizons:
        heads += [f"IC {horizon}", f"t {horizon}"]
    heads += ["PSI", "KS"]
    rows = []
    for each in report.known:
        said = [
            text
            for info in each.information
            for text in (decimal(info.coefficient, 3, signed=True), decimal(info.t_value, 1, signed=True))
        ]
        memory = next(iter(each.autocorrelation.values()), None)
        rows.append([each.name, decimal(memory), *said, decimal(each.psi), decimal(each.ks)])
    return pages.table(heads, ["", *["n"] * (len(heads) - 1)], rows)


def _looks(report: StatisticsReport) -> str:
    heads = ("Feature", "Coverage", "Median", "Skew", "Kurtosis", "Outliers", "Nulls")
    return pages.table(heads, ["", *["n"] * 5, "wrap"], [_look(each) for each in report.known])


def _look(each: FeatureStatistics) -> list[str]:
    found = each.distribution
    assert found is not None  # noqa: S101 - features that are never known are told apart
    outliers = "–" if found.outliers is None else f"{found.outliers:.1%}"
    shape = [f"{found.quantiles[3]:.3g}", decimal(found.skew), decimal(found.kurtosis), outliers]
    return [each.name, f"{each.coverage:.1%}", *shape, reasons(each)]


def _plots(each: FeatureStatistics) -> str:
    """Return the distribution early and late, the coefficients with their errors, and their sum over time."""
    from plotly.subplots import make_subplots

    titles = ("first third (grey) and last third", "IC by horizon, ± 2 errors", "IC added up over time")
    figure = make_subplots(rows=1, cols=3, subplot_titles=titles, horizontal_spacing=0.07)
    found = each.distribution
    assert found is not None  # noqa: S101 - features that are never known have no section
    middles = [(low + high) / 2 for low, high in zip(found.edges, found.edges[1:], strict=False)]
    for counts, colour in ((found.first, GREY), (found.last, BLUE)):
        total = sum(counts) or 1
        figure.add_scatter(
            x=middles,
            y=[count / total for count in counts],
            line={"color": colour, "shape": "hvh"},
            row=1,
            col=1,
        )
    _coefficients(figure, each.information)
    for info, colour in zip(each.information, (BLUE, GREY, "#15803d"), strict=False):
        _added_up(figure, info, colour)
    styled(figure, height=230)
    figure.update_layout(margin={"t": 34})
    figure.update_annotations(font={"size": 12})
    return pages.chart(figure)


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


def _added_up(figure: Any, info: Information, colour: str) -> None:
    step = max(1, info.series.height // 200)
    thin = info.series.with_columns(total=info.series["coefficient"].cum_sum()).gather_every(step)
    figure.add_scatter(
        x=[et_date(asof) for asof in thin["asof"]],
        y=thin["total"].to_list(),
        name=f"{info.horizon} bars",
        line={"color": colour, "width": 1.5},
        row=1,
        col=3,
    )
