"""A feature is computed again where what it computes changes, wherever that is written."""

import importlib
import linecache
import sys
from itertools import count

import pytest

from features.catalog import catalog, collect
from features.definitions import definition

HEAD = """
import numpy as np
from functools import partial, wraps
from features.feature import Feature, feature
"""
CONSTANT = """
HELD = {}
@feature("own", units="-")
def own(close):
    return close * np.sum({})
"""
CLOSURE = """
def made(factor):
    def compute(inputs):
        return inputs["close"] * factor
    return compute
OWN = Feature("own", "own", ("close",), 1, "-", made({}))
"""
OBJECT = """
class Scale:
    def __init__(self, factor):
        self.factor = factor
    def __call__(self, inputs):
        return inputs["close"] * self.factor + {}
OWN = Feature("own", "own", ("close",), 1, "-", Scale({}))
"""
WRAPPED = """
def scaled(function):
    @wraps(function)
    def wrapper(close):
        return function(close) * {}
    return wrapper
@feature("own", units="-")
@scaled
def own(close):
    return close
"""
LAMBDAS = """
FIRST, SECOND = (lambda values: values), (lambda values: values * {})
@feature("own", units="-")
def own(close):
    return SECOND(close)
"""
LISTED = """
def features():
    return [
        Feature("own", "own", ("close",), 1, "-",
                lambda inputs: inputs["close"] * {}),
    ]
"""
PARTIAL = """
def scaled(factor, inputs):
    return inputs["close"] * factor
OWN = Feature("own", "own", ("close",), 1, "-", partial(scaled, {}))
"""
BESIDE = """
import {module}
from {module} import by_name
@feature("own", units="-")
def own(close):
    return {used}(close)
"""


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """Return the definition of the feature that a module of some text declares."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    numbers = count()

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        sys.modules.pop(name, None)
        linecache.clearcache()
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def of(text, beside=None):
        if beside is not None:
            write("beside_definitions", beside)
        (feature,) = collect(write(f"definitions_{next(numbers)}", HEAD + text)).values()
        return definition(feature)

    yield of
    for name in [each for each in sys.modules if each.startswith(("definitions_", "beside_definitions"))]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (CONSTANT.format("2", "HELD"), CONSTANT.format("3", "HELD")),
        (CONSTANT.format("2", "HELD"), CONSTANT.format("2.0", "HELD")),
        (CONSTANT.format("[1, 2]", "HELD"), CONSTANT.format("[1, 3]", "HELD")),
        (CONSTANT.format("{1, 2}", "list(HELD)"), CONSTANT.format("{1, 3}", "list(HELD)")),
        (CONSTANT.format("{'a': [1]}", "HELD['a']"), CONSTANT.format("{'a': [2]}", "HELD['a']")),
        (CONSTANT.format("np.arange(3)", "HELD"), CONSTANT.format("np.arange(4)", "HELD")),
        (CONSTANT.format("np.float64(1)", "HELD"), CONSTANT.format("np.float64(2)", "HELD")),
        (CLOSURE.format(2), CLOSURE.format(3)),
        (OBJECT.format(0, 2), OBJECT.format(0, 3)),
        (OBJECT.format(0, 2), OBJECT.format(1, 2)),
        (WRAPPED.format(2), WRAPPED.format(3)),
        (LAMBDAS.format(2), LAMBDAS.format(3)),
        (LISTED.format(2), LISTED.format(3)),
        (PARTIAL.format(2), PARTIAL.format(3)),
    ],
)
def test_a_change_of_what_is_computed_changes_the_definition(hashed, before, after):
    assert hashed(before) == hashed(before)
    assert hashed(before) != hashed(after)


@pytest.mark.parametrize("used", ["by_name", "beside_definitions.by_name"])
def test_files_of_the_user_s_own_count(hashed, used):
    text = BESIDE.format(module="beside_definitions", used=used)
    first, same, other = (
        hashed(text, f"def by_name(values):\n    {said}\n")
        for said in ("return values", "return values  # a remark", "return values * 2")
    )
    assert first == same != other


def test_words_and_libraries_do_not_count(hashed):
    text = CONSTANT.format("2", "HELD")
    assert hashed(text) == hashed(text.replace("    return", '    """Say something."""\n    return'))
    assert hashed(text) == hashed(text.replace("    return", "    # why\n    return"))


def test_features_of_the_catalogue_all_differ():
    told = [definition(feature) for feature in catalog().values()]
    assert len(set(told)) == len(told)
