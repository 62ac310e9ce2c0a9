import math
import re
import xml.etree.ElementTree as ET

import pytest

from common.charts import Bars, Series, Text, bar_chart, line_chart, number_text, scatter_chart

SVG = "{http://www.w3.org/2000/svg}"
TEXT = Text("Ratings & <tags>", 'What "it" shows', "users", "MSE")


def parsed(svg):
    """The document, after what every chart must keep: well-formed, named, and nothing that a strict CSP blocks."""
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == TEXT.title
    assert root.findtext(f"{SVG}desc") == TEXT.description
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|href=", svg)
    return root


def points(root):
    return [
        [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
        for line in root.iter(f"{SVG}polyline")
    ]


def test_lines_lie_where_their_values_say():
    root = parsed(line_chart(TEXT, [Series("a", [0, 5, 10], [1, 2, 3]), Series("b", [0, 10], [3, 3])]))
    a, b = points(root)
    assert a[1][0] == pytest.approx((a[0][0] + a[2][0]) / 2, abs=0.2)
    assert a[0][1] > a[1][1] > a[2][1]  # a higher value is nearer the top
    assert a[2] == b[1]
    assert "a: 0, 1" in [title.text for circle in root.iter(f"{SVG}circle") for title in circle]


def test_logarithmic_axes_give_each_decade_the_same_room():
    root = parsed(line_chart(TEXT, [Series("a", [1, 10, 100], [0.01, 1, 100])], log_x=True, log_y=True))
    (((x1, y1), (x2, y2), (x3, y3)),) = points(root)
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    ticks = {text.text for text in root.iter(f"{SVG}text")}
    assert {"1", "10", "100", "0.1"} <= ticks


def test_lines_differ_without_colour():
    root = parsed(line_chart(TEXT, [Series(name, [0, 1], [0, 1]) for name in "abc"]))
    dashes = [line.get("stroke-dasharray") for line in root.iter(f"{SVG}polyline")]
    assert len(set(dashes)) == 3
    assert {"a", "b", "c"} <= {text.text for text in root.iter(f"{SVG}text")}


def test_scatter_draws_every_point_the_first_series_on_top():
    root = parsed(scatter_chart(TEXT, [Series("a", [0, 1, 2], [0, 1, 0]), Series("b", [5], [5])]))
    drawn = [(path.findtext(f"{SVG}title"), path.get("d").count("M")) for path in root.iter(f"{SVG}path")]
    assert drawn == [("b", 1), ("a", 3)]  # what is drawn last lies on top


def test_bars_stand_on_zero_and_are_as_high_as_their_values():
    groups = [Bars("ours", [1, 2], [(0.5, 1.5), (1.5, 2.5)]), Bars("theirs", [4, 0])]
    root = parsed(bar_chart(TEXT, ["x", "y"], groups))
    *bars, _, _ = root.iter(f"{SVG}rect")  # the last two are the legend's
    by_title = {bar.findtext(f"{SVG}title"): float(bar.get("height")) for bar in bars}
    assert by_title["theirs, x: 4"] == pytest.approx(4 * by_title["ours, x: 1"], abs=0.3)
    assert by_title["theirs, y: 0"] == 0
    feet = {round(float(bar.get("y")) + float(bar.get("height")), 1) for bar in bars}
    assert max(feet) - min(feet) <= 0.2
    assert len(list(root.iter(f"{SVG}line"))) >= 2


def test_one_series_needs_no_legend():
    alone = parsed(line_chart(TEXT, [Series("only", [0, 1], [0, 1])]))
    assert "only" not in {text.text for text in alone.iter(f"{SVG}text")}


def test_names_from_the_data_are_escaped():
    root = parsed(bar_chart(TEXT, ["<b>&"], [Bars('"><script>', [1])]))
    assert '"><script>, <b>&: 1' in [title.text for title in root.iter(f"{SVG}title")]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: line_chart(TEXT, []), "nothing to draw"),
        (lambda: line_chart(TEXT, [Series("a", [0], [math.nan])]), "not finite"),
        (lambda: line_chart(TEXT, [Series("a", [0], [1])], log_x=True), "logarithmic"),
        (lambda: bar_chart(TEXT, [], []), "nothing to draw"),
        (lambda: bar_chart(TEXT, ["a"], [Bars("b", [1, 2])]), "2 values for 1 labels"),
        (lambda: bar_chart(TEXT, ["a"], [Bars("b", [-1])]), "below 0"),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_one_value_alone_can_be_drawn():
    parsed(line_chart(TEXT, [Series("a", [3], [0])]))
    parsed(bar_chart(TEXT, ["a"], [Bars("b", [0])]))


@pytest.mark.parametrize(("value", "text"), [(12294, "12,294"), (0.25512, "0.255"), (3e-5, "3e-05"), (2.0, "2")])
def test_numbers_are_short(value, text):
    assert number_text(value) == text
