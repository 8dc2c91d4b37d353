"""The repository's own promises: packages, pins and recipes."""

import importlib
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["flows", "pipelines", "features", "models", "backtests", "strikelake"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", PACKAGES)
def test_root_packages_are_this_repositorys(name):
    assert Path(importlib.import_module(name).__file__ or "") == ROOT / name / "__init__.py"


def test_the_install_exposes_no_other_package():
    exposed = {
        name
        for file in distribution("strikelake").files or []
        if file.name.startswith("__editable__") and file.suffix == ".py"
        for name in re.findall(r"'(\w+)': '", Path(str(file.locate())).read_text())
    }
    assert exposed == set(PACKAGES)


def test_the_lock_satisfies_every_range():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = {
        canonicalize_name(n): v for n, v in (line.split("==") for line in lines if not line.startswith("#"))
    }
    extras = PROJECT["optional-dependencies"]
    ranges = [
        Requirement(text)
        for text in [*PROJECT["dependencies"], *extras["sandbox"], *extras["dask"], *extras["dev"]]
    ]
    missed = [
        str(wanted)
        for wanted in ranges
        if wanted.name != "strikelake" and not wanted.specifier.contains(pins[canonicalize_name(wanted.name)])
    ]
    assert missed == []


@pytest.fixture
def setup(tmp_path):
    """Run `make setup` with some Python where nothing is installed; return its exit code and what it said."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)

    def run(python):
        command = ["make", "setup", f"PYTHON={python}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    return run


def test_setup_without_a_python_says_so(setup):
    code, said = setup("")
    assert code != 0
    assert said.startswith("there is no python3 on the PATH: make setup PYTHON=/path/to/python3.11\n")


def test_setup_makes_a_venv_anew_that_was_left_without_pip(setup, tmp_path):
    """As Debian's Python leaves it whose package of venv is not installed."""
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "$@" >> asked\nmkdir -p .venv/bin\n'
        "touch .venv/bin/python\nchmod +x .venv/bin/python\necho no ensurepip >&2\nexit 1\n"
    )
    python.chmod(0o755)
    for _ in range(2):
        code, said = setup(python)
        assert code != 0
        assert said.startswith("no ensurepip\n")
    assert (tmp_path / "asked").read_text() == "-m venv --clear .venv\n" * 2


def test_every_recipe_has_a_line_of_help():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    undocumented = [r for r in phony[1].split() if not re.search(rf"^{r}:.*## \w", makefile, re.MULTILINE)]
    assert undocumented == []


def test_ci_runs_the_developers_recipe():
    assert "make check" in (ROOT / ".ci" / "run").read_text()
