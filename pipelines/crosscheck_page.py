"""The vendor's volatilities and Greeks against ours, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from backtests import pages
from backtests.figures import BLUE, GREY, RED, styled
from pipelines.causes import AGREES, UNEXPLAINED
from pipelines.conventions import GREEKS
from pipelines.crosscheck_summary import DAYS, bucketed, by_bucket, by_cause, greek_differences
from pipelines.statistics_page import decimal
from strikelake.calendar import iso

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.crosscheck import CrossCheck

_NOTE = (
    "Each contract is solved at the quote that the snapshot shows. Where the vendor's volatility differs, "
    "the contract is solved again by other conventions, and the one that reproduces the vendor's number is "
    "the cause: nothing is explained by a guess. What none reproduces is listed below as unexplained."
)
_SHADES = ("#f97316", "#eab308", "#22c55e", "#0ea5e9", "#6366f1")
_MOST_LISTED = 200
_INSIDE = 0.95  # of the differences are drawn; a few at the edges would flatten the rest
_MOST_BUCKETS = 0.8  # of the buckets have a colour of their own, for the same reason


def write_crosscheck(folder: Path, found: CrossCheck) -> Path:
    """Write the comparison as one folder; see `backtests.pages.write_page`.

    Parameters
    ----------
    folder
        Made when missing; an earlier page in it is replaced.
    found
        The comparison.

    Returns
    -------
    Path
        Of the `index.html`.
    """
    facts = (
        f"session of {found.session.date}",
        f"{found.rows.height:,} contracts of {found.rows['underlying'].n_unique()} underlyings",
        f"the same within {found.tolerance_bp:g} hundredths of a vol point",
    )
    parts = [
        pages.tiles(_tiles(found)),
        pages.note(_NOTE),
        pages.section("How the vendor values", _convention(found)),
        pages.section("Differences in volatility", pages.chart(_scatter(found))),
        pages.section("By cause", _causes(found)),
        pages.section("By days and moneyness", pages.chart(_heat(found)) + _buckets(found)),
        pages.section("Greeks", _greeks(found)),
    ]
    if found.forwards.height:
        parts.append(pages.section("Other forwards", _forwards(found)))
    if found.rows.filter(pl.col("cause") == UNEXPLAINED).height:
        parts.append(pages.section("Unexplained", _unexplained(found)))
    return pages.write_page(folder, "Against the vendor", facts, parts)


def _tiles(found: CrossCheck) -> dict[str, str]:
    causes, whole = found.causes(), max(found.rows.height, 1)
    middle = found.rows["diff_bp"].abs().median()
    left = found.rows["left_bp"].abs().median()
    return {
        "agree": pages.share(causes.get(AGREES, 0) / whole),
        "unexplained": pages.share(causes.get(UNEXPLAINED, 0) / whole),
        "median |difference|, bp": decimal(_float(middle), 1),
        "left by the vendor's convention, bp": decimal(_float(left), 3),
        "explained by chance": pages.share(found.by_chance),
    }


def _convention(found: CrossCheck) -> str:
    rate = "" if found.flat_rate is None else f" ({found.flat_rate:.2%})"
    rows = [
        ("Volatilities", found.convention.label + rate),
        ("Greeks", found.greek_convention.label),
        ("Vega", f"per {found.units['vega']}"),
        ("Theta", f"per {found.units['theta']}"),
        *((f"Left out: {reason}", f"{count:,}") for reason, count in found.left_out.items()),
    ]
    return pages.table(("What", "How"), ("", "wrap"), rows)


def _scatter(found: CrossCheck) -> Any:
    """Return the difference of every contract by moneyness, and what the vendor's convention leaves of it."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        subplot_titles=("vendor less ours", "vendor less ours by the vendor's convention"),
    )
    rows = bucketed(found.rows)
    for name, shade in zip(rows["bucket_days"].dtype.categories, _SHADES, strict=True):  # type: ignore[attr-defined]
        part = rows.filter(pl.col("bucket_days") == name)
        for place, column in enumerate(("diff_bp", "left_bp"), 1):
            figure.add_scatter(
                x=part["moneyness"].to_list(),
                y=part[column].to_list(),
                text=part["occ_symbol"].to_list(),
                mode="markers",
                marker={"size": 5, "color": shade, "opacity": 0.7},
                name=f"{name} days",
                legendgroup=name,
                showlegend=place == 1 and part.height > 0,
                hovertemplate="%{text}<br>ln(K/S) %{x:.3f}<br>%{y:.1f} bp<extra></extra>",
                row=1,
                col=place,
            )
    reach = rows["diff_bp"].abs().quantile(_INSIDE) or 1.0
    figure.update_yaxes(range=[-1.1 * reach, 1.1 * reach], zeroline=True, zerolinecolor=GREY)
    figure.update_yaxes(title="hundredths of a vol point", col=1)
    figure.update_xaxes(title="ln(strike / price of the underlying)")
    figure = styled(figure, height=420)
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": -0.2, "yanchor": "top"}, margin={"t": 40}
    )
    return figure


