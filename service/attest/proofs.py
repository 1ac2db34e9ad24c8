"""The parts of a pack that are read from the database: audit trail and ledger, verified and with their proofs."""

from __future__ import annotations

import json

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.attest.evidence import Part, failed, json_file
from inkgate.service.audit import checkpoints, export, repository
from inkgate.service.audit import verify as trail_verify
from inkgate.service.metering import anchors, ledger_reader
from inkgate.service.metering.merkle import head_text

AUDIT, LEDGER = "audit", "ledger"
AUDIT_FILE, EVENTS_FILE, LEDGER_FILE, HEADS_FILE = (
    "audit.json",
    "audit-events.jsonl",
    "ledger.json",
    "ledger-heads.jsonl",
)
MAX_CHECKPOINTS = 5000  # the newest ones
MAX_EVENTS = 5000  # from the checkpoint before the event with the heads to the newest one
MAX_HEADS = 200_000
MAX_FINDINGS = 100


async def audit_part(session: AsyncSession) -> Part:
    """The verification of the whole trail, its end, its keys, and the newest checkpoints."""
    outcome = await trail_verify.verify_database(session)
    head = await repository.head(session)
    newest = list(reversed(await repository.newest_checkpoints(session, MAX_CHECKPOINTS)))
    findings = [{"kind": each.kind, "where": each.where, "what": each.what} for each in outcome.findings]
    facts = {
        "events": outcome.events,
        "checkpoints": outcome.checkpoints,
        "first": outcome.first,
        "last": outcome.last,
        "findings": len(findings),
    }
    document = facts | {
        "head": {"sequence": head[0], "hash": head[1]},
        "findings": findings[:MAX_FINDINGS],
        "keys": [row.public_key for row in await repository.signing_keys(session)],
        "checkpoints_from": newest[0].sequence if newest else None,
        "checkpoints": [checkpoints.members(row) for row in newest],
    }
    reason = f"{findings[0]['where']}: {findings[0]['what']}" if findings else ""
    return Part(AUDIT, "failed" if findings else "passed", reason, facts, {AUDIT_FILE: json_file(document)})


async def ledger_part(session: AsyncSession, since: int) -> Part:
    """The verification of the whole ledger, the heads of its chains, and the part of the trail after checkpoint `since`
    that signs their root."""
    found = await anchors.verify(session)
    found += await ledger_reader.verify_database(session, max_findings=MAX_FINDINGS)
    event = await anchors.last_event(session)
    heads: list[str] = []
    async for head in anchors.heads(session):
        if len(heads) == MAX_HEADS:
            return failed(LEDGER, f"there are more than {MAX_HEADS:,} meters")
        heads.append(head_text(head.account_id, head.capability, head.chain_seq, head.chain))
    last = (await repository.head(session))[0]
    if last - since > MAX_EVENTS:
        return failed(LEDGER, f"{last - since:,} events were written while the pack was made")
    entries = sum(meter.seq - meter.archived_lines for meter in await ledger_reader.meters(session))
    facts = {
        "entries": entries,
        "meters": len(heads),
        "findings": len(found),
        "root": event.detail["root"] if event is not None else None,
        "event": event.sequence if event is not None else None,
    }
    findings = [{"kind": each.kind, "where": each.where, "what": each.what} for each in found[:MAX_FINDINGS]]
    files = {
        LEDGER_FILE: json_file(facts | {"findings": findings}),
        HEADS_FILE: "".join(f"{each}\n" for each in heads).encode(),
        EVENTS_FILE: "".join([line async for line in export.range_lines(session, since + 1, last)]).encode(),
    }
    reason = f"{found[0].where}: {found[0].what}" if found else ""
    return Part(LEDGER, "failed" if found else "passed", reason, facts, files)


def read_heads(data: bytes) -> list[tuple[str, str, int, str]]:
    """The heads of a pack. Raises ValueError for a malformed line."""
    heads = []
    for number, line in enumerate(data.decode().splitlines(), start=1):
        head = json.loads(line)
        if not isinstance(head, list) or [type(each) for each in head] != [str, str, int, str]:
            raise ValueError(f"line {number} of {HEADS_FILE} is no head")
        heads.append((head[0], head[1], head[2], head[3]))
    return heads
