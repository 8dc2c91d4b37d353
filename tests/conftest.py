"""Fixtures that every test may use."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0

# No example fails because the machine is slow. A run has the examples of the run before: only changes make it
# fail. `--hypothesis-profile explore` looks at others.
_UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("explore", **_UNHURRIED)
settings.register_profile("repeatable", derandomize=True, **_UNHURRIED)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def until():
    """Wait until something is the case, and return it: as long as a slow machine takes, and not for ever."""

    def wait(condition, said=lambda: "nothing was said"):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain: {said()}"
            time.sleep(0.01)
        return found

    return wait


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
def sandbox(running_sandbox, until):
    """The local market before the open of its live session: an untouched account, no faults, time at rest."""
    from strikelake.sandbox.console import ask

    # A client is gone before its server knows; a key has one connection to a cluster.
    until(lambda: not ask(f"{running_sandbox.control_url}/sandbox")["streams"])
    ask(f"{running_sandbox.control_url}/sandbox/reset", "POST")
    return running_sandbox
