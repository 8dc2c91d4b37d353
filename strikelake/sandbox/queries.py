"""Query parameters of the broker's requests, read with its refusals."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, TypeVar

from strikelake.calendar import from_datetime
from strikelake.sandbox.desk_orders import unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Query = Mapping[str, str]

_Item = TypeVar("_Item")


def count(query: Query, name: str, default: int, most: int) -> int:
    """Return a whole number from 1; what exceeds `most` is `most`."""
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) == 0:
        raise unreadable(f"invalid {name}: {text} is not a whole number > 0")
    return min(int(text), most)


def price(query: Query, name: str, default: str) -> Decimal:
    """Return a number."""
    text = query.get(name, default)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise unreadable(f"invalid {name}: {text} is not a number") from None


def day(query: Query, name: str) -> date | None:
    """Return a date, None when it is not given."""
    text = query.get(name)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise unreadable(f"invalid {name}: {text} is not a date YYYY-MM-DD") from None


def moment(query: Query, name: str) -> int | None:
    """Return a time as ns UTC, None when it is not given."""
    text = query.get(name)
    try:
        parsed = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise unreadable(f"invalid {name}: {text} is not a time in RFC 3339") from None
    if parsed is None:
        return None
    return from_datetime(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))


def names(query: Query, name: str) -> set[str]:
    """Return the parts of a list with commas; empty when it is not given."""
    return set(query.get(name, "").split(",")) - {""}


def yes(query: Query, name: str) -> bool:
    """Return whether a flag is set."""
    return query.get(name, "false").lower() == "true"


def page(found: Sequence[_Item], query: Query, size: int) -> tuple[Sequence[_Item], str | None]:
    """Return the page that a query's token names, and the next one's token."""
    token = query.get("page_token")
    try:
        start = int(base64.b64decode(token, b"-_", validate=True)) if token else 0
    except ValueError:
        raise unreadable(f"invalid page_token: {token}") from None
    following = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return found[start : start + size], following if start + size < len(found) else None
