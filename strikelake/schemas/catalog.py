"""Every table of the lake, by name."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from strikelake.errors import LakeError
from strikelake.schemas import analytics, bars, derived, reference, ticks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.schemas.spec import TableSpec


@cache
def tables() -> Mapping[str, TableSpec]:
    """Return every table of the lake by name."""
    groups = (bars, ticks, reference, analytics, derived)
    return MappingProxyType({spec.name: spec for group in groups for spec in group.specs()})


def table(name: str) -> TableSpec:
    """Return one table.

    Raises
    ------
    LakeError
        When there is no such table; the message names the nearest.

    Examples
    --------
    >>> table("features").key
    ('asof', 'underlying', 'bar', 'feature')
    """
    specs = tables()
    if name not in specs:
        near = get_close_matches(name, specs, n=1, cutoff=0.0)[0]
        raise LakeError(f"there is no table {name!r}: did you mean {near!r}? Tables are {', '.join(specs)}")
    return specs[name]
