"""Features of the user's own, from a Python file."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

from features.catalog import catalog, choose, collect, families
from features.checks import mistakes
from strikelake.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from features.feature import Feature


def load(path: Path) -> dict[str, Feature]:
    """Return the features that a file declares, by name.

    The file is run: it is code of the user's, and may import what it likes, files beside it too.

    Raises
    ------
    FeatureError
        When the file is not there, does not run, declares no feature, one by the name of another of the
        catalogue, or one that cannot be computed as it is declared (`features.checks`).
    """
    spec = spec_from_file_location(f"own_features_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FeatureError(f"there is no Python file {path}: give the path of a file of features")
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module  # where definitions look for their source
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.append(beside)  # the last place to look: no file of the user's hides one of ours
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise FeatureError(f"{path} does not run: {type(error).__name__}: {error}") from error
    found = collect(module)
    if not found:
        raise FeatureError(
            f"{path} declares no feature: put a function under the decorator features.feature.feature"
        )
    taken = sorted(set(found) & {*catalog(), *families()})
    if taken:
        raise FeatureError(f"{path} declares {', '.join(taken)}, which the catalogue has: choose other names")
    wrong = [mistake for feature in found.values() for mistake in mistakes(feature)]
    if wrong:
        raise FeatureError(f"{path}: {'; '.join(wrong)}")
    return found


def wanted(
    names: Iterable[str] | None, groups: Iterable[str] | None, module: Path | None = None
) -> dict[str, Feature]:
    """Return features by name and by family (`groups`), of the catalogue and of the user's file.

    Without a name and a family: all of the file, or of the catalogue where there is no file.

    Raises
    ------
    FeatureError
        When a name or family is unknown, or the file is no good (`load`).
    """
    own = {} if module is None else load(module)
    known = catalog() | own
    there = sorted(families(known))
    for family in groups or ():
        if family not in there:
            near = get_close_matches(family, there, n=1)
            meant = f" did you mean {near[0]}?" if near else ""
            raise FeatureError(f"there is no family {family!r}:{meant} families are {', '.join(there)}")
    return choose([*(names or ()), *(groups or ())] or list(own) or None, known)
