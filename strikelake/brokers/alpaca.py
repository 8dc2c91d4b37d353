"""Alpaca's trading API behind the `Broker` protocol; the only file that knows `alpaca`.

The client is tamed first: as shipped it re-sends orders on 429 and 504, waits for ever, and leaves orders
unnamed.
"""

from __future__ import annotations

import json
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from strikelake.brokers.alpaca_answers import account, order_state, position, rows
from strikelake.errors import BrokerError, BrokerUnavailableError, ConfigError, OrderRejectedError
from strikelake.orders import Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import LimitOrderRequest

    from strikelake.orders import Leg, OrderIntent, OrderState
    from strikelake.portfolio import Account, Position

PAPER_URL = "https://paper-api.alpaca.markets"
LIVE_URL = "https://api.alpaca.markets"

_OPEN_ORDERS_LIMIT = 500
_UNAVAILABLE = {408, 425, 429}
_NO_SUCH_ORDER = 404


class AlpacaBroker:
    """An Alpaca account.

    Parameters
    ----------
    api_key, secret_key
        The account's keys; paper and live accounts have different ones.
    url
        `PAPER_URL`, `LIVE_URL`, or where a local market listens.
    timeout
        Seconds to wait for a connection, and between two pieces of an answer.

    Raises
    ------
    ConfigError
        When a key or its secret is missing.
    """

    def __init__(
        self, api_key: str | None, secret_key: str | None, *, url: str = PAPER_URL, timeout: float = 10.0
    ) -> None:
        named = {"ALPACA_API_KEY": api_key, "ALPACA_SECRET_KEY": secret_key}
        missing = [name for name, value in named.items() if not value]
        if missing:
            raise ConfigError(
                f"{' and '.join(missing)} not set: set both to the keys of the account at {url}"
            )
        self._url = url
        self._client = _tamed_client(str(api_key), str(secret_key), url, timeout)

    def account(self) -> Account:
        """Return the account; `buying_power` is what options can be bought with."""
        return account(self._call("the account", self._client.get_account))

    def positions(self) -> list[Position]:
        """Return every position, shares and coins under their own symbol and rounded away from 0."""
        raw = self._call("the positions", self._client.get_all_positions)
        return [position(row) for row in rows(raw, "the positions")]

    def submit(self, intent: OrderIntent) -> OrderState:
        """Send a day limit order: single, or multi-leg; see `Broker.submit`."""
        name = intent.client_order_id
        try:
            raw = self._call(
                f"order {name}", self._client.submit_order, _request(intent), refusal=OrderRejectedError
            )
        except _DuplicateOrderError as error:
            placed = self.order(name)
            if placed is None:
                message = f"Alpaca says that {name} was placed before, and cannot find it: look it up again"
                raise BrokerUnavailableError(message) from error
            return placed
        return order_state(raw)

    def order(self, client_order_id: str) -> OrderState | None:
        """Return the order of that name; None only when Alpaca itself says that it has none."""
        what = f"order {client_order_id}"
        try:
            raw = self._call(what, self._client.get_order_by_client_id, client_order_id)
        except _NoSuchOrderError:
            return None
        return order_state(raw)

    def cancel(self, client_order_id: str) -> None:
        """Ask for a cancel; an order that has ended or does not exist is left as it is."""
        found = self.order(client_order_id)
        if found is None or not found.status.is_open:
            return
        try:
            what, cancel = f"the cancel of {client_order_id}", self._client.cancel_order_by_id
            self._call(what, cancel, found.broker_id, refusal=OrderRejectedError)
        except (_NoSuchOrderError, OrderRejectedError):
            # It ended between the look and the request.
            return

    def open_orders(self) -> list[OrderState]:
        """Return every open order, legs folded into their parent."""
        from alpaca.trading.enums import QueryOrderStatus
        from alpaca.trading.requests import GetOrdersRequest

        asked = GetOrdersRequest(status=QueryOrderStatus.OPEN, limit=_OPEN_ORDERS_LIMIT, nested=True)
        found = rows(self._call("the open orders", self._client.get_orders, asked), "the open orders")
        if len(found) >= _OPEN_ORDERS_LIMIT:
            raise BrokerError(
                f"Alpaca lists {len(found)} open orders and may have more: cancel some, then start again"
            )
        return [order_state(row) for row in found]

    def _call(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        refusal: type[BrokerError] = BrokerError,
    ) -> Any:
        """Call the client once and translate whatever goes wrong."""
        from alpaca.common.exceptions import APIError
        from requests.exceptions import RequestException

        try:
            return function(*arguments)
        except APIError as error:
            raise _translated(error, what, self._url, refusal) from error
        except RequestException as error:
            # A body that is no JSON ends here too: after a POST, what it hid is not known.
            reason = type(error).__name__
            raise BrokerUnavailableError(
                f"no usable answer from {self._url} about {what} ({reason}): check the network "
                "and ALPACA_ENDPOINT"
            ) from error


