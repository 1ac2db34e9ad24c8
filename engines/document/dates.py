"""Dates as the documents print them."""

from __future__ import annotations

import re

_CN = "〇零一二三四五六七八九"
_CN_VALUE = {c: max(0, i - 1) for i, c in enumerate(_CN)}
_CN_VALUE |= {"O": 0, "○": 0, "0": 0, "元": 1}

DOTTED = re.compile(r"(\d{4})[.,·:\-]?(\d{2})[.,·:\-]?(\d{2})")


def chinese_number(text: str) -> int | None:
    """二〇〇五 as 2005, 十二 as 12, 二十一 as 21; None for anything else."""
    if "十" in text:
        tens, _, ones = text.partition("十")
        if len(tens) > 1 or len(ones) > 1 or any(c not in _CN_VALUE for c in tens + ones):
            return None
        return (_CN_VALUE[tens] if tens else 1) * 10 + (_CN_VALUE[ones] if ones else 0)
    if not text or any(c not in _CN_VALUE for c in text):
        return None
    return int("".join(str(_CN_VALUE[c]) for c in text))
