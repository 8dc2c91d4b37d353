"""The composition of exits, risk, selection and sizing into one pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strikelake.decide.entries import opening_orders
from strikelake.decide.exits import closing_orders
from strikelake.decide.state import Context, Decision, marked, quotes_of_orders
from strikelake.risk.halt import daily_loss_reached

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from strikelake.decide.state import DayState
    from strikelake.portfolio import Account, Holding
    from strikelake.risk.limits import Limits
    from strikelake.strategy.signals import Signal


def decide(
    asof: int,
    account: Account,
    holdings: Sequence[Holding],
    signals: Sequence[Signal],
    chain: pl.DataFrame,
    limits: Limits,
    day: DayState,
) -> Decision:
    """Turn signals and holdings into orders: exits first, then entries by strength.

    Pure: no clock, no I/O, no randomness, and the order of the inputs changes nothing.

    Parameters
    ----------
    asof
        Decision time, ns UTC.
    account
        `buying_power` is net of working orders.
    holdings
        Open trades.
    signals
        Only those with `Signal.asof == asof` are acted on.
    chain
        As `pipelines.chain.chain_at` returns it; it must hold the legs of every holding. Prices are dollars
        per share, null where a side is missing; implied_vol and delta are null where not solved.
    limits
        What the account may do.
    day
        The session, its opening equity, working orders and correlations.

    Returns
    -------
    Decision
        Orders to send in their order, and the denials.
    """
    quotes = quotes_of_orders(chain, holdings, day.working)
    equity = marked(account, holdings, day.working, quotes, limits)
    halted = daily_loss_reached(equity, day.opening_equity, limits)
    context = Context(asof, account, chain, limits, day, equity)
    exits, unpriced = closing_orders(context, holdings, quotes, flatten=halted and limits.flatten_on_halt)
    entries, refused = opening_orders(context, holdings, signals)
    return Decision((*exits, *entries), (*unpriced, *refused), halted=halted or day.halted)
