"""The text of an event, of a checkpoint and of a chain of hashes (docs/reference/audit-chain.md). Pure.

Texts are JSON in the canonical form of RFC 8785. A hash is written `sm3:` or `sha256:` with 64 hexadecimal digits, so
that rows say by themselves how to verify them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from inkgate.service.sealed import sm3

VERSION = 1
ALGORITHMS = ("sm3", "sha256")
HEAD, ARCHIVE = "head", "archive"
FLOAT_DECIMALS = 4  # keeps the shortest decimal form free of exponents, in which languages differ
MAX_EXACT = 2**53  # larger numbers are not exact in JSON readers that use doubles
MAX_TEXT = 1000  # characters of one value
MAX_ENTRIES = 200  # of one mapping

Value = str | int | float | bool | None
MEMBERS = (
    *("sequence", "id", "at", "actor", "action", "subject", "subject_name", "account_id", "account_name"),
    *("result", "surface", "address", "session", "detail", "previous"),
)
"""Members of an event's text besides `version`."""


def canonical(document: Mapping[str, Any]) -> str:
    """A document as JSON of RFC 8785: sorted names, no blanks, no escapes but the necessary ones."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(algorithm: str, text: str) -> str:
    """The hash of a text in UTF-8, with the name of its algorithm."""
    data = text.encode()
    raw = sm3.digest(data) if algorithm == "sm3" else hashlib.sha256(data).digest()
    return f"{algorithm}:{raw.hex()}"


def algorithm_of(value: str | None) -> str | None:
    """The algorithm of a hash as written; None for anything that is no such hash."""
    name, _, digits = (value or "").partition(":")
    return name if name in ALGORITHMS and len(digits) == 64 else None


def event_hash(algorithm: str, event: Mapping[str, Any]) -> str:
    """The hash of an event, given as its members; further members, such as the hash itself, are left out."""
    return digest(algorithm, canonical({"version": VERSION} | {name: event[name] for name in MEMBERS}))


def checkpoint_text(checkpoint: Mapping[str, Any]) -> str:
    """The text of a checkpoint, which its signature covers."""
    return canonical(
        {"version": VERSION} | {name: checkpoint[name] for name in ("at", "kind", "sequence", "hash", "key_id")}
    )


def instant(at: datetime) -> str:
    """A time in UTC with six decimals: 2026-01-31T08:00:00.000000Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def plain(values: Mapping[str, Value]) -> dict[str, Any]:
    """Values as they are stored: bounded, and with one form on both databases and in every language."""
    return {name: _plain(value) for name, value in list(values.items())[:MAX_ENTRIES]}


def _plain(value: Value) -> Value:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        if not abs(value) < MAX_EXACT:  # also NaN
            return str(value)
        value = int(value) if value.is_integer() else round(value, FLOAT_DECIMALS)
    return value if abs(value) < MAX_EXACT else str(value)
