"""The composition root: settings in, adapters out. Nothing else builds an adapter."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING

from flows import accounts
from flows.settings import bucket_options, home, load
from strikelake.calendar import NS_PER_SECOND, Clock, SystemClock
from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from flows.settings import Settings
    from models.registry import Registry
    from pipelines.market_data import MarketData
    from strikelake.brokers.base import Broker
    from strikelake.journal.intents import IntentJournal
    from strikelake.lake.store import Lake
    from strikelake.vendors.flat_files import FlatFiles
    from strikelake.vendors.limiter import RequestLimiter
    from strikelake.vendors.live import LiveMarketData
    from strikelake.vendors.rest import RestMarketData

_SQLITE = "sqlite:///"
_PATIENCE_SECONDS = 300.0
_LIVE_PATIENCE_SECONDS = 15.0


def lake(settings: Settings, root: str | None = None) -> Lake:
    """Return the lake, or another one at `root`; one in a bucket takes its keys from the AWS variables."""
    from strikelake.lake.store import Lake

    place = root or settings.lake.root
    if "://" in place:
        return Lake(place, storage_options=bucket_options(os.environ))
    return Lake(root or settings.path(place))


def flat_files(settings: Settings, directory: Path | None = None) -> FlatFiles:
    """Return the vendor's flat files on S3, or those of a folder in its layout."""
    from strikelake.vendors.flat_files import DirectoryFlatFiles
    from strikelake.vendors.flat_s3 import S3FlatFiles

    if directory is not None:
        return DirectoryFlatFiles(directory)
    access_key, secret_key = settings.flat_file_keys()
    return S3FlatFiles(
        settings.s3_endpoint or settings.flat_files.endpoint,
        settings.s3_bucket or settings.flat_files.bucket,
        access_key,
        secret_key,
    )


def market_data(settings: Settings, *, patience_seconds: float = _PATIENCE_SECONDS) -> RestMarketData:
    """Return the data vendor's REST API, within the request budget of the account's tier.

    Parameters
    ----------
    settings
        Names the key, the endpoint, the account's balance, and the file in which requests are counted.
    patience_seconds
        How long a request waits for the budget at most.
    """
    from strikelake.vendors.rest import RestMarketData

    endpoint = settings.rest_endpoint or settings.rest.endpoint
    time = clock(settings)
    limiter = _limiter(settings, time, patience_seconds) if settings.rest.enforce_budget else None
    return RestMarketData(settings.vendor_key(), endpoint, settings.rest.timeout_seconds, limiter, time)


def market(settings: Settings | None = None) -> MarketData:
    """Return the one interface to market data, for notebooks: `from flows.wiring import market`.

    Without a key of the vendor it reads the lake alone.

    Parameters
    ----------
    settings
        By default those of `config/`, `.env` and the environment.
    """
    from pipelines.market_data import MarketData

    known = settings or load()
    rest = market_data(known) if known.api_key is not None else None
    return MarketData(lake(known), rest, clock(known))


def live_market_data(settings: Settings) -> LiveMarketData:
    """Return the data vendor's REST API for a live session: nothing waits so long that a decision is late."""
    from strikelake.vendors.live import LiveMarketData

    rest = market_data(settings, patience_seconds=_LIVE_PATIENCE_SECONDS)
    settle_ns = round(settings.rest.settle_seconds * NS_PER_SECOND)
    return LiveMarketData(rest, clock(settings), settle_ns=settle_ns)


def _limiter(settings: Settings, time: Clock, patience_seconds: float) -> RequestLimiter:
    from strikelake.vendors.limiter import Budget, RequestLimiter

    tier = accounts.tier(settings)
    budget = Budget(tier.requests_per_minute, tier.requests_per_day)
    patience_ns = round(patience_seconds * NS_PER_SECOND)
    return RequestLimiter(settings.path(settings.rest.budget_file), budget, time, patience_ns=patience_ns)


def broker(settings: Settings) -> Broker:
    """Return the paper account at the broker.

    Raises
    ------
    ConfigError
        In live mode, which a passing paper replay of the champion must unlock first.
    MissingCredentialsError
        When a key is not set.
    """
    from strikelake.brokers.alpaca import AlpacaBroker

    if settings.trading_mode == "live":
        raise ConfigError(
            "TRADING_MODE is live, and live orders need a passing paper replay of the champion, which this "
            "version cannot make yet: set TRADING_MODE=paper"
        )
    key, secret = settings.broker_keys()
    url = settings.alpaca_endpoint or settings.broker.paper_endpoint
    return AlpacaBroker(key, secret, url=url, timeout=settings.broker.timeout_seconds)


def clock(settings: Settings) -> Clock:
    """Return the machine's clock, or that of the market at `clock.endpoint`."""
    from strikelake.sandbox.clock import SandboxClock

    return SandboxClock(settings.clock.endpoint) if settings.clock.endpoint else SystemClock()


def journal(settings: Settings) -> IntentJournal:
    """Return the order journal; only one process at a time may hold it."""
    from strikelake.journal.intents import IntentJournal

    return IntentJournal(settings.path(settings.trading.journal))


def registry(settings: Settings, bar: str) -> Registry:
    """Return the registered models of one bar length."""
    from models.registry import Registry

    tracking = settings.tracking
    artifacts = tracking.artifacts if "://" in tracking.artifacts else str(settings.path(tracking.artifacts))
    return Registry(tracking_uri(settings), artifacts, tracking.experiment, f"{tracking.model}-{bar}")


def code_version() -> str:
    """Return the installed version, with the commit where the project is a git checkout."""
    release = version("strikelake")
    git = shutil.which("git")
    if git is None:
        return release
    command = [git, "-C", str(home()), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no user input
    return f"{release}+{done.stdout.strip()}" if done.returncode == 0 else release


def tracking_uri(settings: Settings) -> str:
    """Return MLflow's address; a relative SQLite file is below the project's home."""
    uri = settings.tracking.uri
    return f"{_SQLITE}{settings.path(uri.removeprefix(_SQLITE))}" if uri.startswith(_SQLITE) else uri
