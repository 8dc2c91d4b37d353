"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real market data, or a skip that says how to name it."""
    folder = Path(os.environ.get("STRIKELAKE_REAL_DATA") or ROOT.parent / "shared" / "data" / "real")
    if not (folder / "flatfiles").is_dir():
        pytest.skip(f"no real market data in {folder}: set STRIKELAKE_REAL_DATA to its folder")
    return folder
