"""Verifies a ledger: every used unit has exactly one entry, in order of purchase. Pure; takes rows in order.

Kinds of findings:

    units     the sum of a pack's entries (archived ones included) differs from its used units
    tiling    entries of a pack overlap or leave a gap
    duplicate a call has an entry twice, or its entries are not numbered 0, 1, …
    sequence  a meter's entries are not numbered without gaps
    chain     an entry is not what its hash covers, or does not follow the one before it (chain.py)
    heads     an entry is gone, or changed, that the signed audit trail names as the last one of its meter (anchors.py)
    order     an entry uses a pack while an earlier one had units for it
    validity  an entry lies outside its pack's validity period
    pack      an entry names a pack that is unknown, of another account or capability, bound to another app, or refunded
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PackFact:
    """A pack. `entered_seq` is the meter's seq when it was created, `refunded_seq` when it was refunded."""

    id: str
    account_id: str
    capability: str
    app_id: str | None
    total: int
    used: int
    archived: int
    ordered_at: datetime
    starts_at: datetime
    ends_at: datetime
    entered_seq: int
    refunded_seq: int | None


@dataclass(frozen=True, slots=True)
class MeterFact:
    """A meter: the number of entries written, and how many of them retention has deleted."""

    account_id: str
    capability: str
    seq: int
    archived_lines: int
    chain: str | None = None  # hash of the last chained entry, in hexadecimal
    chain_seq: int | None = None


