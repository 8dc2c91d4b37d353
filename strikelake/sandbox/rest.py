"""Massive's REST, as far as the platform uses it: only what is known at the simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from strikelake.sandbox import (
    rest_bars,
    rest_indicators,
    rest_operations,
    rest_options,
    rest_reference,
    rest_stocks,
)
from strikelake.sandbox.faults import Surface
from strikelake.sandbox.faulty_http import faulty
from strikelake.sandbox.rest_http import guarded

if TYPE_CHECKING:
    from strikelake.sandbox.rest_http import Handler

_STOCKS = "/v2/snapshot/locale/us/markets/stocks/tickers"


def routes() -> list[Route]:
    """Return the market data routes; the application's state carries venue, archive, plans and meter."""
    table: tuple[tuple[str, Handler], ...] = (
        ("/v2/aggs/ticker/{ticker}/range/{multiplier:int}/{timespan}/{start}/{end}", rest_bars.aggregates),
        ("/v2/aggs/grouped/locale/us/market/stocks/{day}", rest_bars.grouped),
        ("/v1/indicators/{name}/{ticker}", rest_indicators.indicator),
        ("/v3/snapshot/options/{underlying}", rest_options.chain),
        ("/v3/snapshot/options/{underlying}/{contract}", rest_options.one_contract),
        (_STOCKS, rest_stocks.snapshots),
        (f"{_STOCKS}/{{ticker}}", rest_stocks.snapshot),
        ("/v3/reference/options/contracts", rest_options.contracts),
        ("/v3/reference/options/contracts/{ticker}", rest_options.contract),
        ("/v3/reference/exchanges", rest_operations.exchanges),
        ("/v3/reference/splits", rest_reference.splits),
        ("/v3/reference/dividends", rest_reference.dividends),
        ("/v3/reference/tickers", rest_reference.tickers),
        ("/v3/reference/tickers/{ticker}", rest_reference.ticker),
        ("/vX/reference/tickers/{ticker}/events", rest_reference.events),
        ("/v2/reference/news", rest_reference.news),
        ("/v1/marketstatus/now", rest_operations.status),
        ("/v1/marketstatus/upcoming", rest_operations.upcoming),
        ("/fed/v1/treasury-yields", rest_reference.yields),
    )
    return [Route(path, guarded(handler), middleware=[faulty(Surface.REST)]) for path, handler in table]
