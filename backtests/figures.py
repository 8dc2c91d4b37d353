"""The charts of a backtest report, as plotly figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.calendar import NEW_YORK, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

BLUE, GREEN, RED, GREY = "#2563eb", "#15803d", "#b91c1c", "#64748b"
_FONT = "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"


def equity_figure(curve: pl.DataFrame) -> Any:
    """Return equity and its drawdown over time, one above the other.

    Parameters
    ----------
    curve
        ts_ns, equity. Moments are joined without the gaps of nights and weekends.
    """
    from plotly.subplots import make_subplots

    times = [_wall(ts_ns) for ts_ns in curve["ts_ns"]]
    drawdown = curve.select(pl.col("equity") / pl.col("equity").cum_max() - 1).to_series()
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.05)
    line = {"x": times, "mode": "lines"}
    figure.add_scatter(
        **line,
        y=curve["equity"].to_list(),
        name="Equity",
        line={"color": BLUE, "width": 2},
        hovertemplate="%{x}<br>$%{y:,.2f}<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_scatter(
        **line,
        y=drawdown.to_list(),
        name="Drawdown",
        fill="tozeroy",
        line={"color": RED, "width": 1},
        fillcolor="rgba(185, 28, 28, 0.15)",
        hovertemplate="%{x}<br>%{y:.2%}<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_yaxes(tickprefix="$", tickformat=",.0f", title="Equity", row=1, col=1)
    figure.update_yaxes(tickformat=".1%", title="Drawdown", row=2, col=1)
    # A category axis leaves out closed hours; it is labelled at a few sessions' first moments.
    first = {time[:10]: time for time in reversed(times)}
    days = sorted(first)[:: max(1, len(first) // 8)]
    figure.update_xaxes(
        type="category",
        tickangle=0,
        tickvals=[first[day] for day in days],
        ticktext=[day[5:] for day in days],
    )
    return _styled(figure, height=460)


def monthly_figure(months: pl.DataFrame) -> Any:
    """Return returns by calendar month as a table of colours: years down, months across.

    Parameters
    ----------
    months
        month (Date, its first day), month_return (fraction).
    """
    from plotly.graph_objects import Figure, Heatmap

    names = [datetime(2000, month, 1, tzinfo=UTC).strftime("%b") for month in range(1, 13)]
    years = sorted({month.year for month in months["month"]})
    grid: list[list[float | None]] = [[None] * 12 for _ in years]
    for month, value in months.select("month", "month_return").iter_rows():
        grid[years.index(month.year)][month.month - 1] = value
    text = [["" if value is None else f"{value:+.1%}" for value in row] for row in grid]
    peak = max((abs(value) for value in months["month_return"]), default=0.0) or 0.01
    heatmap = Heatmap(
        z=grid,
        x=names,
        y=[str(year) for year in years],
        text=text,
        texttemplate="%{text}",
        colorscale=[[0, RED], [0.5, "#f8fafc"], [1, GREEN]],
        zmin=-peak,
        zmax=peak,
        showscale=False,
        xgap=3,
        ygap=3,
        hovertemplate="%{y} %{x}: %{text}<extra></extra>",
    )
    figure = Figure(heatmap)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    figure.update_xaxes(side="top", showgrid=False)
    return _styled(figure, height=90 + 46 * len(years))


def bars_figure(names: Sequence[str], values: Sequence[float], *, money: bool) -> Any:
    """Return horizontal bars, the first on top; dollars are green above 0 and red below."""
    from plotly.graph_objects import Bar, Figure

    shown = [
        f"{'-' if value < 0 else ''}${abs(value):,.0f}" if money else f"{value:,.0f}" for value in values
    ]
    colors = [GREEN if value >= 0 else RED for value in values] if money else GREY
    figure = Figure(
        Bar(
            x=list(values),
            y=list(names),
            orientation="h",
            marker={"color": colors},
            text=shown,
            textposition="auto",
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="outside", ticklen=6, tickcolor="white")
    figure.update_xaxes(tickformat="$,.0f" if money else ",.0f")
    return _styled(figure, height=max(160, 60 + 34 * len(names)))


def _styled(figure: Any, height: int) -> Any:
    figure.update_layout(
        height=height,
        autosize=True,
        template="plotly_white",
        font={"family": _FONT, "size": 13, "color": "#0f172a"},
        margin={"l": 10, "r": 16, "t": 12, "b": 10},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def _wall(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // NS_PER_SECOND, NEW_YORK):%Y-%m-%d %H:%M}"
