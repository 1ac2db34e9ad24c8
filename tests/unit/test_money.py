"""Amounts as text and back: exact, with the sign before the symbol."""

from __future__ import annotations

import pytest

from inkgate.service import money


@pytest.mark.parametrize(
    ("fen", "plain", "shown"),
    [
        (0, "0.00", "¥0.00"),
        (5, "0.05", "¥0.05"),
        (135_000, "1350.00", "¥1,350.00"),
        (-45_000, "-450.00", "-¥450.00"),
        (-7, "-0.07", "-¥0.07"),
        (10**17 + 1, "1000000000000000.01", "¥1,000,000,000,000,000.01"),  # beyond what a float can hold
    ],
)
def test_an_amount_is_written_exactly(fen: int, plain: str, shown: str) -> None:
    assert (money.plain(fen), money.yuan(fen)) == (plain, shown)


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("450", 45_000),
        ("0.5", 50),
        ("1,350.00", 135_000),
        ("0.29", 29),
        ("9999999999999.99", 999_999_999_999_999),
        ("", None),
        ("-1", None),
        ("1.005", None),
        ("1.", None),
        (".5", None),
        ("1e3", None),
        ("１", None),
        ("10000000000000000", None),
    ],
)
def test_an_amount_is_read_exactly_or_not_at_all(text: str, fen: int | None) -> None:
    assert money.parse(text) == fen
