"""Pages of a list: which rows are read, which are shown, and whether another page follows."""

from __future__ import annotations

import pytest

from inkgate.service.console.paging import LAST_PAGE, Paging

ROWS = list(range(7))


@pytest.mark.parametrize(
    ("asked", "shown", "more"),
    [(1, [0, 1, 2], True), (2, [3, 4, 5], True), (3, [6], False), (4, [], False), (0, [0, 1, 2], True)],
)
def test_a_page_and_whether_another_one_follows(asked: int, shown: list[int], more: bool) -> None:
    paging = Paging.of(asked, 3)
    read = ROWS[paging.offset : paging.offset + paging.limit]
    assert paging.cut(read) == (shown, more)


def test_a_full_last_page_is_the_last() -> None:
    assert Paging.of(1, 7).cut(ROWS) == (ROWS, False)


def test_no_client_pages_without_end() -> None:
    assert Paging.of(10**12, 50).offset == (LAST_PAGE - 1) * 50
