"""Warnings about inconsistent fields of a card; part of the extras only."""

from __future__ import annotations

import datetime as dt

from inkgate.engines.document import checks
from inkgate.engines.idcard.assemble import printed_birthday, printed_sex
from inkgate.engines.idcard.fields import FieldValues
from inkgate.engines.types import IdCard


def card_warnings(card: IdCard, found: FieldValues, today: dt.date) -> list[str]:
    """Contradictions between number, birthday and sex, and a validity period that ended before `today`."""
    warnings = []
    if card.idn and not checks.is_valid_id_number(card.idn):
        warnings.append("number_does_not_check")
    elif card.idn:
        birthday, sex = printed_birthday(found), printed_sex(found)
        if birthday and birthday != card.idn[6:14]:
            warnings.append("birthday_contradicts_number")
        if sex and sex != checks.sex(card.idn):
            warnings.append("sex_contradicts_number")
    end = card.validperiod.partition("-")[2]
    if end[:1].isdigit() and end < f"{today:%Y.%m.%d}":
        warnings.append("expired")
    return warnings
