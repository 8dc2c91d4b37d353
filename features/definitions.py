"""Name a feature by what it computes, so that a changed feature is told from an unchanged one."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from functools import partial
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from features.context import PROVIDERS
from features.feature import Definition
from features.option_summaries import summarise, summarise_open_interest
from features.panel import PRICES
from features.sectors import known_sectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.feature import Feature

_SUMMARIES = {
    "options": summarise,
    "open_interest": summarise_open_interest,
    "classifications": known_sectors,
}
_PLAIN = (bool, int, float, str, bytes, tuple, frozenset, type(None))


def definition(feature: Feature) -> str:
    """Return 12 hexadecimal digits that change when what the feature computes changes.

    They stand for the source of its function (comments and docstrings left out), the functions and constants
    that it refers to in its own package or module, its settings, inputs and lookback, and for the source of
    the inputs that are computed. The versions of libraries are not part of it.

    Examples
    --------
    >>> from features.catalog import catalog
    >>> definition(catalog()["return_1"]) == definition(catalog()["return_3"])
    False
    """
    from features.context import needs

    seen: dict[str, str] = {}
    _walk(feature.function or feature.compute, seen)
    for column in feature.inputs:
        if column not in PRICES and column in PROVIDERS:
            _walk(PROVIDERS[column].compute, seen)
    for table in needs([feature]):
        if table in _SUMMARIES:
            _walk(_SUMMARIES[table], seen)
    facts = (feature.on, feature.lookback, feature.inputs, sorted(feature.settings.items()))
    text = "\n".join([repr(facts), *(f"{name}\n{source}" for name, source in sorted(seen.items()))])
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _walk(value: Any, seen: dict[str, str]) -> None:
    """Add the source of a function, and of everything of ours that it refers to."""
    if isinstance(value, partial):
        seen[f"arguments {len(seen)}"] = repr((value.args, sorted(value.keywords.items())))
        value = value.func
    if isinstance(value, Definition):
        value = value.function
    function = getattr(value, "py_func", value)  # what numba compiled
    if not isinstance(function, FunctionType):
        return
    name = f"{function.__module__}.{function.__qualname__}"
    if name in seen:
        return
    tree = _tree(function)
    seen[name] = ast.dump(tree) if tree is not None else function.__code__.co_code.hex()
    for label, found in _references(tree, function):
        if isinstance(found, _PLAIN):
            seen[f"{name} {label}"] = repr(found)
        elif isinstance(found, dict):
            seen[f"{name} {label}"] = repr(sorted(found.items())) if _is_plain(found) else ""
        elif _is_ours(found, function):
            _walk(found, seen)


def _is_plain(found: dict[Any, Any]) -> bool:
    return all(isinstance(part, _PLAIN) for item in found.items() for part in item)


def _tree(function: FunctionType) -> ast.AST | None:
    """Return the syntax of a function without its docstrings; None where there is no source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:]
    return tree


def _references(tree: ast.AST | None, function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the globals that a function names, and the members of modules that it asks for."""
    if tree is None:
        names = function.__code__.co_names
        yield from ((name, function.__globals__[name]) for name in names if name in function.__globals__)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in function.__globals__:
            yield node.id, function.__globals__[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = function.__globals__.get(node.value.id)
            if isinstance(module, ModuleType) and hasattr(module, node.attr):
                yield f"{node.value.id}.{node.attr}", getattr(module, node.attr)


def _is_ours(found: Any, function: FunctionType) -> bool:
    """Return whether something belongs to the package, or the module, of the function."""
    if isinstance(found, Definition):
        return True
    module = getattr(getattr(found, "py_func", found), "__module__", None) or ""
    return module.split(".")[0] in {"features", function.__module__.split(".")[0]}
