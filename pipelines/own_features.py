"""Features of the user's own, from a Python file."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

from features.catalog import catalog, choose, collect
from strikelake.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from features.feature import Feature


def load(path: Path) -> dict[str, Feature]:
    """Return the features that a file declares, by name.

    The file is run: it is code of the user's, and may import what it likes.

    Raises
    ------
    FeatureError
        When the file is not there, does not run, declares no feature, or one by the name of another of the
        catalogue.
    """
    spec = spec_from_file_location(f"own_features_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FeatureError(f"there is no Python file {path}: give the path of a file of features")
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module  # where definitions look for their source
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise FeatureError(f"{path} does not run: {type(error).__name__}: {error}") from error
    found = collect(module)
    if not found:
        raise FeatureError(
            f"{path} declares no feature: put a function under the decorator features.feature.feature"
        )
    taken = sorted(set(found) & set(catalog()))
    if taken:
        raise FeatureError(f"{path} declares {', '.join(taken)}, which the catalogue has: choose other names")
    return found


def wanted(
    names: Iterable[str] | None, families: Iterable[str] | None, module: Path | None
) -> dict[str, Feature]:
    """Return features by name or family, of the catalogue and of the user's file.

    Without a name and a family: all of the file, or of the catalogue where there is no file.

    Raises
    ------
    FeatureError
        When a name is unknown, or the file is no good (`load`).
    """
    own = {} if module is None else load(module)
    return choose([*(names or ()), *(families or ())] or list(own) or None, catalog() | own)
