"""Leaks planted on purpose, each beside an honest twin: the audit must catch the one and pass the other.

Each is a few lines that a researcher might well write. They show what the audit would catch, and they guard
the audit itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from features.sectors import sectors_of
from features.worlds import Tables

if TYPE_CHECKING:
    from features.feature import Feature

Compute: TypeAlias = Callable[[Tables], pl.DataFrame]
"""From tables to asof, underlying and value."""

_HALF_HOUR = 30 * 60 * 1_000_000_000
_MORNING = 14 * 3600 * 1_000_000_000
_SERIES = "underlying"
_KEY = ("asof", "underlying")
_CLOSE, _VOLUME = pl.col("close"), pl.col("volume")
_MOVE = _CLOSE / _CLOSE.shift(1) - 1.0
_SURGE = 4.0
_ACTIVE = pl.when(_VOLUME.rolling_mean(20) < _VOLUME).then(_CLOSE)
"""The close where much was traded, null elsewhere: a series with gaps."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A leak and its honest twin.

    Attributes
    ----------
    name, what
        The leak, and what it does in words.
    leak, honest
        What is audited: a function of tables, or a feature whose function is tried row by row.
    """

    name: str
    what: str
    leak: Compute | Feature
    honest: Compute | Feature


def planted_features() -> tuple[Plant, ...]:
    """Return the planted features."""
    return (*_windows(), *_sessions(), *_joins(), *_universes())


def _series(value: pl.Expr, over: str | list[str] | None = _SERIES) -> Compute:
    """Return a feature of each underlying's bars, or of the whole frame when `over` is None."""
    chosen = value if over is None else value.over(over)
    return lambda tables: tables["bars"].select(*_KEY, value=chosen)


def _windows() -> tuple[Plant, ...]:
    """Return leaks of one series, along time."""
    ahead = _CLOSE.shift(-2) / _CLOSE - 1.0
    known_target = _CLOSE / _CLOSE.shift(2) - 1.0
    own_move = _MOVE.over(_SERIES)
    return (
        Plant(
            "centred_window",
            "a moving average centred on the bar",
            _series(_CLOSE.rolling_mean(5, center=True)),
            _series(_CLOSE.rolling_mean(5)),
        ),
        Plant(
            "label_shifted_the_wrong_way",
            "the return over the next two bars as a feature, by a shift of the wrong sign",
            _series(ahead),
            _series(known_target),
        ),
        Plant(
            "full_frame_normalisation",
            "mean and deviation of the whole frame, test period included",
            _series((own_move - own_move.mean()) / own_move.std(), None),
            _series((_MOVE - _MOVE.rolling_mean(20)) / _MOVE.rolling_std(20)),
        ),
        Plant(
            "target_encoded_symbol",
            "each underlying's mean label, the labels still to come included",
            _series((ahead > 0.0).cast(pl.Float64).mean()),
            _series((known_target > 0.0).cast(pl.Float64).rolling_mean(20)),
        ),
        Plant(
            "backward_fill",
            "gaps filled with the next value",
            _series(_ACTIVE.fill_null(strategy="backward")),
            _series(_ACTIVE.fill_null(strategy="forward")),
        ),
        Plant(
            "interpolated_gap",
            "a straight line from the last value before a gap to the first one after it",
            _series(_ACTIVE.interpolate()),
            _series(_ACTIVE.fill_null(strategy="forward")),
        ),
        Plant(
            "zero_phase_filter",
            "a smoother that runs forward and then backward",
            _series(_CLOSE.ewm_mean(span=5).reverse().ewm_mean(span=5).reverse()),
            _series(_CLOSE.ewm_mean(span=5)),
        ),
        Plant(
            "sample_quantile_clip",
            "returns clipped at quantiles of the whole sample: most values do not change",
            _series(own_move.clip(own_move.quantile(0.1), own_move.quantile(0.9)), None),
            _series(_MOVE.clip(_MOVE.rolling_quantile(0.1, window_size=40), 1.0)),
        ),
        Plant(
            "rare_look_ahead",
            "a flag for a surge in the next bar's volume that the sample never shows",
            _series((_VOLUME.shift(-1) / _VOLUME > _SURGE).fill_null(value=False).cast(pl.Float64)),
            _series((_VOLUME / _VOLUME.shift(1) > _SURGE).fill_null(value=False).cast(pl.Float64)),
        ),
    )


