"""Features as they would be served: by a process that has computed nothing before, on another day.

A function that keeps something in mind from call to call, or that reads a clock, the environment or a file,
gives the same values as long as the process lives that trained on them. A live trader is another process.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.verdicts import Finding, Verdict, same
from strikelake.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.feature import Feature
    from features.row_table import Window

CHECK = "elsewhere"
ADVICE = (
    "it keeps something in mind between calls, or reads a clock, the environment or a random number: "
    "a feature may depend on its arguments alone"
)
OPENS = (
    "it opens a file or a connection while it computes: features read nothing but their arguments; "
    "read what is constant where your file is imported"
)
_DAYS = 400
_NOW = dt.datetime.now
_ELSEWHERE = {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "20040229"}
"""Settings of the other process: another place, and other hashes of words."""


@dataclass(frozen=True, slots=True)
class Served:
    """What the other process made of a feature: values in the order asked for, or what was raised."""

    values: tuple[float | None, ...] = ()
    error: str | None = None


def audit_elsewhere(path: Path, windows: Mapping[str, Sequence[Window]]) -> dict[str, Verdict]:
    """Compare features of a file with those that a process of its own computes, in order of time.

    Parameters
    ----------
    path
        The file of features.
    windows
        Inputs and values by feature.

    Returns
    -------
    dict
        A verdict for each feature; findings have the check "elsewhere".

    Raises
    ------
    FeatureError
        When the file does not run in a process of its own.
    """
    asked = sorted(
        (window.asof, window.underlying, name, dict(window.inputs))
        for name, each in windows.items()
        for window in each
    )
    served = _serve(path, [(name, inputs) for _, _, name, inputs in asked])
    return {name: _verdict(name, each, served.get(name, Served())) for name, each in windows.items()}


def _verdict(name: str, windows: Sequence[Window], served: Served) -> Verdict:
    if served.error is not None:
        return Verdict(name, error=served.error)
    ordered = sorted(windows, key=lambda window: (window.asof, window.underlying))
    findings = tuple(
        Finding(CHECK, window.underlying, window.asof, window.value, value)
        for window, value in zip(ordered, served.values, strict=True)
        if not same(window.value, value)
    )
    seen = sum(window.value is not None for window in ordered)
    return Verdict(name, len(ordered), seen, findings, advice=ADVICE if findings else None)


def _serve(path: Path, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Served]:
    command = [sys.executable, "-c", f"from {__name__} import main; main()"]
    told = pickle.dumps((path.resolve(), sys.path, list(asked)))
    done = subprocess.run(  # noqa: S603 - this module, in another process
        command, input=told, capture_output=True, check=False, env=os.environ | _ELSEWHERE
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise FeatureError(f"{path} does not run in a process of its own: {said[-1] if said else 'no word'}")
    found: dict[str, Served] = pickle.loads(done.stdout)  # noqa: S301 - from our own process
    return found


def main() -> None:
    """Compute what standard input asks for, as another process on another day would."""
    from pipelines.own_features import load

    answer = os.dup(1)
    os.dup2(2, 1)  # what the user's file prints is not part of the answer
    path, paths, asked = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process
    sys.path[:] = paths
    features = load(path)
    found: dict[str, Served] = {}
    firsts = dict(reversed(asked))
    for name, inputs in firsts.items():
        _tried(features[name], inputs)  # imports and compiles what it needs, while it may
    _leave()
    for name, inputs in asked:
        before = found.get(name, Served())
        if before.error is None:
            found[name] = _next(features[name], inputs, before)
    with os.fdopen(answer, "wb") as out:
        pickle.dump(found, out)


def _next(feature: Feature, inputs: Mapping[str, Any], before: Served) -> Served:
    value = _tried(feature, inputs)
    if isinstance(value, Exception) and _is_shut(value):
        _shut(closed=False)
        _tried(feature, inputs)  # a module that it imports in its body is there from now on; a file is not
        _shut(closed=True)
        value = _tried(feature, inputs)
    if isinstance(value, Exception):
        what = f"{type(value).__name__}: {value}"
        return Served(error=f"{OPENS} ({what})" if _is_shut(value) else f"{what}, in a process of its own")
    return Served((*before.values, value))


def _tried(feature: Feature, inputs: Mapping[str, Any]) -> float | Exception | None:
    """Return the value of the last row, or what was raised."""
    import numpy as np

    from features.columns import readable
    from features.engine import computed

    part = {name: readable(values) for name, values in inputs.items()}
    try:
        with np.errstate(all="ignore"):
            value = float(computed(feature, part, len(next(iter(part.values()))))[-1])
    except Exception as error:  # noqa: BLE001 - a user's feature may raise anything, and is told of it
        return error
    return value if np.isfinite(value) else None


def _leave() -> None:
    """Go elsewhere: another day, an empty environment, and nothing to open."""
    import time

    time.tzset()
    os.environ.clear()
    os.environ["TZ"] = _ELSEWHERE["TZ"]
    _move_clock(_DAYS)
    _shut(closed=True)


def _move_clock(days: int) -> None:
    """Let the clocks of Python go some days ahead, also where a file of the user's took them by name."""
    import time

    ahead, seconds, nanoseconds = dt.timedelta(days=days), time.time, time.time_ns

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return _NOW(tz) + ahead

        @classmethod
        def today(cls) -> Any:
            return _NOW() + ahead

        @classmethod
        def utcnow(cls) -> Any:
            return _NOW(dt.UTC).replace(tzinfo=None) + ahead

    class LaterDate(dt.date):
        @classmethod
        def today(cls) -> Any:
            return _NOW().date() + ahead

    moved: dict[Any, Any] = {
        seconds: lambda: seconds() + ahead.total_seconds(),
        nanoseconds: lambda: nanoseconds() + round(ahead.total_seconds()) * 10**9,
        dt.datetime: Later,
        dt.date: LaterDate,
    }
    for module in [time, dt, *_of_the_user()]:
        for name, value in list(vars(module).items()):
            if any(value is clock for clock in moved):
                setattr(module, name, moved[value])


def _of_the_user() -> list[Any]:
    """Return the modules that are neither Python's, nor a library's, nor ours."""
    ours = Path(__file__).resolve().parents[1]
    foreign = (sys.prefix, sys.base_prefix, str(ours))
    files = {module: getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return [module for module, file in files.items() if file and not str(file).startswith(foreign)]


def _shut(*, closed: bool) -> None:
    """Let nothing be opened any more: no file and no connection, by whatever library; or let it again."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (0 if closed else most, most))


def _is_shut(error: Exception) -> bool:
    return getattr(error, "errno", None) == errno.EMFILE or os.strerror(errno.EMFILE) in str(error)
