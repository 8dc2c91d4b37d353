"""Smiles, term structure and surface as plotly figures, for notebooks and pages alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.slices import surface_of
from strikelake.pricing.svi import total_variance

if TYPE_CHECKING:
    import polars as pl

BLUE, RED, GREY = "#2563eb", "#b91c1c", "#64748b"
_FONT = {"family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif", "size": 13}
_COLUMNS, _MOST_SMILES = 3, 12
_LINE_POINTS, _GRID = 81, 41
_MARGIN = 0.15  # how far beyond its data a smile is drawn, as a share of their range


def smile_figure(points: pl.DataFrame, smiles: pl.DataFrame) -> Any:
    """Return one panel for each expiration: what was quoted or traded, and the fitted smile through it.

    Parameters
    ----------
    points
        As `pipelines.slices.smile_points` gives them, of one underlying and decision time.
    smiles
        Rows of `smiles` of the same; the first twelve expirations are drawn.
    """
    from plotly.subplots import make_subplots

    shown = smiles.sort("years").head(_MOST_SMILES)
    rows = -(-shown.height // _COLUMNS)
    titles = [
        f"{row['expiration']:%Y-%m-%d} {row['root']}, {row['years'] * 365:.0f} days"
        + ("" if row["status"] == "fitted" else f": {row['status'].replace('_', ' ')}")
        for row in shown.iter_rows(named=True)
    ]
    figure = make_subplots(
        rows=rows,
        cols=_COLUMNS,
        subplot_titles=titles,
        vertical_spacing=0.35 / max(rows, 1),
        horizontal_spacing=0.06,
    )
    for place, smile in enumerate(shown.iter_rows(named=True)):
        own = points.filter((points["expiration"] == smile["expiration"]) & (points["root"] == smile["root"]))
        _draw_smile(figure, own, smile, place // _COLUMNS + 1, place % _COLUMNS + 1, legend=place == 0)
    figure.update_yaxes(tickformat=".0%", rangemode="normal", automargin=True)
    figure.update_xaxes(title="ln(K / F)", title_standoff=4, zeroline=True)
    figure.update_annotations(font_size=12)
    return _styled(figure, height=90 + 250 * max(rows, 1))


def _draw_smile(
    figure: Any, points: pl.DataFrame, smile: dict[str, Any], row: int, col: int, *, legend: bool
) -> None:
    for option_type, name, colour in (("P", "puts", RED), ("C", "calls", BLUE)):
        side = points.filter(points["option_type"] == option_type)
        figure.add_scatter(
            x=side["k"].to_list(),
            y=side["vol"].to_list(),
            error_y={"type": "data", "array": side["error"].to_list(), "thickness": 1, "width": 0},
            mode="markers",
            marker={"size": 4, "color": colour},
            name=name,
            legendgroup=name,
            showlegend=legend,
            hovertemplate="k %{x:.3f}<br>vol %{y:.2%}<extra></extra>",
            row=row,
            col=col,
        )
    if smile["status"] != "fitted":
        return
    width = smile["k_max"] - smile["k_min"]
    k = np.linspace(smile["k_min"] - _MARGIN * width, smile["k_max"] + _MARGIN * width, _LINE_POINTS)
    params = [smile[f"svi_{name}"] for name in ("a", "b", "rho", "m", "sigma")]
    figure.add_scatter(
        x=k.tolist(),
        y=np.sqrt(total_variance(params, k) / smile["years"]).tolist(),
        mode="lines",
        line={"color": "#0f172a", "width": 1.5},
        name="SVI",
        legendgroup="SVI",
        showlegend=legend,
        hovertemplate="k %{x:.3f}<br>SVI %{y:.2%}<extra></extra>",
        row=row,
        col=col,
    )


def term_figure(smiles: pl.DataFrame) -> Any:
    """Return volatility at the money forward by days to expiration, fitted slices only."""
    from plotly.graph_objects import Figure

    fitted = smiles.filter(smiles["status"] == "fitted").sort("years")
    figure = Figure()
    figure.add_scatter(
        x=(fitted["years"] * 365.0).to_list(),
        y=fitted["atm_iv"].to_list(),
        text=[f"{day:%Y-%m-%d}" for day in fitted["expiration"]],
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        hovertemplate="%{text}, %{x:.0f} days<br>vol %{y:.2%}<extra></extra>",
    )
    figure.update_xaxes(
        title="days to expiration", type="log", tickvals=[1, 2, 7, 14, 30, 60, 90, 180, 365, 730]
    )
    figure.update_yaxes(title="ATM volatility", tickformat=".1%")
    return _styled(figure, height=340)


def surface_figure(smiles: pl.DataFrame) -> Any:
    """Return the surface over moneyness in standard deviations and days, interpolated in total variance."""
    from plotly.graph_objects import Figure, Surface

    fitted = smiles.filter(smiles["status"] == "fitted").sort("years")
    surface = surface_of(fitted)
    years = np.geomspace(surface.years.min(), surface.years.max(), _GRID)
    deviations = np.linspace(-2.0, 2.0, _GRID)
    heights = []
    for each in years:
        level = np.sqrt(surface.total_variance(0.0, each))
        heights.append([float(surface.vol(step * level, each * 365.0)[0]) for step in deviations])
    drawn = Surface(
        x=deviations.tolist(),
        y=(years * 365.0).tolist(),
        z=heights,
        colorscale="Viridis",
        colorbar={"tickformat": ".0%", "thickness": 12},
        hovertemplate="%{x:.1f} deviations<br>%{y:.0f} days<br>vol %{z:.2%}<extra></extra>",
    )
    figure = Figure(drawn)
    figure.update_layout(
        scene={
            "xaxis": {"title": "deviations from the forward"},
            "yaxis": {"title": "days", "type": "log"},
            "zaxis": {"title": "volatility", "tickformat": ".0%"},
            "camera": {"eye": {"x": 1.5, "y": -1.5, "z": 0.8}},
        }
    )
    return _styled(figure, height=560)


def _styled(figure: Any, height: int) -> Any:
    figure.update_layout(
        template="plotly_white",
        height=height,
        font=_FONT,
        margin={"l": 60, "r": 20, "t": 60, "b": 50},
        legend={
            "orientation": "h",
            "y": 1.0,
            "yanchor": "bottom",
            "x": 1.0,
            "xanchor": "right",
            "yref": "container",
        },
    )
    return figure
