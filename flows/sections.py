"""The sections of `config/config.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from strikelake.vendors.flat_files import Dataset

Share = Annotated[float, Field(gt=0, le=1)]


class Section(BaseModel):
    """Some keys of a section: frozen, and no others are accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LakeSection(Section):
    """Where the lake is: a folder, or s3://bucket/prefix."""

    root: str


class QuotesSection(Section):
    """Which quotes of options are kept; `tier` is the symbols of the account's tier."""

    underlyings: Literal["tier", "all"] | tuple[str, ...]
    max_dte: int | None = Field(ge=0)
    sampling: Literal["minute", "all"]


class FlatFilesSection(Section):
    """Where flat files come from, which, and what is kept of the largest of them."""

    endpoint: str
    bucket: str
    datasets: tuple[Dataset, ...]
    optional: tuple[Dataset, ...]
    bad_share: Share
    timeout_seconds: float = Field(gt=0)
    quotes: QuotesSection


class RestSection(Section):
    """The data vendor's REST endpoint, and whether and where its requests are counted."""

    endpoint: str
    timeout_seconds: float = Field(gt=0)
    enforce_budget: bool
    budget_file: str
    settle_seconds: float = Field(ge=0, le=30)


class ComputeSection(Section):
    """Where heavy steps run: threads of this process, or Dask's workers.

    `scheduler` is the address of a cluster; None starts `workers` processes on this machine.
    """

    runner: Literal["threads", "dask"]
    workers: int = Field(ge=1)
    scheduler: str | None


class BrokerSection(Section):
    """The broker's endpoints; `TRADING_MODE` chooses."""

    paper_endpoint: str
    live_endpoint: str
    timeout_seconds: float = Field(gt=0)


class ClockSection(Section):
    """Where the live trader gets its time; None is the machine's clock."""

    endpoint: str | None = None


class TrackingSection(Section):
    """MLflow: database, artifacts, experiment and the registered model's name."""

    uri: str
    artifacts: str
    experiment: str
    model: str


class ResearchSection(Section):
    """What is trained, and how it is validated."""

    bar: Literal["auto", "30m", "1d"]
    horizon_30m: int = Field(ge=1, le=260)
    horizon_1d: int = Field(ge=1, le=260)
    embargo_horizons: int = Field(ge=1)
    folds: int = Field(ge=2, le=50)
    models: tuple[Literal["forest", "boosted", "neural"], ...] = Field(min_length=1)
    features: tuple[str, ...] = Field(min_length=1)
    seed: int

    def horizon(self, bar: str) -> int:
        """Return the label's horizon in bars of the given length."""
        return self.horizon_30m if bar == "30m" else self.horizon_1d


class TradingSection(Section):
    """Live trading and what option pricing falls back to."""

    journal: str
    default_rate: float


class LoggingSection(Section):
    """How much is said."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
