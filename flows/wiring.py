"""The composition root: settings in, adapters out. Nothing else builds an adapter."""

from __future__ import annotations

import shutil
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING

from flows.settings import home
from strikelake.calendar import Clock, SystemClock
from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from flows.settings import Settings
    from models.registry import Registry
    from strikelake.brokers.base import Broker
    from strikelake.journal.intents import IntentJournal
    from strikelake.lake.store import Lake
    from strikelake.vendors.flat_files import FlatFiles
    from strikelake.vendors.rest import RestMarketData

_SQLITE = "sqlite:///"


def lake(settings: Settings) -> Lake:
    """Return the lake."""
    from strikelake.lake.store import Lake

    return Lake(settings.path(settings.lake.root))


def flat_files(settings: Settings, directory: Path | None = None) -> FlatFiles:
    """Return the vendor's flat files on S3, or those of a folder in its layout."""
    from strikelake.vendors.flat_files import DirectoryFlatFiles, S3FlatFiles

    if directory is not None:
        return DirectoryFlatFiles(directory)
    access_key, secret_key = settings.flat_file_keys()
    return S3FlatFiles(
        settings.s3_endpoint or settings.flat_files.endpoint,
        settings.s3_bucket or settings.flat_files.bucket,
        access_key,
        secret_key,
    )


def market_data(settings: Settings) -> RestMarketData:
    """Return the data vendor's REST API."""
    from strikelake.vendors.rest import RestMarketData

    endpoint = settings.rest_endpoint or settings.rest.endpoint
    return RestMarketData(settings.vendor_key(), endpoint, timeout=settings.rest.timeout_seconds)


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
