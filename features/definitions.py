"""Name a feature by what it computes, so that a changed feature is told from an unchanged one."""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from features.context import PROVIDERS, needs
from features.events import known_at_opens
from features.feature import Definition
from features.option_summaries import summarise, summarise_open_interest
from features.sectors import known_sectors
from features.source import Source, of_class, of_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.feature import Feature

_SUMMARIES = {
    "options": summarise,
    "open_interest": summarise_open_interest,
    "classifications": known_sectors,
    "news": known_at_opens,
    "earnings": known_at_opens,
}
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
_FOREIGN = {"strikelake", *sys.builtin_module_names, *sys.stdlib_module_names}
_INSTALLED = {"site-packages", "dist-packages"}


def definition(feature: Feature) -> str:
    """Return 12 hexadecimal digits that change when what the feature computes changes.

    They stand for the source of its function (comments and docstrings left out); for what that refers to in
    `features` and in files of the user's own: functions, classes, constants, arrays, what a closure holds,
    default values; for its settings, inputs and lookback; and for the source of the inputs that are
    computed. Libraries, `strikelake` among them, count by name: their versions are not part of it. What a
    function imports inside its body is not followed.

    Examples
    --------
    >>> from features.catalog import catalog
    >>> definition(catalog()["return_1"]) == definition(catalog()["return_3"])
    False
    """
    told = _Told()
    computed: list[Any] = [feature.function or feature.compute]
    computed += [PROVIDERS[column].compute for column in feature.inputs if column in PROVIDERS]
    computed += [_SUMMARIES[table] for table in needs([feature]) if table in _SUMMARIES]
    facts = (feature.on, feature.lookback, feature.inputs, sorted(feature.settings.items()))
    return _digest("\n".join([repr(facts), told.value(computed), *told.sources]).encode())


class _Told:
    """Texts that stand for values, and the sources of ours that they refer to."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self._met: dict[int, tuple[str, Any]] = {}  # the value too: an id is its own while it lives

    def value(self, value: Any) -> str:
        """Return a text that changes where what the value computes, or holds, changes."""
        if isinstance(value, _PLAIN):
            return f"{type(value).__name__} {value!r}"
        if id(value) in self._met:
            return self._met[id(value)][0]
        inner = _unwrapped(value)
        if inner is not value:
            return self.value(inner)
        return self._container(value) or self._object(value)

    def _container(self, value: Any) -> str | None:
        """Return the contents of an array, a list and their like; None of anything else."""
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            return f"array {value.dtype} {value.shape} {_digest(value.tobytes())}"
        if isinstance(value, list | tuple | np.ndarray):
            return f"[{', '.join(self.value(each) for each in value)}]"
        if isinstance(value, Mapping):
            return f"{{{', '.join(sorted(f'{self.value(k)}: {self.value(v)}' for k, v in value.items()))}}}"
        if isinstance(value, set | frozenset):
            return f"{{{', '.join(sorted(self.value(each) for each in value))}}}"
        return None

    def _object(self, value: Any) -> str:
        """Return the name of a function, a class or another object, and add the source of what is ours."""
        if isinstance(value, FunctionType | type):
            return self._sourced(value)
        if isinstance(value, ModuleType):
            return f"module {value.__name__}"
        if _is_foreign(type(value).__module__):
            return _pickled(value)
        name = self._name(value, type(value).__qualname__)
        self.sources.append(f"{name} {self.value(type(value))} {self.value(_state(value))}")
        return name

    def _sourced(self, value: FunctionType | type) -> str:
        if _is_foreign(value.__module__):
            return f"{value.__module__}.{value.__qualname__}"
        name = self._name(value, value.__qualname__)
        if isinstance(value, type):
            found, known = of_class(value), vars(sys.modules[value.__module__])
            held: Any = value.__bases__
        else:
            found, known = of_code(value.__code__), value.__globals__
            held = (_closure(value), value.__defaults__, value.__kwdefaults__)
        told = [f"{label} {self.value(each)}" for label, each in _referred(found, known)]
        self.sources.append("\n".join([f"{name} {self.value(held)}", found.text, *told]))
        return name

    def _name(self, value: Any, name: str) -> str:
        """Return a name for a value, which no other has, before what it refers to is looked at."""
        text = f"{name} {len(self._met)}"
        self._met[id(value)] = text, value
        return text


def _unwrapped(value: Any) -> Any:
    """Return what a value stands for: the function behind a decorator, or the parts of a bound one."""
    if isinstance(value, Definition):
        return value.function
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, FunctionType | type):
        return value  # functools.wraps leaves __wrapped__ behind, and the wrapper holds it in its closure
    return getattr(value, "py_func", getattr(value, "__wrapped__", value))  # numba's, functools.cache's


def _referred(source: Source, known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the globals that a source names, and the members of modules that it asks for."""
    for name in source.names:
        if name in known and not isinstance(known[name], ModuleType):
            yield name, known[name]
    for owner, member in source.members:
        module = known.get(owner)
        if isinstance(module, ModuleType) and not _is_foreign(module.__name__) and hasattr(module, member):
            yield f"{owner}.{member}", getattr(module, member)


def _closure(function: FunctionType) -> dict[str, Any]:
    """Return what a function holds of the functions around it."""
    held: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            held[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            held[name] = None
    return held


def _state(value: Any) -> dict[str, Any]:
    """Return the attributes of an object, those in slots too."""
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    held = {name: getattr(value, name) for name in slots if hasattr(value, name) and name != "__weakref__"}
    return held | getattr(value, "__dict__", {})


def _pickled(value: Any) -> str:
    """Return what stands for an object of a library: its content where it can be written down."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    try:
        return f"{kind} {_digest(pickle.dumps(value))}"
    except Exception:  # noqa: BLE001 - a lock, a logger, a generator: libraries raise what they like
        return kind


@cache
def _is_foreign(module: str) -> bool:
    """Return whether a module belongs to Python or to an installed library."""
    top = module.partition(".")[0]
    if top in {"features", "__main__"}:
        return False
    file = getattr(sys.modules.get(top), "__file__", None)
    return top in _FOREIGN or (file is not None and not _INSTALLED.isdisjoint(Path(file).parts))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=6).hexdigest()
