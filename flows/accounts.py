"""Account tiers and risk rules, read from `config/accounts.yaml` and `config/risk.yaml`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from flows.misspelt import describe
from flows.settings import home
from flows.yaml_files import read_mapping
from strikelake.calendar import NS_PER_SECOND
from strikelake.errors import ConfigError
from strikelake.risk.limits import Appetite, Limits, RiskRules, Tolerance, limits_for
from strikelake.risk.tiers import Tier, TrainingPlan, tier_for, tier_ladder

if TYPE_CHECKING:
    from flows.settings import Settings

# YAML numbers are floats; money and shares are decimals as written.
Number = Annotated[Decimal, BeforeValidator(str)]
T = TypeVar("T", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Requests(_Part):
    per_minute: int = Field(ge=1)
    per_day: int = Field(ge=1)


class _Training(_Part):
    history_days: int = Field(ge=30, le=90)
    models: tuple[str, ...]
    trials: int = Field(ge=0)


class _Tier(_Part):
    min_equity: Number
    adds: tuple[str, ...]
    max_positions: int
    risk_per_trade: Number
    requests: _Requests
    training: _Training


class _Accounts(_Part):
    tiers: dict[str, _Tier]


class _Appetite(_Part):
    position_limit: Number
    stop_loss: Number


class _Tolerances(_Part):
    low: _Appetite
    medium: _Appetite
    high: _Appetite


class _Risk(_Part):
    max_daily_loss: Number
    flatten_on_halt: bool
    max_portfolio_risk: Number
    max_correlation: float
    tolerance: _Tolerances
    profit_target: Number
    min_edge: float
    delta_target: float
    delta_tolerance: float
    min_dte: int
    max_dte: int
    max_spread: Number
    max_quote_age_seconds: int
    limit_slippage: Number
    fee_per_contract: Number
    latency_seconds: float = Field(ge=0)


def tiers() -> tuple[Tier, ...]:
    """Return the ladder of account tiers.

    Raises
    ------
    ConfigError
        When `config/accounts.yaml` is missing, has an unknown key or a number out of range.
    """
    return tier_ladder(_tier(name, rung) for name, rung in _read(_Accounts, "accounts.yaml").tiers.items())


def tier(settings: Settings, balance: Decimal | None = None) -> Tier:
    """Return the tier of a balance in dollars, by default that of `ACCOUNT_BALANCE`."""
    return tier_for(settings.account_balance if balance is None else balance, tiers())


def limits(settings: Settings, balance: Decimal | None = None) -> Limits:
    """Return the limits of an account: its tier's, at the configured risk tolerance."""
    return limits_for(tier(settings, balance), settings.risk_tolerance, risk_rules())


def risk_rules() -> RiskRules:
    """Return the risk rules.

    Raises
    ------
    ConfigError
        When `config/risk.yaml` is missing, has an unknown key or a number out of range.
    """
    risk = _read(_Risk, "risk.yaml")
    values = risk.model_dump(exclude={"tolerance", "max_quote_age_seconds", "latency_seconds"})
    appetites = {
        Tolerance(name): Appetite(**appetite) for name, appetite in risk.tolerance.model_dump().items()
    }
    return RiskRules(
        appetites=appetites, max_quote_age_ns=risk.max_quote_age_seconds * NS_PER_SECOND, **values
    )


def latency_ns() -> int:
    """Return the time from a decision to the market that backtests assume, ns."""
    return round(_read(_Risk, "risk.yaml").latency_seconds * NS_PER_SECOND)


def _tier(name: str, rung: _Tier) -> Tier:
    return Tier(
        name=name,
        min_equity=rung.min_equity,
        symbols=rung.adds,
        max_positions=rung.max_positions,
        risk_per_trade=rung.risk_per_trade,
        requests_per_minute=rung.requests.per_minute,
        requests_per_day=rung.requests.per_day,
        training=TrainingPlan(rung.training.history_days, rung.training.models, rung.training.trials),
    )


def _read(model: type[T], name: str) -> T:
    try:
        return model.model_validate(read_mapping(home() / "config" / name))
    except ValidationError as error:
        raise ConfigError(describe(error, model, f"config/{name}")) from None
