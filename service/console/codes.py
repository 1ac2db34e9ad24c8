"""All codes of answers, for the table of the reference page and for the texts beside code numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from inkgate.service.console.code_texts import in_language
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.refusals import GATEWAY_CODES


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
    for number, refusal in GATEWAY_CODES.items():
        yield Code(f"CTAPI_{number}" if refusal.eop else str(number), "", refusal.text, refusal.text, refusal.http)
    for capability in CAPABILITIES.values():
        seen = set()
        for fault in sorted(capability.faults.values(), key=lambda each: each.code):
            if fault.code not in seen:
                seen.add(fault.code)
                yield Code(f"AI_OP_{fault.code}", capability.name, fault.message, fault.details, 200)


def code_name(capability: str, code: int, language: str = "zh") -> str:
    """The text of a status code of the ledger; "" for an unknown code."""
    if code in GATEWAY_CODES:
        return in_language(GATEWAY_CODES[code].text, language)
    known = CAPABILITIES.get(capability)
    faults = known.faults.values() if known else ()
    return in_language(next((fault.message for fault in faults if fault.code == code), ""), language)


def search(text: str) -> list[Code]:
    """The rows that contain every word of `text`, in either language."""
    words = text.casefold().split()
    return [row for row in codes() if all(word in _searched(row) for word in words)]


def _searched(row: Code) -> str:
    texts = (row.code, row.message, row.details, in_language(row.message, "en"), in_language(row.details, "en"))
    return " ".join(texts).casefold()
