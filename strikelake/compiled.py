"""numba's `njit`, with a cache on disk that several processes may fill at once.

numba numbers the files of a function's signatures by what its index holds at the moment. Two processes that
compile two signatures at the same time, as tasks and test workers do on a new machine, take the same number:
the one that writes last leaves its code under the other's signature, for good (numba 0.68's
`IndexDataCacheFile.save`; numba's issue 10128 is of this family). Here a file is named by the signature and
the source it was compiled from, and written before the index speaks of it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
from numba.core.caching import IndexDataCacheFile

if TYPE_CHECKING:
    from collections.abc import Callable


F = TypeVar("F", bound="Callable[..., Any]")


def njit(**options: Any) -> Callable[[F], F]:
    """Return `numba.njit` with these options; with `cache=True` the cache may be shared by processes.

    Examples
    --------
    >>> njit(error_model="numpy")(lambda x: 1.0 / x)(0.0)
    inf
    """

    def compiled(function: F) -> F:
        dispatcher: Any = numba.njit(**options)(function)
        if options.get("cache"):
            share(dispatcher)
        return cast("F", dispatcher)

    return compiled


def share(dispatcher: Any) -> None:
    """Let several processes write the cache of a compiled function.

    There is no public way in: numba keeps the file behind two private names, which a test looks for.
    """
    cache = dispatcher._cache
    found = cache._cache_file
    cache._cache_file = _named_by_signature(found)


class _NamedBySignature(IndexDataCacheFile):
    """An index whose files belong to one signature and one state of the source each."""

    def save(self, key: object, data: object) -> None:
        """Save a new entry: of two indices written at once one may lack an entry, neither mixes them up."""
        files: Any = self  # numba's methods have no types
        text = repr((key, files._source_stamp)).encode()
        name = files._data_name(int.from_bytes(hashlib.blake2b(text, digest_size=6).digest()))
        files._save_data(name, data)
        files._save_index(files._load_index() | {key: name})


def _named_by_signature(found: Any) -> IndexDataCacheFile:
    made: Any = _NamedBySignature
    return cast(
        "IndexDataCacheFile",
        made(found._cache_path, found._index_name.removesuffix(".nbi"), found._source_stamp),
    )
