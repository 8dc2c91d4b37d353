"""The parts of a report's page, and the page itself: one HTML folder that needs no network."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from backtests.page_assets import CONFIG, DRAW_LATE, FOLLOW, STYLE
from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from backtests.metrics import Metrics

_UNDEFINED = "n/a"


class Html(str):
    """Text that is HTML already: tables take it as it is."""

    __slots__ = ()


def write_page(folder: Path, title: str, facts: Sequence[str], parts: Sequence[str]) -> Path:
    """Write `index.html` and plotly's script into a folder; nothing in it is fetched from elsewhere.

    Parameters
    ----------
    folder
        Made when missing; an earlier report in it is replaced.
    title
        Heading.
    facts
        What stands under it.
    parts
        HTML of the page from top to bottom, as the functions of this module make it.

    Returns
    -------
    Path
        Of the `index.html`.

    Raises
    ------
    ConfigError
        When nothing can be written there.
    """
    from plotly.offline import get_plotlyjs

    page = folder / "index.html"
    heading = f"<h1>{escape(title)}</h1><p class='sub'>{escape(' · '.join(facts))}</p>"
    content = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        '<script charset="utf-8" src="plotly.min.js"></script></head>'
        f"<body><main>{heading}{''.join(parts)}</main>{DRAW_LATE}</body></html>"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
        page.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"no page can be written to {folder} ({error.strerror}): name another") from error
    return page


def metric_tiles(metrics: Metrics) -> str:
    """Return every metric as a tile."""
    return tiles(metric_texts(metrics))


def tiles(values: Mapping[str, str]) -> str:
    """Return short values by name, each as a tile."""
    made = "".join(
        f"<div class='tile'><b>{escape(value)}</b><span>{escape(name)}</span></div>"
        for name, value in values.items()
    )
    return f"<div class='tiles'>{made}</div>"


def metric_texts(metrics: Metrics) -> dict[str, str]:
    """Return metrics in words and figures, by name."""
    return {
        "Total return": share(metrics.total_return, signed=True),
        "Sharpe ratio": with_error(metrics.sharpe, metrics.sharpe_error),
        "Max drawdown": share(metrics.max_drawdown),
        "Calmar ratio": number(metrics.calmar),
        "Win rate": share(metrics.win_rate),
        "Profit factor": number(metrics.profit_factor),
        "Trades": f"{metrics.trades:,}",
        "Fees": f"${metrics.fees:,.0f}",
        "Exposure": share(metrics.exposure),
        "Final equity": f"${metrics.final_equity:,.0f}",
    }


def assumptions_section(assumptions: Mapping[str, str]) -> str:
    """Return what the numbers rest on as a section."""
    return section("Assumptions", table(("What", "How"), ("", "wrap"), list(assumptions.items())))


def paragraph(text: str) -> str:
    """Return text as a paragraph."""
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Return text that explains what follows, set smaller."""
    return f"<p class='note'>{escape(text)}</p>"


def section(title: str, body: str, *, anchor: str | None = None) -> str:
    """Return HTML under a heading; links to `#anchor` lead to it."""
    named = "" if anchor is None else f" id='{escape(anchor)}'"
    return f"<section{named}><h2>{escape(title)}</h2>{body}</section>"


def link(text: str, target: str, *, anchor: str | None = None) -> Html:
    """Return a link; links to `#anchor` lead to it.

    Examples
    --------
    >>> link("a < b", "#row")
    "<a href='#row'>a &lt; b</a>"
    """
    named = "" if anchor is None else f" id='{escape(anchor)}'"
    return Html(f"<a{named} href='{escape(target)}'>{escape(text)}</a>")


def legend(entries: Sequence[tuple[str, str, str]]) -> str:
    """Return what marks mean, each a character, its colour and words; lines break where there is no room."""
    made = "".join(
        f"<span><b style='color: {escape(colour)}'>{escape(mark)}</b> {escape(words)}</span>"
        for mark, colour, words in entries
    )
    return f"<p class='legend'>{made}</p>"


