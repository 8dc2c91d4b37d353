"""Reference answers of the sandbox's REST: splits, dividends and the treasury yields of past days."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from strikelake.calendar import et_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.sandbox.venue import Venue

_NUMBERS = ("split_from", "split_to", "cash_amount")
_COMPARISONS = {"gte": "__ge__", "gt": "__gt__", "lte": "__le__", "lt": "__lt__"}


def actions(kind: str, venue: Venue) -> list[dict[str, Any]]:
    """Return `splits` or `dividends`, as `/v3/reference` spells them; the newest first."""
    day = "execution_date" if kind == "splits" else "ex_dividend_date"
    rows = [_numbers(line) for line in venue.exchange.reference.get(kind, [])]
    kept = ("ticker", day, *_NUMBERS)
    shown = [{name: value for name, value in row.items() if name in kept} for row in rows]
    return sorted(shown, key=lambda row: str(row[day]), reverse=True)


def yields(venue: Venue) -> list[dict[str, Any]]:
    """Return the treasury curves of the days before today, in percent, as `/fed/v1/treasury-yields` does."""
    today = str(et_date(venue.now))
    curves = venue.exchange.reference.get("treasury_curves", [])
    return [_curve(line) for line in reversed(curves) if str(line["date"]) < today]


def matches(row: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Return whether a row has what a query asks: `field=value` and `field.gte=value`, compared as text."""
    for name, wanted in query.items():
        field, _, comparison = name.partition(".")
        if field in row and not getattr(str(row[field]), _COMPARISONS.get(comparison, "__eq__"))(wanted):
            return False
    return True


def _numbers(line: Mapping[str, str | None]) -> dict[str, Any]:
    return {name: float(text) if name in _NUMBERS and text else text for name, text in line.items()}


def _curve(line: Mapping[str, str | None]) -> dict[str, Any]:
    """Return one day: `1month` of the file, a decimal, is the vendor's `yield_1_month`, in percent."""
    shown: dict[str, Any] = {"date": line["date"]}
    for name, text in line.items():
        if text and (found := re.fullmatch(r"(\d+)(month|year)", name)):
            shown[f"yield_{found[1]}_{found[2]}"] = round(float(text) * 100.0, 6)
    return shown
