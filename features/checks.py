"""What is wrong with a feature as it is declared, before anything is computed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from features.context import PROVIDERS
from features.facts import FACTS
from features.feature import BARS
from features.panel import PRICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.feature import Feature

_TAKEN = {"asof", "underlying", "date", "segment", "label", "forward_return", "known_at"}
"""Columns that stand beside features in frames."""


def mistakes(feature: Feature) -> list[str]:
    """Return what is wrong with a declaration, a sentence each with what to do; nothing where it is right.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from features.catalog import catalog
    >>> mistakes(replace(catalog()["gap"], inputs=("open", "closes")))
    ["gap reads 'closes', which is no input on bars: did you mean close?"]
    """
    if feature.name in _TAKEN:
        return [f"{feature.name} is a column that frames of features have: choose another name"]
    tables = [BARS, *(name for name, table in FACTS.items() if not table.events)]
    if feature.on not in tables:
        return [f"{feature.name} is on {feature.on!r}, which is no table: {_meant(feature.on, tables)}"]
    columns = _columns(feature.on)
    found = [
        f"{feature.name} reads {name!r}, which is no input on {feature.on}: {_meant(name, columns)}"
        for name in feature.inputs
        if name not in columns
    ]
    if feature.lookback < 1 or feature.lookback % 1:
        found.append(f"{feature.name} has lookback {feature.lookback}: declare a whole number from 1 on")
    return found


def _columns(on: str) -> list[str]:
    """Return what a feature on a table may read."""
    if on != BARS:
        return sorted(FACTS[on].columns)
    return sorted({*PRICES, *PROVIDERS, *(name for table in FACTS.values() for name in table.columns)})


def _meant(name: str, known: Sequence[str]) -> str:
    """Return the nearest name there is, or all of them."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
