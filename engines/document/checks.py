"""Check digits of the two documents, and the correction of one confused character.

- resident identity number: ISO 7064 MOD 11-2 (GB 11643)
- unified social credit code: GB 32100, weights 3^i mod 31
- registration number of 15 digits: ISO 7064 MOD 11,10 (GS 15-2006)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

_ID_WEIGHTS = tuple(2 ** (17 - i) % 11 for i in range(17))
_ID_CHECKS = "10X98765432"
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(3**i % 31 for i in range(17))

# Characters that a recogniser confuses with each other.
_CONFUSION_GROUPS = ("0ODQ", "1IL", "5S", "2Z", "8B", "6G")
_CONFUSIONS: dict[str, str] = {}
for _group in _CONFUSION_GROUPS:
    for _c in _group:
        _CONFUSIONS[_c] = _CONFUSIONS.get(_c, "") + _group.replace(_c, "")


def is_valid_id_number(number: str) -> bool:
    """18 characters, a real date of birth, and the MOD 11-2 check character."""
    if len(number) != 18 or not number[:17].isdigit() or birthday(number) is None:
        return False
    return _ID_CHECKS[sum(int(c) * w for c, w in zip(number, _ID_WEIGHTS, strict=False)) % 11] == number[17]


def birthday(number: str) -> str | None:
    """YYYYMMDD inside an identity number, or None when it is no date."""
    try:
        dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return number[6:14]


def sex(number: str) -> str:
    """The 17th digit: odd for 男, even for 女."""
    return "男" if int(number[16]) % 2 else "女"


def is_valid_credit_code(code: str) -> bool:
    """18 characters of the GB 32100 alphabet and the check character over weights 3^i mod 31."""
    if len(code) != 18 or any(c not in USCC_ALPHABET for c in code):
        return False
    total = sum(USCC_ALPHABET.index(c) * w for c, w in zip(code, _USCC_WEIGHTS, strict=False))
    return USCC_ALPHABET[-total % 31] == code[17]


def is_valid_registration_number(number: str) -> bool:
    """15 digits whose last follows ISO 7064 MOD 11,10; the 13-digit numbers of older forms carry no check."""
    if len(number) != 15 or not number.isdigit():
        return False
    remainder = 10
    for c in number[:14]:
        remainder = ((remainder + int(c)) % 10 or 10) * 2 % 11
    return str((11 - remainder) % 10) == number[14]


def correct_one_character(text: str, is_valid: Callable[[str], bool]) -> str:
    """`text`, or the only text one confused character away for which `is_valid` is true.

    A valid text, and one with no or several valid corrections, is returned unchanged: a printed number may be wrong.
    """
    if not text or is_valid(text):
        return text
    found = {
        corrected
        for i, c in enumerate(text)
        for other in _CONFUSIONS.get(c, "")
        if is_valid(corrected := text[:i] + other + text[i + 1 :])
    }
    return found.pop() if len(found) == 1 else text
