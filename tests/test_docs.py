"""Pages that are made from the code say what the code says."""

import importlib.util
from pathlib import Path

from strikelake.schemas import tables

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_of_the_lake_describes_the_tables_as_they_are():
    spec = importlib.util.spec_from_file_location("tables_page", DOCS / "tables.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (DOCS / "lake.md").read_text(encoding="utf-8")
    assert page == script.update(page), "run: python docs/tables.py"
    assert [name for name in tables() if f"### {name}\n" not in page] == []
