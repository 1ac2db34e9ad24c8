"""The plots are well-formed SVG, and each point stands where its figures say."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from benchmarks.throughput.plot import Axes, Labels, bars, frontier
from benchmarks.throughput.roofline_plot import roofline

SVG = "{http://www.w3.org/2000/svg}"


def row(cost: float, share: float) -> dict[str, object]:
    return {"cpu_seconds_per_image": cost, "accuracy": {"ALL": {"char": share}}}


def circles(svg: str) -> list[tuple[float, float]]:
    return [(float(each.get("cx")), float(each.get("cy"))) for each in ElementTree.fromstring(svg).iter(f"{SVG}circle")]


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_the_cheaper_engine_is_left_and_the_better_one_below() -> None:
    svg = frontier({"inkgate fast": row(0.4, 0.97), "other <1>": row(2.0, 0.90)})
    (fast_x, fast_y), (slow_x, slow_y) = circles(svg)
    assert fast_x < slow_x and fast_y > slow_y
    assert "other <1>" in texts(svg)


def test_an_engine_without_accuracy_has_no_point() -> None:
    assert circles(frontier({"a": {"cpu_seconds_per_image": 1.0}, "b": row(1.0, 0.9)})) == circles(
        frontier({"b": row(1.0, 0.9)})
    )


def test_figures_of_another_machine_are_marked() -> None:
    svg = frontier({"inkgate balanced": row(0.7, 0.98)}, {"inkgate best": (0.6, 0.99)})
    assert len(circles(svg)) == 2
    assert "inkgate best (elsewhere)" in texts(svg)
    assert "inkgate balanced" in texts(svg)


def test_labels_of_near_points_do_not_overlap() -> None:
    labels = Labels(Axes((1, 10), (1, 10)), [(300, 200, 5), (304, 200, 5)])
    heights = set()
    for x, name in ((300, "a"), (304, "b"), (304, "c"), (304, "d")):
        (element,) = ElementTree.fromstring(f"<g>{labels.text(x, 200, 5, name * 20)}</g>").iter("text")
        heights.add((element.get("text-anchor"), element.get("y")))
    assert len(heights) == 4


@pytest.mark.parametrize(("value", "at"), [(1, 60), (100, 580), (10, 320), (0.001, 60), (1e6, 580)])
def test_an_axis_is_logarithmic_and_ends_at_its_border(value: float, at: float) -> None:
    assert Axes((1, 10, 100), (1, 10)).x(value) == at


def test_the_longest_bar_is_that_of_the_largest_value() -> None:
    svg = bars({"AVX2": 2.0, "AVX-512 VNNI": 1.0}, "CPU seconds per image")
    lengths = [float(found) for found in re.findall(r'width="([\d.]+)" height="20"', svg)]
    assert lengths[0] == 2 * lengths[1]
    assert "CPU seconds per image" in texts(svg)


def test_a_roof_bends_where_memory_and_arithmetic_meet() -> None:
    network = {
        "precision": "float32",
        "gflop_per_image": 4.0,
        "flop_per_byte": 10.0,
        "gflop_per_second": 50.0,
        "share_of_peak": 0.5,
    }
    svg = roofline({"float32": 100.0, "copied": 25.0}, {"detector": network})
    (line,) = re.findall(r'polyline points="([^"]+)"', svg)
    points = [tuple(map(float, each.split(","))) for each in line.split()]
    axes = Axes((1, 2, 5, 10, 20, 50, 100, 200, 500), (5, 2000), width=760, height=440)
    assert points[1][0] == axes.x(4.0)  # 100 GFLOP/s over 25 GB/s
    assert points[1][1] == points[2][1]
    ((x, y),) = circles(svg)
    assert x == axes.x(10.0) and math.isclose(y, axes.y(50.0))
    assert any("4.00 GFLOP, 50% of peak" in each for each in texts(svg))
