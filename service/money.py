"""Amounts of money: integers in fen 分 as text, and text as fen. Exact; pure."""

from __future__ import annotations

import re

YUAN = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,2}))?")


def plain(fen: int) -> str:
    """An amount in yuan without separators or symbol: 135000 is "1350.00"."""
    sign = "-" if fen < 0 else ""
    whole, part = divmod(abs(fen), 100)
    return f"{sign}{whole}.{part:02d}"


def yuan(fen: int) -> str:
    """An amount for readers: ¥1,350.00, the sign of a negative one before the symbol."""
    sign = "-" if fen < 0 else ""
    whole, part = divmod(abs(fen), 100)
    return f"{sign}¥{whole:,}.{part:02d}"


def parse(text: str) -> int | None:
    """An amount in yuan as typed ("1,350", "0.5"), converted to fen; None for an invalid one."""
    found = YUAN.fullmatch(text.replace(",", ""))
    if found is None:
        return None
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
