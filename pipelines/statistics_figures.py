"""What a page of statistics shows at a glance: evidence, coverage and drift of every feature, as figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from backtests.figures import GREY, styled
from features.information import bonferroni

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from features.statistics import FeatureStatistics
    from pipelines.statistics import StatisticsReport

ANCHOR = "feature-"
"""How the anchor of a feature's section begins; its name follows."""

CUSTOMARY = 2.0
"""A t-value beyond which one coefficient, looked at alone, is taken for more than chance."""
SOME_DRIFT, MUCH_DRIFT = 0.1, 0.25
"""Population stability indices, by custom."""

# M. Okabe, K. Ito, "Color Universal Design", 2008: told apart by the colour-blind too.
_FAMILIES = {
    "price": "#0072b2",
    "volume": "#e69f00",
    "volatility": "#d55e00",
    "options": "#009e73",
    "market": "#cc79a7",
    "calendar": "#56b4e9",
}
_OWN = "#111827"  # families of the user's
_KNOWN, _LINE = "#cbd5e1", "#334155"
_ABSENT = "no rows of a table it reads"
_NULLS = {
    _ABSENT: ("#64748b", "-", "▤"),
    "warm_up": ("#e69f00", "/", "▨"),
    "unknown_input": ("#d55e00", "x", "▩"),
    "undefined": ("#0072b2", "+", "▦"),
}
_OTHER = ("#111827", "|", "▥")
_SYMBOLS = (
    ("circle", "●"),
    ("diamond", "◆"),
    ("triangle-up", "▲"),
    ("square", "■"),
    ("x", "✖"),
    ("cross", "✚"),
)
_LEAST_DRIFT = 1e-3  # the axis is logarithmic
_ROW, _AROUND = 17, 70  # pixels

Legend: TypeAlias = "list[tuple[str, str, str]]"
"""A mark, its colour and what it means; see `backtests.pages.legend`."""


def t_values(report: StatisticsReport) -> list[float]:
    """Return every t-value there is: of each feature and horizon."""
    return [info.t_value for each in report.known for info in each.information if info.t_value is not None]


def threshold(report: StatisticsReport) -> float | None:
    """Return the Bonferroni threshold at 5 % over all the t-values there are; None where there are none."""
    found = t_values(report)
    return bonferroni(len(found)) if found else None


def evidence(each: FeatureStatistics) -> float:
    """Return a feature's largest t-value of any horizon, without sign.

    -1 where there is none; infinity where a coefficient never varies.
    """
    if any(info.suspect for info in each.information):
        return math.inf
    return max((abs(info.t_value) for info in each.information if info.t_value is not None), default=-1.0)


def by_evidence(report: StatisticsReport) -> list[FeatureStatistics]:
    """Return the features that are ever known, those with the largest t-value first."""
    return sorted(report.known, key=lambda each: (-evidence(each), each.name))


def information_figure(report: StatisticsReport) -> Any:
    """Return the t-values of all coefficients: a row for each feature, a sign for each horizon.

    Rows are sorted by the largest t-value without its sign. Dashed lines stand at ±2, full ones at the
    threshold of `threshold`.
    """
    from plotly.graph_objects import Figure

    rows = by_evidence(report)
    figure = Figure()
    _lines(figure, rows, report)
    for family in _families(rows):
        _dots(figure, [each for each in rows if each.family == family], report.horizons, _colour(family))
    reach = 1.08 * max([CUSTOMARY, *map(abs, t_values(report)), threshold(report) or 0.0])
    figure.update_xaxes(
        title="t-value", range=[-reach, reach], side="top", zeroline=True, zerolinecolor=_KNOWN
    )
    return _rowed(figure, [each.name for each in rows])


