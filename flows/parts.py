"""Heavy steps in one piece here, or in parts on the workers of a Dask cluster: a setting chooses."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flows import progress
from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from prefect import Task

    from flows.sections import ComputeSection
    from flows.settings import Settings

logger = logging.getLogger(__name__)
T = TypeVar("T")

MOST_PARTS = 48
"""Task runs of one flow, at most: Prefect's server on SQLite takes 30 to 140 ms for each."""


class Workers(Protocol):
    """Where the heavy steps of a flow run."""

    def run(
        self,
        step: Task[..., T],
        span: tuple[date, date],
        weights: Callable[[], Mapping[date, float]],
        *,
        most: int = MOST_PARTS,
        **parameters: Any,
    ) -> T:
        """Return the report of a step on a range of dates.

        Parameters
        ----------
        step
            Takes `span`, two dates that are both included, and `parameters`; what it does to one part of a
            range must not depend on another part. On other machines its parameters are pickled.
        span
            The range.
        weights
            Gives the dates that there is work for, and how much; asked only where parts are made.
        most
            Parts, at most.
        **parameters
            What else the step takes.
        """
        ...


class Here:
    """In this process: the step in one piece, on the threads that it starts itself."""

    def run(
        self,
        step: Task[..., T],
        span: tuple[date, date],
        weights: Callable[[], Mapping[date, float]],  # noqa: ARG002 - no parts, no weights
        *,
        most: int = MOST_PARTS,  # noqa: ARG002 - as weights
        **parameters: Any,
    ) -> T:
        """Return the report of a step; see `Workers.run`."""
        report: T = step(span=span, **parameters)
        return report


class Dask:
    """The workers of a Dask cluster: every part of a step is a Prefect task on one of them.

    Parameters
    ----------
    runner
        A started `prefect_dask.DaskTaskRunner`.
    """

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def run(
        self,
        step: Task[..., T],
        span: tuple[date, date],
        weights: Callable[[], Mapping[date, float]],
        *,
        most: int = MOST_PARTS,
        **parameters: Any,
    ) -> T:
        """Return the merged reports of the parts of a step; see `Workers.run`.

        Raises
        ------
        Exception
            What the first part that failed raised, when the others have ended.
        """
        spans = split(span, weights(), most)
        futures = [self._runner.submit(step, parameters={"span": part, **parameters}) for part in spans]
        advance = progress.advance(step.name)
        ended: list[Any] = []
        for done, future in enumerate(futures, 1):
            ended.append(future.result(raise_on_failure=False))
            advance(done, len(futures))
        failed = [end for end in ended if isinstance(end, BaseException)]
        for error in failed[1:]:
            logger.error("%s: another part failed: %s", step.name, error)
        if failed:
            raise failed[0]
        report: T = merged(ended)
        return report


@contextmanager
def workers(settings: Settings) -> Iterator[Workers]:
    """Give the workers of `compute.runner`; a cluster that this starts ends with it.

    Raises
    ------
    ConfigError
        When Dask is chosen and not installed, or its scheduler does not answer.
    """
    if settings.compute.runner == "threads":
        yield Here()
        return
    with _runner(settings.compute) as runner:
        yield Dask(runner)


def split(span: tuple[date, date], weights: Mapping[date, float], most: int) -> list[tuple[date, date]]:
    """Split a range of dates where work is, into parts of about the same weight that cover it without a gap.

    Examples
    --------
    >>> from datetime import date
    >>> days = [date(2025, 1, day) for day in (2, 3, 6, 7)]
    >>> parts = split((date(2025, 1, 1), date(2025, 1, 31)), dict.fromkeys(days, 1.0), 2)
    >>> [(first.day, last.day) for first, last in parts]
    [(1, 5), (6, 31)]
    """
    days = sorted(weights)
    count = max(1, min(most, len(days)))
    share, held = sum(weights.values()) / count, 0.0
    starts: list[date] = []
    for place, day in enumerate(days):
        # As many parts as there are days make each day a part, whatever it weighs.
        due = held >= share * (len(starts) + 1) or len(days) - place <= count - 1 - len(starts)
        if place and due and len(starts) < count - 1:
            starts.append(day)
        held += weights[day]
    edges = [span[0].toordinal(), *(day.toordinal() for day in starts), span[1].toordinal() + 1]
    return [(span[0].fromordinal(first), span[0].fromordinal(after - 1)) for first, after in pairwise(edges)]


def merged(reports: Sequence[T]) -> T:
    """Merge reports of the parts of one step: counts add up, names unite, shares are weighed by `rows`.

    Raises
    ------
    TypeError
        For a field of a kind that has no rule here.
    """
    if len(reports) == 1:
        return reports[0]
    values: dict[str, Any] = {}
    for field in dataclasses.fields(reports[0]):  # type: ignore[arg-type] # reports are dataclasses
        found = [getattr(report, field.name) for report in reports]
        rows = [float(getattr(report, "rows", 1)) for report in reports]
        values[field.name] = _merged_values(field.name, found, rows)
    return type(reports[0])(**values)


def _merged_values(name: str, found: list[Any], rows: list[float]) -> Any:
    first = found[0]
    if isinstance(first, str) and len(set(found)) == 1:
        return first
    if isinstance(first, int):
        return any(found) if isinstance(first, bool) else sum(found)
    if isinstance(first, tuple):
        if first and dataclasses.is_dataclass(first[0]):
            return tuple(merged(part) for part in zip(*found, strict=True))
        return tuple(sorted({item for each in found for item in each}))
    if isinstance(first, Mapping):
        return _merged_mappings(name, found, rows)
    raise TypeError(f"reports differ in {name}, and there is no rule to merge {found!r}")


def _merged_mappings(name: str, found: list[Mapping[str, Any]], rows: list[float]) -> dict[str, Any]:
    keys = list(dict.fromkeys(key for each in found for key in each))
    if name == "versions":
        return {key: max(each.get(key, 0) for each in found) for key in keys}
    if any(isinstance(value, Mapping) for each in found for value in each.values()):
        return {key: _merged_mappings(key, [each.get(key, {}) for each in found], rows) for key in keys}
    if any(isinstance(value, float) for each in found for value in each.values()):
        weighed = list(zip(found, rows, strict=True))
        return {key: sum(each.get(key, 0.0) * n for each, n in weighed) / (sum(rows) or 1.0) for key in keys}
    sums = {key: sum(each.get(key, 0) for each in found) for key in keys}
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def _runner(compute: ComputeSection) -> Any:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ModuleNotFoundError as error:
        raise ConfigError(
            "compute.runner is dask, which is not installed: pip install 'strikelake[dask]', or set it to "
            "threads"
        ) from error
    if compute.scheduler is not None:
        return DaskTaskRunner(address=compute.scheduler)
    local = {
        "n_workers": compute.workers,
        "threads_per_worker": 1,  # a part has threads of its own
        "dashboard_address": "127.0.0.1:0",
        "silence_logs": logging.ERROR,
        # Our plugin is for commands; in a worker, whose event loop runs already, Prefect cannot load it.
        "env": {"PREFECT_PLUGINS_ENABLED": "false"},
    }
    return DaskTaskRunner(cluster_kwargs=local)
