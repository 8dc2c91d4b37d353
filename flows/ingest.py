"""Flow: flat files into the lake."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import accounts, artifacts, parts, progress, ranges, wiring
from flows.misspelt import nearest
from flows.settings import load
from pipelines import ingest as pipeline
from pipelines.classifications import load_classifications
from pipelines.listings import load_news
from pipelines.reference import load_reference
from pipelines.reference_rest import load_reference_from_rest
from pipelines.top_up import reconcile_top_ups
from strikelake.errors import (
    ConfigError,
    NotEntitledError,
    NotPublishedError,
    VendorError,
    VendorUnavailableError,
)
from strikelake.vendors.flat_files import Dataset
from strikelake.vendors.quote_filter import QuoteFilter

if TYPE_CHECKING:
    from flows.settings import Settings
    from pipelines.ingest import IngestReport
    from strikelake.lake.store import Lake
    from strikelake.vendors.connection import Connection

logger = logging.getLogger(__name__)


@flow(name="ingest")
def ingest(
    start: date | None = None,
    end: date | None = None,
    datasets: list[str] | None = None,
    flat_files: Path | None = None,
    reference: Path | None = None,
) -> IngestReport:
    """Bring the flat files of a range into the lake; unchanged files are skipped, republished ones replaced.

    Parameters
    ----------
    start, end
        Dates, both included; the account tier's history up to the last finished session by default.
    datasets
        Names such as `option_quotes`; by default those of `config/config.yaml`, where the `optional` ones may
        be absent from the vendor's plan or from the folder.
    flat_files
        A folder in the vendor's layout, instead of S3.
    reference
        A folder with splits, dividends, treasury curves, earnings, SIC codes and the like; by default the one
        called `reference` beside `flat_files`, when it exists, and otherwise the vendor's REST, when its key
        is set.
    """
    settings = load()
    wanted = _chosen(datasets) if datasets else settings.flat_files.datasets
    lake = wiring.lake(settings)
    first, last = ranges.to_ingest(settings, wiring.clock(settings), start, end)
    folder = reference or _beside(flat_files)
    if folder is not None:
        loaded = load_reference(lake, folder)
        logger.info("from %s: %s", folder, dict(loaded.facts) or "no dated facts")
    elif settings.api_key is not None:
        _reference_from_rest(lake, settings, first, last)
    else:
        logger.warning(
            "no splits, dividends or yields were loaded: give --reference FOLDER, or set POLYGON_API_KEY "
            "to have them from REST"
        )

    def weights() -> dict[date, float]:
        return pipeline.bytes_by_date(wiring.flat_files(settings, flat_files), wanted, first, last)

    with parts.workers(settings) as workers:
        report = workers.run(
            _ingest, (first, last), weights, settings=settings, flat_files=flat_files, datasets=wanted
        )
    if not datasets:
        report = _with_optional(report, settings, flat_files, (first, last))
    for differences in reconcile_top_ups(lake):
        logger.info("the flat file against the same day's bars from REST: %s", differences)
    artifacts.ingestion(report)
    return report


def worth_another_try(_task: object, _run: object, state: object) -> bool:
    """Return whether a task failed for a reason that may pass: a Prefect retry condition."""
    return isinstance(getattr(state, "data", None), VendorUnavailableError)


@task(
    name="reference data",
    retries=2,
    retry_delay_seconds=[30, 120],
    retry_condition_fn=worth_another_try,
    cache_policy=NO_CACHE,
)
def _reference_from_rest(lake: Lake, settings: Settings, start: date, end: date) -> None:
    rest, symbols = wiring.market_data(settings), accounts.tier(settings).symbols
    try:
        report = load_reference_from_rest(lake, rest.connection, symbols, start)
        _news_from_rest(lake, rest.connection, symbols, start, end)
        _classifications_from_rest(lake, rest.connection, (start, end), settings)
    finally:
        rest.close()
    for refused in report.refused:
        logger.warning("%s", refused)


def _news_from_rest(
    lake: Lake, connection: Connection, symbols: tuple[str, ...], start: date, end: date
) -> None:
    """Add the news since the last that the lake has."""
    held = [day for day in lake.sessions("news") if day <= end]
    try:
        added = load_news(lake, connection, symbols, max([start, *held]), end)
        logger.info("news: %d new rows", added)
    except NotEntitledError as error:
        logger.warning("no news: %s", error)


def _classifications_from_rest(
    lake: Lake, connection: Connection, span: tuple[date, date], settings: Settings
) -> None:
    """Add what the tier's symbols were at the quarters that the lake lacks; ingestion goes on without."""
    symbols, clock, advance = (
        accounts.tier(settings).symbols,
        wiring.clock(settings),
        progress.advance("sectors"),
    )
    try:
        added = load_classifications(lake, connection, symbols, *span, clock, progress=advance)
        logger.info("classifications: %d new rows", added)
    except VendorUnavailableError:
        raise  # worth another try, which goes on where this one stopped
    except VendorError as error:
        logger.warning("sectors are not complete, and features without them are null: %s", error)


@task(
    name="ingest files",
    retries=3,
    retry_delay_seconds=[5, 30, 120],
    retry_condition_fn=worth_another_try,
    cache_policy=NO_CACHE,
)
def _ingest(
    settings: Settings, flat_files: Path | None, datasets: tuple[Dataset, ...], span: tuple[date, date]
) -> IngestReport:
    advance = progress.advance("flat files" if len(datasets) > 1 else datasets[0].replace("_", " "))
    report = pipeline.ingest(
        wiring.lake(settings),
        wiring.flat_files(settings, flat_files),
        datasets,
        *span,
        progress=advance,
        bad_share=settings.flat_files.bad_share,
        quotes=_quotes(settings),
    )
    listed = sum(each.listed for each in report.datasets)
    advance(listed, listed)
    return report


def _with_optional(
    report: IngestReport, settings: Settings, flat_files: Path | None, span: tuple[date, date]
) -> IngestReport:
    """Return the report with the datasets that one may have to do without."""
    for dataset in settings.flat_files.optional:
        try:
            more = _ingest(settings=settings, flat_files=flat_files, datasets=(dataset,), span=span)
        except (NotEntitledError, NotPublishedError) as error:
            logger.warning("no %s, and features that need them are null: %s", dataset, error)
        else:
            report = replace(report, datasets=(*report.datasets, *more.datasets), versions=more.versions)
    return report


def _quotes(settings: Settings) -> QuoteFilter:
    chosen = settings.flat_files.quotes
    symbols = accounts.tier(settings).symbols if chosen.underlyings == "tier" else chosen.underlyings
    underlyings = None if symbols == "all" else frozenset(symbols)
    return QuoteFilter(underlyings, chosen.max_dte, chosen.sampling)


def _chosen(names: list[str]) -> tuple[Dataset, ...]:
    for name in names:
        if name not in set(Dataset):
            raise ConfigError(f"there is no dataset {name!r}{nearest(name, Dataset)}")
    return tuple(Dataset(name) for name in names)


def _beside(flat_files: Path | None) -> Path | None:
    folder = flat_files.parent / "reference" if flat_files else None
    return folder if folder and folder.is_dir() else None
