"""How features look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from features.catalog import families
from features.context import needs
from features.definitions import definition
from features.words import history, summary
from flows.tables import empty

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from rich.console import RenderableType
    from rich.table import Table

    from features.feature import Feature
    from pipelines.featurize import FeaturizeReport


def catalogue(features: Mapping[str, Feature], daily: Collection[str]) -> Iterator[RenderableType]:
    """Show features, a table for each family."""
    for family, members in families(features).items():
        table = empty(family, "", ">history", "what it is")
        for feature in members:
            star = "*" if feature.name in daily else ""
            table.add_row(
                feature.name,
                star,
                history(feature),
                f"{summary(feature).rstrip('.')} [dim]({escape(feature.units)})[/]",
            )
        yield table
    yield f"{len(features)} features; * is computed daily and learned from (research.features)"


def description(feature: Feature) -> Table:
    """Show one feature."""
    table = empty(feature.name, "")
    table.add_row("what it is", escape(feature.doc.removeprefix("Return ")) or "–")
    table.add_row("family", feature.family)
    table.add_row("inputs", ", ".join(feature.inputs))
    table.add_row("history", history(feature))
    facts = ", ".join(needs([feature]))
    table.add_row("tables of facts", facts or "none")
    table.add_row("known at", feature.available_at)
    table.add_row("null", feature.nulls.removeprefix("null "))
    table.add_row("units", feature.units)
    settings = ", ".join(f"{name} {value:g}" for name, value in feature.settings.items())
    table.add_row("settings", settings or "none")
    table.add_row("definition", definition(feature))
    return table


def built(report: FeaturizeReport) -> Iterator[RenderableType]:
    """Show what the lake holds of features, and why values are null."""
    table = empty("feature", ">null", "why")
    for name, share in report.null_share.items():
        why = ", ".join(f"{reason} {count:,}" for reason, count in report.null_reasons[name].items())
        table.add_row(name, f"{share:.1%}", why.replace("_", " "))
    yield table
    there = report.rows - report.computed
    yield (
        f"{report.rows:,} values on {report.bar} bars of {len(report.underlyings)} underlyings and "
        f"{report.sessions} sessions: {report.computed:,} computed now, {there:,} were there"
    )
    if report.absent:
        yield f"the lake has no {', no '.join(report.absent)}: features that read them are null"