@dataclass(frozen=True, slots=True)
class LineFact:
    """A ledger entry."""

    call_id: str
    line: int
    seq: int
    settled_at: datetime
    account_id: str
    capability: str
    app_id: str
    pack_id: str | None
    first_unit: int | None
    units: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A violated rule: its kind (see the module), where, and what."""

    kind: str
    where: str
    what: str


@dataclass(slots=True)
class _PackProgress:
    """A pack during verification: the next unit to be used, and the units seen so far."""

    fact: PackFact
    next_unit: int
    seen: int = 0


@dataclass(slots=True)
class _MeterProgress:
    seq: int = 0
    lines: int = 0
    open_packs: list[_PackProgress] = field(default_factory=list)  # packs with units left, in order of purchase


def verify(
    packs: Iterable[PackFact], meters: Iterable[MeterFact], lines: Iterable[LineFact], *, whole: bool = True
) -> Iterator[Finding]:
    """The findings of a complete ledger. See `Verifier`."""
    verifier = Verifier(packs, meters, whole=whole)
    for line in lines:
        yield from verifier.line(line)
    yield from verifier.finish()


class Verifier:
    """Takes entries ordered by (account, capability, seq).

    `whole` False is for the export of a period: entries before its first one are not checked. `unique` is for a table
    whose key is (call, line); otherwise some dozens of bytes per call are kept to detect duplicates.
    """

    def __init__(
        self, packs: Iterable[PackFact], meters: Iterable[MeterFact], *, whole: bool = True, unique: bool = False
    ) -> None:
        self._whole, self._unique = whole, unique
        self._meters = {(each.account_id, each.capability): each for each in meters}
        self._packs = {each.id: _PackProgress(each, each.archived) for each in packs}
        self._seen: dict[tuple[str, str], _MeterProgress] = {}
        self._call: tuple[str, int] = ("", -1)
        self._calls: set[bytes] = set()

    def line(self, line: LineFact) -> Iterator[Finding]:
        """The findings of the next entry."""
        yield from self._check_numbering(line)
        yield from self._check_sequence(line)
        if line.pack_id is not None:
            yield from self._check_deduction(line)

    def finish(self) -> Iterator[Finding]:
        """The findings of the sums, after the last entry."""
        if self._whole:
            yield from self._check_pack_sums()
            yield from self._check_meter_sums()

    def _check_numbering(self, line: LineFact) -> Iterator[Finding]:
        follows = self._call == (line.call_id, line.line - 1)
        if line.line != 0 and not follows:
            yield Finding("duplicate", _where(line), f"line {line.line} does not follow the one before it")
        self._call = (line.call_id, line.line)
        if self._unique:
            return
        key = bytes.fromhex(line.call_id.replace("-", ""))
        if line.line == 0 and key in self._calls:
            yield Finding("duplicate", _where(line), "the call was recorded before")
        self._calls.add(key)

    def _check_sequence(self, line: LineFact) -> Iterator[Finding]:
        meter = self._progress_of(line)
        fact = self._meters.get((line.account_id, line.capability))
        gaps = not self._whole or (fact is not None and fact.archived_lines > 0)
        if line.seq != meter.seq + 1 and not (gaps and line.seq > meter.seq):
            yield Finding("sequence", _where(line), f"number {line.seq} follows {meter.seq}")
        meter.seq = max(meter.seq, line.seq)
        meter.lines += 1

    def _check_deduction(self, line: LineFact) -> Iterator[Finding]:
        pack = self._packs.get(line.pack_id or "")
        if pack is None:
            yield Finding("pack", _where(line), f"no pack {line.pack_id}")
            return
        fact, first = pack.fact, line.first_unit or 0
        problem = _mismatch(line, fact)
        if problem:
            yield Finding("pack", _where(line), problem)
        if not fact.starts_at <= line.settled_at < fact.ends_at:
            yield Finding("validity", _where(line), f"{line.settled_at} is outside of pack {fact.id}")
        start_unknown = pack.seen == 0 and (fact.archived or not self._whole)  # the first kept entry
        archived_gap = bool(fact.archived) and first > pack.next_unit
        if first != pack.next_unit and not start_unknown and not archived_gap:
            yield Finding("tiling", _where(line), f"units from {first} where {pack.next_unit} comes next")
        pack.next_unit = first + line.units
        pack.seen += line.units
        if pack.next_unit > fact.total:
            yield Finding("tiling", _where(line), f"pack {fact.id} has {fact.total} units, not {pack.next_unit}")
        yield from self._check_order(line, pack)

    def _check_order(self, line: LineFact, pack: _PackProgress) -> Iterator[Finding]:
        meter = self._progress_of(line)
        for earlier in meter.open_packs:
            if earlier is pack:
                break
            if _could_serve(earlier, line) and (self._whole or earlier.seen):
                yield Finding("order", _where(line), f"pack {earlier.fact.id} was ordered before {pack.fact.id}")
                break
        if pack.next_unit >= pack.fact.total and pack in meter.open_packs:
            meter.open_packs.remove(pack)

    def _progress_of(self, line: LineFact) -> _MeterProgress:
        key = (line.account_id, line.capability)
        meter = self._seen.get(key)
        if meter is None:
            own_packs = [each for each in self._packs.values() if (each.fact.account_id, each.fact.capability) == key]
            own_packs.sort(key=lambda each: (each.fact.ordered_at, each.fact.id))
            meter = self._seen[key] = _MeterProgress(open_packs=own_packs)
        return meter

    def _check_pack_sums(self) -> Iterator[Finding]:
        for pack in self._packs.values():
            fact = pack.fact
            if pack.seen + fact.archived != fact.used:
                what = f"{fact.used} used, but {pack.seen} in lines and {fact.archived} archived"
                yield Finding("units", f"pack {fact.id}", what)

    def _check_meter_sums(self) -> Iterator[Finding]:
        for key, fact in self._meters.items():
            written = self._seen[key].lines if key in self._seen else 0
            if written + fact.archived_lines != fact.seq:
                what = f"{fact.seq} lines written, {written} found and {fact.archived_lines} archived"
                yield Finding("sequence", f"meter {key[0]} {key[1]}", what)


def _could_serve(pack: _PackProgress, line: LineFact) -> bool:
    fact = pack.fact
    return (
        pack.next_unit < fact.total
        and fact.app_id in (None, line.app_id)
        and fact.starts_at <= line.settled_at < fact.ends_at
        and fact.entered_seq < line.seq
        and (fact.refunded_seq is None or line.seq <= fact.refunded_seq)
    )


def _mismatch(line: LineFact, fact: PackFact) -> str:
    if (fact.account_id, fact.capability) != (line.account_id, line.capability):
        return f"pack {fact.id} is of another account or capability"
    if fact.app_id not in (None, line.app_id):
        return f"pack {fact.id} is bound to another app"
    if fact.refunded_seq is not None and line.seq > fact.refunded_seq:
        return f"pack {fact.id} had been refunded"
    return ""


def _where(line: LineFact) -> str:
    return f"call {line.call_id} line {line.line}"
