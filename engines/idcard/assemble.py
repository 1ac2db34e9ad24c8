"""Recognised texts of an identity card to the contract's values: formats, checks, corrections."""

from __future__ import annotations

import re

from inkgate.engines.document import checks, places
from inkgate.engines.document.chars import edit_distance
from inkgate.engines.idcard.fields import PERIOD, FieldValues
from inkgate.engines.idcard.labels import NATIONS
from inkgate.engines.types import IdCard

_NOT_NAME = re.compile(r"[^㐀-鿿\U00020000-\U000323af〇·]")
_NOT_PLACE = re.compile(r"[^㐀-鿿\U00020000-\U000323af〇0-9A-Za-z()#\-·/]")


def assemble(note: str, found: FieldValues) -> IdCard:
    """The eight fields of `detail` (manual 6.3.2), "" for what was not found."""
    raw = found.values
    number = checks.correct_one_character(raw.get("idn", ""), checks.is_valid_id_number)
    holds = checks.is_valid_id_number(number)
    return IdCard(
        note=note,
        name=_NOT_NAME.sub("", raw.get("name", "")).strip("·"),
        sex=checks.sex(number) if holds else _sex(raw.get("sex", "")),
        nation=_nation(raw.get("nation", "")),
        birthday=(checks.birthday(number) or "") if holds else _birthday(raw.get("birthday", "")),
        idn=number,
        addr=places.correct_address(_NOT_PLACE.sub("", raw.get("addr", "")), number[:6] if holds else ""),
        org=places.correct_authority(_authority(_NOT_PLACE.sub("", raw.get("org", "")))),
        validperiod=_period(raw.get("validperiod", "")),
    )


def printed_sex(found: FieldValues) -> str:
    """男 or 女 as printed beside its label, "" when it was not read."""
    return _sex(found.values.get("sex", ""))


def printed_birthday(found: FieldValues) -> str:
    """YYYYMMDD as printed beside its label, "" when it was not read."""
    return _birthday(found.values.get("birthday", ""))


def _authority(text: str) -> str:
    """The text up to its last 局, without the residue of a watermark behind it."""
    head, office, rest = text.rpartition("局")
    return head + office if len(head) > 3 and len(rest) < 4 and "出入境" not in rest else text


def _sex(text: str) -> str:
    return next((c for c in text if c in "男女"), "")


def _nation(text: str) -> str:
    text = text.removesuffix("族")
    if not text or text in NATIONS:
        return text
    near = [n for n in NATIONS if len(n) > 1 and edit_distance(n, text, 1) <= 1]
    return near[0] if len(near) == 1 else text


def _birthday(text: str) -> str:
    match = re.search(r"(\d{4})\D?(\d{1,2})\D(\d{1,2})", text)
    return f"{match[1]}{int(match[2]):02d}{int(match[3]):02d}" if match else ""


def _period(text: str) -> str:
    match = PERIOD.search(text)
    if not match:
        return ""
    end = "长期" if match[4].startswith("长") else f"{match[5]}.{match[6]}.{match[7]}"
    return f"{match[1]}.{match[2]}.{match[3]}-{end}"