def _sessions() -> tuple[Plant, ...]:
    """Return leaks inside a session."""
    day = [_SERIES, "date"]
    return (
        Plant(
            "session_high",
            "distance to the session's high, which is known at the close",
            _series(_CLOSE / pl.col("high").max(), day),
            _series(_CLOSE / pl.col("high").cum_max(), day),
        ),
        Plant(
            "session_mean_volume",
            "volume against the mean of the whole session",
            _series(_VOLUME / _VOLUME.mean(), day),
            _series(_VOLUME / (_VOLUME.cum_sum() / _VOLUME.cum_count()), day),
        ),
        Plant(
            "labelled_at_its_start",
            "bars that carry the time of their start",
            lambda tables: tables["bars"].select(pl.col("asof") - _HALF_HOUR, "underlying", value="close"),
            lambda tables: tables["bars"].select(*_KEY, value="close"),
        ),
        Plant(
            "day_close_intraday",
            "the day bar's close joined to the bars of the same day",
            lambda tables: _by_date(tables, "stock_day_bars", "close"),
            lambda tables: _by_time(tables, "stock_day_bars", "close"),
        ),
    )


def _joins() -> tuple[Plant, ...]:
    """Return leaks of tables that are joined by what they are about, not by when they were known."""
    return (
        Plant(
            "tomorrows_open_interest",
            "open interest joined by its date: it is known the next morning",
            lambda tables: _by_date(tables, "open_interest", "open_interest"),
            lambda tables: _by_time(tables, "open_interest", "open_interest"),
        ),
        Plant(
            "restated_open_interest",
            "the last correction of a number put in the place of the number first told",
            _restated,
            lambda tables: _by_time(tables, "open_interest", "open_interest"),
        ),
        Plant(
            "surface_by_date",
            "volatility of the day's closing surface joined by date",
            lambda tables: _by_date(tables, "option_summaries", "atm_iv"),
            lambda tables: _by_time(tables, "option_summaries", "atm_iv"),
        ),
        Plant(
            "news_by_date",
            "the tone of the day's news, before it was published",
            lambda tables: _by_date(tables, "news", "tone"),
            lambda tables: _by_time(tables, "news", "tone"),
        ),
        Plant(
            "sectors_of_today",
            "strength within the sectors as they are filed at the end of the sample",
            lambda tables: _within(tables, _last_sectors(tables)),
            lambda tables: _within(tables, _by_time(tables, "classifications", "sic_code")),
        ),
        Plant(
            "sector_by_filing_period",
            "strength within sectors joined by the date that they are told of, weeks before they are told",
            lambda tables: _within(
                tables, _by_time(_known_on_their_date(tables), "classifications", "sic_code")
            ),
            lambda tables: _within(tables, _by_time(tables, "classifications", "sic_code")),
        ),
        Plant(
            "split_adjusted_level",
            "a price level in the shares of the last day: it knows the splits to come",
            _adjusted_level,
            _series(_CLOSE),
        ),
    )


def _universes() -> tuple[Plant, ...]:
    """Return leaks of the choice of underlyings."""
    size = _VOLUME.mean().over(_SERIES)
    survives = pl.col("date").max().over(_SERIES) == pl.col("date").max()
    return (
        Plant(
            "rank_with_later_listings",
            "rank by mean volume among all underlyings, those listed later included",
            _series(size.rank("dense"), None),
            _series(_VOLUME.rank("dense"), "asof"),
        ),
        Plant(
            "survivor_universe",
            "only underlyings that still trade at the end",
            lambda tables: tables["bars"].filter(survives).select(*_KEY, value="close"),
            lambda tables: tables["bars"].select(*_KEY, value="close"),
        ),
        Plant(
            "full_sample_beta",
            "beta to the others, estimated on the whole sample",
            lambda tables: _beta(tables, pl.cov("move", "others") / pl.col("others").var()),
            lambda tables: _beta(
                tables,
                pl.rolling_cov("move", "others", window_size=40, min_samples=40)
                / pl.col("others").rolling_var(40),
            ),
        ),
    )


