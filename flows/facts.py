"""What a run came to, as plain values: two runs with one seed must agree on all of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.research import Research
    from pipelines.session import SessionReport


def of(done: Research, traded: SessionReport) -> dict[str, Any]:
    """Return rows, metrics, orders and money; nothing that depends on time or machine."""
    return {
        "ingested": {r.dataset: r.rows for r in done.ingested.datasets},
        "features": done.featurized.features.rows if done.featurized.features else 0,
        "models": {model.kind: dict(model.metrics) for model in done.trained.models},
        "champion": done.trained.champion.kind,
        "backtest": asdict(done.backtested.metrics),
        "session": {
            "orders": list(traded.client_order_ids),
            "by_status": dict(traded.orders),
            "denials": dict(traded.denials),
            "closing_equity": str(traded.closing_equity),
            "realised": str(traded.realised),
        },
    }
