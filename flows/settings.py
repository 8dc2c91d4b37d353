"""Configuration: `config/*.yaml`, then `.env`, then the environment; the last one wins.

Everything is frozen, unknown keys are refused with the nearest valid name, and secrets never print.
"""

from __future__ import annotations

import difflib
import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from flows.yaml_files import read_mapping
from strikelake.errors import ConfigError, MissingCredentialsError
from strikelake.vendors.flat_files import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMED_VARIABLES = (
    *(
        f"{vendor}_{name}"
        for vendor in ("POLYGON", "MASSIVE")
        for name in ("API_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_ENDPOINT", "S3_BUCKET", "REST_ENDPOINT")
    ),
    "ALPACA_API_KEY",
    "ALPACA_SECRET_KEY",
    "ALPACA_ENDPOINT",
    "ACCOUNT_BALANCE",
    "RISK_TOLERANCE",
    "TRADING_MODE",
)
"""Variables with a name of their own; every other setting is STRIKELAKE_<SECTION>__<KEY>."""

_OUTSIDE = {"STRIKELAKE_HOME", "STRIKELAKE_REAL_DATA"}
Share = Annotated[float, Field(gt=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LakeSection(_Section):
    """Where the lake is: a folder, or s3://bucket/prefix."""

    root: str


class QuotesSection(_Section):
    """Which quotes of options are kept; `tier` is the symbols of the account's tier."""

    underlyings: Literal["tier", "all"] | tuple[str, ...]
    max_dte: int | None = Field(ge=0)
    sampling: Literal["minute", "all"]


class FlatFilesSection(_Section):
    """Where flat files come from, which, and what is kept of the largest of them."""

    endpoint: str
    bucket: str
    datasets: tuple[Dataset, ...]
    optional: tuple[Dataset, ...]
    bad_share: Share
    timeout_seconds: float = Field(gt=0)
    quotes: QuotesSection


class RestSection(_Section):
    """The data vendor's REST endpoint, and whether and where its requests are counted."""

    endpoint: str
    timeout_seconds: float = Field(gt=0)
    enforce_budget: bool
    budget_file: str
    settle_seconds: float = Field(ge=0, le=30)


class ComputeSection(_Section):
    """Where heavy steps run: threads of this process, or Dask's workers.

    `scheduler` is the address of a cluster; None starts `workers` processes on this machine.
    """

    runner: Literal["threads", "dask"]
    workers: int = Field(ge=1)
    scheduler: str | None


class BrokerSection(_Section):
    """The broker's endpoints; `TRADING_MODE` chooses."""

    paper_endpoint: str
    live_endpoint: str
    timeout_seconds: float = Field(gt=0)


class ClockSection(_Section):
    """Where the live trader gets its time; None is the machine's clock."""

    endpoint: str | None = None


class TrackingSection(_Section):
    """MLflow: database, artifacts, experiment and the registered model's name."""

    uri: str
    artifacts: str
    experiment: str
    model: str


class ResearchSection(_Section):
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


class TradingSection(_Section):
    """Live trading and what option pricing falls back to."""

    journal: str
    default_rate: float


class LoggingSection(_Section):
    """How much is said."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Settings(BaseSettings):
    """All settings of one process, read once and passed on."""

    model_config = SettingsConfigDict(
        env_prefix="STRIKELAKE_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        populate_by_name=True,
    )

    lake: LakeSection
    flat_files: FlatFilesSection
    rest: RestSection
    compute: ComputeSection
    broker: BrokerSection
    clock: ClockSection
    tracking: TrackingSection
    research: ResearchSection
    trading: TradingSection
    logging: LoggingSection
    reports: str

    api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("POLYGON_API_KEY", "MASSIVE_API_KEY")
    )
    s3_access_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("POLYGON_S3_ACCESS_KEY", "MASSIVE_S3_ACCESS_KEY")
    )
    s3_secret_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("POLYGON_S3_SECRET_KEY", "MASSIVE_S3_SECRET_KEY")
    )
    s3_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("POLYGON_S3_ENDPOINT", "MASSIVE_S3_ENDPOINT")
    )
    s3_bucket: str | None = Field(
        None, validation_alias=AliasChoices("POLYGON_S3_BUCKET", "MASSIVE_S3_BUCKET")
    )
    rest_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("POLYGON_REST_ENDPOINT", "MASSIVE_REST_ENDPOINT")
    )
    alpaca_api_key: SecretStr | None = Field(None, validation_alias="ALPACA_API_KEY")
    alpaca_secret_key: SecretStr | None = Field(None, validation_alias="ALPACA_SECRET_KEY")
    alpaca_endpoint: str | None = Field(None, validation_alias="ALPACA_ENDPOINT")
    account_balance: Decimal = Field(Decimal(25_000), ge=0, validation_alias="ACCOUNT_BALANCE")
    risk_tolerance: Literal["low", "medium", "high"] = Field("medium", validation_alias="RISK_TOLERANCE")
    trading_mode: Literal["paper", "live"] = Field("paper", validation_alias="TRADING_MODE")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes it by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment first, then `.env`, then `config/config.yaml`."""
        yaml = InitSettingsSource(settings_cls, read_mapping(home() / "config" / "config.yaml"))
        return init_settings, env_settings, dotenv_settings, yaml

    def path(self, relative: str) -> Path:
        """Return a configured path; relative ones are below the project's home."""
        return home() / relative

    def flat_file_keys(self) -> tuple[str, str]:
        """Return the access key and the secret key of the flat files.

        Raises
        ------
        MissingCredentialsError
            When one or both are not set.
        """
        return _key_pair(
            self.s3_access_key,
            self.s3_secret_key,
            "POLYGON_S3_ACCESS_KEY",
            "POLYGON_S3_SECRET_KEY",
            "reading flat files",
        )

    def broker_keys(self) -> tuple[str, str]:
        """Return the broker's key and secret.

        Raises
        ------
        MissingCredentialsError
            When one or both are not set.
        """
        return _key_pair(
            self.alpaca_api_key, self.alpaca_secret_key, "ALPACA_API_KEY", "ALPACA_SECRET_KEY", "trading"
        )

    def vendor_key(self) -> str:
        """Return the data vendor's API key.

        Raises
        ------
        MissingCredentialsError
            When it is not set.
        """
        if self.api_key is None or not self.api_key.get_secret_value():
            raise MissingCredentialsError(
                "POLYGON_API_KEY is not set and REST market data needs it: put it into .env "
                "(MASSIVE_API_KEY is the same)"
            )
        return self.api_key.get_secret_value()


def bucket_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials and the endpoint of a lake in a bucket, from the usual AWS variables.

    Examples
    --------
    >>> bucket_options({"AWS_ENDPOINT_URL_S3": "http://localhost:9000", "HOME": "/root"})
    {'AWS_REGION': 'us-east-1', 'AWS_ENDPOINT_URL': 'http://localhost:9000'}
    """
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    found = {name: environment[name] for name in keys if environment.get(name)}
    return found | {"AWS_REGION": region} | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})


def home() -> Path:
    """Return the project's home: STRIKELAKE_HOME, this folder if it has a `config`, or the checkout."""
    named = os.environ.get("STRIKELAKE_HOME")
    if named:
        return Path(named).resolve()
    here = Path.cwd()
    return here if (here / "config" / "config.yaml").is_file() else Path(__file__).resolve().parents[1]


def load() -> Settings:
    """Read the settings.

    Raises
    ------
    ConfigError
        When a key is unknown (with the nearest valid name), missing, out of range or there twice.
    """
    if not (home() / "config" / "config.yaml").is_file():
        raise ConfigError(f"{home()} has no config/config.yaml: run in the checkout, or set STRIKELAKE_HOME")
    _refuse_misspelt(os.environ)
    try:
        return Settings(_env_file=home() / ".env")  # type: ignore[call-arg]
    except SettingsError as error:
        example = """STRIKELAKE_RESEARCH__MODELS='["forest"]'"""
        raise ConfigError(f"{error}: lists are written as JSON, such as {example}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{home() / '.env'} is no UTF-8 ({error}): save it as such") from None
    except ValidationError as error:
        raise ConfigError(describe(error, Settings, "config/config.yaml or the environment")) from None


def describe(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """Return the first problem of a validation as one line: what was found, where, and what to do."""
    problems = error.errors(include_url=False, include_context=False)
    # A misspelt key is also a missing one: the misspelling is what the reader must see.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        hint = nearest(str(first["loc"][-1]), _names(model, first["loc"][:-1]))
        return f"unknown setting {where!r} in {source}{hint}"
    found = "" if first["type"] == "missing" else f" (found {first['input']!r})"
    return f"setting {where!r} in {source}: {first['msg']}{found}"


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `: did you mean …?` for the valid name closest to `name`, else the valid names."""
    choices = sorted(map(str, valid))
    close = difflib.get_close_matches(name, choices, n=1)
    return f": did you mean {close[0]!r}?" if close else f": valid are {', '.join(choices)}"


def _names(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None or not (
            isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        ):
            return []
        model = field.annotation
    return list(model.model_fields)


def _key_pair(
    key: SecretStr | None, secret: SecretStr | None, key_name: str, secret_name: str, purpose: str
) -> tuple[str, str]:
    values = [value.get_secret_value() if value else "" for value in (key, secret)]
    missing = [name for name, value in zip((key_name, secret_name), values, strict=True) if not value]
    if missing:
        half = " (the other half of the pair is set)" if len(missing) == 1 else ""
        verb = "is" if len(missing) == 1 else "are"
        raise MissingCredentialsError(
            f"{' and '.join(missing)} {verb} not set{half} and {purpose} needs the pair: put both into .env, "
            "or run `strikelake demo`, which needs none"
        )
    return values[0], values[1]


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Refuse variables that look like ours and are not; other programs' variables pass."""
    sections = [
        f"STRIKELAKE_{section}__{key}".upper()
        for section in Settings.model_fields
        for key in _names(Settings, (section,))
    ]
    valid = [*NAMED_VARIABLES, *sections, "STRIKELAKE_REPORTS", *_OUTSIDE]
    for name in environment:
        if name in valid:
            continue
        ours = name.startswith("STRIKELAKE_")
        almost = name.startswith(("POLYGON_", "MASSIVE_", "ALPACA_", "ACCOUNT_", "RISK_", "TRADING_"))
        if ours or (almost and difflib.get_close_matches(name, NAMED_VARIABLES, n=1, cutoff=0.85)):
            raise ConfigError(f"unknown environment variable {name}{nearest(name, valid)}")
    for one, other in zip(NAMED_VARIABLES[:6], NAMED_VARIABLES[6:12], strict=True):
        if environment.get(one) and environment.get(other) and environment[one] != environment[other]:
            raise ConfigError(f"{one} and {other} are both set and differ: keep one of them")