def _by_date(tables: Tables, name: str, column: str) -> pl.DataFrame:
    """Join the first row of each underlying and date, whenever it was known."""
    rows = tables[name].rename({"ticker": "underlying"}, strict=False).sort("available_at")
    facts = rows.unique(["underlying", "date"], keep="first").select("underlying", "date", value=column)
    joined = tables["bars"].join(facts, on=["underlying", "date"], how="left")
    return joined.select(*_KEY, pl.col("value").cast(pl.Float64))


def _by_time(tables: Tables, name: str, column: str) -> pl.DataFrame:
    """Join the newest row that was known."""
    rows = tables[name].rename({"ticker": "underlying"}, strict=False)
    facts = (
        rows.select("underlying", "date", asof="available_at", value=column)
        .sort("underlying", "asof", "date")
        .drop("date")
    )
    bars = tables["bars"].sort("underlying", "asof").select(*_KEY)
    # Both sides are sorted (underlying, time), the order that this join needs and cannot check by group.
    joined = bars.join_asof(facts, on="asof", by="underlying", check_sortedness=False)
    return joined.select(*_KEY, pl.col("value").cast(pl.Float64))


def _within(tables: Tables, filed: pl.DataFrame) -> pl.DataFrame:
    """Return each underlying's move over that of its sector, from a SIC code for each bar."""
    sector = sectors_of(filed["value"]).alias("sector")
    moves = tables["bars"].with_columns(move=_MOVE.over(_SERIES)).join(
        filed.select(*_KEY).with_columns(sector), on=_KEY, how="left", maintain_order="left"
    )  # fmt: skip
    return moves.select(*_KEY, value=pl.col("move") - pl.col("move").mean().over("asof", "sector"))


def _last_sectors(tables: Tables) -> pl.DataFrame:
    last = (
        tables["classifications"].sort("available_at").group_by("ticker").agg(value=pl.col("sic_code").last())
    )
    return tables["bars"].select(*_KEY).join(last, left_on=_SERIES, right_on="ticker", how="left")


def _known_on_their_date(tables: Tables) -> Tables:
    opens = pl.col("date").cast(pl.Datetime("ns")).cast(pl.Int64) + _MORNING
    rows = tables["classifications"].with_columns(available_at=opens)
    return {**tables, "classifications": rows}


def _restated(tables: Tables) -> pl.DataFrame:
    rows = tables["open_interest"].sort("available_at")
    last = rows.group_by("underlying", "date", maintain_order=True).agg(
        pl.col("open_interest").last(), pl.col("available_at").first()
    )
    return _by_time({**tables, "open_interest": last}, "open_interest", "open_interest")


def _adjusted_level(tables: Tables) -> pl.DataFrame:
    splits = tables["corporate_actions"].select(
        "ex_date", underlying="ticker", ratio=pl.col("split_to") / pl.col("split_from")
    )
    after = pl.col("date") >= pl.col("ex_date")
    ratio = pl.when(after).then(1.0).otherwise("ratio").fill_null(1.0)
    joined = tables["bars"].join(splits, on="underlying", how="left")
    return joined.select(*_KEY, value=_CLOSE / ratio)


def _beta(tables: Tables, beta: pl.Expr) -> pl.DataFrame:
    moves = tables["bars"].with_columns(move=_MOVE.over(_SERIES)).drop_nulls("move")
    pairs = moves.with_columns(others=pl.col("move").mean().over("asof"))
    return pairs.select(*_KEY, value=beta.over(_SERIES))
