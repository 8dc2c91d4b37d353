"""Verdicts of an audit beside its page, for pages that lead to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.definitions import definition
from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from features.feature import Feature
    from pipelines.audit import AuditReport

_FILE = "verdicts.json"
ANCHOR = "verdict-"
"""How the anchor of a verdict begins on the page of an audit; its feature's name follows."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit said of features, and of which definitions.

    Attributes
    ----------
    check, bar
        "lookahead" or "lookback", and the width of the bars.
    page
        Of the audit.
    statuses, definitions
        By name of the feature: as `features.verdicts.Status`, and the hash of what was audited.
    """

    check: str
    bar: str
    page: Path
    statuses: Mapping[str, str]
    definitions: Mapping[str, str]

    def status(self, feature: Feature) -> str | None:
        """Return the verdict on a feature: "stale" where it is another by now, None where there is none."""
        found = self.statuses.get(feature.name)
        if found is not None and self.definitions[feature.name] != definition(feature):
            return "stale"
        return found


def write_verdicts(folder: Path, report: AuditReport, features: Mapping[str, Feature]) -> None:
    """Write the verdicts on features, with the definitions that they hold for, beside an audit's page."""
    verdicts = {
        verdict.name: {"status": verdict.status, "definition": definition(features[verdict.name])}
        for verdict in report.verdicts
    }
    content = {"check": report.check, "bar": report.bar, "verdicts": verdicts}
    (folder / _FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_verdicts(folder: Path) -> Audited:
    """Return what an audit left beside its page.

    Raises
    ------
    ConfigError
        When the folder holds no verdicts, or something else by their name.
    """
    try:
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        each = content["verdicts"].items()
        return Audited(
            content["check"],
            content["bar"],
            folder / "index.html",
            {name: verdict["status"] for name, verdict in each},
            {name: verdict["definition"] for name, verdict in each},
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"{folder} has no {_FILE}: give the folder of an audit's page, or write one with "
            f"`strikelake audit lookahead --report {folder}`"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{folder / _FILE} is not what an audit writes ({type(error).__name__}: {error}): write it "
            "again with `strikelake audit lookahead --report`"
        ) from error
