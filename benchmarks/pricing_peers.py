"""Implied volatilities by other packages; what is not installed is said and left out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Market = dict[str, np.ndarray]


def _vanilla_option_pricers(m: Market) -> np.ndarray:
    from vanilla_option_pricers import infer_bsm_implied_vol

    forward = m["spot"] * np.exp((m["rate"] - m["dividend_yield"]) * m["years"])
    discount = np.exp(-m["rate"] * m["years"])
    kind = np.where(m["sign"] > 0, "C", "P")
    columns = zip(forward, m["years"], m["strike"], m["price"], discount, kind, strict=True)
    return np.array([infer_bsm_implied_vol(*row[:5], optiontype=row[5]) for row in columns])


def _pyvolr(m: Market) -> np.ndarray:
    from pyvolr import bs

    flag = ["c" if sign > 0 else "p" for sign in m["sign"]]
    found = bs.implied_vol(
        m["price"],
        m["spot"],
        m["strike"],
        m["years"],
        m["rate"],
        flag,
        q=m["dividend_yield"],
        on_error="ignore",
    )
    return np.asarray(found, np.float64).ravel()


def _polars_vol(m: Market) -> np.ndarray:
    import polars as pl
    import polars_vol

    # It knows no yield: the spot less what the yield takes is the same market.
    spot = m["spot"] * np.exp(-m["dividend_yield"] * m["years"])
    frame = pl.DataFrame({**m, "spot": spot, "is_call": m["sign"] > 0})
    expression = polars_vol.implied_vol("price", "strike", "spot", "years", "rate", "is_call")
    return frame.select(vol=expression)["vol"].to_numpy()


def _fast_vollib(m: Market) -> np.ndarray:
    from fast_vollib import fast_implied_volatility

    found = fast_implied_volatility(
        *(m[k] for k in ("price", "spot", "strike", "years", "rate")),
        np.where(m["sign"] > 0, "c", "p"),
        m["dividend_yield"],
        model="black_scholes_merton",
        return_as="numpy",
        on_error="ignore",
    )
    return np.asarray(found, np.float64).ravel()


def _py_vollib(m: Market) -> np.ndarray:
    from py_vollib.black_scholes_merton.implied_volatility import implied_volatility

    columns = zip(
        *(m[k] for k in ("price", "spot", "strike", "years", "rate")),
        np.where(m["sign"] > 0, "c", "p"),
        m["dividend_yield"],
        strict=True,
    )
    found = []
    for row in columns:
        try:
            found.append(float(np.asarray(implied_volatility(*row)).ravel()[0]))
        except Exception:  # noqa: BLE001 - each version raises another class where there is no volatility
            found.append(np.nan)
    return np.array(found)


def _py_vollib_vectorized(m: Market) -> np.ndarray:
    from py_vollib_vectorized import vectorized_implied_volatility

    found = vectorized_implied_volatility(
        *(m[k] for k in ("price", "spot", "strike", "years", "rate")),
        np.where(m["sign"] > 0, "c", "p"),
        m["dividend_yield"],
        model="black_scholes_merton",
        return_as="numpy",
        on_error="ignore",
    )
    return np.asarray(found, np.float64).ravel()


EUROPEAN: dict[str, tuple[Callable[[Market], np.ndarray], int]] = {
    "vanilla-option-pricers": (_vanilla_option_pricers, 20_000),
    "pyvolr": (_pyvolr, 200_000),
    "polars-vol": (_polars_vol, 200_000),
    "fast-vollib": (_fast_vollib, 50_000),
    "py_vollib": (_py_vollib, 2_000),
    "py_vollib_vectorized": (_py_vollib_vectorized, 50_000),
}
"""By name: the call, and how many rows it is given."""


def attempt(call: Callable[[Market], np.ndarray], market: Market) -> np.ndarray | str:
    """Return what a package finds, or why it finds nothing."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return call(market)
    except ModuleNotFoundError as error:
        return f"not installed ({error.name})"
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is its line of the table
        return f"fails: {type(error).__name__}: {str(error)[:60]}"
