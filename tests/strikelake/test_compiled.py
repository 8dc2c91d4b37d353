"""The cache of compiled functions: not mixed up by processes, and compiled anew when a source changes."""

import importlib
import sys

import numba
import pytest
from numba.core.caching import IndexDataCacheFile

from strikelake import compiled
from strikelake.compiled import njit


@pytest.fixture
def two_processes(tmp_path):
    """Two processes' views of one function's cache, by class."""
    path, stamp = str(tmp_path), "a state of the sources"

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


_part = njit(entry=False)(_double)


@njit(cache=True)
def _whole(x):
    return _part(x) + 1.0


def test_a_part_runs_in_its_callers_and_nowhere_else():
    with pytest.raises(TypeError, match="_double is compiled into its callers alone"):
        _part(2.0)
    assert _whole(2.0) == 5.0
    # Now there is code of its own, without a way in.
    with pytest.raises(TypeError, match="_double is compiled into its callers alone"):
        _part(2.0)
    assert "cpython" not in _part.inspect_llvm(_part.signatures[0])


def test_a_part_leaves_nothing_in_the_cache():
    assert _part.stats.cache_path is None
    assert _whole.stats.cache_path is not None


def test_no_function_has_a_way_in_for_c():
    assert _whole(2) == 5.0
    assert all("cfunc." not in code for code in _whole.inspect_llvm().values())
    assert "cfunc." in _from_numba()


def _from_numba():
    """Return what numba writes when nobody tells it otherwise; where it no longer does, our option can go."""
    plain = numba.njit(_double)
    plain(2.0)
    return plain.inspect_llvm(plain.signatures[0])


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


INNER = """from strikelake.compiled import njit
{constant}

@njit(inline='always')
def inner(x):
    return x + LEVEL
"""
OUTER = """from strikelake.compiled import njit
from package_of_kernels.inner import inner


@njit(cache=True)
def outer(x):
    return inner(x)
"""


@pytest.mark.parametrize("constant", ["LEVEL = {}\n", "from package_of_kernels.constants import LEVEL\n"])
def test_what_is_compiled_into_a_function_compiles_it_anew_when_it_changes(constant, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(compiled, "_ROOT", tmp_path)
    package = tmp_path / "package_of_kernels"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "outer.py").write_text(OUTER)
    found = []
    for level in (1.0, 1.0, 20.0):
        (package / "inner.py").write_text(INNER.format(constant=constant.format(level)))
        (package / "constants.py").write_text(f"LEVEL = {level}\n")
        for name in [name for name in sys.modules if name.startswith("package_of_kernels")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        outer = importlib.import_module("package_of_kernels.outer").outer
        found.append((outer(0.5), sum(outer.stats.cache_hits.values())))
    assert found == [(1.5, 0), (1.5, 1), (20.5, 0)]
    assert len(list(package.glob("__pycache__/outer.outer-*.nbc"))) == 1


def test_without_a_cache_it_is_numbas():
    assert isinstance(njit(nogil=True)(_double), type(numba.njit(_double)))
