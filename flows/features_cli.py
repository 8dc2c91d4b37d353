"""The command line of features: `strikelake features …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from flows.options import Bar, Day, Families, Module, Names, Root, as_date
from flows.stats_cli import stats

if TYPE_CHECKING:
    from features.feature import Feature

features_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="The catalogue of features, and their values in the lake.",
)
features_app.command()(stats)

Universe = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol",
        "-s",
        help="The universe, one by one: what is stored of other underlyings goes. All by default.",
    ),
]


@features_app.command("list")
def list_(family: Families = None, module: Module = None) -> None:
    """List the features by family, with the history they need and their units.

    A star marks what is computed daily and what models learn from: research.features in config/config.yaml.

    [bold]Examples[/bold]

      strikelake features list

      strikelake features list --family volatility --module my_features.py
    """
    from features.catalog import choose
    from flows import features_tables
    from flows.settings import load
    from pipelines.own_features import wanted

    found = wanted(None, family, module) if family else _known(module)
    daily = set(choose(load().research.features))
    for shown in features_tables.catalogue(found, daily):
        Console().print(shown)


@features_app.command()
def show(
    name: Annotated[str, typer.Argument(help="The feature.")],
    module: Module = None,
) -> None:
    """Show what a feature is: inputs, history, when it is known, when it is null, and its definition's hash.

    [bold]Examples[/bold]

      strikelake features show rsi_14

      strikelake features show my_momentum --module my_features.py
    """
    from features.catalog import choose
    from flows import features_tables

    known = _known(module)
    for found in choose([name], known).values():
        Console().print(features_tables.description(found))


@features_app.command()
def build(
    feature: Names = None,
    family: Families = None,
    module: Module = None,
    start: Day = None,
    end: Day = None,
    bar: Bar = None,
    symbol: Universe = None,
    lake: Root = None,
) -> None:
    """Compute features into the lake; what is there from the same code and the same files is left alone.

    [bold]Examples[/bold]

      strikelake features build

      strikelake features build --family volume --start 2025-01-02 --end 2025-03-31 --bar 30m

      strikelake features build --module my_features.py
    """
    import os

    from flows import features_tables, progress, ranges, wiring
    from flows.settings import load
    from pipelines.featurize import featurize
    from pipelines.own_features import wanted

    settings = load()
    chosen = wanted(feature, family, module)
    opened = wiring.lake(settings, lake)
    span = ranges.in_lake(opened, as_date(start), as_date(end))
    names = ranges.symbols(opened, symbol, *span)
    width = ranges.bar(settings, opened, bar, *span)
    with progress.bars():
        report = featurize(
            opened,
            *span,
            bar=width,
            features=chosen,
            underlyings=names,
            threads=os.cpu_count() or 1,
            progress=progress.advance("features"),
        )
    for shown in features_tables.built(report):
        Console().print(shown, highlight=False)


def _known(module: Path | None) -> dict[str, Feature]:
    """Return the catalogue, and the features of the user's file."""
    from features.catalog import catalog
    from pipelines.own_features import load

    return catalog() | ({} if module is None else load(module))
