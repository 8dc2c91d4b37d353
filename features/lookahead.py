"""Proof that features do not look ahead and have enough history.

A feature that holds a future bar, the label, or a statistic over rows that come later changes when those rows
are cut off: that is what the audit looks for. It sees nothing else:

- not inputs that are wrong in themselves, such as an option row whose `available_at` is too early;
- not numbers fitted on the whole sample outside the builder, such as a table of target means or a scaler,
  since no cut of the bars changes them: fit those inside each fold;
- not the label: one shifted into the past is foretold by honest features, and `known_at > asof` is its test;
- not choices made with hindsight, of features, underlyings or dates;
- not a leak that shows at no sampled moment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import polars as pl

from features.catalog import build, choose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.feature import Feature

_RELATIVE, _ABSOLUTE = 1e-9, 1e-12  # absolute: features are free of scale, and some are near zero


class Builder(Protocol):
    """How features are computed: `features.catalog.build`, or another function to audit."""

    def __call__(
        self,
        bars: pl.DataFrame,
        options: pl.DataFrame | None = None,
        names: Sequence[str] | None = None,
        *,
        features: Mapping[str, Feature] | None = None,
    ) -> pl.DataFrame:
        """Return asof, underlying, date and the features."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """A value that changed when it must not.

    Attributes
    ----------
    check
        "future": the value differs once rows after `asof` are cut off. "history": it differs when only the
        feature's last `lookback` bars are there.
    expected, found
        The value from all data and from the cut; None where null.
    """

    check: Literal["future", "history"]
    feature: str
    underlying: str
    asof: int
    expected: float | None
    found: float | None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Outcome of an audit.

    Attributes
    ----------
    moments
        Decision times sampled.
    checked
        Values compared, nulls included.
    failures
        Every value that changed.
    unseen
        Features that were null at every sampled moment: nothing was shown about them.
    """

    moments: tuple[int, ...]
    checked: int
    failures: tuple[Failure, ...]
    unseen: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every value held and every feature was seen."""
        return not self.failures and not self.unseen

    @property
    def leaking(self) -> tuple[str, ...]:
        """Names of the features that looked ahead, sorted."""
        return tuple(sorted({failure.feature for failure in self.failures if failure.check == "future"}))

    @property
    def short_of_history(self) -> tuple[str, ...]:
        """Names of the features whose lookback is too small, sorted."""
        return tuple(sorted({failure.feature for failure in self.failures if failure.check == "history"}))


def audit(
    bars: pl.DataFrame,
    options: pl.DataFrame | None = None,
    names: Sequence[str] | None = None,
    *,
    samples: int = 20,
    seed: int = 0,
    features: Mapping[str, Feature] | None = None,
    builder: Builder = build,
) -> AuditReport:
    """Compare features from all data with those from what was known, and from the history they ask for.

    Parameters
    ----------
    bars, options, names, features
        As in `features.catalog.build`.
    samples
        Decision times drawn without replacement from the second half of the bars, where warm-up is over.
    seed
        Of the draw.
    builder
        The function to audit.

    Returns
    -------
    AuditReport
        At each moment and for every underlying: the value from rows with available_at <= asof equals the
        one from all rows exactly; the one from the last `lookback` bars equals it to 1e-9 relative (or
        1e-12 absolute).

    Raises
    ------
    ValueError
        When there are no bars, or a name is unknown.
    """
    chosen = choose(names, features)
    if bars.is_empty():
        raise ValueError("there are no bars to audit: pass bars that are longer than the features' lookback")
    moments = _draw(bars, samples, seed)
    full = builder(bars, options, list(chosen), features=features)
    failures: list[Failure] = []
    checked = 0
    seen: set[str] = set()
    for moment in moments:
        expected = _values_at(full, moment, chosen)
        known = bars.filter(pl.col("asof") <= moment)
        known_options = None if options is None else options.filter(pl.col("available_at") <= moment)
        cut = builder(known, known_options, list(chosen), features=features)
        failures += _differences("future", expected, _values_at(cut, moment, chosen), moment, exact=True)
        recent = _shortest(known, known_options, chosen, features, builder, moment)
        failures += _differences("history", expected, recent, moment, exact=False)
        checked += 2 * len(expected)
        seen |= {name for (_, name), value in expected.items() if value is not None}
    unseen = tuple(name for name in chosen if name not in seen)
    return AuditReport(moments, checked, tuple(failures), unseen)


def _draw(bars: pl.DataFrame, samples: int, seed: int) -> tuple[int, ...]:
    every = np.unique(bars["asof"].to_numpy())
    late = every[len(every) // 2 :]
    drawn = np.random.default_rng(seed).choice(late, size=min(samples, len(late)), replace=False)
    return tuple(int(moment) for moment in np.sort(drawn))


def _values_at(
    frame: pl.DataFrame, moment: int, names: Mapping[str, Feature]
) -> dict[tuple[str, str], float | None]:
    rows = frame.filter(pl.col("asof") == moment)
    return {(row["underlying"], name): row[name] for row in rows.iter_rows(named=True) for name in names}


def _shortest(
    known: pl.DataFrame,
    options: pl.DataFrame | None,
    chosen: Mapping[str, Feature],
    features: Mapping[str, Feature] | None,
    builder: Builder,
    moment: int,
) -> dict[tuple[str, str], float | None]:
    """Return the values at `moment`, each feature computed on exactly the history it declares."""
    values: dict[tuple[str, str], float | None] = {}
    needs = {(feature.lookback, feature.option_sessions) for feature in chosen.values()}
    for lookback, option_sessions in sorted(needs):
        group = {
            name: feature
            for name, feature in chosen.items()
            if (feature.lookback, feature.option_sessions) == (lookback, option_sessions)
        }
        bars = known.sort("underlying", "asof").group_by("underlying", maintain_order=True).tail(lookback)
        rows = None
        if options is not None:
            newest = options.sort("underlying", "available_at").group_by("underlying", maintain_order=True)
            rows = newest.tail(option_sessions)
        values |= _values_at(builder(bars, rows, list(group), features=features), moment, group)
    return values


def _differences(
    check: Literal["future", "history"],
    expected: Mapping[tuple[str, str], float | None],
    found: Mapping[tuple[str, str], float | None],
    moment: int,
    *,
    exact: bool,
) -> list[Failure]:
    failures = []
    for key in sorted(expected.keys() | found.keys()):
        wanted, got = expected.get(key), found.get(key)
        if wanted is None or got is None:
            same = wanted is got
        else:
            same = wanted == got or (
                not exact and math.isclose(wanted, got, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
            )
        if not same:
            failures.append(Failure(check, key[1], key[0], moment, wanted, got))
    return failures
