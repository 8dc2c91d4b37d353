"""Research notebooks run from top to bottom, and find what their text says."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

# As Jupyter runs them: cell by cell in IPython's shell, in which functions have a source and a hash.
SCRIPT = """
import json, sys
import nbformat
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in nbformat.read(sys.argv[1], as_version=4).cells:
    if cell.cell_type == "code":
        shell.run_cell(cell.source, store_history=True).raise_error()
print(json.dumps(eval(sys.argv[2], shell.user_ns)))
"""


def run(name, root, asked, **environment):
    """Return what an expression is once a notebook has run on a lake."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(NOTEBOOKS / name), asked],
        capture_output=True,
        text=True,
        check=False,
        cwd=NOTEBOOKS,
        env={"STRIKELAKE_LAKE__ROOT": str(root), "PATH": "", **environment},
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_an_own_feature_goes_from_idea_to_training_set(lake, tmp_path):
    asked = """{
        "lookahead": dict(lookahead.frame.select("name", "status").iter_rows()),
        "reads": lookahead.frame["reads"].to_list()[-1],
        "lookback": lookback.frame["status"].to_list(),
        "leak": ahead.coefficient,
        "computed": stored.computed == stored.rows > 0,
        "rebuilt": again.frame.equals(dataset.frame),
        "features": dataset.features,
    }"""
    found = run("own_feature.ipynb", lake.root, asked, IPYTHONDIR=str(tmp_path / "ipython"))
    assert found.pop("reads").startswith("close of stock_minute_bars (")
    assert found.pop("leak") > 0.99
    assert found == {
        "lookahead": {"pullback_13": "passed", "pullback_39": "passed", "too_good": "failed"},
        "lookback": ["passed", "passed"],
        "computed": True,
        "rebuilt": True,
        "features": ["pullback_13", "pullback_39"],
    }


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_kept_without_what_it_printed(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert [cell.source for cell in cells if cell.outputs or cell.execution_count] == []
