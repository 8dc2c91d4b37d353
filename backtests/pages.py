"""The parts of a report's page, and the page itself: one HTML folder that needs no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from backtests.metrics import Metrics

_UNDEFINED = "n/a"
_STYLE = """
:root { color-scheme: light; --ink: #0f172a; --soft: #64748b; --rule: #e2e8f0; --card: #ffffff; }
* { box-sizing: border-box; }
body { margin: 0; background: #f1f5f9; color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 16px; margin: 0 0 12px; }
p.sub { margin: 0 0 24px; color: var(--soft); }
p.note { margin: 0 0 10px; color: var(--soft); font-size: 13px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 18px 20px; margin: 0 0 18px; overflow-x: auto; }
.wide { min-width: 680px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr));
  gap: 12px; margin: 0 0 18px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 14px 16px; }
.tile b { display: block; font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 18px; }
@media (max-width: 800px) { .pair { grid-template-columns: 1fr; } }
.pair section { min-width: 0; }
.scroll { max-height: 460px; overflow: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 550; position: sticky; top: 0;
  background: var(--card); }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--rule); white-space: nowrap; }
td.wrap { white-space: normal; }
td.n, th.n, th.s { text-align: right; }
.up { color: #15803d; } .down { color: #b91c1c; }
"""


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
    """
    from plotly.offline import get_plotlyjs

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    page = folder / "index.html"
    heading = f"<h1>{escape(title)}</h1><p class='sub'>{escape(' · '.join(facts))}</p>"
    page.write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        '<script charset="utf-8" src="plotly.min.js"></script></head>'
        f"<body><main>{heading}{''.join(parts)}</main></body></html>",
        encoding="utf-8",
    )
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


def section(title: str, body: str) -> str:
    """Return HTML under a heading."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


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
        Cells, not yet escaped.
    """
    head = "".join(f"<th class='{kind}'>{escape(name)}</th>" for name, kind in zip(heads, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def chart(figure: Any, *, wide: bool = False) -> str:
    """Return a plotly figure as HTML that needs the page's script; a wide one scrolls on narrow screens."""
    config = {"displayModeBar": False, "responsive": True}
    html = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return f"<div class='wide'>{html}</div>" if wide else str(html)


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
    return f"<td class='{kind}'>{escape(text)}</td>"
