"""YAML files of settings: mappings in which no key comes twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import ConstructorError

from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


class _Loader(yaml.SafeLoader):
    """As shipped it keeps the last of two equal keys, and drops the first section without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise ConstructorError(None, None, f"{key.value!r} comes twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return what a file says.

    Raises
    ------
    ConfigError
        When the file cannot be read, is no YAML or no mapping, or has a key twice; names the line.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
    except OSError as error:
        raise ConfigError(
            f"{path} does not read ({error.strerror}): restore it from the repository"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 (byte {error.start}): save it as such") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML{_where(error)}: mend that line") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise ConfigError(f"{path} holds {found}, not `key: value` lines: restore it from the repository")
    return content


def _where(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f" ({' '.join(str(error).split())})"
    return f", line {error.problem_mark.line + 1}: {error.problem}"