def _heat(found: CrossCheck) -> Any:
    """Return the median difference by bucket."""
    from plotly.graph_objects import Figure, Heatmap

    rows = bucketed(found.rows)
    names = {
        axis: list(rows[f"bucket_{axis}"].dtype.categories)  # type: ignore[attr-defined]
        for axis in ("days", "moneyness")
    }
    medians = {(days, money): (middle, count) for days, money, count, middle, *_ in by_bucket(found.rows, ())}
    grid = [[medians.get((days, money), (None, 0)) for money in names["moneyness"]] for days in names["days"]]
    values = [[middle for middle, _ in line] for line in grid]
    sizes = sorted(abs(value) for line in values for value in line if value is not None)
    reach = (sizes[int(_MOST_BUCKETS * (len(sizes) - 1))] if sizes else 0.0) or 1.0
    figure = Figure(
        Heatmap(
            x=names["moneyness"],
            y=[f"{days} days" for days in names["days"]],
            z=values,
            text=[
                ["" if middle is None else f"{middle:+.1f}<br>{count:,}" for middle, count in line]
                for line in grid
            ],
            texttemplate="%{text}",
            colorscale=[[0.0, BLUE], [0.5, "#f8fafc"], [1.0, RED]],
            zmin=-reach,
            zmax=reach,
            showscale=False,
            hoverinfo="skip",
        )
    )
    figure.update_xaxes(title="ln(strike / price of the underlying)", side="bottom")
    figure.update_yaxes(autorange="reversed")
    return styled(figure, height=120 + 56 * (len(DAYS) + 1))


def _causes(found: CrossCheck) -> str:
    heads = ("Cause", "Contracts", "Share", "Median |bp|", "90 % of |bp|")
    rows = [
        (cause, f"{count:,}", pages.share(share), decimal(middle, 1), decimal(far, 1))
        for cause, count, share, middle, far in by_cause(found.rows)
    ]
    return pages.table(heads, ("wrap", "n", "n", "n", "n"), rows)


def _buckets(found: CrossCheck) -> str:
    heads = ("Days", "ln(K / S)", "Contracts", "Median bp", *found.steps)
    rows = [
        (days, money, f"{count:,}", *(decimal(value, 1, signed=True) for value in values))
        for days, money, count, *values in by_bucket(found.rows, found.steps)
    ]
    told = (
        "Medians: the difference, and what each departure on the way to the vendor's convention adds to it."
    )
    return pages.note(told) + pages.table(heads, ("", "", *["n"] * (len(heads) - 2)), rows)


def _greeks(found: CrossCheck) -> str:
    heads = ("Greek", "Median difference", "90 % of |difference|", "By cause")
    rows = []
    for name in GREEKS:
        middle, far = greek_differences(found.rows, name)
        causes = ", ".join(f"{cause} {count:,}" for cause, count in found.causes(f"cause_{name}").items())
        rows.append((name, decimal(middle, 5, signed=True), decimal(far, 5), causes))
    return pages.table(heads, ("", "n", "n", "wrap"), rows)


def _forwards(found: CrossCheck) -> str:
    heads = ("Underlying", "Root", "Expiration", "Contracts explained", "Dollars a share")
    rows = [
        (underlying, root, str(expiration), f"{count:,}", f"{dollars:+.2f}")
        for underlying, root, expiration, count, dollars in found.forwards.iter_rows()
    ]
    told = (
        "Where one number for an expiration makes ours the vendor's: how far its forward lies from ours, at "
        "today's price. Minus is a dividend that the vendor knows of and the lake does not."
    )
    return pages.note(told) + pages.table(heads, ("", "", "", "n", "s"), rows)


def _unexplained(found: CrossCheck) -> str:
    heads = ("Contract", "Quoted", "Bid", "Ask", "Underlying", "Vendor", "Ours", "Difference, bp", "Left, bp")
    far = found.rows.filter(pl.col("cause") == UNEXPLAINED).sort(pl.col("diff_bp").abs(), descending=True)
    rows = [
        (
            row["occ_symbol"],
            iso(row["quote_ts_ns"])[11:19],
            f"{row['bid_price']:.2f}",
            f"{row['ask_price']:.2f}",
            f"{row['spot_snapshot']:.2f}",
            pages.share(row["told_implied_vol"]),
            pages.share(row["ours_implied_vol"]),
            decimal(row["diff_bp"], 1, signed=True),
            decimal(row["left_bp"], 1, signed=True),
        )
        for row in far.head(_MOST_LISTED).iter_rows(named=True)
    ]
    told = f"{len(rows):,} of {far.height:,}, the largest differences first. Times are UTC."
    listed = pages.table(heads, ("", "", *["n"] * (len(heads) - 2)), rows)
    return pages.note(told) + f"<div class='scroll'>{listed}</div>"


def _float(value: object) -> float | None:
    return value if isinstance(value, float) else None
