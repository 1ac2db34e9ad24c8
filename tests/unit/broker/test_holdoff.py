"""When an app is held off, for how long, and that one in memory forgets in time."""

from __future__ import annotations

from inkgate.service.broker.holdoff import (
    APPS,
    LONGEST,
    OVERRUN_POINTS,
    OVERRUNS,
    HoldOffRule,
    HoldOffs,
    held_throughout,
)

RULE = HoldOffRule(deaths=3, window=100.0, seconds=50.0)


def test_so_many_deaths_in_the_window_hold_an_app_off() -> None:
    held = HoldOffs(RULE)
    assert [held.strike("a", moment) for moment in (0, 10, 20)] == [0.0, 0.0, 50.0]
    assert held.left("a", 30) == 40.0 and held.left("b", 30) == 0.0 and held.held(30) == 1
    assert held.left("a", 70) == 0.0 and held.held(70) == 0


def test_deaths_far_apart_do_not() -> None:
    held = HoldOffs(RULE)
    assert not any(held.strike("a", moment) for moment in range(0, 1000, 60))


def test_overruns_count_a_fifth_of_a_death() -> None:
    alone, mixed = HoldOffs(RULE), HoldOffs(RULE)
    needed = RULE.deaths * OVERRUNS
    assert not any(alone.strike("a", n, OVERRUN_POINTS) for n in range(needed - 1))
    assert alone.strike("a", needed, OVERRUN_POINTS) == 50.0
    assert not any(mixed.strike("a", n) for n in range(RULE.deaths - 1))
    assert not any(mixed.strike("a", 10 + n, OVERRUN_POINTS) for n in range(OVERRUNS - 1))
    assert mixed.strike("a", 20, OVERRUN_POINTS) == 50.0


def test_an_image_begun_late_cannot_overrun() -> None:
    assert held_throughout(60.0, 60.0) and held_throughout(49.0, 60.0)
    assert not held_throughout(47.0, 60.0) and not held_throughout(-1.0, 60.0)


def test_each_time_lasts_longer_within_a_day() -> None:
    held = HoldOffs(RULE)
    lasted = [max(held.strike("a", 1000.0 * turn + n) for n in range(3)) for turn in range(8)]
    assert lasted[:4] == [50, 100, 200, 400] and lasted[-1] == LONGEST
    assert max(held.strike("a", 200_000.0 + n) for n in range(3)) == 50


def test_never_when_switched_off_nor_for_an_app_that_is_not_known() -> None:
    off, on = HoldOffs(HoldOffRule(deaths=0)), HoldOffs(RULE)
    assert not any(off.strike("a", 0) for _ in range(50))
    assert not any(on.strike("", 0) for _ in range(50))


def test_memory_is_bounded() -> None:
    held = HoldOffs(RULE)
    for n in range(2 * APPS):
        held.strike(str(n), 0)
    assert len(held._apps) == APPS
