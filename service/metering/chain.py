"""The chain of a meter's entries: each entry has a hash over itself and the entry chained before it (ADR 0074). Pure.

The row of the meter has the last hash. Every settlement locks it anyway, so that the chain needs no further lock and
no further statement. `previous_seq` is in the hash: entries of a release without the chain, which have none, cannot be
put between two others later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import Any

from inkgate.service.metering.verify import Finding, MeterFact
from inkgate.service.sealed import sm3

GENESIS = bytes(32)
"""The hash before the first chained entry."""


def entry_text(line: Mapping[str, Any], at: str) -> str:
    """An entry as a JSON array without blanks, in the order of docs/reference/audit-chain.md; `at` is `settled_at`.

    Settlement runs it for every entry: `json.dumps` would cost as much as the hash.
    """
    pack = line["pack_id"]
    pack_text = "null,null" if pack is None else f'"{pack}",{line["first_unit"]}'
    return (
        f'[{line["seq"]},"{line["call_id"]}",{line["line"]},"{at}","{line["account_id"]}",'
        f'"{line["app_id"]}","{line["capability"]}",{pack_text},{line["units"]},{line["images"]},'
        f"{line['failed_images']},{line['code']},{line['body_bytes']},{line['duration_ms']},"
        f"{encode_basestring(line['client_ip'])},{encode_basestring(line['request_id'])}]"
    )


def instant(at: datetime) -> str:
    """A time in UTC with six decimals: 2026-01-31T08:00:00.000000Z."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def entry_hash(previous: bytes, previous_seq: int, line: Mapping[str, Any], at: str) -> bytes:
    """The hash of an entry after the one with `previous_seq`, whose hash is `previous`; 0 and GENESIS for none."""
    return sm3.digest(previous + previous_seq.to_bytes(8, "big") + entry_text(line, at).encode())


def extend(head: bytes | None, head_seq: int | None, lines: Sequence[dict[str, Any]]) -> tuple[bytes, int]:
    """Set `chain` of the new entries of one settlement, in their order; returns the new end of the chain."""
    previous, seq = head or GENESIS, head_seq or 0
    at = instant(lines[0]["settled_at"]) if lines else ""
    for line in lines:
        previous = line["chain"] = entry_hash(previous, seq, line, at)
        seq = line["seq"]
    return previous, seq


@dataclass(slots=True)
class ChainVerifier:
    """Takes a meter's entries by `seq`; `chain` in them is hexadecimal, or None for an entry that has no hash.

    An entry whose predecessor retention has deleted is not compared; the next one still proves its hash.
    """

    meter: MeterFact
    whole: bool = True
    _hash: bytes = GENESIS
    _seq: int | None = 0  # of the last chained entry; None: retention may have deleted it
    _read: int = 0  # of the last entry
    _missing: int = 0  # entries between two that were read

    def resume(self, read: int, seq: int | None, stored: bytes) -> None:
        """Continue after entry `read`; `seq` and `stored` are of the last chained entry, `seq` None when unknown."""
        self._read, self._seq, self._hash = read, seq, stored

    def chained_to(self, end: int) -> int | None:
        """The last chained entry, if the entry `end` is the last one that was read; otherwise None."""
        return self._seq if self._read == end else None

    def line(self, row: Mapping[str, Any]) -> Iterator[Finding]:
        """The findings at the next entry."""
        seq, stored = row["seq"], row.get("chain")
        if seq > self._read + 1:  # the sequence check says whether what is missing should be there
            self._missing += seq - self._read - 1
            self._seq = None
        self._read = seq
        if stored is None:
            return
        if self._seq is not None and entry_hash(self._hash, self._seq, row, instant(row["settled_at"])).hex() != stored:
            where = f"call {row['call_id']} line {row['line']}"
            yield Finding(
                "chain", where, f"entry {seq} is not what its hash covers, or does not follow entry {self._seq}"
            )
        self._hash, self._seq = bytes.fromhex(stored), seq

    def finish(self) -> Iterator[Finding]:
        """The findings at the end: the meter's row names the last chained entry."""
        meter = self.meter
        last = meter.seq - self._read  # entries missing at the end: retention goes by the time of calls, not by `seq`
        if self._seq is None or (last > 0 and last + self._missing <= meter.archived_lines):
            return
        recorded = (meter.chain_seq or 0, meter.chain or GENESIS.hex())
        if self.whole and self._read and recorded != (self._seq, self._hash.hex()):
            where = f"meter {meter.account_id} {meter.capability}"
            yield Finding(
                "chain", where, f"ends with entry {recorded[0]}, and entry {self._seq} is the last that is chained"
            )