class _DuplicateOrderError(OrderRejectedError):
    """The client_order_id is taken: this very order was placed before."""


class _NoSuchOrderError(BrokerError):
    """Alpaca says in its own words that there is no such order."""


def _tamed_client(api_key: str, secret_key: str, url: str, timeout: float) -> TradingClient:
    """Build a client that sends each request once and gives up after `timeout`."""
    with warnings.catch_warnings():
        # It imports a deprecated module of another library for its stream, which is not the user's to mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.trading.client import TradingClient
    from requests import Session

    client = TradingClient(api_key, secret_key, raw_data=True, url_override=url.rstrip("/"))
    session = Session()
    # A proxy of the environment is for the internet; a local market is never behind it.
    session.trust_env = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}
    # The client offers no public way to either setting.
    session.request = partial(session.request, timeout=timeout)  # type: ignore[method-assign]
    client._session = session  # noqa: SLF001 - as above
    client._retry_codes = []  # noqa: SLF001 - as above; the constructor ignores an empty list
    return client


def _translated(error: APIError, what: str, url: str, refusal: type[BrokerError]) -> BrokerError:
    """Say what an HTTP error means, defensively: the client's own `.code` and `.message` can raise."""
    status, text = error.status_code or 0, str(error)
    code, message = _error_body(text)
    said = message or " ".join(text.split())[:200] or "an empty body"
    if status in _UNAVAILABLE or not 400 <= status < 500:  # noqa: PLR2004 - HTTP's own ranges
        return BrokerUnavailableError(
            f"Alpaca answered {status} about {what} ({said}): its state is unknown, look it up"
        )
    if status == 401 or (status == 403 and "forbidden" in said.lower()):  # noqa: PLR2004 - as above
        return BrokerError(
            f"{url} refuses the keys ({status}): check ALPACA_API_KEY and ALPACA_SECRET_KEY for this account"
        )
    if status == _NO_SUCH_ORDER:
        if code is not None and "not found" in said.lower():
            return _NoSuchOrderError(f"Alpaca has no {what}")
        return BrokerError(
            f"{url} answered 404 about {what} without Alpaca's words ({said}): check ALPACA_ENDPOINT"
        )
    if "client_order_id" in said and "unique" in said:
        return _DuplicateOrderError(f"Alpaca already has {what}")
    return refusal(f"Alpaca refused {what} ({status}): {said}")


def _error_body(text: str) -> tuple[int | None, str]:
    try:
        body = json.loads(text)
    except ValueError:
        return None, ""
    if not isinstance(body, dict):
        return None, ""
    return body.get("code"), str(body.get("message") or "")


def _request(intent: OrderIntent) -> LimitOrderRequest:
    from alpaca.trading.enums import OrderClass, OrderSide, PositionIntent, TimeInForce
    from alpaca.trading.requests import LimitOrderRequest, OptionLegRequest

    def purpose(leg: Leg) -> PositionIntent:
        return PositionIntent(f"{leg.side}_to_{leg.effect}")

    common = {
        "qty": intent.quantity,
        "time_in_force": TimeInForce.DAY,
        "client_order_id": intent.client_order_id,
    }
    if len(intent.legs) == 1:
        (leg,) = intent.legs
        return LimitOrderRequest(
            symbol=leg.occ_symbol,
            side=OrderSide(leg.side),
            position_intent=purpose(leg),
            # One leg has a price, not a net: a credit of 1.20 is asked for as 1.20.
            limit_price=float(intent.limit_price if leg.side is Side.BUY else -intent.limit_price),
            **common,
        )
    legs = [
        OptionLegRequest(
            symbol=leg.occ_symbol, ratio_qty=leg.ratio, side=OrderSide(leg.side), position_intent=purpose(leg)
        )
        for leg in intent.legs
    ]
    return LimitOrderRequest(
        order_class=OrderClass.MLEG, limit_price=float(intent.limit_price), legs=legs, **common
    )
