"""A verifier of evidence packs, written from docs/reference/evidence-pack.md alone: nothing of the product in it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from typing import Any

from tests import audit_verifier


def stored_zip(members: dict[str, bytes]) -> bytes:
    """The one form of a pack, byte for byte."""
    body, directory = b"", b""
    for name in sorted(members):
        data, raw = members[name], name.encode("ascii")
        common = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(raw), 0)
        directory += b"PK\x01\x02" + struct.pack("<BB", 20, 3) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, len(body)) + raw
        body += b"PK\x03\x04" + common + raw + data
    count = len(members)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


def broken(packed: bytes, public_key: str) -> str | None:
    """The file or the part of the container that does not hold; None when all does."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            members = {each.filename: archive.read(each) for each in archive.infolist()}
        if stored_zip(members) != packed:
            return "zip"
    except Exception:
        return "zip"
    manifest, signature = members.pop("manifest.json", b""), members.pop("manifest.sig", b"")
    if re.fullmatch(rb"[0-9a-f]{128}\n", signature) is None:
        return "manifest.sig"
    if not audit_verifier.signature_fits(public_key, manifest, signature.decode().strip()):
        return "manifest.json"
    files = json.loads(manifest)["files"]
    for name in sorted(files.keys() | members.keys()):
        wanted = {"sha256": hashlib.sha256(members.get(name, b"")).hexdigest(), "bytes": len(members.get(name, b""))}
        if name not in members or files.get(name) != wanted:
            return name
    return broken_proof(members, public_key)


def broken_proof(members: dict[str, bytes], public_key: str) -> str | None:
    """The file whose proof does not hold, with any signature of the manifest."""
    audit = json.loads(members["audit.json"])
    if public_key not in audit["keys"]:
        return "audit.json"
    if not all(any(audit_verifier.signed_by(key, each) for key in audit["keys"]) for each in audit["checkpoints"]):
        return "audit.json"
    lines = members["audit-events.jsonl"].decode().splitlines()
    try:
        if audit_verifier.first_broken(lines, public_key) is not None:
            return "audit-events.jsonl"
        documents = [json.loads(line) for line in lines]
        if [set(each) & {"checkpoint", "event"} for each in documents[1:-1]].count(set()):
            return "audit-events.jsonl"
        recorded = [each["event"] for each in documents if each.get("event", {}).get("action") == "ledger.heads"][-1]
        signed = max(each["checkpoint"]["sequence"] for each in documents if "checkpoint" in each)
    except (KeyError, ValueError, IndexError):
        return "audit-events.jsonl"
    heads = [json.loads(line) for line in members["ledger-heads.jsonl"].decode().splitlines()]
    root = (len(heads), audit_verifier.root_of_heads(heads, in_order=True))
    if signed < recorded["sequence"] or (recorded["detail"]["meters"], recorded["detail"]["root"]) != root:
        return "ledger-heads.jsonl"
    if json.loads(members["ledger.json"])["root"] != root[1]:
        return "ledger.json"
    states = {part["name"]: part["state"] for part in json.loads(members["summary.json"])["parts"]}
    if "chaos.json" in members:
        return broken_chaos(json.loads(members["chaos.json"]), states["chaos"])
    return "chaos.json" if states.get("chaos") == "passed" else None


def broken_chaos(found: dict[str, Any], state: str) -> str | None:
    """`chaos.json` when its calls are not those of a part with this state."""
    kept = [each["kept"] for each in found["promises"]]
    if (state == "passed") != (bool(kept) and all(kept)):
        return "chaos.json"
    if state != "passed":
        return None
    sound = bool(found["calls"]) and bool(found["kills"])
    for call in found["calls"]:
        payments, answers = len(call["charged"]), call["answers"]
        lost_with_the_process = not found["answers_outlive_the_gateway"] and "error" in call["results"]
        sound = sound and answers >= 1 and "wrong" not in call["results"]
        sound = sound and (payments <= max(1, answers) or lost_with_the_process)
        sound = sound and (call["charged"][-1] if payments else 0) == call["price"]
    return None if sound else "chaos.json"
