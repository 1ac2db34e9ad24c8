"""The Eop-Authorization header: `<ak> Headers=a;b;c Signature=<base64>`."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

# `Headers=` in the sample, `headers=` in the text; any run of blanks between the parts.
_FORM = re.compile(r"\s*(\S{1,128})\s+[Hh]eaders=(\S{1,2048})\s+[Ss]ignature=(\S{1,128})\s*")


@dataclass(frozen=True, slots=True)
class Authorization:
    """Who signed, which header names (lower case, in name order), and the signature's 32 bytes."""

    ak: str
    signed: tuple[str, ...]
    signature: bytes


def parse(value: str) -> Authorization | None:
    """The parts of an Eop-Authorization value, or None when it is not of the documented form."""
    match = _FORM.fullmatch(value)
    if match is None:
        return None
    names = {name.strip().lower() for name in match[2].split(";")} - {""}
    try:
        signature = base64.b64decode(match[3], validate=True)
    except (binascii.Error, ValueError):
        return None
    if not names or len(signature) != 32:
        return None
    return Authorization(match[1], tuple(sorted(names)), signature)
