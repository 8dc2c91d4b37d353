"""The API that flows report to: there already, or started, and waited for only by who needs it."""

import os
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from flows import runtime

SET = ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_LOGGING_LEVEL", "PREFECT_LOGGING_TO_API_ENABLED")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name in SET:
        monkeypatch.setenv(name, "before")  # what is set below goes when the test ends
    level = SimpleNamespace(level="WARNING")
    return SimpleNamespace(path=lambda relative: tmp_path / relative, logging=level)


def test_a_private_server_is_waited_for_when_a_flow_needs_it(settings, monkeypatch, tmp_path):
    told = []

    @contextmanager
    def starting(home):
        told.append(f"starts in {home.name}")
        yield SimpleNamespace(url="http://127.0.0.1:1/api", ready=lambda: told.append("answers"))
        told.append("ends")

    monkeypatch.setattr(runtime, "answers", lambda *_: False)
    monkeypatch.setattr(runtime, "starting_prefect", starting)
    with runtime.prefect_api(settings, home="private") as ready:
        told.append("other work")
        assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
        assert os.environ["PREFECT_HOME"] == str(tmp_path / "private")
        ready()
    assert told == ["starts in private", "other work", "answers", "ends"]


def test_a_server_that_is_there_is_used(settings, monkeypatch):
    asked = []
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setattr(runtime, "answers", lambda *asks: asked.append(asks) or True)
    with runtime.prefect_api(settings, home="private") as ready:
        ready()
        assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
        assert os.environ["PREFECT_HOME"] == "before"
    assert asked == [("http://127.0.0.1:4200/api/health", b"true")]
