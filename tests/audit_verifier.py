"""A verifier of exported audit trails and ledgers, written from docs/reference/audit-chain.md alone: nothing of the
product in it.

SM3 and SM2 are those of gmssl and of GmSSL's C code.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
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
    text = jcs({"version": 1, **{name: checkpoint[name] for name in CHECKPOINT}})
    return signature_fits(public_key, text.encode(), checkpoint["signature"])


def signature_fits(public_key: str, message: bytes, signature: str) -> bool:
    raw = bytes.fromhex(signature)
    numbers = b"".join(integer(part) for part in (raw[:32], raw[32:]))
    return bool(gmssl_pyx.sm2_verify(point(public_key), message, bytes([0x30, len(numbers)]) + numbers))


def integer(part: bytes) -> bytes:
    bare = part.lstrip(b"\0") or b"\0"
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


ENTRY = ["seq", "call_id", "line", "settled_at", "account_id", "app_id", "capability", "pack_id", "first_unit", "units"]
ENTRY += ["images", "failed_images", "code", "body_bytes", "duration_ms", "client_ip", "request_id"]


def sm3_of(data: bytes) -> bytes:
    return bytes.fromhex(sm3.sm3_hash(list(data)))


def tree(leaves: list[bytes]) -> bytes:
    """The root as RFC 9162 defines it, from the top down."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sm3_of(b"\x01" + tree(leaves[:split]) + tree(leaves[split:]))


def root_of_heads(heads: list[list[Any]], *, in_order: bool = False) -> str:
    """The root over heads, each of account, capability, sequence and hash; `in_order`: as they are given."""
    listed = heads if in_order else sorted(heads)
    texts = [json.dumps(head, ensure_ascii=False, separators=(",", ":")) for head in listed]
    return "sm3:" + tree([sm3_of(b"\x00" + text.encode()) for text in texts]).hex()


def root_of_proof(proof: dict[str, Any]) -> str:
    """The root that the head of a ledger export leads to."""
    head = [proof[name] for name in ("account_id", "capability", "chain_seq", "chain")]
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    value, index, last = sm3_of(b"\x00" + text.encode()), proof["index"], proof["count"] - 1
    for step in map(bytes.fromhex, proof["path"]):  # RFC 9162, section 2.1.3.2
        if index % 2 or index == last:
            value = sm3_of(b"\x01" + step + value)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            value = sm3_of(b"\x01" + value + step)
        index, last = index // 2, last // 2
    return f"sm3:{value.hex()}"


def entry_hashes(entries: list[dict[str, Any]]) -> dict[int, str]:
    """The hash of each entry of a meter, whose entries are whole and in order."""
    previous, seq, found = bytes(32), 0, {}
    for entry in entries:
        base, _, fraction = entry["settled_at"].removesuffix("+00:00").partition(".")
        values = [entry[name] for name in ENTRY]
        values[3] = f"{base}.{fraction or '000000'}Z"
        body = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        previous, seq = sm3_of(previous + struct.pack(">Q", seq) + body), entry["seq"]
        found[seq] = previous.hex()
    return found


def broken_ledger(
    lines: Iterable[str], public_key: str, heads: list[list[Any]], entries: list[dict[str, Any]]
) -> str | None:
    """The capability whose entries are not those that the signed trail has recorded; "trail" when the trail does not
    hold or no checkpoint signs the event, "heads" when they are not those of the event; None when all holds."""
    lines = list(lines)
    if first_broken(lines, public_key) is not None:
        return "trail"
    documents = [json.loads(line) for line in lines]
    recorded = [each["event"] for each in documents if each.get("event", {}).get("action") == "ledger.heads"][-1]
    if not any(each["checkpoint"]["sequence"] >= recorded["sequence"] for each in documents if "checkpoint" in each):
        return "trail"
    if (recorded["detail"]["meters"], recorded["detail"]["root"]) != (len(heads), root_of_heads(heads)):
        return "heads"
    for account, capability, seq, value in heads:
        own = [each for each in entries if (each["account_id"], each["capability"]) == (account, capability)]
        if entry_hashes(own).get(seq) != value:
            return str(capability)
    return None
