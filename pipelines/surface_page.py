"""An underlying's volatility at one moment as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from backtests.pages import chart, note, section, tiles, write_page
from pipelines.slices import at_decisions, smile_points
from pipelines.surface_figures import MOST_SMILES, smile_figure, surface_figure, term_figure
from strikelake.calendar import iso, session
from strikelake.errors import EmptyLakeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from strikelake.lake.store import Lake

_MOST_GAPS = 3
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


@dataclass(frozen=True, slots=True)
class SurfaceView:
    """An underlying's volatility at one decision time.

    Attributes
    ----------
    underlying, bar, asof
        What; asof is ns UTC.
    smiles, points
        Rows of `smiles`, and the points that they were fitted to.
    numbers
        The row of `surfaces`.
    """

    underlying: str
    bar: str
    asof: int
    smiles: pl.DataFrame
    points: pl.DataFrame
    numbers: Mapping[str, Any]

    @property
    def fitted(self) -> int:
        """How many expirations have a smile."""
        return int((self.smiles["status"] == "fitted").sum())

    def texts(self) -> dict[str, str]:
        """Return the surface's numbers in per cent, by name; a dash where there is none."""
        return {
            name: "–" if self.numbers[key] is None else f"{self.numbers[key]:.2%}"
            for name, key in _SHOWN.items()
        }

    def arbitrage(self) -> str:
        """Return what the checks for static arbitrage found, in a sentence.

        A calendar gap is where total variance falls from one expiration to the next, at strikes that both
        have data for. It is reported and not repaired: the quotes may really cross, or be of different
        moments.
        """
        gapped = self.smiles.filter(pl.col("calendar_gap") > 0.0).sort("years")
        free = "no" if self.numbers["butterfly_free"] else "some"
        butterfly = f"{free} butterfly arbitrage within the {self.fitted} fitted smiles"
        if gapped.is_empty():
            return f"Calendar: no smile dips below the one before it. There is {butterfly}."
        told = ", ".join(
            f"{row['expiration']} by up to {_in_vol(row):.2f} vol points"
            for row in gapped.head(_MOST_GAPS).iter_rows(named=True)
        )
        more = f" and {gapped.height - _MOST_GAPS} more" if gapped.height > _MOST_GAPS else ""
        return (
            f"Calendar: {gapped.height} of {self.fitted} smiles dip below the one before ({told}{more}); "
            f"that is reported, not repaired. There is {butterfly}."
        )


def read_surface(
    lake: Lake, underlying: str, day: date, *, bar: str | None = None, asof: int | None = None
) -> SurfaceView:
    """Return an underlying's volatility at a moment.

    Parameters
    ----------
    lake
        Reads option_analytics, smiles and surfaces.
    underlying, day
        What and when.
    bar
        "1d", "1m" or "quote"; the finest there is by default.
    asof
        A decision time, ns UTC; the last one by default.

    Raises
    ------
    EmptyLakeError
        When there is no smile of the underlying at that time.
    """
    smiles = lake.scan("smiles", day, day, underlyings=[underlying]).collect()
    kind = bar or next((each for each in _BEST_FIRST if each in smiles["bar"]), "1d")
    of_kind = smiles.filter(pl.col("bar") == kind)
    moment = asof or max(of_kind["asof"], default=session(day).close_ns)
    own = of_kind.filter(pl.col("asof") == moment)
    if own.is_empty():
        times = sorted(of_kind["asof"].unique())
        held = ", ".join(iso(each)[11:16] for each in times)
        raise EmptyLakeError(
            f"there is no smile of {underlying} from {kind} rows at {iso(moment)} (there are: "
            f"{held or 'none'}): choose another time or --bar, or run `strikelake analytics`"
        )
    rows = lake.scan("option_analytics", day, day, underlyings=[underlying]).filter(pl.col("bar") == kind)
    points = smile_points(at_decisions(rows.collect(), session(day), kind).filter(pl.col("asof") == moment))
    surfaces = lake.scan("surfaces", day, day, underlyings=[underlying]).filter(pl.col("bar") == kind)
    numbers = surfaces.filter(pl.col("asof") == moment).collect().row(0, named=True)
    return SurfaceView(underlying, kind, moment, own, points, numbers)


def write_surface_page(view: SurfaceView, folder: Path) -> Path:
    """Write a page with smiles and quotes, term structure and surface, and return where it is."""
    facts = [
        iso(view.asof),
        f"from {view.bar} rows",
        f"{view.numbers['expirations']} expirations, {view.numbers['contracts']} contracts",
    ]
    parts = [tiles(view.texts())]
    if view.numbers["reason"]:
        parts.append(note(f"Some numbers are missing: {view.numbers['reason'].replace('_', ' ')}."))
    if view.fitted:
        parts.append(note(view.arbitrage()))
    if view.smiles.height > MOST_SMILES:
        parts.append(note(f"Drawn are the first {MOST_SMILES} of {view.smiles.height} expirations."))
    parts.append(section("Smiles", chart(smile_figure(view.points, view.smiles))))
    if view.fitted > 1:
        parts.append(section("Term structure", chart(term_figure(view.smiles))))
        parts.append(section("Surface", chart(surface_figure(view.smiles))))
    return write_page(folder, f"Volatility of {view.underlying}", facts, parts)


def _in_vol(smile: Mapping[str, Any]) -> float:
    """Return a slice's calendar gap, total variance, in vol points at the money."""
    return float(100.0 * smile["calendar_gap"] / (2.0 * smile["atm_iv"] * smile["years"]))
