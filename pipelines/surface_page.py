"""An underlying's volatility at one moment as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from backtests.pages import chart, note, section, tiles, write_page
from pipelines.slices import at_decisions, decision_times, smile_points
from pipelines.surface_figures import smile_figure, surface_figure, term_figure
from strikelake.calendar import iso, session
from strikelake.errors import EmptyLakeError

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from strikelake.lake.store import Lake

_BEST_FIRST = ("quote", "1m", "1d")
_SHOWN = {
    "ATM, 7 days": "atm_iv_7d",
    "ATM, 30 days": "atm_iv_30d",
    "ATM, 90 days": "atm_iv_90d",
    "25-delta risk reversal": "risk_reversal_25d",
    "25-delta butterfly": "butterfly_25d",
    "realised, 21 sessions": "realized_vol",
    "error of fit": "rmse",
}


def write_surface_page(
    lake: Lake, underlying: str, day: date, folder: Path, *, bar: str | None = None, asof: int | None = None
) -> Path:
    """Write a page with smiles and quotes, term structure and surface.

    Parameters
    ----------
    lake
        Reads option_analytics, smiles and surfaces.
    underlying, day
        What and when.
    folder
        Where the page goes.
    bar
        "1d", "1m" or "quote"; the finest there is by default.
    asof
        A decision time, ns UTC; the close by default.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    EmptyLakeError
        When there is no smile of the underlying at that time.
    """
    smiles = lake.scan("smiles", day, day, underlyings=[underlying]).collect()
    kind = bar or next((each for each in _BEST_FIRST if each in smiles["bar"]), "1d")
    moment = asof or decision_times(session(day), kind)[-1]
    own = smiles.filter(pl.col("bar") == kind, pl.col("asof") == moment)
    if own.is_empty():
        held = ", ".join(
            iso(each)[11:16] for each in sorted(smiles.filter(pl.col("bar") == kind)["asof"].unique())
        )
        raise EmptyLakeError(
            f"there is no smile of {underlying} from {kind} rows at {iso(moment)} (there are: "
            f"{held or 'none'}): choose another time or --bar, or run `strikelake analytics`"
        )
    rows = lake.scan("option_analytics", day, day, underlyings=[underlying]).filter(pl.col("bar") == kind)
    points = smile_points(at_decisions(rows.collect(), session(day), kind).filter(pl.col("asof") == moment))
    surfaces = lake.scan("surfaces", day, day, underlyings=[underlying]).filter(pl.col("bar") == kind)
    numbers = surfaces.filter(pl.col("asof") == moment).collect().row(0, named=True)
    shown = {name: "–" if numbers[key] is None else f"{numbers[key]:.2%}" for name, key in _SHOWN.items()}
    facts = [
        iso(moment),
        f"from {kind} rows",
        f"{numbers['expirations']} expirations, {numbers['contracts']} contracts",
    ]
    parts = [tiles(shown)]
    if numbers["reason"]:
        parts.append(note(f"Some numbers are missing: {numbers['reason'].replace('_', ' ')}."))
    parts.append(section("Smiles", chart(smile_figure(points, own))))
    if (own["status"] == "fitted").sum() > 1:
        parts.append(section("Term structure", chart(term_figure(own))))
        parts.append(section("Surface", chart(surface_figure(own))))
    return write_page(folder, f"Volatility of {underlying}", facts, parts)
