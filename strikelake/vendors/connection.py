"""One way to ask the vendor's REST: within the budget, with a timeout, and whole answers or an exception.

The vendor's own iterators end silently when a later page is damaged, and its own retries pass no budget. So
pages are asked for one by one and checked here, and every request, repeated ones too, passes the limiter.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from strikelake.calendar import NS_PER_SECOND, Clock, SystemClock, from_datetime
from strikelake.errors import (
    MissingCredentialsError,
    NotEntitledError,
    NotPublishedError,
    VendorError,
    VendorUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from massive import RESTClient

    from strikelake.vendors.limiter import RequestLimiter

    Page = dict[str, Any]

_ATTEMPTS = 4
_BACKOFF_SECONDS = 0.1
_LONGEST_PAUSE_NS = 120 * NS_PER_SECOND
_OK, _BUSY = 200, 429
_WORTH_ANOTHER_TRY = {413, 429, 499, 500, 502, 503, 504}


class Connection:
    """The vendor's client, kept to a budget, without its silent ways to fail.

    Parameters
    ----------
    api_key
        The vendor's key.
    base_url
        Root of the API; a sandbox's `rest_url` in its place serves a simulated market.
    timeout
        Seconds to wait for a connection and for an answer; a busy or silent server is asked four times.
    limiter
        What every request passes; None knows no budget.
    clock
        What pauses pass on; the limiter's own.

    Attributes
    ----------
    client
        The vendor's client; its methods are called with `raw=True` inside `ask` and `pages`.

    Raises
    ------
    MissingCredentialsError
        When `api_key` is empty.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        timeout: float,
        limiter: RequestLimiter | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not api_key:
            raise MissingCredentialsError(
                f"no API key for {base_url}: set MASSIVE_API_KEY (or POLYGON_API_KEY, its former name)"
            )
        from massive import RESTClient

        self.clock = clock or SystemClock()
        self.client: RESTClient = RESTClient(
            api_key=api_key,
            base=base_url.rstrip("/"),
            connect_timeout=timeout,
            read_timeout=timeout,
            connection_pool_kw={"retries": False},
        )
        self.client.client = _Pool(self.client.client, limiter, self.clock)

    def close(self) -> None:
        """Close the connections; the object can be used again."""
        self.client.client.clear()

    def ask(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """Return the document that one call of a client's method answers.

        Raises
        ------
        NotEntitledError, NotPublishedError
            On 401 and 403, and on 404.
        VendorUnavailableError
            When the vendor does not answer or the answer is damaged, and when the budget is used up.
        """
        return _document(call(**arguments, raw=True))[1]

    def pages(self, ask: Callable[[str | None], Any], field: str = "results") -> Iterator[list[Page]]:
        """Yield the rows of one answer page by page, each checked.

        Parameters
        ----------
        ask
            Gives the raw answer of the page at an address; None is the first.
        field
            Where the rows are: `results`, `results.values`, `tickers`.

        Raises
        ------
        NotEntitledError, NotPublishedError, VendorUnavailableError
            As `ask` does; also when a page says that it is incomplete, and when pages go round in a circle.
        """
        url: str | None = None
        seen: set[str] = set()
        while True:
            where, page = _document(ask(url))
            yield _rows(where, page, field)
            url = page.get("next_url")
            if not url:
                return
            if url in seen:
                raise VendorUnavailableError(f"{where} gave the same next page twice; try again later")
            seen.add(url)

    def rows(
        self, call: Callable[..., Any], *arguments: Any, field: str = "results", **params: Any
    ) -> list[Page]:
        """Return the rows of all pages of a client's list method.

        Parameters
        ----------
        call
            The method; called with `params=` and `raw=True`.
        *arguments
            Its positional arguments.
        field
            Where the rows are.
        **params
            The query, `__` standing for the dot of `date.gte`; None is left out.
        """
        query = {name.replace("__", "."): _text(value) for name, value in params.items() if value is not None}

        def ask(url: str | None) -> Any:
            return call(*arguments, params=following(url) if url else dict(query), raw=True)

        return [row for page in self.pages(ask, field) for row in page]


def following(url: str) -> dict[str, str]:
    """Return the query of a next page's address: it is asked for at our own endpoint, whatever its host."""
    return dict(parse_qsl(urlsplit(url).query))


class _Pool:
    """The client's connection pool: the budget before each request, failures as our errors after it."""

    def __init__(self, pool: Any, limiter: RequestLimiter | None, clock: Clock) -> None:
        self._pool = pool
        self._limiter = limiter
        self._clock = clock

    def clear(self) -> None:
        self._pool.clear()

    def request(self, method: str, url: str, **options: Any) -> Any:
        from urllib3.exceptions import HTTPError

        host = urlsplit(url).netloc
        for attempt in range(1, _ATTEMPTS + 1):
            if self._limiter is not None:
                self._limiter.acquire()
            try:
                answer = self._pool.request(method, url, **options)
            except HTTPError as error:
                said: str = f"{error}"
                pause = 0.0
            else:
                if answer.status not in _WORTH_ANOTHER_TRY:
                    return _accepted(answer, url)
                said, pause = _said(answer), self._asked_pause(answer)
            if attempt < _ATTEMPTS:
                self._wait(host, max(pause, _BACKOFF_SECONDS * 2 ** (attempt - 1)))
        raise VendorUnavailableError(f"{host} does not answer ({said}); try again later")

    def _asked_pause(self, answer: Any) -> float:
        """Return the seconds that a busy vendor wants to be left alone, and tell all processes of them."""
        pause = _retry_after(answer.headers.get("Retry-After"), self._clock.now())
        if answer.status == _BUSY and pause and self._limiter is not None:
            self._limiter.hold(pause)
        return pause

    def _wait(self, host: str, seconds: float) -> None:
        patience_ns = _LONGEST_PAUSE_NS if self._limiter is None else self._limiter.patience_ns
        if seconds * NS_PER_SECOND > patience_ns:
            raise VendorUnavailableError(f"{host} asks for a pause of {seconds:.0f} s: try again after it")
        self._clock.sleep_until(self._clock.now() + round(seconds * NS_PER_SECOND))


def _accepted(answer: Any, url: str) -> Any:
    if answer.status == _OK:
        return answer
    where = f"{urlsplit(url).netloc}{urlsplit(url).path} answered {_said(answer)}"
    if answer.status in {401, 403}:
        raise NotEntitledError(f"{where}; check the API key and its plan")
    if answer.status == 404:  # noqa: PLR2004 - not found
        raise NotPublishedError(f"{where}; it is not there, or not yet")
    if answer.status >= 500:  # noqa: PLR2004 - server errors
        raise VendorUnavailableError(f"{where}; try again later")
    raise VendorError(f"{where}; the request itself is wrong")


def _said(answer: Any) -> str:
    return f"{answer.status}: {answer.data.decode(errors='replace')[:200]}"


def _retry_after(header: str | None, now: int) -> float:
    """Return the seconds of a Retry-After header, a number or a date; 0 without one."""
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    with suppress(ValueError):
        moment: datetime = parsedate_to_datetime(header).replace(tzinfo=UTC)
        return max(0.0, (from_datetime(moment) - now) / NS_PER_SECOND)
    return 0.0


def _document(answer: Any) -> tuple[str, Any]:
    """Return where an answer came from, and its document."""
    where = urlsplit(answer.url or "").path or "the vendor"
    try:
        return where, json.loads(answer.data)
    except ValueError as error:
        raise VendorUnavailableError(f"{where} sent a damaged page ({error}); try again later") from error


def _rows(where: str, page: Any, field: str) -> list[Page]:
    """Return a page's rows, if it says that it is whole."""
    if not isinstance(page, dict) or page.get("status") not in {"OK", "DELAYED"}:
        state = page.get("status") if isinstance(page, dict) else type(page).__name__
        raise VendorUnavailableError(f"{where} sent a page with status {state!r}; try again later")
    # Bars leave `results` out where there are none, and say so by a count of 0.
    found: Any = page if "results" in page or page.get("resultsCount") != 0 else {**page, "results": []}
    for name in field.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise VendorUnavailableError(f"{where} sent a page without {field}; try again later")
    if (count := page.get("resultsCount", len(found))) != len(found):
        raise VendorUnavailableError(f"{where} sent {len(found)} of {count} results; try again later")
    return found


def _text(value: Any) -> Any:
    """Return a query's value as the vendor spells it."""
    return str(value).lower() if isinstance(value, bool) else value
