"""Writes the tables' part of lake.md from the schemas: `python docs/tables.py`. A test keeps it true."""  # noqa: INP001 - a script

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strikelake.schemas import tables

if TYPE_CHECKING:
    from strikelake.schemas import TableSpec

PAGE = Path(__file__).with_name("lake.md")
BEGIN, END = "<!-- tables: written by docs/tables.py -->", "<!-- end of tables -->"
_BOUNDS = {"min": "≥", "min_exclusive": ">", "max": "≤", "max_exclusive": "<"}


def render() -> str:
    """Return the description of every table."""
    return "\n".join(line for spec in tables().values() for line in _table(spec))


def update(page: str) -> str:
    """Return the page with its tables as the schemas have them."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{render()}\n{END}{after}"


def _table(spec: TableSpec) -> list[str]:
    files = "one file for each date" if spec.partition_by else "one file"
    return [
        f"### {spec.name}",
        "",
        inspect.cleandoc(spec.schema.__doc__ or ""),
        "",
        f"- key: {_names(spec.key) or 'none'}; sorted by {_names(spec.sort)}; {files}",
        f"- `available_at`: {spec.available_at}",
        f"- made by {spec.made_by}",
        "",
        "| column | type | null | values |",
        "|---|---|---|---|",
        *(_column(name, column) for name, column in spec.schema.columns().items()),
        "",
    ]


def _column(name: str, column: Any) -> str:
    null = "yes" if column.nullable else ""
    return f"| `{name}` | {column.dtype} | {null} | {_values(column)} |"


def _values(column: Any) -> str:
    bounds = [
        f"{sign} {value:g}" if isinstance(value, float) else f"{sign} {value}"
        for key, sign in _BOUNDS.items()
        if (value := getattr(column, key, None)) is not None
    ]
    pattern = getattr(column, "regex", None)
    # A bar inside a cell would end it.
    return ", ".join([*bounds, *([f"`{pattern}`".replace("|", "\\|")] if pattern else [])])


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


if __name__ == "__main__":
    PAGE.write_text(update(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
