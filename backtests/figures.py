"""The charts of a backtest report, as plotly figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.calendar import NEW_YORK, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

BLUE, GREEN, RED, GREY = "#2563eb", "#15803d", "#b91c1c", "#64748b"
_FEW_BARS = 12
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
    return styled(figure, height=460)


def monthly_figure(months: pl.DataFrame, years: pl.DataFrame) -> Any:
    """Return returns by calendar month as a table of colours: years down, months and the year across.

    Parameters
    ----------
    months, years
        period (Date, its first day), period_return (fraction). Colours are by the months: a year beyond the
        best or worst of them has its colour.
    """
    from plotly.graph_objects import Figure, Heatmap

    names = [*(datetime(2000, month, 1, tzinfo=UTC).strftime("%b") for month in range(1, 13)), "Year"]
    rows = {period.year: row for row, period in enumerate(years["period"])}
    grid: list[list[float | None]] = [[None] * len(names) for _ in rows]
    for period, value in months.select("period", "period_return").iter_rows():
        grid[rows[period.year]][period.month - 1] = value
    for period, value in years.select("period", "period_return").iter_rows():
        grid[rows[period.year]][-1] = value
    text = [["" if value is None else f"{value:+.1%}" for value in row] for row in grid]
    for row in text:
        row[-1] = f"<b>{row[-1]}</b>"
    peak = max((abs(value) for value in months["period_return"]), default=0.0) or 0.01
    heatmap = Heatmap(
        z=grid,
        x=names,
        y=[str(year) for year in rows],
        text=text,
        texttemplate="%{text}",
        textfont={"size": 12},
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
    return styled(figure, height=90 + (46 if len(rows) == 1 else 34) * len(rows))


def compared_figure(curve: pl.DataFrame, names: tuple[str, str]) -> Any:
    """Return equity and drawdown of a strategy and of what it is compared with, one above the other.

    Parameters
    ----------
    curve
        date, equity, buy_and_hold (dollars at each close).
    names
        Of the two curves, in the legend.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.05)
    looks = (
        ("buy_and_hold", names[1], {"color": GREY, "width": 1.5, "dash": "dot"}, None),
        ("equity", names[0], {"color": BLUE, "width": 2}, "rgba(37, 99, 235, 0.12)"),
    )
    for column, name, line, fill in looks:
        values = curve[column]
        shown = {
            "x": curve["date"].to_list(),
            "mode": "lines",
            "line": line,
            "name": name,
            "legendgroup": name,
        }
        figure.add_scatter(
            **shown, y=values.to_list(), hovertemplate="%{x|%Y-%m-%d}<br>$%{y:,.0f}", row=1, col=1
        )
        figure.add_scatter(
            **shown,
            y=(values / values.cum_max() - 1).to_list(),
            showlegend=False,
            fill=None if fill is None else "tozeroy",
            fillcolor=fill,
            hovertemplate="%{x|%Y-%m-%d}<br>%{y:.1%}",
            row=2,
            col=1,
        )
    figure.update_yaxes(tickprefix="$", tickformat=",.0f", title="Equity", row=1, col=1)
    figure.update_yaxes(tickformat=".0%", title="Drawdown", row=2, col=1)
    styled(figure, height=480)
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "reversed"}
    return figure.update_layout(showlegend=True, legend=legend, margin={"t": 36})


def exposure_figure(curve: pl.DataFrame) -> Any:
    """Return the share of equity in positions over time.

    Parameters
    ----------
    curve
        date, exposure (fraction), one row per session; shown as the mean of each week.
    """
    from plotly.graph_objects import Figure, Scatter

    weeks = curve.sort("date").group_by_dynamic("date", every="1w", label="left")
    means = weeks.agg(pl.col("exposure").mean())
    figure = Figure(
        Scatter(
            x=means["date"].to_list(),
            y=means["exposure"].to_list(),
            mode="lines",
            line={"color": BLUE, "width": 1},
            fill="tozeroy",
            fillcolor="rgba(37, 99, 235, 0.12)",
            hovertemplate="Week of %{x|%Y-%m-%d}<br>%{y:.0%}<extra></extra>",
        )
    )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return styled(figure, height=220)


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
    step = 34 if len(names) <= _FEW_BARS else 24
    return styled(figure, height=max(160, 60 + step * len(names)))


def styled(figure: Any, height: int) -> Any:
    """Give a figure the look of all figures here, in pixels of height, and return it."""
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
