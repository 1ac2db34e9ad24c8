"""Evidence packs of a ledger with calls: they hold, and any changed byte, row, line or file is found, by the product
and by a verifier that has nothing of it."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from sqlalchemy import text

from inkgate.service.attest import archive, verification
from inkgate.service.attest import make as packs
from inkgate.service.attest.archive import PackInvalid
from inkgate.service.attest.evidence import Part
from inkgate.service.audit.signing import SigningKey, key_id_of, signing_key
from inkgate.service.db import work
from inkgate.service.sealed import keys
from tests import attest_verifier
from tests.integration.metering.test_anchors import funded, rewrite, settled
from tests.ledger_data import CustomerData
from tests.postgres import ON_SQLITE
from tests.unit.attest.test_chaos import alterations, good_run, part_of

GIVEN = [
    Part("settings", "passed", "", {"settings": 1}, {"settings.json": b"[]\n"}),
    Part("contract", "failed", "the address did not answer"),
    Part("chaos", "not_asked", "not asked"),
]


async def made(customer: CustomerData, given: Sequence[Part] = GIVEN) -> packs.Made:
    def begin() -> AbstractAsyncContextManager[work.UnitOfWork]:
        return work.unit_of_work(customer.engine, "test", customer.clock)

    return await packs.make(begin, lambda: work.snapshot_session(customer.engine), customer.vault, given)


async def filled(customer: CustomerData) -> packs.Made:
    await funded(customer)
    await settled(customer)
    return await made(customer)


async def key_of(customer: CustomerData) -> SigningKey:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        return await signing_key(unit, customer.vault)


def members(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def states(found: packs.Made) -> dict[str, str]:
    return {part.name: part.state for part in found.parts}


async def test_a_pack_holds_and_says_what_failed(customer: CustomerData) -> None:
    found = await filled(customer)
    assert states(found) == {
        "settings": "passed", "contract": "failed", "audit": "passed", "ledger": "passed", "chaos": "not_asked"
    }  # fmt: skip
    for trusted in ("", found.public_key):
        outcome = verification.verify(found.packed, trusted)
        assert outcome.findings == [] and outcome.trusted == bool(trusted)
    assert attest_verifier.broken(found.packed, found.public_key) is None
    parts = {part["name"]: part for part in outcome.parts}
    assert parts["contract"] == {
        "name": "contract", "state": "failed", "reason": "the address did not answer", "facts": {}, "files": []
    }  # fmt: skip
    files = members(found.packed)
    page = files["index.html"].decode()
    assert "the address did not answer" in page and "8.1.4.3" in page and "<script" not in page
    assert json.loads(files["ledger.json"])["entries"] == 8
    again = await made(customer)
    assert attest_verifier.broken(again.packed, again.public_key) is None


@ON_SQLITE
async def test_any_changed_byte_is_found(customer: CustomerData) -> None:
    """Seeded: single bits over the whole file, and every byte of the manifest's signature."""
    found = await filled(customer)
    generator = random.Random(7)
    begin = found.packed.index(b"manifest.sig") + len("manifest.sig")
    places = [*range(begin, begin + 129), *(generator.randrange(len(found.packed)) for _ in range(400))]
    for place in places:
        bit = 1 << generator.randrange(8)
        altered = found.packed[:place] + bytes([found.packed[place] ^ bit]) + found.packed[place + 1 :]
        with pytest.raises(PackInvalid):
            verification.verify(altered, found.public_key)
        assert attest_verifier.broken(altered, found.public_key) is not None, place
    for altered in (found.packed[:-1], found.packed + b"\0", b"\0" + found.packed, found.packed[1:], b""):
        with pytest.raises(PackInvalid):
            verification.verify(altered, found.public_key)
        assert attest_verifier.broken(altered, found.public_key) == "zip"


@ON_SQLITE
async def test_a_changed_missing_or_added_file_is_found(customer: CustomerData) -> None:
    found = await filled(customer)
    files = members(found.packed)
    for name in sorted(files):
        changed = {**files, name: files[name] + b" "}
        missing = {each: data for each, data in files.items() if each != name}
        for altered in (changed, missing):
            packed = attest_verifier.stored_zip(altered)
            with pytest.raises(PackInvalid):
                verification.verify(packed, found.public_key)
            assert attest_verifier.broken(packed, found.public_key) in (name, "manifest.json", "manifest.sig")
    packed = attest_verifier.stored_zip({**files, "more.json": b"{}"})
    with pytest.raises(PackInvalid, match=r"more\.json"):
        verification.verify(packed, found.public_key)
    assert attest_verifier.broken(packed, found.public_key) == "more.json"


