"""The source of functions and classes without what changes nothing, and the names that it refers to."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass
from functools import cache
from types import CodeType


@dataclass(frozen=True, slots=True)
class Source:
    """What code says.

    Attributes
    ----------
    text
        Its syntax, without comments, docstrings and decorators; its bytecode where there is no source.
    names
        Names that it reads, sorted.
    members
        Names and the attributes that it asks of them, sorted.
    """

    text: str
    names: tuple[str, ...]
    members: tuple[tuple[str, str], ...]


@cache
def of_code(code: CodeType) -> Source:
    """Return the source of a function, given by its code: what it wraps, if anything, is another."""
    tree = _tree(code)
    if tree is not None:
        return _of_tree(tree)
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    names = {*code.co_names, *(name for each in inner for name in of_code(each).names)}
    held = [each for each in code.co_consts if not isinstance(each, CodeType)]
    text = repr((code.co_code, held, code.co_names, [of_code(each).text for each in inner]))
    members = tuple((name, other) for name in sorted(names) for other in sorted(names))
    return Source(text, tuple(sorted(names)), members)


def of_class(kind: type) -> Source:
    """Return the source of a class; its name where there is none."""
    tree = _tree(kind)
    return Source(kind.__qualname__, (), ()) if tree is None else _of_tree(tree)


def _tree(where: CodeType | type) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(where)))
    except (OSError, TypeError, SyntaxError):
        return None


def _of_tree(tree: ast.AST) -> Source:
    names: set[str] = set()
    members: set[tuple[str, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = []
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            members.add((node.value.id, node.attr))
    return Source(ast.dump(tree), tuple(sorted(names)), tuple(sorted(members)))
