"""Writes the catalogue into features.md: `python docs/catalogue.py`. A test keeps it true."""  # noqa: INP001 - a script

from __future__ import annotations

from pathlib import Path

from features.catalog import catalog, families
from features.facts import FACTS, NEVER
from features.words import history, summary

PAGE = Path(__file__).with_name("features.md")
BEGIN, END = "<!-- catalogue: written by docs/catalogue.py -->", "<!-- end of catalogue -->"


def render() -> str:
    """Return the description of every feature and of every table of facts."""
    return "\n".join([*_features(), *_facts()])


def update(page: str) -> str:
    """Return the page with its catalogue as the code has it."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{render()}\n{END}{after}"


def _features() -> list[str]:
    lines = []
    for family, members in families(catalog()).items():
        lines += [f"### {family}", "", "| feature | what it is | inputs | history | units | null |"]
        lines.append("|---|---|---|---|---|---|")
        for feature in members:
            cells = (
                f"`{feature.name}`",
                summary(feature),
                ", ".join(feature.inputs),
                history(feature),
                feature.units,
                feature.nulls,
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return lines


def _facts() -> list[str]:
    lines = ["### Tables of facts", "", "| table | columns | from | stale after |", "|---|---|---|---|"]
    for name, spec in FACTS.items():
        age = "never" if spec.stale_days == NEVER else f"{spec.stale_days} days"
        age = "counted over days" if spec.events else age
        lines.append(f"| `{name}` | {', '.join(spec.columns)} | {spec.source} | {age} |")
    return [*lines, ""]


if __name__ == "__main__":
    PAGE.write_text(update(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
