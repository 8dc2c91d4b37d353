"""Reports as rich tables for the terminal."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from rich.console import RenderableType

    from flows.backtest import Backtested
    from flows.doctor import Check
    from flows.featurize import Featurized
    from flows.research import Research
    from pipelines.ingest import IngestReport
    from pipelines.session import SessionReport
    from pipelines.train import TrainingReport

_COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}
_METRICS = {
    "accuracy": "acc.",
    "precision": "prec.",
    "recall": "rec.",
    "f1": "F1",
    "auc": "AUC",
    "log_loss": "loss",
    "base_rate": "base",
}
_MANY = 3
_COIN = log(2)


def checks(found: Sequence[Check]) -> Table:
    """Show what `strikelake doctor` found."""
    table = empty("", "check", "found", "what to do")
    for check in found:
        colour = _COLOURS[check.status]
        table.add_row(f"[{colour}]{check.status}[/]", check.name, check.found, check.remedy)
    return table


def ingestion(report: IngestReport) -> Table:
    """Show what one ingestion brought, by dataset."""
    table = empty("dataset", ">files", ">new", ">same", ">rows", ">bad", "rules broken", ">missing")
    for each in report.datasets:
        rules = ", ".join(f"{rule}: {count:,}" for rule, count in each.rules.items())
        numbers = (each.listed, each.ingested, each.unchanged, each.rows, each.rejected)
        table.add_row(each.dataset, *(f"{n:,}" for n in numbers), rules, f"{len(each.missing):,}")
    return table


def features(made: Featurized) -> Table:
    """Show what was priced and computed."""
    table = empty("step", ">sessions", ">rows", "by status")
    for priced in made.analytics:
        statuses = ", ".join(f"{status} {count:,}" for status, count in priced.by_status.items())
        table.add_row(
            f"IV and Greeks, {priced.bar} bars", f"{priced.sessions:,}", f"{priced.rows:,}", statuses
        )
    if made.features is not None:
        count = len(made.features.null_share)
        name = f"{count} features, {made.bar} bars"
        underlyings = f"{len(made.features.underlyings)} underlyings"
        table.add_row(name, f"{made.features.sessions:,}", f"{made.features.rows:,}", underlyings)
    return table


def training(report: TrainingReport | None) -> RenderableType:
    """Show every model's out-of-sample metrics."""
    if report is None:
        return "no session today: nothing was trained"
    table = empty("model", *(f">{short}" for short in _METRICS.values()))
    for model in report.models:
        values = [_number(model.metrics.get(f"oos_{name}")) for name in _METRICS]
        best = " [green]champion[/]" if model == report.champion else ""
        table.add_row(f"{model.kind} v{model.version}{best}", *values)
    table.caption = (
        f"out of sample, {report.folds} walk-forward windows, {report.rows:,} rows; "
        f"a coin's log-loss is {_COIN:.3f}"
    )
    return table


def backtest(report: Backtested) -> Table:
    """Show a backtest's metrics."""
    table = empty("backtest", "")
    for name, value in _measured(report):
        table.add_row(name, value)
    table.add_row("report", str(report.page))
    return table


def session(report: SessionReport) -> Table:
    """Show what happened in a live session."""
    table = empty(f"session of {report.session}", "")
    for name, value in _traded(report):
        table.add_row(name, value)
    return table


def research(done: Research) -> Iterator[RenderableType]:
    """Show every step of a research run."""
    yield ingestion(done.ingested)
    yield features(done.featurized)
    yield training(done.trained)
    yield backtest(done.backtested)


