"""How a report's page looks, and what it does when it is read, clicked and printed."""

from __future__ import annotations

import json

CONFIG = {"displayModeBar": False, "responsive": True}
"""Of every plotly figure."""

STYLE = """
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
  padding: 18px 20px; margin: 0 0 18px; overflow-x: auto; scroll-margin-top: 12px; }
a { color: #1d4ed8; text-decoration: none; } .chips .bad { background: #b91c1c; color: #ffffff; }
.good a, .bad a, .doubt a { color: inherit; }
.chips a { color: inherit; font-weight: 450; }
a:hover { text-decoration: underline; }
.js-plotly-plot.linked .ytick text { pointer-events: all; cursor: pointer; }
.js-plotly-plot.linked .ytick text:hover { text-decoration: underline; }
.sideways { overflow-x: auto; } .wide { min-width: 680px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr));
  gap: 12px; margin: 0 0 18px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 14px 16px; }
.tile b { display: block; font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 18px; }
@media (max-width: 800px) { .pair { grid-template-columns: 1fr; } }
.pair section { min-width: 0; }
.table { max-height: 85vh; overflow: auto; margin-bottom: 10px; }
.scroll .table { max-height: 460px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 550; position: sticky; top: 0;
  background: var(--card); z-index: 1; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--card);
  box-shadow: 1px 0 var(--rule); }
th:first-child { z-index: 2; } td.wrap:first-child, th.wrap:first-child { position: static; }
tr:has(:target) td { background: #fef9c3; } td [id] { scroll-margin-top: 60px; }
td.wrap { white-space: normal; min-width: 200px; overflow-wrap: anywhere; }
td.n, th.n, th.s { text-align: right; }
.up, .good { color: #15803d; } .down { color: #b91c1c; }
.bad { color: #b91c1c; font-weight: 650; } .doubt { color: #92400e; font-weight: 650; }
p.chips { display: flex; flex-wrap: wrap; gap: 4px 6px; margin: 0; font-size: 13px; }
.chips span { border: 1px solid currentcolor; border-radius: 6px; padding: 0 7px; }
p.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0 0 6px; font-size: 13px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 0 0 12px;
  font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 600px) {
  main { padding: 20px 10px 48px; } section { padding: 14px 12px; }
  .tiles { grid-template-columns: 1fr 1fr; } .tile { padding: 10px 12px; } .tile b { font-size: 18px; }
  td:first-child { font-size: 12px; } td.wrap { min-width: 140px; } th, td { padding: 5px 7px; }
}
@media print {
  body { background: #fff; } main { max-width: none; padding: 0; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
  .table, .scroll .table { max-height: none; overflow: visible; }
  th, th:first-child, td:first-child { position: static; box-shadow: none; }
  tr, dl, .lazy { break-inside: avoid; } h2 { break-after: avoid; }
}
"""
"""Of the page: tables scroll inside themselves, nothing needs colour alone, paper shows all rows."""

DRAW_LATE = """<script>
function draw(box) {
  if (box.childElementCount > 1) return;
  const figure = JSON.parse(box.firstElementChild.textContent);
  const plot = box.appendChild(document.createElement('div'));
  Plotly.newPlot(plot, figure.data, figure.layout, CONFIG);
}
const boxes = document.querySelectorAll('.lazy');
const seen = new IntersectionObserver(
  entries => entries.forEach(each => each.isIntersecting && draw(each.target)), {rootMargin: '800px'});
boxes.forEach(box => seen.observe(box));
addEventListener('beforeprint', () => boxes.forEach(draw));
</script>""".replace("CONFIG", json.dumps(CONFIG))
"""Draws figures of `pages.late_chart` once they come near, and all of them before the page is printed."""

FOLLOW = """
const plot = document.getElementById('{plot_id}');
plot.classList.add('linked');
plot.on('plotly_click', event => { location.hash = event.points[0].customdata[0]; });
plot.addEventListener('click', event => {
  const tick = event.target.closest('.ytick');
  if (tick) location.hash = ANCHOR + tick.textContent;
});
"""
"""Makes points and row labels of one figure lead to anchors; see `pages.chart`."""
