"""Verifies an evidence pack from its file alone: container, signature, and that its proofs fit together."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from inkgate.service.attest import archive, proofs
from inkgate.service.attest.archive import Pack, PackInvalid
from inkgate.service.attest.chaos import record
from inkgate.service.audit.canonical import checkpoint_text
from inkgate.service.audit.signing import key_id_of, valid
from inkgate.service.audit.verify import verify_export
from inkgate.service.metering import anchors
from inkgate.service.metering.merkle import head_text, leaf_hash, root_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pack says of itself, and what does not hold."""

    product: str
    made_at: str
    key_id: str
    trusted: bool  # whether the key was given, and not taken from the pack
    parts: list[dict[str, Any]]
    findings: list[str]


def verify(packed: bytes, trusted: str = "") -> Outcome:
    """Verify the bytes of a pack. `trusted` is the public key that must have signed it. Raises PackInvalid for a file
    that is no whole pack, or was changed."""
    pack = archive.read(packed, trusted)
    parts: list[dict[str, Any]] = pack.document("summary.json")["parts"]
    findings: list[str] = []
    try:
        findings += _checkpoints(pack) if proofs.AUDIT_FILE in pack.files else []
        findings += _ledger(pack) if proofs.LEDGER_FILE in pack.files else []
        findings += _chaos(pack, parts)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        findings.append(f"a proof is malformed: {error}")
    manifest = pack.manifest
    return Outcome(manifest["product"], manifest["made_at"], key_id_of(pack.public_key), bool(trusted), parts, findings)


def _checkpoints(pack: Pack) -> Iterator[str]:
    """Every checkpoint is signed by a key of the trail, the key of the pack among them."""
    document = pack.document(proofs.AUDIT_FILE)
    keys = {key_id_of(key): key for key in document["keys"]}
    if key_id_of(pack.public_key) not in keys:
        yield f"{proofs.AUDIT_FILE}: the key of the pack is not one of the audit trail"
    for each in document["checkpoints"]:
        public_key = keys.get(each["key_id"])
        if public_key is None or not valid(public_key, checkpoint_text(each), each["signature"]):
            yield f"{proofs.AUDIT_FILE}: the checkpoint of event {each['sequence']} is not signed by a key of the trail"


def _ledger(pack: Pack) -> Iterator[str]:
    """The events fit their signed checkpoints, and the heads the last event that records them."""
    text = pack.files[proofs.EVENTS_FILE].decode()
    outcome = verify_export(io.StringIO(text), pack.public_key)
    yield from (f"{proofs.EVENTS_FILE}: {each.where} {each.what}" for each in outcome.findings)
    entries = [json.loads(line) for line in text.splitlines()]
    events = [each["event"] for each in entries if "event" in each]
    sequences = {each["checkpoint"]["sequence"] for each in entries if "checkpoint" in each}
    signed = max(sequences, default=0)
    if events and events[0]["sequence"] > 1 and events[0]["sequence"] - 1 not in sequences:
        yield f"{proofs.EVENTS_FILE}: no checkpoint signs what event {events[0]['sequence']} follows"
    heads = proofs.read_heads(pack.files[proofs.HEADS_FILE])
    recorded = [each for each in events if each["action"] == anchors.ACTION]
    if not recorded:
        if heads:
            yield f"{proofs.EVENTS_FILE}: no event records the heads"
        return
    event = recorded[-1]
    if event["sequence"] > signed:
        yield f"{proofs.EVENTS_FILE}: no checkpoint signs event {event['sequence']}"
    root = f"sm3:{root_of([leaf_hash(head_text(*head)) for head in heads]).hex()}"
    if (event["detail"]["meters"], event["detail"]["root"]) != (len(heads), root):
        yield f"{proofs.HEADS_FILE}: not the heads that event {event['sequence']} records"
    if pack.document(proofs.LEDGER_FILE)["root"] != root:
        yield f"{proofs.LEDGER_FILE}: names another root than that of the heads"


def _chaos(pack: Pack, parts: list[dict[str, Any]]) -> Iterator[str]:
    """The calls of a chaos run say what the part says."""
    states = [part["state"] for part in parts if part["name"] == record.NAME]
    if record.FILE in pack.files:
        yield from record.contradictions(pack.document(record.FILE), states[0])
    elif "passed" in states:
        yield f"{record.FILE}: missing from a pack whose chaos run has passed"


__all__ = ["Outcome", "PackInvalid", "verify"]
