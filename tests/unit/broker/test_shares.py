"""Fair shares: a single app may use all but the reserve, which is for apps below their share."""

from __future__ import annotations

import pytest

from inkgate.service.broker.shares import FairShares
from inkgate.service.errors import Overloaded
from inkgate.service.gateway.budget import Budget


def fill(shares: FairShares, app: str, step: int = 1) -> int:
    while shares.may_acquire(app, step):
        shares.acquire(app, step)
    return shares.in_use(app)


def test_a_single_app_gets_all_but_the_reserve() -> None:
    assert fill(FairShares(100), "flood") == 80


def test_the_reserve_is_for_apps_below_their_share() -> None:
    shares = FairShares(100)
    fill(shares, "flood")
    assert fill(shares, "well-behaved") == 20
    assert not shares.may_acquire("another", 1), "full is full"
    shares.release("flood", 10)
    assert not shares.may_acquire("flood", 1), "others have use for it"
    assert fill(shares, "well-behaved") == 30 and shares.used == 100


def test_shares_converge_under_contention() -> None:
    shares = FairShares(100)
    fill(shares, "flood")
    for _ in range(200):  # one of each is done, and both ask at once, the flood first
        for app in ("flood", "well-behaved"):
            if shares.in_use(app):
                shares.release(app, 1)
        fill(shares, "flood")
        fill(shares, "well-behaved")
    assert shares.in_use("well-behaved") >= 33


def test_weights() -> None:
    shares = FairShares(100, {"heavy": 3.0})
    shares.acquire("light", 1)
    assert shares.share("heavy") == 60
    shares.acquire("heavy", 1)
    assert shares.share("light") == 20


def test_a_first_request_may_be_larger_than_a_share() -> None:
    shares = FairShares(100)
    assert shares.may_acquire("new", 100)
    shares.acquire("flood", 40)
    assert shares.may_acquire("new", 60) and not shares.may_acquire("new", 61)


def test_the_largest_request_always_fits_an_empty_budget() -> None:
    budget = Budget(100, "body bytes", largest=95).for_app("a")
    for _ in range(95):
        budget.acquire(1)
    with pytest.raises(Overloaded, match="95 of this app"):
        budget.acquire(1)


def test_an_app_without_any_amount_is_removed() -> None:
    shares = FairShares(10)
    for n in range(100):
        shares.acquire(str(n), 2)
        shares.release(str(n), 2)
    assert not shares._held and shares.used == 0


def test_a_budgets_views_count_together() -> None:
    budget = Budget(10, "images", largest=0)
    with budget.for_app("a").reserve(8):
        assert budget.used == 8
        with pytest.raises(Overloaded), budget.for_app("a").reserve(1):
            pass
        with budget.for_app("b").reserve(2):
            assert budget.used == 10
    assert budget.used == 0


def fill_body(budget: Budget, length: int, *, announced: int | None = None, before: int = 0) -> int:
    """Acquire a body in pieces of 1 as the gateway does; returns the amount acquired."""
    known = length if announced is None else announced
    if not before:
        budget.check(known)
    while before < length:
        try:
            budget.acquire_piece(1, before=before, announced=known)
        except Overloaded:
            break
        before += 1
    return before


def crowded() -> Budget:
    """A limit of 512, of which five apps use 82 each: a sixth app's share is 73, and 102 are free."""
    budget = Budget(512, "body bytes", largest=100)
    for number in range(5):
        budget.for_app(f"a{number}").acquire(82)
    return budget


@pytest.mark.parametrize("announced", [100, 0], ids=["announced", "chunked"])
def test_the_first_body_of_an_app_is_not_refused_half_way(announced: int) -> None:
    budget = crowded()
    assert fill_body(budget.for_app("new"), 100, announced=announced) == 100
    assert budget.used == 510


def test_a_first_body_ends_where_the_limit_does() -> None:
    budget = crowded()
    budget.for_app("a5").acquire(20)
    assert fill_body(budget.for_app("new"), 100, announced=0) == 82
    assert budget.used == 512


def test_a_small_body_beside_it_does_not_stop_a_body_that_was_admitted() -> None:
    budget = crowded()
    new = budget.for_app("new")
    new.check(99)
    new.acquire_piece(40, before=0, announced=99)
    assert fill_body(new, 1) == 1
    assert fill_body(new, 99, before=40) == 99


def test_bodies_admitted_together_leave_capacity_for_others() -> None:
    """Each is checked while the app uses nothing. They stop when the app's other bodies use up its share."""
    budget = Budget(512, "body bytes", largest=100)
    for number in range(3):
        budget.for_app(f"a{number}").acquire(82)
    flood, held = budget.for_app("flood"), [0] * 10
    for _ in held:
        flood.check(100)
    growing = set(range(10))
    while growing:
        for number in sorted(growing):
            try:
                flood.acquire_piece(1, before=held[number], announced=100)
                held[number] += 1
            except Overloaded:  # as the gateway does: its part is given back at once
                flood.release(held[number])
                held[number] = 0
                growing.discard(number)
            if held[number] == 100:
                growing.discard(number)
    assert 100 <= sum(held) <= 102 + 100, "its share and one body"
    budget.for_app("other").check(60)


@pytest.mark.parametrize("announced", [10, 0], ids=["beyond", "chunked"])
def test_bytes_beyond_the_announced_length_are_limited_by_the_share(announced: int) -> None:
    budget = crowded()
    new = budget.for_app("new")
    new.acquire(1)  # another body of the app
    assert fill_body(new, 100, announced=announced) == 72


def test_no_further_body_when_the_share_is_used_up() -> None:
    budget = crowded()
    with pytest.raises(Overloaded):
        fill_body(budget.for_app("a0"), 10)
