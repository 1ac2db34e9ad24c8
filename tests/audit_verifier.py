"""A verifier of exported audit trails, written from docs/reference/audit-chain.md alone: nothing of the product in it.

SM3 and SM2 are those of gmssl and of GmSSL's C code.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

import gmssl_pyx
from gmssl import sm3

EVENT = ["account_id", "account_name", "action", "actor", "address", "at", "detail", "id", "previous", "result"]
EVENT += ["sequence", "session", "subject", "subject_name", "surface"]
CHECKPOINT = ["at", "hash", "key_id", "kind", "sequence"]


def jcs(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def hashed(name: str, text: str) -> str:
    data = text.encode("utf-8")
    return f"{name}:" + (sm3.sm3_hash(list(data)) if name == "sm3" else hashlib.sha256(data).hexdigest())


def point(public_key: str) -> bytes:
    return base64.b64decode(public_key)[-64:]


def signed_by(public_key: str, checkpoint: dict[str, Any]) -> bool:
    raw = bytes.fromhex(checkpoint["signature"])
    numbers = b"".join(integer(part) for part in (raw[:32], raw[32:]))
    text = jcs({"version": 1, **{name: checkpoint[name] for name in CHECKPOINT}})
    return bool(gmssl_pyx.sm2_verify(point(public_key), text.encode(), bytes([0x30, len(numbers)]) + numbers))


def integer(part: bytes) -> bytes:
    bare = part.lstrip(b"\0")
    bare = b"\0" + bare if bare[0] & 0x80 else bare
    return bytes([2, len(bare)]) + bare


def first_broken(lines: Iterable[str], public_key: str) -> int | str | None:
    """The sequence of the first event that does not hold, "checkpoint" or "format" for faults of the rest, or None."""
    entries = [json.loads(line) for line in lines]
    key_id = sm3.sm3_hash(list(point(public_key)))[:16]
    header, body, end = entries[0], entries[1:-1], entries[-1]
    checkpoints = [entry["checkpoint"] for entry in body if "checkpoint" in entry]
    events = [entry["event"] for entry in body if "event" in entry]
    if any(each["key_id"] != key_id or not signed_by(public_key, each) for each in checkpoints):
        return "checkpoint"
    signed = {each["sequence"]: each["hash"] for each in checkpoints}
    previous, expected = None, 1
    if header["first"] != 1:
        previous, expected = signed[header["first"] - 1], header["first"]
    for event in events:
        name = event["hash"].partition(":")[0]
        text = jcs({"version": 1, **{member: event[member] for member in EVENT}})
        if (
            event["sequence"] != expected
            or event["previous"] != previous
            or name not in ("sm3", "sha256")
            or hashed(name, text) != event["hash"]
            or signed.get(expected, event["hash"]) != event["hash"]
        ):
            return expected
        previous, expected = event["hash"], expected + 1
    if any(sequence >= expected for sequence in signed):
        return expected
    return "format" if end != {"end": len(events)} else None
