"""Import the libraries that training needs, which takes ten seconds, before anybody waits for them."""

from __future__ import annotations

from importlib import import_module

LIBRARIES = ("sklearn.ensemble", "sklearn.impute", "xgboost", "models.networks", "skops.io", "skl2onnx")
"""Those that take longest; MLflow is not among them, which only `models.registry` opens."""


def import_libraries() -> None:
    """Import each library; from a thread, it goes on while others wait or run compiled code."""
    for name in LIBRARIES:
        import_module(name)
