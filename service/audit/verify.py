"""Verification of the trail: of a database, or of an export without one.

The chain is followed from its first event. Every finding names the event: the first one is the first broken row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.audit import chain, checkpoints, repository
from inkgate.service.audit.canonical import ARCHIVE, MEMBERS, algorithm_of, checkpoint_text, event_hash
from inkgate.service.audit.signing import key_id_of, valid

FORMAT, FORMAT_VERSION = "inkgate-audit", 1
MAX_FINDINGS = 1000
MAX_LINE = 256 * 1024  # characters of one line of an export


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not hold: `kind` is content, link, missing, checkpoint, signature, head or format."""

    kind: str
    where: str
    what: str

    @property
    def sequence(self) -> int | None:
        """The event it is about; None for a fault of the format."""
        found = re.fullmatch(r"(?:checkpoint of )?event (\d+)", self.where)
        return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a verification: what was read, and what does not hold, in the order of the chain."""

    events: int
    checkpoints: int
    first: int | None
    last: int | None
    findings: list[Finding]

    @property
    def sound(self) -> bool:
        return not self.findings


@dataclass(slots=True)
class Verifier:
    """Takes the checkpoints, then the events in their order. `keys` are public keys by id.

    `whole`: the events begin where the chain does, or after what was archived. `contiguous`: none of them is left out.
    """

    keys: Mapping[str, str]
    whole: bool = True
    contiguous: bool = True
    findings: list[Finding] = field(default_factory=list)
    events: int = 0
    checkpoints: int = 0
    first: int | None = None
    last: int | None = None
    _hash: str | None = None
    _signed: dict[int, set[str]] = field(default_factory=dict)
    _archived: int = 0

    @property
    def full(self) -> bool:
        """Whether there are so many findings that reading on is useless."""
        return len(self.findings) >= MAX_FINDINGS

    def take_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        self.checkpoints += 1
        sequence, key_id = checkpoint["sequence"], checkpoint["key_id"]
        public_key = self.keys.get(key_id)
        if public_key is None:
            self._found("signature", f"checkpoint of event {sequence}", f"is signed by an unknown key, {key_id}")
        elif not valid(public_key, checkpoint_text(checkpoint), checkpoint["signature"]):
            self._found("signature", f"checkpoint of event {sequence}", f"is not what key {key_id} signed")
        else:
            self._signed.setdefault(sequence, set()).add(checkpoint["hash"])
            if checkpoint["kind"] == ARCHIVE:
                self._archived = max(self._archived, sequence)

    def take(self, event: Mapping[str, Any]) -> None:
        sequence = event["sequence"]
        where = f"event {sequence}"
        if self.first is None:
            self.first = sequence
            self._check_begin(event)
        elif self.contiguous or sequence <= (self.last or 0):
            self._check_link(event)
        elif sequence == (self.last or 0) + 1 and event["previous"] != self._hash:
            self._found("link", where, f"does not follow event {self.last} as that stands")
        algorithm = algorithm_of(event["hash"])
        if algorithm is None or event_hash(algorithm, event) != event["hash"]:
            self._found("content", where, "its content is not what its hash covers")
        if self._signed.get(sequence, {event["hash"]}) != {event["hash"]}:
            self._found("checkpoint", where, "has another hash than its signed checkpoint says")
        self.events, self.last, self._hash = self.events + 1, sequence, event["hash"]

    def expect(self, last: int) -> None:
        """Says that the events should go on up to `last`."""
        begin = max(self.last or 0, self._archived) + 1
        self._found("missing", f"event {begin}", f"events up to {last} are missing")

    def finish(self, head: tuple[int, str | None] | None = None) -> Outcome:
        """The result. `head` is the end of the chain as the database has it."""
        last = self.last or 0
        if any(each.kind == "missing" and each.where == f"event {last + 1}" for each in self.findings):
            return Outcome(self.events, self.checkpoints, self.first, self.last, self.findings)
        beyond = max((each for each in self._signed if each > max(last, self._archived)), default=None)
        if self.contiguous and beyond is not None:
            self._found("missing", f"event {last + 1}", f"events up to {beyond} were signed and are missing")
        if head is not None and self.last is not None and head != (last, self._hash):
            self._found("head", f"event {last}", f"the end of the chain is recorded as event {head[0]}, {head[1]}")
        elif head is not None and self.last is None and head[0] > self._archived:
            self._found("missing", f"event {self._archived + 1}", f"events up to {head[0]} are missing")
        return Outcome(self.events, self.checkpoints, self.first, self.last, self.findings)

    def _check_begin(self, event: Mapping[str, Any]) -> None:
        sequence, previous = event["sequence"], event["previous"]
        if sequence == 1 and previous is not None:
            self._found("link", "event 1", "is the first one and names one before it")
        signed = self._signed.get(sequence - 1)
        if signed is not None and signed != {previous}:
            self._found("link", f"event {sequence}", f"does not follow event {sequence - 1} as its checkpoint says")
        if self.whole and sequence > 1 and (signed is None or sequence - 1 > self._archived):
            what = (
                f"events {self._archived + 1} to {sequence - 1} are missing, and no checkpoint says they were archived"
            )
            self._found("missing", f"event {self._archived + 1}", what)

    def _check_link(self, event: Mapping[str, Any]) -> None:
        sequence, last = event["sequence"], self.last or 0
        if sequence > last + 1:
            what = "is missing" if sequence == last + 2 else f"is missing, with all up to {sequence - 1}"
            self._found("missing", f"event {last + 1}", what)
        elif sequence <= last:
            self._found("link", f"event {sequence}", f"stands after event {last}")
        elif event["previous"] != self._hash:
            self._found("link", f"event {sequence}", f"does not follow event {last} as that stands")

    def _found(self, kind: str, where: str, what: str) -> None:
        self.findings.append(Finding(kind, where, what))


async def verify_database(session: AsyncSession, *, recent: bool = False) -> Outcome:
    """Verify the trail in a session with one snapshot; `recent`: only from the last checkpoint but one on, which reads
    little and is meant to be repeated."""
    archived = await _archived(session)
    begin = 0
    if recent:
        newest = await repository.newest_checkpoints(session, 2)
        begin = max(newest[1].sequence if len(newest) == 2 else 0, archived)
    verifier = await _verifier(session, begin, whole=not begin)
    head = await repository.head(session)
    leftover = 0 if recent else archived
    first = begin + 1
    while first <= head[0] and not verifier.full:
        rows = await repository.chained(session, first, head[0])
        for event in rows:
            if (event.sequence or 0) > leftover:  # events up to it are being deleted
                verifier.take(chain.members(event))
        session.expunge_all()
        if not rows:
            break
        first = (rows[-1].sequence or 0) + 1
    return verifier.finish(head)


async def verify_piece(session: AsyncSession, first: int, last: int) -> list[Finding]:
    """What does not hold from one event to another, and between the first one and the event before it; to verify a long
    trail piece by piece. The events are read at once. The session has one snapshot."""
    archived, (end, _) = await _archived(session), await repository.head(session)
    begin, end = max(first - 1, archived + 1, 1), min(last, end)
    if begin > end:
        return []
    verifier = await _verifier(session, begin - 1, last=end, whole=False)
    rows = await repository.chained(session, begin, end, limit=end - begin + 1)
    if not rows or rows[0].sequence != begin:
        return [Finding("missing", f"event {begin}", "is missing")]
    for event in rows:
        verifier.take(chain.members(event))
    if (verifier.last or 0) < end:
        verifier.expect(end)
    return verifier.findings


async def _archived(session: AsyncSession) -> int:
    """The last event that was signed for deletion; 0 without one."""
    row = await repository.last_archive(session)
    return row.sequence if row is not None else 0


async def _verifier(session: AsyncSession, since: int, *, whole: bool, last: int | None = None) -> Verifier:
    """A verifier that has taken the checkpoints from `since` to `last`."""
    public = {row.id: row.public_key for row in await repository.signing_keys(session)}
    verifier = Verifier(public, whole=whole)
    for row in await repository.checkpoints(session, since=since, last=last):
        verifier.take_checkpoint(checkpoints.members(row))
    return verifier


def verify_export(lines: TextIO, trusted: str = "") -> Outcome:
    """Verify an export without its database. `trusted` is the public key that must have signed it, as `inkgate audit
    key` prints it; without it the keys in the export are believed."""
    verifier = Verifier({})
    try:
        entries = _entries(lines)
        header = next(entries, {})
        if header.get("format") != FORMAT or header.get("version") != FORMAT_VERSION:
            raise ValueError(f"line 1 does not begin an export of format {FORMAT} {FORMAT_VERSION}")
        verifier.keys = {key_id_of(trusted): trusted} if trusted else {key_id_of(key): key for key in header["keys"]}
        verifier.whole, verifier.contiguous = header["whole"] is True, header["contiguous"] is True
        _take(verifier, entries, header)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"no member {error}" if isinstance(error, KeyError) else str(error)
        verifier.findings.append(Finding("format", f"after event {verifier.last or 0}", what))
    return verifier.finish()


def _take(verifier: Verifier, entries: Iterable[Mapping[str, Any]], header: Mapping[str, Any]) -> None:
    ended = False
    for entry in entries:
        if ended:
            raise ValueError("there are lines after the end")
        if "checkpoint" in entry:
            verifier.take_checkpoint(_integral(entry["checkpoint"]))
        elif "event" in entry:
            event = _integral(entry["event"])
            missing = [name for name in MEMBERS if name not in event]
            if missing:
                raise ValueError(f"event {event['sequence']} lacks {', '.join(missing)}")
            verifier.take(event)
        elif entry.get("end") == verifier.events:
            ended = True
        else:
            raise ValueError("the export ends with another number of events than it has")
        if verifier.full:
            return
    if not ended:
        raise ValueError("the export is cut off: its last line is missing")
    last = header["last"]
    if verifier.contiguous and last is not None and last > (verifier.last or 0):
        verifier.expect(last)


def _integral(members: Mapping[str, Any]) -> Mapping[str, Any]:
    sequence = members["sequence"]
    if isinstance(sequence, bool) or not isinstance(sequence, int) or not 0 < sequence < 2**63:
        raise ValueError("a sequence is not a whole number from 1 on")
    return members


def _entries(lines: TextIO) -> Iterator[Mapping[str, Any]]:
    number = 0
    while True:
        line = lines.readline(MAX_LINE)
        if not line:
            return
        number += 1
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError(f"line {number} is not JSON, or is longer than {MAX_LINE:,} characters") from None
        if not isinstance(entry, dict):
            raise ValueError(f"line {number} is not an object")
        yield entry
