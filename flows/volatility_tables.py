"""What was priced and fitted, as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.tables import empty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from pipelines.analytics import AnalyticsReport
    from pipelines.surfaces import SurfaceReport


def analytics(found: Sequence[tuple[AnalyticsReport, SurfaceReport]]) -> Table:
    """Show statuses of rows, smiles, surfaces and indices, one line for each kind."""
    table = empty("step", ">sessions", ">unchanged", ">rows", "by status")
    for priced, fitted in found:
        counts = (f"{n:,}" for n in (priced.sessions, priced.skipped, priced.rows))
        table.add_row(f"IV and Greeks, {priced.bar}", *counts, _shares(priced.by_status))
        if priced.by_carry:
            table.add_row("  carry", "", "", "", _shares(priced.by_carry))
        for name, by_reason in (
            ("smiles", fitted.smiles),
            ("surfaces", fitted.surfaces),
            ("30-day indices", fitted.indices),
        ):
            if by_reason:
                rows = f"{sum(by_reason.values()):,}"
                told = {reason or "complete": count for reason, count in by_reason.items()}
                table.add_row(f"  {name}", f"{fitted.sessions:,}", f"{fitted.skipped:,}", rows, _shares(told))
    return table


def _shares(counts: Mapping[str, int]) -> str:
    whole = sum(counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {count / whole:.1%}" for name, count in ordered)