def information_legend(report: StatisticsReport) -> Legend:
    """Return what the marks of `information_figure` mean."""
    made = [("●", _colour(family), family) for family in _families(report.known)]
    for horizon, _, mark in _signs(report.horizons):
        made.append((mark, GREY, f"{horizon} bar{'s' if horizon > 1 else ''} ahead"))
    made.append(("╍", _LINE, f"±{CUSTOMARY:g}"))
    strict = threshold(report)
    if strict is not None:
        words = f"±{strict:.2f}, Bonferroni: 5 % over {len(t_values(report))} t-values"
        made.append(("━", _LINE, words))
    return made


def coverage_figure(report: StatisticsReport) -> Any:
    """Return the share of rows with a value and of nulls by reason: a bar for each feature, worst first."""
    from plotly.graph_objects import Figure

    rows = sorted(report.features, key=lambda each: (each.coverage, each.name))
    figure = Figure()
    parts = [("known", [each.known for each in rows], (_KNOWN, "", ""))]
    for reason in _reasons(report):
        counts = [sum(n for why, n in each.nulls.items() if _grouped(why) == reason) for each in rows]
        parts.append((reason, counts, _NULLS.get(reason, _OTHER)))
    for name, counts, (colour, shape, _) in parts:
        figure.add_bar(
            y=[each.name for each in rows],
            x=[count / each.rows for count, each in zip(counts, rows, strict=True)],
            orientation="h",
            name=name.replace("_", " "),
            marker={"color": colour, "pattern": {"shape": shape, "size": 5, "solidity": 0.35}},
            customdata=[(f"{ANCHOR}{each.name}", _nulls(each)) for each in rows],
            hovertemplate="%{y}<br>%{x:.1%} %{fullData.name}<br>%{customdata[1]}<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.25)
    figure.update_xaxes(title="share of rows", tickformat=".0%", range=[0, 1], side="top")
    return _rowed(figure, [each.name for each in rows])


def coverage_legend(report: StatisticsReport) -> Legend:
    """Return what the marks of `coverage_figure` mean."""
    looks = [(reason.replace("_", " "), _NULLS.get(reason, _OTHER)) for reason in _reasons(report)]
    return [("■", _KNOWN, "known"), *((mark, colour, words) for words, (colour, _, mark) in looks)]


def drift_figure(report: StatisticsReport) -> Any:
    """Return the population stability index of each feature that has one, the largest first.

    The axis is logarithmic and ends at 0.001: what is below is drawn there.
    """
    from plotly.graph_objects import Figure

    found = [(each.psi, each) for each in report.known if each.psi is not None]
    found.sort(key=lambda pair: (-pair[0], pair[1].name))
    rows = [each for _, each in found]
    figure = Figure()
    _line(figure, [SOME_DRIFT], rows, "dash", f"{SOME_DRIFT}: some")
    _line(figure, [MUCH_DRIFT], rows, "solid", f"{MUCH_DRIFT}: much")
    for family in _families(rows):
        mine = [(psi, each) for psi, each in found if each.family == family]
        figure.add_scatter(
            x=[max(psi, _LEAST_DRIFT) for psi, _ in mine],
            y=[each.name for _, each in mine],
            mode="markers",
            name=family,
            marker=_marker(_colour(family), "circle"),
            customdata=[(f"{ANCHOR}{each.name}", psi) for psi, each in mine],
            hovertemplate="%{y}<br>PSI %{customdata[1]:.3g}<extra>" + family + "</extra>",
        )
    figure.update_xaxes(
        title="PSI",
        type="log",
        tickvals=[_LEAST_DRIFT, 0.01, 0.1, 1.0, 10.0],
        ticktext=[f"≤ {_LEAST_DRIFT}", "0.01", "0.1", "1", "10"],
        side="top",
    )
    return _rowed(figure, [each.name for each in rows])


def drift_legend(report: StatisticsReport) -> Legend:
    """Return what the marks of `drift_figure` mean."""
    families = _families([each for each in report.known if each.psi is not None])
    made = [("●", _colour(family), family) for family in families]
    return [*made, ("╍", _LINE, f"{SOME_DRIFT}: some"), ("━", _LINE, f"{MUCH_DRIFT}: much")]


def _dots(figure: Any, rows: Sequence[FeatureStatistics], horizons: Sequence[int], colour: str) -> None:
    for horizon, symbol, _ in _signs(horizons):
        found = [
            (each, info)
            for each in rows
            for info in each.information
            if info.horizon == horizon and info.t_value is not None
        ]
        figure.add_scatter(
            x=[info.t_value for _, info in found],
            y=[each.name for each, _ in found],
            mode="markers",
            name=f"{horizon}",
            marker=_marker(colour, symbol),
            customdata=[(f"{ANCHOR}{each.name}", info.coefficient) for each, info in found],
            hovertemplate=f"%{{y}}, {horizon} ahead<br>t %{{x:+.2f}}, IC %{{customdata[1]:+.3f}}<extra/>",
        )


def _lines(figure: Any, rows: Sequence[FeatureStatistics], report: StatisticsReport) -> None:
    """Draw the range of each row, and where t-values begin to count."""
    spans: list[tuple[float | None, str | None]] = []
    for each in rows:
        values = [info.t_value for info in each.information if info.t_value is not None]
        if values:
            spans += [(min(values), each.name), (max(values), each.name), (None, None)]
    figure.add_scatter(
        x=[at for at, _ in spans],
        y=[name for _, name in spans],
        mode="lines",
        line={"color": _KNOWN, "width": 2},
        name="range",
        hoverinfo="skip",
    )
    _line(figure, [-CUSTOMARY, CUSTOMARY], rows, "dash", f"±{CUSTOMARY:g}")
    strict = threshold(report)
    if strict is not None:
        _line(figure, [-strict, strict], rows, "solid", "Bonferroni")


def _line(
    figure: Any, places: Iterable[float], rows: Sequence[FeatureStatistics], dash: str, name: str
) -> None:
    """Draw upright lines from the first row to the last."""
    if not rows:
        return
    figure.add_scatter(
        x=[x for at in places for x in (at, at, None)],
        y=[y for _ in places for y in (rows[0].name, rows[-1].name, None)],
        mode="lines",
        line={"color": _LINE, "width": 1.2, "dash": dash},
        name=name,
        hoverinfo="skip",
    )


def _marker(colour: str, symbol: str) -> dict[str, Any]:
    return {"color": colour, "symbol": symbol, "size": 9, "line": {"color": _LINE, "width": 0.5}}


def _rowed(figure: Any, names: Sequence[str]) -> Any:
    """Give a figure one row for each name, the first on top; it does not catch a finger that scrolls."""
    styled(figure, height=_AROUND + _ROW * len(names))
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=list(names),
        range=[len(names) - 0.5, -0.5],
        dtick=1,
        tickfont={"size": 11},
        showgrid=True,
        gridcolor="#f1f5f9",
        fixedrange=True,
    )
    figure.update_xaxes(fixedrange=True, title={"standoff": 4, "font": {"size": 12}})
    return figure.update_layout(dragmode=False, hovermode="closest")


def _reasons(report: StatisticsReport) -> list[str]:
    """Return the reasons of nulls that a colour stands for, the usual ones first."""
    there = {_grouped(reason) for each in report.features for reason in each.nulls}
    return [name for name in _NULLS if name in there] + sorted(there - set(_NULLS))


def _grouped(reason: str) -> str:
    return _ABSENT if reason.startswith("no ") else reason


def _nulls(each: FeatureStatistics) -> str:
    return "<br>".join(f"{reason.replace('_', ' ')}: {count:,}" for reason, count in each.nulls.items())


def _families(rows: Sequence[FeatureStatistics]) -> list[str]:
    there = {each.family for each in rows}
    return [name for name in _FAMILIES if name in there] + sorted(there - set(_FAMILIES))


def _colour(family: str) -> str:
    return _FAMILIES.get(family, _OWN)


def _signs(horizons: Sequence[int]) -> list[tuple[int, str, str]]:
    return [(horizon, *_SYMBOLS[place % len(_SYMBOLS)]) for place, horizon in enumerate(horizons)]
