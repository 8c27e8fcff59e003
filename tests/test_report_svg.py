"""Figures: well-formed, escaped, self-contained, with ticks at round numbers."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dltrain.report.scale import Scale
from dltrain.report.svg import COLOURS, heat_map, line_chart, scatter_chart

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "</text><script>alert(1)</script>\"'&"


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def charts(name: str) -> list[str]:
    points = {name: ([0.0, 1.0, 2.0], [3.0, 1.0, 2.0]), "other": ([1.0], [1.0])}
    return [
        line_chart(name, name, name, points),
        scatter_chart(name, name, name, points),
        heat_map(name, [name, "b"], [name, "d"], [[1, 2], [3, 4]]),
    ]


def test_figures_are_whole_and_escape_every_text() -> None:
    for text in charts(EVIL):
        tree = parsed(text)
        assert not list(tree.iter(f"{SVG}script"))
        shown = [element.text or "" for element in tree.iter(f"{SVG}text")]
        assert any(said.startswith("</text><script>") for said in shown)


def test_figures_load_nothing_and_follow_the_colour_scheme() -> None:
    for text in charts("a"):
        assert not re.search(r"href|url\(|@import|<image|<foreignObject|\son\w+=", text)
        assert text.replace("http://www.w3.org/2000/svg", "").count("//") == 0
        assert "prefers-color-scheme:dark" in text
        assert "var(" not in text  # converters that do not know CSS variables would draw everything black


def test_long_names_stay_inside_the_figure() -> None:
    text = heat_map("t", ["n" * 60], ["m" * 60], [[1]])
    tree = parsed(text)
    shown = [element.text or "" for element in tree.iter(f"{SVG}text")]
    assert [len(said) for said in shown if said[0] in "nm"] == [24, 24]
    start = min(
        float(e.get("x", "0")) - 7 * len(e.text or "") for e in tree.iter(f"{SVG}text") if e.get("class") == "end"
    )
    assert start >= 0


def test_a_line_has_a_gap_where_a_value_cannot_be_shown() -> None:
    ys = [1.0, 2.0, math.nan, 3.0, 4.0, math.inf, 5.0]
    tree = parsed(line_chart("t", "x", "y", {"a": (range(7), ys)}))
    lines = [element.get("points", "").split() for element in tree.iter(f"{SVG}polyline")]
    assert [len(line) for line in lines] == [2, 2]
    assert len(list(tree.iter(f"{SVG}circle"))) == 1  # the last value stands alone


def test_on_a_logarithmic_axis_a_power_of_ten_is_one_step() -> None:
    tree = parsed(line_chart("t", "x", "y", {"a": ([1, 10, 100, 0, 1000], [1, 2, 3, 4, 5])}, log_x=True))
    lines = [element.get("points", "").split() for element in tree.iter(f"{SVG}polyline")]
    places = [float(point.split(",")[0]) for point in lines[0]]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.11)


def test_many_groups_differ_by_more_than_colour() -> None:
    groups = {str(i): ([i], [i]) for i in range(4 * len(COLOURS))}
    tree = parsed(scatter_chart("t", "x", "y", groups))
    drawn = [element for element in tree.iter(f"{SVG}path") if element.get("stroke")]
    looks = [(e.get("stroke"), e.get("stroke-linecap")) for e in drawn]
    assert len(set(looks)) == 2 * len(COLOURS)
    holes = [e for e in tree.iter(f"{SVG}path") if e.get("class") == "core"]
    assert len(holes) == 2 * 2 * len(COLOURS)  # in the figure and in its legend, half of the groups


def test_larger_values_of_a_heat_map_are_darker() -> None:
    tree = parsed(heat_map("t", ["a"], ["b", "c", "d", "e"], [[0, 5, 10, float("nan")]]))
    shares = [float(e.get("fill-opacity", "")) for e in tree.iter(f"{SVG}rect") if e.get("fill-opacity")]
    assert shares == [0, 0.5, 1, 0]
    with pytest.raises(ValueError, match="one value for each"):
        heat_map("t", ["a"], ["b", "c"], [[1]])


@pytest.mark.parametrize("draw", [line_chart, scatter_chart])
def test_empty_constant_and_lopsided_series(draw: object) -> None:
    assert parsed(draw("t", "x", "y", {}))  # type: ignore[operator]
    assert parsed(draw("t", "x", "y", {"a": ([], []), "b": ([2.0, 2.0], [7.0, 7.0])}))  # type: ignore[operator]
    with pytest.raises(ValueError, match="as many values"):
        draw("t", "x", "y", {"a": ([1, 2], [1])})  # type: ignore[operator]


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20), st.booleans())
@example([51.0, 101.0], False)  # 50 to 110 by tens: the ends are multiples of that step and of no other
def test_axes_show_everything_at_round_ticks(values: list[float], log: bool) -> None:
    values = [abs(v) + 1e-9 for v in values] if log else values
    scale = Scale.of(values, log)
    assert all(-1e-6 <= scale.share(value) <= 1 + 1e-6 for value in values)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(a < b for a, b in pairwise(ticks))
    assert all(-1e-6 <= scale.share(tick) <= 1 + 1e-6 for tick in ticks)
    assert len({scale.label(tick) for tick in ticks}) == len(ticks) or max(map(abs, values)) > 1e5 * (
        max(values) - min(values)
    )
