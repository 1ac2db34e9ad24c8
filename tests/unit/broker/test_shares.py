"""Room that apps share: everything for who is alone but the last part, and that for those below their share."""

from __future__ import annotations

import pytest

from service.broker.shares import Shares
from service.errors import Overloaded
from service.gateway.budget import Budget


def fill(shares: Shares, app: str, step: int = 1) -> int:
    while shares.fits(app, step):
        shares.take(app, step)
    return shares.held(app)


def test_who_is_alone_gets_all_but_the_last_part() -> None:
    assert fill(Shares(100), "flood") == 80


def test_the_last_part_is_for_apps_below_their_share() -> None:
    shares = Shares(100)
    fill(shares, "flood")
    assert fill(shares, "polite") == 20
    assert not shares.fits("another", 1), "full is full"
    shares.give("flood", 10)
    assert not shares.fits("flood", 1), "others have use for it"
    assert fill(shares, "polite") == 30 and shares.used == 100


def test_shares_converge_while_both_want_all() -> None:
    shares = Shares(100)
    fill(shares, "flood")
    for _ in range(200):  # one of each is done, and both ask at once, the flood first
        for app in ("flood", "polite"):
            if shares.held(app):
                shares.give(app, 1)
        fill(shares, "flood")
        fill(shares, "polite")
    assert shares.held("polite") >= 33


def test_weights() -> None:
    shares = Shares(100, {"heavy": 3.0})
    shares.take("light", 1)
    assert shares.share("heavy") == 60
    shares.take("heavy", 1)
    assert shares.share("light") == 20


def test_a_first_request_may_be_larger_than_a_share() -> None:
    shares = Shares(100)
    assert shares.fits("new", 100)
    shares.take("flood", 40)
    assert shares.fits("new", 60) and not shares.fits("new", 61)


def test_the_largest_request_always_fits_an_empty_budget() -> None:
    budget = Budget(100, "body bytes", largest=95).of("a")
    for _ in range(95):
        budget.take(1)
    with pytest.raises(Overloaded, match="95 of this app"):
        budget.take(1)


def test_who_holds_nothing_is_forgotten() -> None:
    shares = Shares(10)
    for n in range(100):
        shares.take(str(n), 2)
        shares.give(str(n), 2)
    assert not shares._held and shares.used == 0


def test_a_budgets_views_count_together() -> None:
    budget = Budget(10, "images", largest=0)
    with budget.of("a").hold(8):
        assert budget.used == 8
        with pytest.raises(Overloaded), budget.of("a").hold(1):
            pass
        with budget.of("b").hold(2):
            assert budget.used == 10
    assert budget.used == 0
