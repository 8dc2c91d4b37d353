"""What a feature is, in words: the same for the terminal and for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.feature import BARS

if TYPE_CHECKING:
    from features.feature import Feature


def history(feature: Feature) -> str:
    """Return the history a feature needs.

    Examples
    --------
    >>> from features.catalog import catalog
    >>> history(catalog()["rsi_7"]), history(catalog()["iv_rank_252"])
    ('224 bars', '252 of options')
    """
    if feature.on != BARS:
        return f"{feature.lookback} of {feature.on}"
    return f"{feature.lookback} bars" if feature.lookback > 1 else "1 bar"


def summary(feature: Feature) -> str:
    """Return the first sentence of a feature's description, without its verb.

    Examples
    --------
    >>> from features.catalog import catalog
    >>> summary(catalog()["return_3"])
    'close over the close some bars earlier, minus 1.'
    """
    first = feature.doc.split("\n\n", maxsplit=1)[0].replace("\n", " ")
    return first.removeprefix("Return ")