def chips(values: Sequence[Html]) -> str:
    """Return short texts as frames beside each other; lines break where there is no room."""
    return f"<p class='chips'>{''.join(values)}</p>"


def marked(text: str, kind: str) -> Html:
    """Return text, or `Html`, that stands out: `good`, `bad`, or `doubt` for what is not known."""
    return Html(f"<span class='{escape(kind)}'>{_text(text)}</span>")


def target(text: str, anchor: str) -> Html:
    """Return text that links to `#anchor` lead to."""
    return Html(f"<span id='{escape(anchor)}'>{escape(text)}</span>")


def terms(values: Mapping[str, str]) -> str:
    """Return texts by name as a list of definitions; `Html` is taken as it is."""
    made = "".join(f"<dt>{escape(name)}</dt><dd>{_text(value)}</dd>" for name, value in values.items())
    return f"<dl>{made}</dl>"


def pair(left: str, right: str) -> str:
    """Return two sections beside each other; below each other where the page is narrow."""
    return f"<div class='pair'>{left}{right}</div>"


def table(heads: Sequence[str], kinds: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text as a table.

    Parameters
    ----------
    heads
        Of the columns.
    kinds
        Of the columns: `` for text, `wrap` for long text, `n` for numbers, `s` for signed numbers, which are
        coloured by their sign.
    rows
        Cells, not yet escaped; `Html` is taken as it is. A wide table scrolls inside itself, its first column
        and its heads stay.
    """
    head = "".join(f"<th class='{kind}'>{escape(name)}</th>" for name, kind in zip(heads, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<div class='table'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def chart(figure: Any, *, wide: bool = False, anchors: str | None = None) -> str:
    """Return a plotly figure as HTML that needs the page's script.

    Parameters
    ----------
    figure
        A plotly figure.
    wide
        Whether it scrolls on narrow screens.
    anchors
        How the anchors begin that a click leads to: on the label of a row, to the one that ends with the
        label; on a point, to the first of its custom data. None makes no links.
    """
    follow = None if anchors is None else FOLLOW.replace("ANCHOR", json.dumps(anchors))
    html = figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, post_script=follow)
    return _sideways(str(html)) if wide else str(html)


def late_chart(figure: Any) -> str:
    """Return a plotly figure that is drawn once it is about to be seen, or printed: for pages of many.

    It scrolls on narrow screens.
    """
    drawn = figure.to_json()  # in which plotly escapes what would end the script
    box = f"<div class='lazy' style='min-height: {figure.layout.height}px'>"
    return _sideways(f"{box}<script type='application/json'>{drawn}</script></div>")


def share(value: float | None, *, signed: bool = False) -> str:
    """Return a fraction in per cent.

    Examples
    --------
    >>> share(0.1234), share(0.1234, signed=True), share(None)
    ('12.34%', '+12.34%', 'n/a')
    """
    if value is None:
        return _UNDEFINED
    return f"{value:+,.2%}" if signed else f"{value:,.2%}"


def with_error(value: float | None, error: float | None) -> str:
    """Return a number and its standard error.

    Examples
    --------
    >>> with_error(2.984, 3.14), with_error(None, None)
    ('2.98 ± 3.1', 'n/a')
    """
    return number(value) if value is None or error is None else f"{number(value)} ± {error:,.1f}"


def number(value: float | None) -> str:
    """Return a number to two places.

    Examples
    --------
    >>> number(1.234), number(None)
    ('1.23', 'n/a')
    """
    return _UNDEFINED if value is None else f"{value:,.2f}"


def _cell(text: str, kind: str) -> str:
    if kind == "s":
        kind = "n down" if text.startswith("-") else "n up"
    return f"<td class='{kind}'>{_text(text)}</td>"


def _sideways(html: str) -> str:
    return f"<div class='sideways'><div class='wide'>{html}</div></div>"


def _text(text: str) -> str:
    return text if isinstance(text, Html) else escape(text)
