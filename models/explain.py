"""What a model relies on, and whether its probabilities mean what they say, as tables and charts."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

_CHART_ROWS = 30


def importance_table(feature_names: Sequence[str], weights: ArrayLike) -> pl.DataFrame:
    """Rank features by weight.

    Parameters
    ----------
    feature_names : sequence of str
        Names in the order of the model's columns.
    weights : array_like, shape (p,)
        Non-negative weights in any unit.

    Returns
    -------
    polars.DataFrame
        Columns feature and importance, largest first, names breaking ties. Importances sum to 1, or are all 0
        for a model that uses no feature.

    Examples
    --------
    >>> importance_table(["rsi_14", "iv_rank"], [1.0, 3.0])["importance"].to_list()
    [0.75, 0.25]
    """
    values = np.asarray(weights, dtype=np.float64)
    total = values.sum()
    table = pl.DataFrame({"feature": list(feature_names), "importance": values / total if total else values})
    return table.sort("importance", "feature", descending=[True, False])


def importance_chart(table: pl.DataFrame, title: str) -> bytes:
    """Draw the largest importances as a horizontal bar chart (PNG)."""
    figure, axes = _canvas(title)
    top = table.head(_CHART_ROWS).reverse()
    axes.barh(top["feature"].to_list(), top["importance"].to_list(), color="#2a6f97")
    axes.set_xlabel("share of total importance")
    return _png(figure)


def calibration_chart(table: pl.DataFrame, title: str) -> bytes:
    """Draw observed frequency against forecast probability (PNG); empty bins are left out."""
    figure, axes = _canvas(title)
    filled = table.filter(pl.col("n") > 0)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--")
    axes.plot(filled["mean_probability"].to_list(), filled["share_up"].to_list(), marker="o", color="#2a6f97")
    axes.set_xlabel("forecast probability of a rise")
    axes.set_ylabel("observed share of rises")
    return _png(figure)


def _canvas(title: str) -> tuple[Any, Any]:
    # A bare Figure: pyplot would keep every chart alive and choose a backend for the whole process.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
