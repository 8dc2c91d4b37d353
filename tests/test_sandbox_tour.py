"""The commands of docs/sandbox.md, run one after the other as a reader would."""

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
TOUR = PAGE[PAGE.index("## Five minutes") : PAGE.index("## Time")]
MARK = "--- block"


def blocks():
    """Language and text of each code block, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", TOUR, re.MULTILINE | re.DOTALL)


def script():
    lines = ["set -euo pipefail"]
    for language, code in blocks():
        if language == "text":
            continue
        lines.append(f"echo '{MARK}'")
        lines.append(code if language == "bash" else f"python - <<'PYTHON'\n{code}PYTHON")
    return "\n".join(lines)


def promised():
    """What the page says each command prints, None where it does not say."""
    found = []
    for (language, _), following in pairwise([*blocks(), ("", "")]):
        if language != "text":
            found.append(following[1] if following[0] == "text" else None)
    return found


@pytest.fixture
def shell(tmp_path):
    """A shell with a home of its own, whose market ends with the test."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STRIKELAKE_")}
    environment = {**kept, "PATH": path, "STRIKELAKE_HOME": str(tmp_path), "COLUMNS": "200"}
    yield environment
    command = [str(Path(sys.executable).with_name("strikelake")), "sandbox", "down"]
    subprocess.run(command, env=environment, check=False, capture_output=True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour uses curl, which is not installed")
def test_the_tour_prints_what_it_promises(shell, tmp_path):
    command = ["bash", "-c", script()]
    done = subprocess.run(command, env=shell, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    printed = done.stdout.split(f"{MARK}\n")[1:]
    assert len(printed) == len(promised()) > 8
    for said, expected in zip(printed, promised(), strict=True):
        if expected is not None:
            assert said == expected
