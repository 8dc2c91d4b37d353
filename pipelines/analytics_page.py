"""What became of priced rows as a page, with a page for each underlying's last surface beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backtests import pages
from backtests.figures import styled
from pipelines.surface_page import read_surface, write_surface_page
from strikelake.errors import EmptyLakeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.analytics_report import Summary
    from strikelake.lake.store import Lake

_NOTE = (
    "Every row has a status, and a volatility only where it is solved. The gap is the median difference "
    "between the volatilities of a call and a put of one strike that were priced in the same minute, near "
    "the money and beyond a week, each with the carry known by then. Beside it is the median over "
    "expirations and decision times of the pairs' gap before and after their own carry is taken in."
)
_COLOURS = {
    "solved": "#2563eb",
    "below_intrinsic": "#b91c1c",
    "at_american_intrinsic": "#f59e0b",
    "missing_input": "#94a3b8",
    "expired": "#475569",
    "below_tick_vega": "#7c3aed",
}


def write_analytics_page(lake: Lake, found: Sequence[Summary], folder: Path) -> Path:
    """Write a page with shares by status and gaps, and the surfaces' pages in folders beside it.

    Parameters
    ----------
    lake
        Reads smiles and option_analytics.
    found
        As `pipelines.analytics_report.summarise` gives them.
    folder
        Made when missing; an earlier page in it is replaced.

    Returns
    -------
    Path
        Of the `index.html`.
    """
    parts = [
        pages.note(_NOTE),
        pages.section("Rows by status", pages.chart(_statuses(found)) + _table(found)),
    ]
    links = []
    for underlying in dict.fromkeys(each.underlying for each in found):
        last = max(each.last for each in found if each.underlying == underlying)
        name = f"{underlying}-{last}"
        try:
            view = read_surface(lake, underlying, last)
        except EmptyLakeError:
            continue
        if not view.fitted:
            continue  # nothing to show
        write_surface_page(view, folder / name)
        links.append(f"<a href='{name}/index.html'>{underlying}, {last}</a>")
    if links:
        parts.append(pages.section("Surfaces", f"<p>{' · '.join(links)}</p>"))
    first, last = min(each.first for each in found), max(each.last for each in found)
    facts = (f"{first} to {last}", f"{sum(each.rows for each in found):,} rows")
    return pages.write_page(folder, "Volatilities", facts, parts)


def _statuses(found: Sequence[Summary]) -> Any:
    """Return a bar of shares by status for each underlying and kind of row."""
    from plotly.graph_objects import Figure

    figure = Figure()
    rows = [f"{each.underlying} {each.bar}" for each in found]
    names = dict.fromkeys(name for each in found for name in ("solved", *each.by_status))
    for name in names:
        figure.add_bar(
            y=rows,
            x=[each.by_status.get(name, 0) / each.rows for each in found],
            orientation="h",
            name=name.replace("_", " "),
            marker={"color": _COLOURS.get(name)},
            hovertemplate="%{y}<br>%{x:.2%}<extra>" + name.replace("_", " ") + "</extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(tickformat=".0%", range=[0, 1], title="share of rows")
    figure.update_yaxes(autorange="reversed")
    figure = styled(figure, height=150 + 26 * len(rows))
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"} | {"traceorder": "normal"},
    )
    return figure


def _table(found: Sequence[Summary]) -> str:
    heads = ["Underlying", "Bar", "Rows", "Solved", "Others"]
    heads += ["Gap, vol points", "without", "with carry", "Smiles", "Calendar gaps"]
    rows = [
        [
            each.underlying,
            each.bar,
            f"{each.rows:,}",
            pages.share(each.solved),
            ", ".join(
                f"{name.replace('_', ' ')} {count:,}"
                for name, count in each.by_status.items()
                if name != "solved"
            ),
            _points(each.gap),
            _points(each.gap_without_carry),
            _points(each.gap_with_carry),
            f"{each.smiles.get('fitted', 0):,} of {sum(each.smiles.values()):,}",
            f"{each.calendar_gaps:,}",
        ]
        for each in found
    ]
    return pages.table(heads, ["", "", "n", "n", "wrap", "n", "n", "n", "n", "n"], rows)


def _points(vol: float | None) -> str:
    return "–" if vol is None else f"{100.0 * vol:.2f}"
