"""What all answers of the sandbox's REST share: keys, plans, rate limits, error bodies, queries and pages."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import date, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.responses import JSONResponse, Response

from strikelake.calendar import NS_PER_SECOND, et_date, et_ns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request

    from strikelake.sandbox.archive import Archive
    from strikelake.sandbox.plans import Plan
    from strikelake.sandbox.venue import Venue

    Handler = Callable[["Call"], Awaitable[Any]]

NS_PER_MS = NS_PER_SECOND // 1000
_UPGRADE = "Please upgrade your plan at https://massive.com/pricing"
_COMPARISONS = {"gte": "__ge__", "gt": "__gt__", "lte": "__le__", "lt": "__lt__"}


class ProblemError(Exception):
    """An error answer; never leaves the server."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what is asked, by whom, and of which market at which time."""

    request: Request
    venue: Venue
    archive: Archive
    plan: Plan
    query: dict[str, str]

    @property
    def now(self) -> int:
        """The simulated time, ns UTC."""
        return self.venue.now

    @property
    def today(self) -> date:
        """The simulated date in New York."""
        return et_date(self.venue.now)

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def require_live(self) -> None:
        """Refuse a plan that may not see the present day."""
        if not self.plan.live:
            raise ProblemError(403, f"You are not entitled to this data. {_UPGRADE}")

    def limit(self, default: int, most: int) -> int:
        """Return how many rows are asked for."""
        text = self.query.get("limit", str(default))
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise ProblemError(400, f"limit must be between 1 and {most}")
        return int(text)

    def next_url(self, path: str, query: Mapping[str, str]) -> str:
        """Return the address of a further page; its query is inside the cursor."""
        cursor = base64.urlsafe_b64encode(urlencode(query).encode()).decode()
        return f"{self.request.base_url}".rstrip("/") + f"{path}?cursor={cursor}"

    def page(self, rows: Sequence[Any], default: int = 10, most: int = 1_000) -> dict[str, Any]:
        """Return the page of rows that is asked for, and the address of the next."""
        start = int(self.query.get("offset", "0"))
        stop = start + self.limit(default, most)
        answer: dict[str, Any] = {"results": list(rows[start:stop])}
        if stop < len(rows):
            query = {**self.query, "offset": str(stop)}
            answer["next_url"] = self.next_url(self.request.url.path, query)
        return answer

    def ordered(self, rows: list[dict[str, Any]], by: str, order: str = "asc") -> list[dict[str, Any]]:
        """Return rows as `sort` and `order` ask; by default as given."""
        by, order = self.query.get("sort", by), self.query.get("order", order)
        if rows and any(by not in row for row in rows):
            raise ProblemError(400, f"the answer cannot be sorted by {by!r}: use one of {', '.join(rows[0])}")
        return sorted(rows, key=lambda row: row[by], reverse=order == "desc")

    def listed(self, rows: Sequence[Mapping[str, Any]], **limits: int) -> dict[str, Any]:
        """Return the page of the rows that the query matches."""
        return self.page([row for row in rows if matches(row, self.query)], **limits)


def guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Check the key and its rate, and turn a handler's value or problem into a response.

    An object is sent with `status` and `request_id`, a response as it is.
    """

    @wraps(handler)
    async def respond(request: Request) -> Response:
        state = request.app.state
        venue: Venue = state.venue
        request_id = f"{abs(venue.now):032x}"
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        key = key or request.query_params.get("apiKey", "")
        plan = state.plans.get(key)
        if plan is None:
            error = {"status": "ERROR", "request_id": request_id, "error": "Unknown API Key"}
            return JSONResponse(error, 401)
        if wait := state.meter.wait(key, plan, venue.now):
            said = (
                "You've exceeded the maximum requests per minute, please wait or upgrade your subscription."
            )
            error = {"status": "ERROR", "request_id": request_id, "error": said}
            return JSONResponse(error, 429, {"Retry-After": str(wait)})
        try:
            answer = await handler(Call(request, venue, state.archive, plan, _query(request)))
        except ProblemError as problem:
            return JSONResponse({"request_id": request_id} | _problem(problem), problem.status)
        if isinstance(answer, Response):
            return answer
        return JSONResponse({"status": "OK", "request_id": request_id} | answer)

    return respond


def matches(row: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Return whether a row has what a query asks: `field=value` and `field.gte=value`.

    Numbers are compared as numbers, everything else as text.
    """
    for name, wanted in query.items():
        field, _, comparison = name.partition(".")
        if field in row and not _compared(row[field], _COMPARISONS.get(comparison, "__eq__"), wanted):
            return False
    return True


def bound(text: str, *, last: bool) -> int:
    """Return a bound in ns UTC: milliseconds, or a date in New York, whose end counts when it is the last."""
    if text.isdecimal():
        return int(text) * NS_PER_MS
    day = day_of(text)
    return et_ns(day + timedelta(days=1), "00:00") - 1 if last else et_ns(day, "00:00")


def day_of(text: str) -> date:
    """Return a date of the query."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        said = f"could not parse the time {text!r}: use YYYY-MM-DD or milliseconds"
        raise ProblemError(400, said) from None


def early(call: Call, last_ns: int) -> None:
    """Refuse today's data to a plan that may have them only when the day is over."""
    if not call.plan.live and et_date(last_ns) >= call.today:
        raise ProblemError(403, f"Attempted to request today's data before end of day. {_UPGRADE}")


def _compared(value: Any, comparison: str, wanted: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return bool(getattr(str(value), comparison)(wanted))
    try:
        return bool(getattr(float(value), comparison)(float(wanted)))
    except ValueError:
        raise ProblemError(400, f"{wanted!r} is no number") from None


def _problem(problem: ProblemError) -> dict[str, str]:
    """Return an error's body: the vendor names refusals by their status and explains them in `message`."""
    names = {403: "NOT_AUTHORIZED", 404: "NOT_FOUND"}
    if problem.status in names:
        return {"status": names[problem.status], "message": str(problem)}
    return {"status": "ERROR", "error": str(problem)}


def _query(request: Request) -> dict[str, str]:
    """Return the query; on a later page it is inside the cursor."""
    query = dict(request.query_params)
    query.pop("apiKey", None)
    cursor = query.pop("cursor", None)
    if cursor is None:
        return query
    try:
        return dict(parse_qsl(base64.b64decode(cursor, b"-_", validate=True).decode()))
    except ValueError:
        raise ProblemError(400, "invalid cursor") from None
