"""What is wrong with settings, in one line: unknown names with the nearest valid one, values out of range."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pydantic import BaseModel

from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import ValidationError

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


def refuse_misspelt(environment: Mapping[str, str], model: type[BaseModel]) -> None:
    """Refuse variables that look like a setting of `model` and are none; other programs' variables pass.

    Raises
    ------
    ConfigError
        With the nearest valid name; also when two spellings of one variable differ.
    """
    sections = [
        f"STRIKELAKE_{section}__{key}".upper()
        for section in model.model_fields
        for key in _names(model, (section,))
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
