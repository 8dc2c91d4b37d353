"""numba's `njit`, with a cache on disk that knows what was compiled into it, and that processes may share.

numba keeps a function's code until the function's own file changes. What is inlined into it from other files,
constants too, stays in it after those have changed: prices were wrong without a word after an update. Here
code is kept for the contents of the file and of every file of ours that it imports, directly or not.

numba numbers the files of a function's signatures by what its index holds at the moment. Two processes that
compile two signatures at the same time, as tasks and test workers do on a new machine, take the same number:
the one that writes last leaves its code under the other's signature, for good (numba 0.68's
`IndexDataCacheFile.save`; numba's issue 10128 is of this family). Here a file is named by the signature and
the source it was compiled from, and written before the index speaks of it.
"""

from __future__ import annotations

import glob
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
from numba.core.caching import IndexDataCacheFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROOT = Path(__file__).resolve().parents[1]
_FROM = re.compile(rb"^[ \t]*from ([\w.]+) import (\([^)]*\)|[^\n(]+)", re.MULTILINE)
_IMPORT = re.compile(rb"^[ \t]*import ([\w.]+)", re.MULTILINE)

F = TypeVar("F", bound="Callable[..., Any]")


def njit(*, entry: bool = True, **options: Any) -> Callable[[F], F]:
    """Return `numba.njit` with these options; with `cache=True` the cache may be shared by processes.

    Parameters
    ----------
    entry
        Whether Python calls the function. One that only compiled functions call needs neither a way in, which
        is compiled too, nor code of its own in the cache: callers hold it.
    options
        Of `numba.njit`.

    Examples
    --------
    >>> njit(error_model="numpy")(lambda x: 1.0 / x)(0.0)
    inf
    """

    def compiled(function: F) -> F:
        # The second way in, for C, is written unless told otherwise, and nothing here is called from C.
        ways_in: dict[str, Any] = {"no_cfunc_wrapper": True, "no_cpython_wrapper": not entry}
        dispatcher: Any = numba.njit(**(options | ways_in))(function)
        if not entry:
            _shut(dispatcher)
        elif options.get("cache"):
            share(dispatcher)
        return cast("F", dispatcher)

    return compiled


def _shut(dispatcher: Any) -> None:
    """Refuse calls from Python, which would jump to nowhere: numba hides the two places to say so."""

    def refuse(*_: object, **__: object) -> None:
        raise TypeError(
            f"{dispatcher.py_func.__qualname__} is compiled into its callers alone: use entry=True"
        )

    dispatcher._insert = _keep_out  # what is inserted is what a call from Python finds
    dispatcher._compile_for_args = refuse  # and where it ends when it finds nothing


def _keep_out(*_: object, **__: object) -> None:
    """Insert nothing."""


def share(dispatcher: Any) -> None:
    """Let several processes write the cache of a compiled function, and tie it to all of its sources.

    There is no public way in: numba keeps the file behind two private names, which a test looks for.
    """
    cache, found = dispatcher._cache, dispatcher._cache._cache_file
    made: Any = _NamedBySignature
    name = found._index_name.removesuffix(".nbi")
    cache._cache_file = made(found._cache_path, name, stamp(Path(dispatcher.py_func.__code__.co_filename)))


def stamp(source: Path) -> str:
    """Return a digest of a file and of all files of this project that it imports, directly or not."""
    digests: dict[Path, str] = {}
    waiting = [source.resolve()]
    while waiting:
        path = waiting.pop()
        if path not in digests:
            state = path.stat()
            digests[path], imported = _read(path, state.st_mtime_ns, state.st_size)
            waiting += imported
    return hashlib.blake2b("".join(sorted(digests.values())).encode(), digest_size=16).hexdigest()


@cache
def _read(path: Path, _changed: int, _size: int) -> tuple[str, tuple[Path, ...]]:
    """Return a file's digest, and the files of ours that it imports."""
    text = path.read_bytes()
    ours = tuple(file for file in {*_imported(text)} if file.is_file())
    return hashlib.blake2b(text, digest_size=16).hexdigest(), ours


def _imported(text: bytes) -> Iterator[Path]:
    for module in _IMPORT.findall(text):
        yield _place(module).with_suffix(".py")
    for module, names in _FROM.findall(text):
        place = _place(module)
        yield place.with_suffix(".py")
        yield from (place / f"{name.decode()}.py" for name in re.findall(rb"\w+", names))


def _place(module: bytes) -> Path:
    return _ROOT.joinpath(*module.decode().split("."))


class _NamedBySignature(IndexDataCacheFile):
    """An index whose files belong to one signature and one state of the sources each."""

    def save(self, key: object, data: object) -> None:
        """Save a new entry: of two indices written at once one may lack an entry, neither mixes them up."""
        files: Any = self  # numba's methods have no types
        text = repr((key, files._source_stamp)).encode()
        name = files._data_name(int.from_bytes(hashlib.blake2b(text, digest_size=6).digest()))
        files._save_data(name, data)
        index = files._load_index()
        files._save_index(index | {key: name})
        if not index:  # new, or of other sources: their code is of no more use
            for left in Path(files._cache_path).glob(f"{glob.escape(files._index_name[:-4])}.*.nbc"):
                if left.name != name:
                    left.unlink(missing_ok=True)
