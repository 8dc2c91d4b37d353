"""Reports as Prefect artifacts, for the UI."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_link_artifact, create_table_artifact

if TYPE_CHECKING:
    from pathlib import Path

    from flows.backtest import Backtested
    from flows.featurize import Featurized
    from pipelines.crosscheck import CrossCheck
    from pipelines.ingest import IngestReport
    from pipelines.maintain import Compacted
    from pipelines.session import SessionReport
    from pipelines.train import TrainingReport


def ingestion(report: IngestReport) -> None:
    """Record what was ingested, by dataset."""
    rows = [
        {**asdict(r), "missing": len(r.missing), "off_session": len(r.off_session)} for r in report.datasets
    ]
    _table("ingestion", rows, "Files and rows by dataset")


def features(made: Featurized) -> None:
    """Record statuses of priced bars and nulls of features."""
    for priced in made.analytics:
        rows = [{"status": status, "rows": count} for status, count in priced.by_status.items()]
        _table(f"analytics-{priced.bar}", rows, f"Option bars by status, {priced.bar}")
    if made.features is not None:
        shares = [
            {"feature": name, "null share": round(x, 4)} for name, x in made.features.null_share.items()
        ]
        _table("features", shares, f"Nulls by feature, {made.bar} bars")


def training(report: TrainingReport) -> None:
    """Record every model's out-of-sample metrics."""
    _table("models", report.table().to_dicts(), "Out-of-sample metrics by model")


def backtest(report: Backtested) -> None:
    """Record a backtest's metrics and where its report is."""
    rows = [{"metric": name, "value": value} for name, value in asdict(report.metrics).items()]
    _table("backtest", rows, "Backtest")
    create_link_artifact(report.page.resolve().as_uri(), key="backtest-report", description="Backtest report")


def session(report: SessionReport) -> None:
    """Record what happened in a live session."""
    rows: list[dict[str, Any]] = [
        {"what": "orders by status", "value": dict(report.orders)},
        {"what": "refused", "value": dict(report.denials)},
        {"what": "opening equity", "value": str(report.opening_equity)},
        {"what": "closing equity", "value": str(report.closing_equity)},
        {"what": "problems", "value": "; ".join(report.problems)},
    ]
    _table("session", rows, f"Session of {report.session}")


def compaction(done: list[Compacted]) -> None:
    """Record which months of which tables were copied."""
    _table("compaction", [asdict(each) for each in done], "Closed months by table")


def crosscheck(found: CrossCheck, page: Path) -> None:
    """Record why the vendor's volatilities differ from ours, and where the page is."""
    rows = [{"cause": cause, "contracts": count} for cause, count in found.causes().items()]
    _table("crosscheck", rows, f"Differences from the vendor by cause, {found.session.date}")
    create_link_artifact(page.resolve().as_uri(), key="crosscheck-report", description="Against the vendor")


def _table(key: str, rows: list[dict[str, Any]], description: str) -> None:
    create_table_artifact(table=rows, key=key, description=description)
