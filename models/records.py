"""What runs of MLflow record, and reading records page by page."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from models.versions import Candidate, Lineage


def pages(search: Callable[..., Any], **query: Any) -> Iterator[Any]:
    """Return everything that a search of the client finds, not only its first page."""
    token = None
    while True:
        page = search(**query, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def record(
    client: Any,
    run_id: str,
    *,
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, object] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write metrics, parameters and tags of a run in one request."""
    from mlflow.entities import Metric, Param, RunTag

    now = _now_ms()
    client.log_batch(
        run_id,
        [Metric(name, value, now, 0) for name, value in (metrics or {}).items()],
        [Param(name, str(value)) for name, value in (parameters or {}).items()],
        [RunTag(name, value) for name, value in (tags or {}).items()],
    )


def record_metrics(client: Any, run_id: str, candidate: Candidate, lineage: Lineage, model_id: str) -> None:
    """Log metrics linked to their model and dataset; a fold's number is its step."""
    from mlflow.entities import Dataset, DatasetInput, Metric

    name, digest = f"{lineage.bar}-{lineage.horizon}", lineage.digest()
    source = json.dumps(dict(lineage.versions), sort_keys=True)
    client.log_inputs(run_id, [DatasetInput(Dataset(name, digest, "lake", source))])
    steps = [(candidate.evaluation.metrics(), 0)]
    steps += [(fold.metrics("fold_"), step) for step, fold in enumerate(candidate.folds)]
    now = _now_ms()
    client.log_batch(
        run_id,
        [
            Metric(key, value, now, step, model_id=model_id, dataset_name=name, dataset_digest=digest)
            for values, step in steps
            for key, value in values.items()
        ],
    )


def _now_ms() -> int:
    # When a record is written, which MLflow wants with each metric; no result depends on it.
    return time.time_ns() // 1_000_000
