"""The whole catalogue audited in full: look-ahead, lookback, labels, and planted leaks on several markets.

Half-hour bars with options of the simulated market, and day bars of the real stock panel of 2008 to 2010
where STRIKELAKE_REAL_DATA names it. Exits 1 when a feature or label fails, when a planted leak is missed, or
when an honest twin is called a leak.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from features.catalog import catalog
from features.selftest import selftest
from pipelines.analytics import analyse
from pipelines.audit import AuditReport, audit_features
from pipelines.audit_words import sentence
from pipelines.ingest import ingest
from pipelines.reference import load_reference
from strikelake.lake.store import Lake
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.simulator import write
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

SIMULATED = (Dataset.STOCK_DAY_BARS, Dataset.STOCK_MINUTE_BARS, Dataset.OPTION_DAY_BARS)
PANEL = (date(2008, 6, 2), date(2010, 12, 31))
SEEDS = 4


def simulated(folder: Path, sessions: int) -> Lake:
    """Return a lake of the simulated market, with option analytics."""
    market = folder / "market"
    write(SimulatorConfig(sessions=sessions), market)
    lake = Lake(folder / "lake")
    ingest(lake, DirectoryFlatFiles(market / "flatfiles"), SIMULATED, date(2020, 1, 1), date(2029, 12, 31))
    load_reference(lake, market / "reference")
    days = lake.sessions("option_day_bars")
    analyse(lake, days[0], days[-1])
    return lake


def panel(folder: Path, real: Path) -> Lake:
    """Return a lake of the real panel's day bars."""
    lake = Lake(folder / "panel")
    ingest(lake, DirectoryFlatFiles(real / "flatfiles"), [Dataset.STOCK_DAY_BARS], *PANEL)
    load_reference(lake, real / "reference")
    return lake


def audited(name: str, lake: Lake, check: str, bar: str, samples: int) -> list[str]:
    """Audit the catalogue, print a line, and return what failed."""
    features = catalog()
    began = time.process_time()
    horizon = 6 if check == "lookahead" else None
    report = audit_features(
        lake, check, features, list(features), date.min, date.max, bar=bar, samples=samples, horizon=horizon
    )
    taken = 1e3 * (time.process_time() - began) / len(report.verdicts)
    unseen = sum(verdict.status == "unseen" for verdict in report.verdicts)
    counts = f"{len(report.verdicts):>9}{len(report.labels):>8}{len(report.moments):>11}{report.checked:>10,}"
    print(f"{name:<22}{check:<10}{counts}{len(report.failed):>10}{unseen:>8}{taken:>15.0f}")
    return [f"{name}, {check}: {line}" for line in wrong(report)]


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


def main() -> None:
    """Print the tables and fail where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40, help="decision times of each audit")
    parser.add_argument("--sessions", type=int, default=60, help="sessions of the simulated market")
    chosen = parser.parse_args()
    real = Path(os.environ.get("STRIKELAKE_REAL_DATA") or "none")
    missed: list[str] = []
    heads = f"{'features':>9}{'labels':>8}{'decisions':>11}{'values':>10}{'failures':>10}{'unseen':>8}"
    print(f"{'lake':<22}{'check':<10}{heads}{'ms per feature':>15}")
    with TemporaryDirectory() as place:
        lakes = [("simulated, 30m bars", simulated(Path(place), chosen.sessions), "30m")]
        if (real / "flatfiles").is_dir():
            lakes.append(("real panel, 1d bars", panel(Path(place), real), "1d"))
        for name, lake, bar in lakes:
            for check in ("lookahead", "lookback"):
                missed += audited(name, lake, check, bar, chosen.samples)
    if len(lakes) == 1:
        print("the real panel is absent: STRIKELAKE_REAL_DATA names no folder with flatfiles")
    for seed in range(SEEDS):
        missed += planted(seed)
    if missed:
        sys.exit("missed:\n" + "\n".join(missed))


if __name__ == "__main__":
    main()
