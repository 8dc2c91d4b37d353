"""The cache of compiled functions: what two processes write at once is not mixed up."""

import sys

import numba
import pytest
from numba.core.caching import IndexDataCacheFile

from strikelake.compiled import njit


@pytest.fixture
def two_processes(tmp_path):
    """Two processes' views of one function's cache, by class."""
    path, stamp = str(tmp_path), (1.0, 10)

    def views(kind):
        return kind(path, "f-1.py311", stamp), kind(path, "f-1.py311", stamp)

    return views


def interleave(first, second):
    """Save from two processes that both read an empty index; the first one's code is written last."""
    save, load = first._save_data, second._load_index

    def let_the_second_go_first(name, data):
        second._load_index = dict
        second.save("of the second", "its code")
        second._load_index = load
        save(name, data)

    first._save_data = let_the_second_go_first
    first.save("of the first", "other code")


def shared_kind():
    return type(njit(cache=True)(_double)._cache._cache_file)


def _double(x):
    return x + x


def test_code_is_found_under_its_own_signature_or_not_at_all(two_processes):
    first, second = two_processes(shared_kind())
    interleave(first, second)
    assert first.load("of the first") == "other code"
    assert second.load("of the second") in {"its code", None}


def test_numba_itself_mixes_them_up(two_processes):
    """When this fails, numba has mended it, and `strikelake.compiled` can go."""
    first, second = two_processes(IndexDataCacheFile)
    interleave(first, second)
    assert second.load("of the second") == "other code"


def test_a_later_process_finds_the_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "cached_once.py").write_text(
        "from strikelake.compiled import njit\n\n\n@njit(cache=True)\ndef double(x):\n    return x + x\n"
    )
    hits = []
    for _ in range(2):
        sys.modules.pop("cached_once", None)
        module = __import__("cached_once")
        assert (module.double(2), module.double(2.5)) == (4, 5.0)
        hits.append(sum(module.double.stats.cache_hits.values()))
    assert hits == [0, 2]


def test_without_a_cache_it_is_numbas():
    assert isinstance(njit(nogil=True)(_double), type(numba.njit(_double)))
