"""Parts of pages: what is escaped, what is not, and what leads where."""

import json
import re

from plotly.graph_objects import Figure, Scatter

from backtests import pages


def test_cells_are_escaped_unless_they_are_html():
    made = pages.table(("A", "B"), ("", "n"), [("<b>", pages.link("x < y", "#z", anchor="row"))])
    assert "<td class=''>&lt;b&gt;</td>" in made
    assert "<td class='n'><a id='row' href='#z'>x &lt; y</a></td>" in made
    assert made.startswith("<div class='table'>")  # which scrolls, and the page does not


def test_texts_of_terms_marks_and_legends_are_escaped():
    assert pages.terms({"<a>": "<b>", "c": pages.target("d", "e")}) == (
        "<dl><dt>&lt;a&gt;</dt><dd>&lt;b&gt;</dd><dt>c</dt><dd><span id='e'>d</span></dd></dl>"
    )
    assert pages.marked("<b>", "bad") == "<span class='bad'>&lt;b&gt;</span>"
    assert "&lt;5" in pages.legend([("●", "#000000", "<5")])
    assert pages.section("t", "", anchor="a'b").startswith("<section id='a&#x27;b'>")


def test_a_late_chart_is_its_figure_and_ends_no_script_of_the_page(tmp_path):
    figure = Figure(Scatter(x=[1], y=[2], name="</script>"), {"height": 230})
    made = pages.late_chart(figure)
    assert "min-height: 230px" in made
    (content,) = re.findall(r"<script type='application/json'>(.*?)</script>", made)
    assert json.loads(content)["data"][0]["name"] == "</script>"
    page = pages.write_page(tmp_path, "t", (), [made]).read_text()
    assert page.index("application/json") < page.index("IntersectionObserver")
    assert "beforeprint" in page


def test_only_a_chart_with_anchors_can_be_followed():
    figure = Figure(Scatter(x=[1], y=["a"], customdata=[("feature-a",)]))
    assert "plotly_click" not in pages.chart(figure)
    followed = pages.chart(figure, anchors="feature-")
    assert 'location.hash = "feature-" + tick.textContent' in followed
    (name,) = set(re.findall(r'getElementById\(["\']([\w-]+)["\']\)', followed))
    assert f'id="{name}"' in followed