def changes(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Every row of the proofs changed, left out, doubled, and swapped with the next one."""
    for name in ("ledger-heads.jsonl", "audit-events.jsonl"):
        lines = files[name].decode().splitlines()
        for index, line in enumerate(lines):
            for members_of_row in altered_rows(json.loads(line)):
                yield name, joined([*lines[:index], json.dumps(members_of_row), *lines[index + 1 :]])
            yield name, joined([*lines[:index], *lines[index + 1 :]])
            if "checkpoint" in line:
                continue  # a second copy, or another order, of signatures says nothing else
            yield name, joined([*lines[: index + 1], *lines[index:]])
            if index + 1 < len(lines):
                yield name, joined([*lines[:index], lines[index + 1], line, *lines[index + 2 :]])
    audit = json.loads(files["audit.json"])
    for index, checkpoint in enumerate(audit["checkpoints"]):
        for row in altered_rows(checkpoint):
            rows = [*audit["checkpoints"][:index], row, *audit["checkpoints"][index + 1 :]]
            yield "audit.json", json.dumps(audit | {"checkpoints": rows}).encode()
    yield "ledger.json", files["ledger.json"].replace(b'"root": "sm3:', b'"root": "sm3:0')


def joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def altered_rows(row: Any) -> Iterator[Any]:
    """A row with each of its values changed, one at a time, and one level down."""
    if isinstance(row, list):
        for index, value in enumerate(row):
            yield [*row[:index], altered(value), *row[index + 1 :]]
        return
    inner = row.get("event") or row.get("checkpoint")
    if inner is not None:
        kind = "event" if "event" in row else "checkpoint"
        yield from ({kind: each} for each in altered_rows(inner))
        return
    if "format" in row:
        return  # the header says nothing that the lines do not prove
    for name, value in row.items():
        yield row | {name: altered(value)}


def altered(value: Any) -> Any:
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1")
    if isinstance(value, int):
        return value + 1
    return "x" if value is None else {**value, "more": 1} if isinstance(value, dict) else [*value, 1]


@ON_SQLITE
async def test_a_changed_row_is_found_though_the_pack_is_signed_again(customer: CustomerData) -> None:
    """The proofs hold by themselves: a pack signed again with the right key does not hide a changed row."""
    found, key = await filled(customer), await key_of(customer)
    files = {name: data for name, data in members(found.packed).items() if not name.startswith("manifest.")}
    count = 0
    for name, data in changes(files):
        count += 1
        packed = archive.write({**files, name: data}, {"product": "x", "made_at": "y"}, key.public_key, key.sign)
        assert verification.verify(packed, key.public_key).findings, (name, data[-300:])
        try:
            proof = attest_verifier.broken_proof({**files, name: data}, key.public_key)
        except (KeyError, ValueError, TypeError):
            proof = "malformed"
        assert proof is not None, (name, data[-300:])
    assert count > 60


@ON_SQLITE
async def test_a_chaos_run_is_in_the_pack_and_its_calls_are_counted_again(customer: CustomerData) -> None:
    await funded(customer)
    await settled(customer)
    found, key = await made(customer, [*GIVEN[:2], part_of(*good_run())]), await key_of(customer)
    assert states(found)["chaos"] == "passed"
    assert verification.verify(found.packed, found.public_key).findings == []
    assert attest_verifier.broken(found.packed, found.public_key) is None
    files = {name: data for name, data in members(found.packed).items() if not name.startswith("manifest.")}
    page = files["index.html"].decode()
    assert (
        page.count('class="call"') == 25
        and page.count('class="kill"') == 3
        and "网关进程" in page
        and "没有重复计费" in page
    )
    for document in alterations(json.loads(files["chaos.json"])):
        altered = {**files, "chaos.json": json.dumps(document).encode()}
        packed = archive.write(altered, {"product": "x", "made_at": "y"}, key.public_key, key.sign)
        assert verification.verify(packed, key.public_key).findings
        assert attest_verifier.broken_proof(altered, key.public_key) == "chaos.json"
    del files["chaos.json"]
    packed = archive.write(files, {"product": "x", "made_at": "y"}, key.public_key, key.sign)
    assert "missing" in verification.verify(packed, key.public_key).findings[0]
    assert attest_verifier.broken_proof(files, key.public_key) == "chaos.json"


@ON_SQLITE
async def test_a_pack_signed_by_another_key_is_refused(customer: CustomerData) -> None:
    found = await filled(customer)
    private, public = keys.generate()
    other = SigningKey(key_id_of(public), public, private)
    files = {name: data for name, data in members(found.packed).items() if not name.startswith("manifest.")}
    packed = archive.write(files, {"product": "x", "made_at": "y"}, other.public_key, other.sign)
    with pytest.raises(PackInvalid, match="is not what key"):
        verification.verify(packed, found.public_key)
    assert attest_verifier.broken(packed, found.public_key) == "manifest.json"
    assert "not one of the audit trail" in verification.verify(packed).findings[0]


@ON_SQLITE
async def test_a_rewritten_ledger_makes_the_part_fail(customer: CustomerData) -> None:
    await filled(customer)
    await rewrite(customer, 2)
    found = await made(customer)
    assert states(found)["ledger"] == "failed"
    ledger = next(part for part in found.parts if part.name == "ledger")
    assert f"meter {customer.account_id} general" in ledger.reason
    assert attest_verifier.broken(found.packed, found.public_key) is None  # it says so, and is whole


@ON_SQLITE
async def test_a_part_that_cannot_be_read_is_said(customer: CustomerData) -> None:
    await filled(customer)
    async with customer.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE pack RENAME TO packs_elsewhere"))
    found = await made(customer)
    assert states(found)["ledger"] == "failed" and states(found)["audit"] == "passed"
    assert verification.verify(found.packed, found.public_key).findings == []


@ON_SQLITE
async def test_a_new_installation_has_a_pack_too(customer: CustomerData) -> None:
    found = await made(customer)
    assert states(found)["ledger"] == "passed"
    assert verification.verify(found.packed, found.public_key).findings == []


@ON_SQLITE
async def test_no_secret_is_in_a_pack(customer: CustomerData) -> None:
    found = await filled(customer)
    private = (await key_of(customer)).private
    for secret in (customer.keys.sk.encode(), customer.app.secret.encode(), private, private.hex().encode()):
        assert secret not in found.packed
