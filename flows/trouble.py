"""What to tell about an exception of the system, or of a library, that is the place's fault and not ours."""

from __future__ import annotations

import errno

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LONGEST = 300


def advice(error: Exception) -> str | None:
    """Return what has happened to a file or a disk, and what to do; None of any other exception."""
    said = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" at {error.filename}" if error.filename else ""
        return f"the disk is full{where}: free some and run the same again"
    if ".parquet" in said or "parquet:" in said:
        return (
            f"a file of the lake does not read ({said[:_LONGEST]}): `strikelake lake verify` names all such"
        )
    if isinstance(error, OSError) and error.filename is not None:
        where = f"{error.filename} cannot be used ({error.strerror})"
        return (
            f"{where}: check that it is there and may be read and written, or give STRIKELAKE_HOME a folder "
            "with a copy of config/"
        )
    return None
