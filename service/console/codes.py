"""All codes of answers, for the table of the reference page and for the texts beside code numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.refusals import REFUSALS


@dataclass(frozen=True, slots=True)
class Code:
    """One row. `capability` is "" for codes of the gateway; `http` is the default HTTP status."""

    code: str
    capability: str
    message: str
    details: str
    http: int


@cache
def codes() -> tuple[Code, ...]:
    """All rows without duplicates: those of the gateway, then of each capability by number."""
    return tuple(_rows())


def _rows() -> Iterator[Code]:
    for number, refusal in REFUSALS.items():
        yield Code(f"CTAPI_{number}" if refusal.eop else str(number), "", refusal.text, refusal.text, refusal.http)
    for capability in CAPABILITIES.values():
        seen = set()
        for fault in sorted(capability.faults.values(), key=lambda each: each.code):
            if fault.code not in seen:
                seen.add(fault.code)
                yield Code(f"AI_OP_{fault.code}", capability.name, fault.message, fault.details, 200)


def code_name(capability: str, code: int) -> str:
    """The text of a status code of the ledger; "" for an unknown code."""
    if code in REFUSALS:
        return REFUSALS[code].text
    known = CAPABILITIES.get(capability)
    faults = known.faults.values() if known else ()
    return next((fault.message for fault in faults if fault.code == code), "")


def search(text: str) -> list[Code]:
    """The rows that contain every word of `text`."""
    words = text.casefold().split()
    texts = ((row, f"{row.code} {row.message} {row.details}".casefold()) for row in codes())
    return [row for row, haystack in texts if all(word in haystack for word in words)]
