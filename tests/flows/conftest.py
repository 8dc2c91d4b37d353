import os

import pytest

from flows.misspelt import NAMED_VARIABLES

# Prefect reads this when it is imported; its own log would write to streams that pytest has closed.
os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """No key of the developer's own reaches a test."""
    for name in NAMED_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def prefect_api():
    """A Prefect server for flows that tests run in this process."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=600):
        yield
