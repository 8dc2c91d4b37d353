"""The broker's orders and their updates as Alpaca writes them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from strikelake.sandbox.alpaca_json import Json, asset_class, asset_id, money, utc
from strikelake.sandbox.desk_orders import Status, leg_id

if TYPE_CHECKING:
    from strikelake.sandbox.desk import Desk, Update
    from strikelake.sandbox.desk_orders import DeskLeg, DeskOrder

_NOTHING = ("notional", "trail_percent", "trail_price", "hwm", "subtag", "source")


def order(placed: DeskOrder, *, nested: bool = True) -> Json:
    """Return an order; the legs of a multi-leg order, or its exits, come inside it unless `nested` is off."""
    ticket, kind = placed.ticket, str(placed.ticket.type)
    shown = _common(placed) | {
        "id": placed.order_id,
        "client_order_id": ticket.client_order_id,
        "qty": str(ticket.quantity),
        "filled_qty": str(placed.filled),
        "type": kind,
        "order_type": kind,
        "limit_price": money(ticket.shown_limit) if ticket.shown_limit is not None else None,
        "stop_price": money(ticket.stop) if ticket.stop is not None else None,
        "commission": money(placed.fees),
    }
    if ticket.multi:
        # The parent of a multi-leg order has no asset of its own; Alpaca writes empty strings.
        nothing = dict.fromkeys(("asset_id", "symbol", "asset_class", "side", "position_intent"), "")
        average = money(placed.net) if placed.filled else None
        return shown | nothing | {"filled_avg_price": average, "legs": legs(placed) if nested else None}
    average = money(placed.price(0)) if placed.filled else None
    inside = [order(child) for child in placed.children] if nested and placed.children else None
    return shown | _asset(ticket.legs[0]) | {"filled_avg_price": average, "legs": inside}


def legs(placed: DeskOrder) -> list[Json]:
    """Return the legs of a multi-leg order as orders of their own."""
    return [
        _common(placed)
        | _asset(leg)
        | {
            "id": leg_id(placed, number),
            "client_order_id": leg_id(placed, number),
            "qty": str(placed.ticket.quantity * leg.ratio),
            "ratio_qty": str(leg.ratio),
            "filled_qty": str(placed.filled * leg.ratio),
            "filled_avg_price": money(placed.price(number)) if placed.filled else None,
            "type": "",
            "order_type": "",
            "limit_price": None,
            "stop_price": None,
            "legs": None,
        }
        for number, leg in enumerate(placed.ticket.legs)
    ]


def related(placed: DeskOrder) -> list[Json]:
    """Return what a flat list of orders shows beside an order: the legs of a multi-leg order."""
    return legs(placed) if placed.ticket.multi else []


def update(told: Update, desk: Desk, number: int) -> Json:
    """Return what `trade_updates` sends when something happened to an order.

    Parameters
    ----------
    told
        What happened.
    desk
        Where; positions are those at the time of the call.
    number
        Counts the updates of the account.
    """
    placed, fill = told.order, told.fill
    data: Json = {
        "event": told.event,
        "event_id": f"{number:026d}",
        "execution_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"execution {number}")),
        "at": utc(told.ts_ns),
        "timestamp": utc(told.ts_ns),
        "order": order(placed),
    }
    if fill is not None:
        data |= {"price": money(fill.net), "qty": str(fill.units)}
        if placed.ticket.multi:
            data["legs"] = [_leg_fill(told, desk, part) for part in range(len(placed.ticket.legs))]
        else:
            held = desk.books.quantity(placed.ticket.legs[0].symbol)
            data |= {"price": money(fill.prices[0]), "position_qty": str(held)}
    return {"stream": "trade_updates", "data": data}


def _leg_fill(told: Update, desk: Desk, number: int) -> Json:
    leg, fill = told.order.ticket.legs[number], told.fill
    return {
        "order_id": leg_id(told.order, number),
        "symbol": leg.symbol,
        "side": str(leg.side),
        "price": money(fill.prices[number]) if fill else None,
        "qty": str(fill.units * leg.ratio) if fill else None,
        "position_qty": str(desk.books.quantity(leg.symbol)),
    }


def _asset(leg: DeskLeg) -> Json:
    return {
        "asset_id": asset_id(leg.symbol),
        "symbol": leg.symbol,
        "asset_class": asset_class(leg.symbol),
        "side": str(leg.side),
        "position_intent": f"{leg.side}_to_{leg.effect}",
    }


def _common(placed: DeskOrder) -> dict[str, Any]:
    """Return what an order and its legs share."""
    ended = {
        f"{name}_at": utc(placed.updated_ns) if placed.status is status else None
        for name, status in (
            ("filled", Status.FILLED),
            ("expired", Status.EXPIRED),
            ("canceled", Status.CANCELED),
            ("failed", Status.REJECTED),
            ("replaced", Status.REPLACED),
        )
    }
    return {
        "created_at": utc(placed.submitted_ns),
        "submitted_at": utc(placed.submitted_ns),
        "updated_at": utc(placed.updated_ns),
        "expires_at": utc(placed.expires_ns),
        **ended,
        "replaced_by": placed.replaced_by,
        "replaces": placed.replaces,
        **dict.fromkeys(_NOTHING),
        "order_class": str(placed.ticket.order_class),
        "time_in_force": "gtc" if placed.ticket.good_till_canceled else "day",
        "extended_hours": placed.ticket.extended_hours,
        "status": str(placed.status),
    }
