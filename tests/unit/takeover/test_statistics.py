"""The interval of a share against published values and its own definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.takeover.statistics import Z_95, Share, percent


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_intervals(count: int, total: int, low: float, high: float) -> None:
    assert Share(count, total).interval == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**7).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_both_ends_solve_the_equation_of_the_interval(case: tuple[int, int]) -> None:
    share = Share(*case)
    low, high = share.interval
    assert share.value is not None and 0 <= low <= share.value <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            assert abs(share.value - end) == pytest.approx(Z_95 * math.sqrt(end * (1 - end) / share.total), rel=1e-6)


def test_percentages_are_whole_only_when_all_agree() -> None:
    assert [percent(each) for each in (1.0, 0.9999, 0.97, 0.57, 0.0, None)] == [
        "100.0%", "99.9%", "97.0%", "57.0%", "0.0%", "–",
    ]  # fmt: skip
    assert Share(97, 100).text == "97.0% (91.5–99.0%)" and Share(0, 0).text == "–"


def test_the_interval_ends_at_all() -> None:
    share = Share(100, 100)
    assert share.interval == pytest.approx((0.9630, 1.0), abs=5e-5) and share.text == "100.0% (96.3–100.0%)"
    assert Share(0, 0).value is None and Share(0, 0).interval == (0, 1)
