"""Is there a place to write to: asked before minutes of work."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20
_ELSEWHERE = "make it writable, or give STRIKELAKE_HOME a folder with a copy of config/"


def free(folder: Path) -> int:
    """Return the free bytes where a folder is or will be.

    Raises
    ------
    OSError
        When nothing can be written there; its filename is the nearest folder that exists.
    """
    nearest = next(each for each in (folder, *folder.parents) if each.is_dir())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return shutil.disk_usage(nearest).free
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(nearest)) from error


def demand(folder: Path, wanted: int) -> None:
    """Refuse a folder that cannot be written to, or whose disk has fewer free bytes than wanted.

    Raises
    ------
    ConfigError
        Nothing has been written then.
    """
    try:
        found = free(folder)
    except OSError as error:
        raise ConfigError(
            f"{error.filename} cannot be written to ({error.strerror}): {_ELSEWHERE}"
        ) from error
    if found < wanted:
        raise ConfigError(
            f"{folder} needs about {wanted / MIB:,.0f} MiB, and its disk has {found / MIB:,.0f} MiB free: "
            "free some"
        )
