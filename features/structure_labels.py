"""Labels in dollars of option structures: entered and left at quoted prices, net of fees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

from features.labels import COLUMNS, Label
from strikelake.contracts import expiry_ns
from strikelake.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping

QUOTES = {
    "occ_symbol": pl.String,
    "underlying": pl.String,
    "expiration": pl.Date,
    "option_type": pl.String,
    "strike": pl.Float64,
    "available_at": pl.Int64,
    "bid_price": pl.Float64,
    "ask_price": pl.Float64,
}
"""Columns of the quotes that a structure is traded on."""

Kind = Literal["long_call", "long_put", "straddle"]
STRUCTURES: Mapping[str, tuple[str, ...]] = {"long_call": ("C",), "long_put": ("P",), "straddle": ("C", "P")}
"""Option types of the legs of each kind."""
_NS_PER_DAY = 24 * 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class StructureLabel:
    """Profit of buying a structure at a bar's end and selling it some bars later.

    Attributes
    ----------
    kind
        long_call, long_put, or straddle: both at the strike nearest the underlying's close.
    horizon
        Bars ahead of the sale.
    days
        Fewest and most calendar days to expiration at the purchase; the nearest expiration in between is
        bought.
    fee
        Dollars for each contract bought or sold.
    stale_minutes
        Age of a quote from which it is no longer used.
    """

    kind: Kind
    horizon: int
    days: tuple[int, int] = (7, 45)
    fee: float = 0.65
    stale_minutes: int = 30

    def __post_init__(self) -> None:
        if self.kind not in STRUCTURES:
            raise FeatureError(f"there is no structure {self.kind!r}: structures are {', '.join(STRUCTURES)}")

    @property
    def name(self) -> str:
        """Column name: straddle_pnl_6."""
        return f"{self.kind}_pnl_{self.horizon}"

    def __call__(self, bars: pl.DataFrame, quotes: pl.DataFrame) -> pl.DataFrame:
        """Return the label of every bar whose structure was quoted at both ends.

        Parameters
        ----------
        bars
            A frame of bars (`features.bars.COLUMNS`); prices as traded, for strikes are.
        quotes
            `QUOTES`, in any order.

        Returns
        -------
        pl.DataFrame
            `features.labels.COLUMNS`: value is what is received at the bids less what was paid at the asks
            and the fees of both trades, over what was paid; known_at is the end of the later bar. Contracts
            and entry prices are chosen from quotes with available_at <= asof, exit prices from those with
            available_at <= known_at. Bars without a two-sided quote of every leg that is recent at both ends,
            or whose contracts expire before, are left out.
        """
        future = Label("forward_return", self.horizon)(bars).select("asof", "underlying", "known_at")
        moments = future.join(bars.select("asof", "underlying", "close"), on=["asof", "underlying"])
        bought = self._bought(moments, quotes)
        sold = self._quoted(
            bought.rename({"ask_price": "paid"}).drop("bid_price"), quotes, "known_at"
        ).filter(pl.col("bid_price") > 0.0)
        trade = 2.0 * self.fee / 100.0
        return (
            sold.group_by("asof", "underlying", "known_at")
            .agg(
                legs=pl.len(),
                paid=pl.col("paid").sum(),
                received=pl.col("bid_price").sum(),
            )
            .filter(pl.col("legs") == len(STRUCTURES[self.kind]))
            .with_columns(
                value=(pl.col("received") - pl.col("paid") - pl.col("legs") * trade) / pl.col("paid")
            )
            .select(*COLUMNS)
            .sort("asof", "underlying")
        )

    def _bought(self, moments: pl.DataFrame, quotes: pl.DataFrame) -> pl.DataFrame:
        """Return the legs of each moment's structure with their quotes: one expiration, one strike."""
        terms = quotes.select("occ_symbol", "underlying", "expiration", "option_type", "strike").unique()
        last = {day: expiry_ns(day) for day in terms["expiration"].unique()}
        listed = terms.filter(pl.col("option_type").is_in(STRUCTURES[self.kind])).with_columns(
            expires_at=pl.col("expiration").replace_strict(last, return_dtype=pl.Int64)
        )
        pairs = moments.join(listed, on="underlying")
        left = (pl.col("expires_at") - pl.col("asof")) / _NS_PER_DAY
        alive = pairs.filter(left.is_between(*self.days), pl.col("expires_at") > pl.col("known_at"))
        quoted = self._quoted(alive, quotes, "asof").filter(
            pl.col("bid_price") > 0.0, pl.col("ask_price") > pl.col("bid_price")
        )
        distance = (pl.col("strike") / pl.col("close")).log().abs()
        moment = ["asof", "underlying"]
        whole = quoted.filter(
            pl.len().over(*moment, "expiration", "strike") == len(STRUCTURES[self.kind])
        ).with_columns(distance=distance)
        nearest = whole.filter(pl.col("expiration") == pl.col("expiration").min().over(moment))
        closest = nearest.filter(pl.col("distance") == pl.col("distance").min().over(moment))
        return closest.filter(pl.col("strike") == pl.col("strike").min().over(moment))

    def _quoted(self, rows: pl.DataFrame, quotes: pl.DataFrame, moment: str) -> pl.DataFrame:
        """Add the newest quote of each contract that is known, and recent, at a moment."""
        known = quotes.select("occ_symbol", "available_at", "bid_price", "ask_price")
        # Both sides are sorted (contract, time), the order that this join needs and cannot check by group.
        return (
            rows.sort("occ_symbol", moment)
            .join_asof(
                known.sort("occ_symbol", "available_at"),
                left_on=moment,
                right_on="available_at",
                by="occ_symbol",
                strategy="backward",
                tolerance=self.stale_minutes * 60 * 1_000_000_000,
                check_sortedness=False,
            )
            .drop_nulls(["bid_price", "ask_price"])
            .drop("available_at", strict=False)
        )
