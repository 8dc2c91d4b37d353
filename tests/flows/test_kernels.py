"""Kernels compiled beside other work: who needs them waits, and only then."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from flows import kernels, progress


class Child:
    """A process that ends when somebody waits for it."""

    def __init__(self):
        self.ended, self.waits = False, 0

    def poll(self):
        return 0 if self.ended else None

    def wait(self):
        self.ended, self.waits = True, self.waits + 1


@pytest.fixture
def settings(tmp_path):
    return SimpleNamespace(path=lambda relative: tmp_path / relative)


@pytest.fixture
def child(monkeypatch, tmp_path):
    made = Child()

    @contextmanager
    def process(command, *, log):
        assert command[-2:] == ["-m", "flows.kernels"]
        assert log == tmp_path / "kernels.log"
        yield made

    monkeypatch.setattr(kernels, "process", process)
    return made


def test_who_needs_kernels_waits_once_and_says_so(child, settings, monkeypatch):
    steps = []
    monkeypatch.setattr(progress, "advance", lambda name: lambda *done: steps.append((name, *done)))
    with kernels.compiled_aside(settings, "kernels.log"):
        assert child.waits == 0
        kernels.ready()
        kernels.ready()
    assert (child.waits, steps) == (1, [("compiling (first run)", 0, 1), ("compiling (first run)", 1, 1)])


def test_nobody_waits_where_nothing_is_compiled(child, settings):
    with kernels.compiled_aside(settings, "kernels.log"):
        pass
    kernels.ready()
    assert child.waits == 0
