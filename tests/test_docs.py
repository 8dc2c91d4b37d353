"""Pages that are made from the code say what the code says."""

import importlib
import importlib.util
import re
from pathlib import Path

import typer.main

from features.catalog import catalog
from features.planted import planted_features
from features.planted_labels import planted_labels
from features.planted_rows import planted_rows
from flows.cli import app
from strikelake.schemas import tables

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md"), *ROOT.glob("[a-z]*/README.md")]
PACKAGES = "strikelake|features|pipelines|models|backtests|flows"


def script(name):
    spec = importlib.util.spec_from_file_location(f"{name}_page", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_lake_describes_the_tables_as_they_are():
    page = (DOCS / "lake.md").read_text(encoding="utf-8")
    assert page == script("tables").update(page), "run: python docs/tables.py"
    assert [name for name in tables() if f"### {name}\n" not in page] == []


def test_the_page_of_features_describes_the_catalogue_as_it_is():
    page = (DOCS / "features.md").read_text(encoding="utf-8")
    assert page == script("catalogue").update(page), "run: python docs/catalogue.py"
    assert [name for name in catalog() if f"| `{name}` |" not in page] == []


def test_the_page_of_faults_is_written_from_their_table():
    page = (DOCS / "sandbox_faults.md").read_text(encoding="utf-8")
    assert page == script("faults").render(), "run: python docs/faults.py"


def test_the_page_of_audits_names_every_planted_leak():
    rows = [line for line in (DOCS / "audit.md").read_text(encoding="utf-8").splitlines() if "|" in line]
    shown = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in rows[2:]]
    planted = (*planted_features(), *planted_rows(), *planted_labels())
    assert shown == [(plant.name, plant.what) for plant in planted]


def found_in_code(dotted):
    """Return whether a name is a module, or a member of one, or a member's member."""
    head, *members = dotted.split(".")
    found = importlib.import_module(head)
    for name in members:
        if not hasattr(found, name) and hasattr(found, "__path__"):
            try:
                importlib.import_module(f"{found.__name__}.{name}")
            except ModuleNotFoundError:
                return False
        if not hasattr(found, name):
            return name in getattr(found, "__dataclass_fields__", {})
        found = getattr(found, name)
    return True


def test_pages_name_what_the_code_has():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(rf"`((?:{PACKAGES})(?:\.\w+)+)(?=[`(])", text))
    for module, names in re.findall(rf"from ((?:{PACKAGES})[\w.]*) import ([\w, ]+)", text):
        named |= {f"{module}.{name.strip()}" for name in names.split(",")}
    assert len(named) > 30
    assert sorted(name for name in named if not found_in_code(name)) == []


def test_pages_show_commands_and_options_that_there_are():
    known = typer.main.get_command(app)
    shown = [
        line
        for page in PAGES
        for line in re.findall(
            r"(?:^ {4}|`)(strikelake [^`\n#…]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert len(shown) > 80
    assert [line for line in shown if unknown_words(known, line.split()[1:])] == []


def unknown_words(command, words):
    """Return the first word that is no command where one must be, or the options that a command has not."""
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name, *words = words
        if name.split("|")[0] not in command.commands:
            return [name]
        command = command.commands[name.split("|")[0]]
    options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
    return [
        word for word in words if word.startswith("--") and word.split("=")[0].strip(',;:")') not in options
    ]
