"""Hold-off in memory: conditions, duration, and bounded memory."""

from __future__ import annotations

from inkgate.service.broker.holdoff import (
    MAX_HOLD_OFF_SECONDS,
    MAX_TRACKED_APPS,
    OVERRUN_POINTS,
    OVERRUNS_PER_DEATH,
    HoldOffRule,
    HoldOffs,
    counts_as_overrun,
)

RULE = HoldOffRule(deaths=3, window=100.0, seconds=50.0)


def test_enough_deaths_in_the_window_hold_an_app_off() -> None:
    held = HoldOffs(RULE)
    assert [held.record_fault("a", moment) for moment in (0, 10, 20)] == [0.0, 0.0, 50.0]
    assert (
        held.remaining_seconds("a", 30) == 40.0 and held.remaining_seconds("b", 30) == 0.0 and held.count_held(30) == 1
    )
    assert held.remaining_seconds("a", 70) == 0.0 and held.count_held(70) == 0


def test_deaths_outside_the_window_do_not() -> None:
    held = HoldOffs(RULE)
    assert not any(held.record_fault("a", moment) for moment in range(0, 1000, 60))


def test_overruns_count_a_fifth_of_a_death() -> None:
    alone, mixed = HoldOffs(RULE), HoldOffs(RULE)
    needed = RULE.deaths * OVERRUNS_PER_DEATH
    assert not any(alone.record_fault("a", n, OVERRUN_POINTS) for n in range(needed - 1))
    assert alone.record_fault("a", needed, OVERRUN_POINTS) == 50.0
    assert not any(mixed.record_fault("a", n) for n in range(RULE.deaths - 1))
    assert not any(mixed.record_fault("a", 10 + n, OVERRUN_POINTS) for n in range(OVERRUNS_PER_DEATH - 1))
    assert mixed.record_fault("a", 20, OVERRUN_POINTS) == 50.0


def test_an_image_started_late_cannot_overrun() -> None:
    assert counts_as_overrun(60.0, 60.0) and counts_as_overrun(49.0, 60.0)
    assert not counts_as_overrun(47.0, 60.0) and not counts_as_overrun(-1.0, 60.0)


def test_repeated_hold_offs_within_a_day_are_longer() -> None:
    held = HoldOffs(RULE)
    lasted = [max(held.record_fault("a", 1000.0 * turn + n) for n in range(3)) for turn in range(8)]
    assert lasted[:4] == [50, 100, 200, 400] and lasted[-1] == MAX_HOLD_OFF_SECONDS
    assert max(held.record_fault("a", 200_000.0 + n) for n in range(3)) == 50


def test_an_app_that_is_held_off_for_months_stays_held_off() -> None:
    """Two to the number of hold-offs is no float after a thousand of them."""
    held = HoldOffs(RULE)
    lasted = [max(held.record_fault("a", 4000.0 * turn + n) for n in range(3)) for turn in range(1100)]
    assert set(lasted[7:]) == {MAX_HOLD_OFF_SECONDS}


def test_no_hold_off_when_disabled_or_for_an_unknown_app() -> None:
    off, on = HoldOffs(HoldOffRule(deaths=0)), HoldOffs(RULE)
    assert not any(off.record_fault("a", 0) for _ in range(50))
    assert not any(on.record_fault("", 0) for _ in range(50))


def test_memory_is_bounded() -> None:
    held = HoldOffs(RULE)
    for n in range(2 * MAX_TRACKED_APPS):
        held.record_fault(str(n), 0)
    assert len(held._apps) == MAX_TRACKED_APPS
