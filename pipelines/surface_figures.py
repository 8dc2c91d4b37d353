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
_COLUMNS = 3
MOST_SMILES = 12
"""Expirations that a figure of smiles draws."""

_LINE_POINTS, _GRID = 81, 41
_TICK_DAYS = [1, 2, 7, 14, 30, 60, 90, 180, 365, 730]
_ZERO = "#cbd5e1"
_LEGEND: dict[str, dict[str, Any]] = {
    "puts": {"mode": "markers", "marker": {"size": 4, "color": RED}},
    "calls": {"mode": "markers", "marker": {"size": 4, "color": BLUE}},
    "SVI": {"mode": "lines", "line": {"color": "#0f172a", "width": 1.5}},
}
_MARGIN = 0.15  # how far beyond its data a smile is drawn, as a share of their range


def smile_figure(points: pl.DataFrame, smiles: pl.DataFrame) -> Any:
    """Return one panel for each expiration: what was quoted or traded, and the fitted smile through it.

    Whiskers reach from the volatility of the bid to that of the ask; of bars, as far as half a tick of the
    price moves the volatility. A slice that dips below the one before it says so.

    Parameters
    ----------
    points
        As `pipelines.slices.smile_points` gives them, of one underlying and decision time.
    smiles
        Rows of `smiles` of the same; the first twelve expirations are drawn.
    """
    from plotly.subplots import make_subplots

    shown = smiles.sort("years").head(MOST_SMILES)
    rows = -(-shown.height // _COLUMNS)
    figure = make_subplots(
        rows=rows,
        cols=_COLUMNS,
        subplot_titles=[_smile_title(row) for row in shown.iter_rows(named=True)],
        vertical_spacing=0.36 / max(rows, 1),
        horizontal_spacing=0.07,
    )
    for place, smile in enumerate(shown.iter_rows(named=True)):
        own = points.filter((points["expiration"] == smile["expiration"]) & (points["root"] == smile["root"]))
        _draw_smile(figure, own, smile, place // _COLUMNS + 1, place % _COLUMNS + 1)
    for name, style in _LEGEND.items():
        figure.add_scatter(x=[None], y=[None], name=name, legendgroup=name, showlegend=True, **style)
    figure.update_yaxes(tickformat=".0%", rangemode="normal", automargin=True, zeroline=False)
    figure.update_yaxes(title="implied volatility", title_standoff=4, col=1)
    figure.update_xaxes(title="ln(strike / forward)", title_standoff=4, zeroline=True, zerolinecolor=_ZERO)
    figure.update_annotations(font_size=12)
    return _styled(figure, height=110 + 260 * max(rows, 1), top=64)


def _smile_title(smile: dict[str, Any]) -> str:
    title = f"{smile['expiration']:%Y-%m-%d} {smile['root']}, {smile['years'] * 365:.0f} days"
    if smile["status"] != "fitted":
        return f"{title}<br><i>{smile['status'].replace('_', ' ')}</i>"
    return title + ("<br><i>calendar gap</i>" if smile["calendar_gap"] else "")


def _draw_smile(figure: Any, points: pl.DataFrame, smile: dict[str, Any], row: int, col: int) -> None:
    for kind, name in (("P", "puts"), ("C", "calls")):
        side = points.filter(points["option_type"] == kind)
        up, down = (
            (sign * (side[column] - side["vol"])).fill_null(side["error"]).clip(0.0)
            for sign, column in ((1.0, "ask_vol"), (-1.0, "bid_vol"))
        )
        style = _LEGEND[name]
        whiskers = {"type": "data", "array": up.to_list(), "arrayminus": down.to_list(), "symmetric": False}
        figure.add_scatter(
            x=side["k"].to_list(),
            y=side["vol"].to_list(),
            customdata=side["strike"].to_list(),
            error_y=whiskers | {"thickness": 0.8, "width": 2, "color": style["marker"]["color"]},
            name=name,
            legendgroup=name,
            showlegend=False,
            hovertemplate="strike %{customdata:g}<br>ln(K/F) %{x:.3f}<br>vol %{y:.2%}<extra></extra>",
            row=row,
            col=col,
            **style,
        )
    if smile["status"] != "fitted":
        return
    width = smile["k_max"] - smile["k_min"]
    k = np.linspace(smile["k_min"] - _MARGIN * width, smile["k_max"] + _MARGIN * width, _LINE_POINTS)
    params = [smile[f"svi_{name}"] for name in ("a", "b", "rho", "m", "sigma")]
    figure.add_scatter(
        x=k.tolist(),
        y=np.sqrt(total_variance(params, k) / smile["years"]).tolist(),
        name="SVI",
        legendgroup="SVI",
        showlegend=False,
        hovertemplate="ln(K/F) %{x:.3f}<br>SVI %{y:.2%}<extra></extra>",
        row=row,
        col=col,
        **_LEGEND["SVI"],
    )


def term_figure(smiles: pl.DataFrame) -> Any:
    """Return volatility at the money forward by days to expiration, fitted slices only.

    Slices that dip below the one before them are red.
    """
    from plotly.graph_objects import Figure

    fitted = smiles.filter(smiles["status"] == "fitted").sort("years")
    figure = Figure()
    gapped = fitted["calendar_gap"] > 0.0
    figure.add_scatter(
        x=(fitted["years"] * 365.0).to_list(),
        y=fitted["atm_iv"].to_list(),
        text=[
            f"{day:%Y-%m-%d}" + (", calendar gap" if gap else "")
            for day, gap in zip(fitted["expiration"], gapped, strict=True)
        ],
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        marker={"color": [RED if gap else BLUE for gap in gapped], "size": 8},
        showlegend=False,
        hovertemplate="%{text}, %{x:.0f} days<br>vol %{y:.2%}<extra></extra>",
    )
    figure.update_xaxes(title="days to expiration", type="log", tickvals=_TICK_DAYS)
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
        colorbar={"tickformat": ".0%", "thickness": 12, "len": 0.6, "title": "volatility"},
        hovertemplate="%{x:.1f} deviations<br>%{y:.0f} days<br>vol %{z:.2%}<extra></extra>",
    )
    figure = Figure(drawn)
    figure.update_layout(
        scene={
            "xaxis": {"title": "ln(K / F), standard deviations", "tickvals": [-2, -1, 0, 1, 2]},
            "yaxis": {"title": "days to expiration", "type": "log", "tickvals": _TICK_DAYS[2:]},
            "zaxis": {"title": "implied volatility", "tickformat": ".0%"},
            "camera": {"eye": {"x": 1.45, "y": -1.45, "z": 0.75}, "center": {"z": -0.12}},
            "aspectmode": "manual",
            "aspectratio": {"x": 1.1, "y": 1.3, "z": 0.7},
        }
    )
    return _styled(figure, height=560)


def _styled(figure: Any, height: int, top: int = 16) -> Any:
    figure.update_layout(
        template="plotly_white",
        height=height,
        font=_FONT,
        margin={"l": 60, "r": 20, "t": top, "b": 50},
        legend={"orientation": "h", "y": 1.0, "yanchor": "top", "x": 1.0, "xanchor": "right"}
        | {"yref": "container", "itemsizing": "constant"},
    )
    return figure
