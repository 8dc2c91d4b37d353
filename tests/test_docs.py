"""Pages that are made from the code say what the code says."""

import importlib.util
from pathlib import Path

from features.catalog import catalog
from features.planted import planted_features
from features.planted_labels import planted_labels
from features.planted_rows import planted_rows
from strikelake.schemas import tables

DOCS = Path(__file__).resolve().parents[1] / "docs"


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
