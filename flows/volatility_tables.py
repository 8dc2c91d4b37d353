"""What was priced, fitted and compared, as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.tables import empty
from pipelines.conventions import GREEKS
from pipelines.crosscheck_summary import by_bucket, by_cause, greek_differences
from pipelines.statistics_page import decimal
from strikelake.calendar import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from pipelines.analytics import AnalyticsReport
    from pipelines.analytics_report import Summary
    from pipelines.crosscheck import CrossCheck
    from pipelines.surface_page import SurfaceView
    from pipelines.surfaces import SurfaceReport

_SMALLEST = 0.0005
_NUMBER_WIDTH = 7


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


def report(found: Sequence[Summary]) -> Iterator[RenderableType]:
    """Show shares by status and the gap between calls and puts, then the smiles."""
    table = empty("underlying", "bar", ">rows", ">solved", "others", ">gap", ">without", ">with")
    smiles = empty("underlying", "bar", ">smiles", "by status", ">calendar gaps")
    for each in found:
        others = {name: count for name, count in each.by_status.items() if name != "solved"}
        if each.without_status:
            others["[red]no status[/]"] = each.without_status
        told = ", ".join(
            f"{name.replace('_', ' ')} {_share(count / each.rows)}" for name, count in others.items()
        )
        gaps = (_points(gap) for gap in (each.gap, each.gap_without_carry, each.gap_with_carry))
        table.add_row(each.underlying, each.bar, f"{each.rows:,}", f"{each.solved:.1%}", told, *gaps)
        if each.smiles:
            count = sum(each.smiles.values())
            gapped = f"{each.calendar_gaps:,}"
            shares = _shares(each.smiles).replace("_", " ")
            smiles.add_row(each.underlying, each.bar, f"{count:,}", shares, gapped)
    first, last = min(each.first for each in found), max(each.last for each in found)
    table.caption = (
        f"{first} to {last}; gap: median |call - put| of pairs near the money beyond a week, in vol points; "
        "without and with: the pairs of each decision time before and after their own carry"
    )
    yield table
    if smiles.row_count:
        smiles.caption = (
            "a smile that dips below the one before it somewhere has a calendar gap: not repaired"
        )
        yield smiles
        best = found[0]
        yield f"plots: strikelake surface {best.underlying} --date {best.last} --open"


def surface(view: SurfaceView) -> Iterator[RenderableType]:
    """Show a surface's numbers, its smiles, and whether they cross."""
    table = empty(f"{view.underlying}, {iso(view.asof)}, {view.bar}", ">")
    for name, text in view.texts().items():
        table.add_row(name, text)
    yield table
    rows = view.smiles.sort("years").rows(named=True)
    # Columns that say the same of every smile would push the numbers out of a narrow terminal.
    rooted = any(row["root"] != view.underlying for row in rows)
    failed = any(row["status"] != "fitted" for row in rows)
    roots, told = ("root",) if rooted else (), ("",) if failed else ()
    table = empty("expiration", *roots, ">days", ">ATM", ">skew", ">contracts", ">error", ">gap", *told)
    for row in rows:
        numbers = (
            "–" if value is None else form.format(value)
            for value, form in (
                (row["atm_iv"], "{:.2%}"),
                (row["skew"], "{:+.3f}"),
                (row["contracts"], "{:,}"),
                (row["rmse"], "{:.2%}"),
                (row["calendar_gap"], "{:.1e}" if row["calendar_gap"] else "none"),
            )
        )
        status = "" if row["status"] == "fitted" else row["status"].replace("_", " ")
        days = f"{row['years'] * 365.0:.1f}"
        root = (row["root"],) if rooted else ()
        table.add_row(str(row["expiration"]), *root, days, *numbers, *((status,) if failed else ()))
    table.caption = "error: of the fit; gap: how far a smile dips below the one before it"
    yield table
    if view.fitted:
        yield view.arbitrage()


def check(found: CrossCheck) -> Iterator[RenderableType]:
    """Show how the vendor values options, the differences by cause and by bucket, and those of Greeks."""
    yield _convention(found)
    table = empty("cause of the difference in volatility", ">rows", ">share", ">median", ">90 %")
    first, *numbers = table.columns
    first.no_wrap = False
    for column in numbers:
        column.min_width = _NUMBER_WIDTH
    for cause, count, share, middle, far in by_cause(found.rows):
        table.add_row(cause, f"{count:,}", f"{share:.1%}", decimal(middle, 1), decimal(far, 1))
    chance = (
        ""
        if found.by_chance is None
        else f"; of differences dealt out at random {found.by_chance:.0%} have one"
    )
    table.caption = (
        f"|vendor - ours|, hundredths of a vol point; the same within {found.tolerance_bp:g}{chance}"
    )
    yield table
    table = empty("days", "ln(K / S)", ">contracts", ">median", *(f">{step}" for step in found.steps))
    for days, moneyness, count, *values in by_bucket(found.rows, found.steps):
        table.add_row(days, moneyness, f"{count:,}", *(decimal(value, 1, signed=True) for value in values))
    table.caption = "medians, hundredths of a vol point: the difference, and what each departure adds to it"
    yield table
    table = empty("Greek", ">median diff", ">90 % of |diff|", "by cause")
    for name in GREEKS:
        middle, far = greek_differences(found.rows, name)
        table.add_row(
            name, decimal(middle, 5, signed=True), decimal(far, 5), _shares(found.causes(f"cause_{name}"))
        )
    table.caption = f"vega per {found.units['vega']}, theta per {found.units['theta']}"
    yield table
    if found.forwards.height:
        table = empty("underlying", "root", "expiration", ">contracts", ">vendor's forward less ours, $")
        for underlying, root, expiration, count, dollars in found.forwards.iter_rows():
            table.add_row(underlying, root, str(expiration), f"{count:,}", f"{dollars:+.2f}")
        yield table
    if found.left_out:
        yield "not compared: " + ", ".join(f"{reason} {count:,}" for reason, count in found.left_out.items())


def _convention(found: CrossCheck) -> Table:
    table = empty(
        "how the vendor values", f"session of {found.session.date}, {found.rows.height:,} contracts"
    )
    rate = "" if found.flat_rate is None else f" ({found.flat_rate:.2%})"
    table.add_row("volatilities", found.convention.label + rate)
    table.add_row("Greeks", found.greek_convention.label)
    table.add_row("units", f"vega per {found.units['vega']}, theta per {found.units['theta']}")
    return table


def _share(part: float) -> str:
    """Return a share in per cent; the smallest are not zero."""
    return f"{part:.1%}" if part >= _SMALLEST else "< 0.1%"


def _points(vol: float | None) -> str:
    return "–" if vol is None else f"{100.0 * vol:.2f}"


def _shares(counts: Mapping[str, int]) -> str:
    whole = sum(counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {count / whole:.1%}" for name, count in ordered)
