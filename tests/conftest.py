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


@pytest.fixture(scope="session")
def sandbox_config():
    """The local market of `sandbox`."""
    from strikelake.sandbox.config import SimulatorConfig

    return SimulatorConfig(symbols=("AAPL", "SPY"), sessions=3)


@pytest.fixture(scope="session")
def running_sandbox(sandbox_config, tmp_path_factory):
    """The local market, simulated and served once for all tests of a process."""
    from strikelake.sandbox.launch import start

    with start(sandbox_config, tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def sandbox(running_sandbox):
    """The local market before the open of its live session: an untouched account, no faults, time at rest."""
    from strikelake.sandbox.console import ask

    ask(f"{running_sandbox.control_url}/sandbox/reset", "POST")
    return running_sandbox
