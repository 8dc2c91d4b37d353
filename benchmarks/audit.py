"""The whole catalogue audited in full: look-ahead, lookback, labels, and planted leaks on several markets.

Half-hour bars of a simulated market with option chains, open interest, earnings, news and indices; a year of
one symbol for what needs 252 sessions; and day bars of the real stock panel of 2003 to 2014 where
STRIKELAKE_REAL_DATA names it. Exits 1 when a feature or label fails, when one has no value in any of them,
when a planted leak is missed, or when an honest twin is called a leak.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose features.py would stand in for the package of that name

import argparse
import os
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from features.catalog import catalog
from features.selftest import selftest
from pipelines.analytics import analyse
from pipelines.audit import AuditReport, audit_features
from pipelines.audit_words import sentence
from pipelines.ingest import ingest
from pipelines.inputs import OWN_INDEX
from pipelines.reference import load_reference
from pipelines.surfaces import build_surfaces
from pipelines.volatility_index import build_volatility_index
from strikelake.lake.store import Lake
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.simulator import write
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles
from strikelake.vendors.quote_filter import QuoteFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKS = ("lookahead", "lookback")
SIMULATED = (
    Dataset.STOCK_DAY_BARS,
    Dataset.STOCK_MINUTE_BARS,
    Dataset.OPTION_DAY_BARS,
    Dataset.INDEX_DAY_BARS,
    Dataset.OPTION_QUOTES,
)
SYMBOLS = ("AAPL", "META", "MSFT", "NVDA", "SPY")
YEAR, LONG = 275, ("iv_rank_252", "vix_rank_252")
PANEL = (date(2003, 9, 10), date(2014, 12, 31))
ANY = (date(2020, 1, 1), date(2029, 12, 31))
SEEDS = 4


def simulated(folder: Path, config: SimulatorConfig) -> Lake:
    """Return a lake of a simulated market with every table that features read."""
    write(config, folder / "market")
    lake = Lake(folder / "lake")
    files = DirectoryFlatFiles(folder / "market" / "flatfiles")
    ingest(lake, files, SIMULATED, *ANY, quotes=QuoteFilter(frozenset({OWN_INDEX})))
    load_reference(lake, folder / "market" / "reference")
    days = lake.sessions("option_day_bars")
    analyse(lake, days[0], days[-1])
    build_surfaces(lake, days[0], days[-1])
    build_volatility_index(lake, days[0], days[-1], underlyings=[OWN_INDEX])
    return lake


def panel(folder: Path, real: Path) -> Lake:
    """Return a lake of the real panel's day bars."""
    lake = Lake(folder / "panel")
    ingest(lake, DirectoryFlatFiles(real / "flatfiles"), [Dataset.STOCK_DAY_BARS], *PANEL)
    load_reference(lake, real / "reference")
    return lake


@dataclass(slots=True)
class Findings:
    """What the audits came to: what is wrong, and what had a value in each check."""

    missed: list[str] = field(default_factory=list)
    proved: dict[str, set[str]] = field(default_factory=lambda: {check: set() for check in CHECKS})

    def audit(
        self, name: str, lake: Lake, bar: str, samples: int, names: Sequence[str], start: date = date.min
    ) -> None:
        """Audit features in both ways, and print a line for each."""
        for check in CHECKS:
            began = time.process_time()
            horizon = 6 if check == "lookahead" else None
            report = audit_features(
                lake, check, catalog(), names, start, date.max, bar=bar, samples=samples, horizon=horizon
            )
            counts = (len(report.verdicts), len(report.labels), len(report.moments))
            shown = "".join(f"{count:>11}" for count in counts)
            ends = (len(report.failed), len(report.unproved), time.process_time() - began)
            print(
                f"{name:<24}{check:<10}{shown}{report.checked:>11,}{ends[0]:>9}{ends[1]:>12}{ends[2]:>9.0f}"
            )
            self.missed += [f"{name}, {check}: {line}" for line in wrong(report)]
            self.proved[check] |= {each.name for each in report.verdicts if each.status == "passed"}

    def unproved(self) -> list[str]:
        """Return a line for each feature that had no value in any lake."""
        return [
            f"{feature} never had a value for {check}"
            for check, proved in self.proved.items()
            for feature in catalog()
            if feature not in proved
        ]


def wrong(report: AuditReport) -> list[str]:
    """Return a line for each feature or label that failed or could not be computed."""
    verdicts = (*report.verdicts, *report.labels)
    return [f"{each.name} {sentence(each)}" for each in verdicts if each.name in report.failed]


def planted(seed: int) -> list[str]:
    """Plant every leak on one market, print a line, and return what was missed or called one wrongly."""
    began = time.process_time()
    trials = selftest(samples=20, seed=seed)
    caught, alarms = (sum(flags) for flags in zip(*((t.caught, t.false_alarm) for t in trials), strict=True))
    taken = 1e3 * (time.process_time() - began) / len(trials)
    found = f"caught {caught} of {len(trials)}, false alarms {alarms}, {taken:.0f} ms each"
    print(f"planted leaks, market {seed}: {found}")
    missed = [f"market {seed}: {trial.plant.name} was missed" for trial in trials if not trial.caught]
    return missed + [
        f"market {seed}: the honest twin of {trial.plant.name} was not passed"
        for trial in trials
        if trial.false_alarm
    ]


def _lookback(name: str) -> int:
    return catalog()[name].lookback


def main() -> None:
    """Print the tables and fail where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40, help="decision times of each audit")
    parser.add_argument("--sessions", type=int, default=60, help="sessions of the simulated market")
    chosen = parser.parse_args()
    real = Path(os.environ.get("STRIKELAKE_REAL_DATA") or "none")
    found = Findings()
    heads = ("features", "labels", "decisions", "values")
    print(
        f"{'lake':<24}{'check':<10}{''.join(f'{head:>11}' for head in heads)}  failures  not proved    CPU s"
    )
    with TemporaryDirectory() as place:
        folder = Path(place)
        began = time.process_time()
        market = simulated(folder / "a", SimulatorConfig(SYMBOLS, chosen.sessions, quote_minutes=15))
        print(f"a market of {len(SYMBOLS)} symbols took {time.process_time() - began:.0f} s to make")
        found.audit("simulated, 30m bars", market, "30m", chosen.samples, list(catalog()))
        began = time.process_time()
        year = simulated(folder / "b", SimulatorConfig((OWN_INDEX,), YEAR, quote_minutes=30))
        print(f"a year of {OWN_INDEX} took {time.process_time() - began:.0f} s to make")
        late = year.sessions("stock_day_bars")[max(map(_lookback, LONG))]
        found.audit("a simulated year, 1d", year, "1d", chosen.samples, LONG, late)
        if (real / "flatfiles").is_dir():
            found.audit("real panel, 1d bars", panel(folder, real), "1d", chosen.samples, list(catalog()))
        else:
            print("the real panel is absent: STRIKELAKE_REAL_DATA names no folder with flatfiles")
    missed = found.missed + found.unproved()
    for seed in range(SEEDS):
        missed += planted(seed)
    if missed:
        sys.exit("missed:\n" + "\n".join(missed))


if __name__ == "__main__":
    main()