def summary(done: Research, traded: SessionReport, seconds: float) -> Table:
    """Show the demo in one table."""
    table = empty("step", "result")
    rows = ", ".join(f"{r.dataset} {r.rows:,}" for r in done.ingested.datasets)
    rejected = sum(r.rejected for r in done.ingested.datasets)
    table.add_row("rows ingested", f"{done.ingested.rows:,} ({rows}); {rejected:,} rejected")
    for priced in done.featurized.analytics:
        solved = priced.by_status.get("solved", 0) / max(priced.rows, 1)
        table.add_row(f"IV and Greeks, {priced.bar}", f"{priced.rows:,} option bars, {solved:.1%} solved")
    if done.featurized.features is not None:
        made = done.featurized.features
        table.add_row("features", f"{len(made.null_share)} features, {made.rows:,} values, {made.bar} bars")
    for model in done.trained.models:
        scores = ", ".join(
            f"{short} {_number(model.metrics.get(f'oos_{name}'))}" for name, short in _METRICS.items()
        )
        table.add_row(f"{model.kind}, out of sample", scores)
    best = done.trained.champion
    loss = best.metrics["oos_log_loss"]
    verdict = f"log-loss {loss:.4f}, a coin's is {_COIN:.4f}"
    table.add_row("champion", f"[bold]{best.kind}[/], {best.name} version {best.version}; {verdict}")
    table.add_section()
    for name, value in _measured(done.backtested):
        table.add_row(f"backtest: {name}", value)
    table.add_section()
    for name, value in _traded(traded):
        table.add_row(f"live session: {name}", value)
    table.caption = f"{seconds:.0f} s from the simulated market to the last order"
    return table


def whereabouts(report: Path, lake: Path, session: date, digest: str) -> str:
    """Show where to look further: the report's page, and commands on the lake and its last session."""
    command, held = ".venv/bin/strikelake", f"--lake {_from_here(lake)}"
    return (
        f"report       {_from_here(report)}\n"
        f"look further {command} surface AAPL --date {session} {held} --open\n"
        f"             {command} features stats {held}\n"
        f"             {command} lake status {held}\n"
        f"MLflow UI    {command} up, then http://127.0.0.1:5000 (experiment strikelake-demo)\n"
        f"fingerprint  {digest}, equal for equal metrics and orders"
    )


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _measured(report: Backtested) -> Iterator[tuple[str, str]]:
    metrics = report.metrics
    yield "total return", _share(metrics.total_return)
    error = "" if metrics.sharpe_error is None else f" ± {metrics.sharpe_error:.1f}"
    yield "Sharpe, with its error", f"{_number(metrics.sharpe)}{error}"
    yield "max drawdown", _share(metrics.max_drawdown)
    yield "Calmar", _number(metrics.calmar)
    yield "win rate", _share(metrics.win_rate)
    yield "profit factor", _number(metrics.profit_factor)
    yield "trades", f"{metrics.trades:,}"
    yield "fees", _dollars(metrics.fees)


def _traded(report: SessionReport) -> Iterator[tuple[str, str]]:
    yield "decisions, signals", f"{report.decisions}, {report.signals}"
    yield "orders filled", f"{report.fills} of {sum(report.orders.values())}"
    yield "refused", _counted(report.denials)
    yield "P&L", f"{_dollars(report.marked)} ({_dollars(report.realised)} realised before fees)"
    yield "equity", f"{_dollars(report.opening_equity)} → {_dollars(report.closing_equity)}"
    median, worst = report.latency_percentile(0.5), report.latency_percentile(0.99)
    if median is not None and worst is not None:
        yield "bars to order", f"p50 {median:.0f} ms, p99 {worst:.0f} ms"
    if report.halted:
        yield "halted", report.halted
    if report.problems:
        more = f" (+{len(report.problems) - _MANY} more)" if len(report.problems) > _MANY else ""
        yield "problems", "; ".join(report.problems[:_MANY]) + more


def _counted(counts: Mapping[str, int]) -> str:
    items = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count}" for name, count in items) or "nothing"


def empty(*columns: str) -> Table:
    """Return an empty table; a column that starts with > is aligned to the right.

    What does not fit is seen to be cut, as 2,329,017 cut to 2,329,0 would not be.
    """
    table = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    for index, column in enumerate(columns):
        right = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            overflow="ellipsis" if right or index == 0 else "fold",
            no_wrap=right or index == 0,
        )
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _dollars(value: float | Decimal) -> str:
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
