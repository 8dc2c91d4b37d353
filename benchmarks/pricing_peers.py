"""Implied volatilities by other packages; what is not installed is said and left out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Market = dict[str, np.ndarray]


def _vanilla_option_pricers(m: Market) -> np.ndarray:
    from numba import njit
    from vanilla_option_pricers import infer_bsm_implied_vol

    @njit  # its own functions take one expiration; a compiled loop over rows is the same work
    def each(
        forward: np.ndarray,
        years: np.ndarray,
        strike: np.ndarray,
        price: np.ndarray,
        discount: np.ndarray,
        call: np.ndarray,
    ) -> np.ndarray:
        found = np.empty(len(price))
        for i in range(len(price)):
            kind = "C" if call[i] else "P"
            row = forward[i], years[i], strike[i], price[i], discount[i], kind
            found[i] = infer_bsm_implied_vol(*row)
        return found

    forward = m["spot"] * np.exp((m["rate"] - m["dividend_yield"]) * m["years"])
    discount = np.exp(-m["rate"] * m["years"])
    compiled = _COMPILED.setdefault("vanilla_option_pricers", each)
    return np.asarray(compiled(forward, m["years"], m["strike"], m["price"], discount, m["sign"] > 0))


_COMPILED: dict[str, Callable[..., np.ndarray]] = {}


def _pyvolr(m: Market) -> np.ndarray:
    from pyvolr import bs

    market = (m[k] for k in ("spot", "strike", "years", "rate", "dividend_yield"))
    found = bs.implied_vol(m["price"], np.where(m["sign"] > 0, "c", "p"), *market, on_error="ignore")
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
    from vollib.black_scholes_merton.implied_volatility import implied_volatility  # py_vollib's name today

    columns = zip(
        *(m[k] for k in ("price", "spot", "strike", "years", "rate", "dividend_yield")),
        np.where(m["sign"] > 0, "c", "p"),
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
    "vanilla-option-pricers": (_vanilla_option_pricers, 200_000),
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
        return f"fails: {type(error).__name__}: {shortened(error)}"


def shortened(error: Exception) -> str:
    """Return the first telling words of a message that may be pages long."""
    words = " ".join(str(error).split())
    return words if len(words) <= _MESSAGE else words[:_MESSAGE].rsplit(" ", 1)[0] + " ..."


_MESSAGE = 60
