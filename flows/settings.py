"""Configuration: `config/*.yaml`, then `.env`, then the environment; the last one wins.

Everything is frozen, unknown keys are refused with the nearest valid name, and secrets never print.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from flows.misspelt import describe, refuse_misspelt
from flows.sections import (
    BrokerSection,
    ClockSection,
    ComputeSection,
    FlatFilesSection,
    LakeSection,
    LoggingSection,
    ResearchSection,
    RestSection,
    TrackingSection,
    TradingSection,
)
from flows.yaml_files import read_mapping
from strikelake.errors import ConfigError, MissingCredentialsError

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    refuse_misspelt(os.environ, Settings)
    try:
        return Settings(_env_file=home() / ".env")  # type: ignore[call-arg]
    except SettingsError as error:
        example = """STRIKELAKE_RESEARCH__MODELS='["forest"]'"""
        raise ConfigError(f"{error}: lists are written as JSON, such as {example}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{home() / '.env'} is no UTF-8 ({error}): save it as such") from None
    except ValidationError as error:
        raise ConfigError(describe(error, Settings, "config/config.yaml or the environment")) from None


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
