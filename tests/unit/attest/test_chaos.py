"""The verdict of a chaos run, and how a reader of a pack counts its calls again: each broken promise is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inkgate.service.attest.chaos import record
from inkgate.service.attest.chaos import run as chaos
from inkgate.service.attest.chaos.instance import Instance
from inkgate.service.attest.chaos.record import Kill, Observed
from inkgate.service.attest.chaos.traffic import texts
from inkgate.service.attest.chaos.verdict import Accounts, Attempt, Call, judge
from inkgate.service.attest.evidence import Part
from inkgate.service.cli.attest_chaos import _environment
from inkgate.service.settings import Settings
from tests import attest_verifier

KILLS = [Kill("worker", 2.0, 3.0, 1), Kill("gateway", 5.0, 9.0, 1), Kill("all workers", 12.0, 13.0, 2)]
OUTLIVE, IN_MEMORY = chaos.Plan(15, True, "test"), chaos.Plan(15, False, "test")


def price(call: Call) -> int:
    return 0 if call.capability == "licence" else call.read


def good_run() -> tuple[list[Call], Accounts]:
    """Twenty-four calls, some of them on the way at a kill."""
    calls = []
    for number in range(24):
        begun = number * 0.5
        attempts = [Attempt(begun, begun + 0.9, "ok")]
        if begun <= 5.0 <= begun + 0.9:
            attempts = [Attempt(begun, 5.0, "error", "ReadError"), Attempt(9.0, 9.5, "ok")]
        name = "licence" if number % 4 == 3 else "general"
        images = 1 if name == "licence" else 2
        calls.append(Call(name, [b""] * images, f"call-{number}", attempts, delivered=True, read=images))
    calls.append(Call("general", [b""], "last", [Attempt(11.9, 12.4, "ok")], delivered=True, read=1))
    charged = {call.request_id: [price(call)] for call in calls if price(call)}
    return calls, Accounts(charged, {call.request_id: 1 for call in calls})


def part_of(calls: list[Call], accounts: Accounts, plan: chaos.Plan = OUTLIVE) -> Part:
    observed = Observed(calls, KILLS, accounts, 15.0)
    excused: set[str] = set() if plan.answers_outlive else chaos.in_work(calls, KILLS[1], "error")
    promises = [*judge(calls, accounts, price, excused), *chaos._own_promises(observed, price, excused)]
    return chaos.part(observed, promises, plan, price)


def document_of(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(part.files[record.FILE])
    return found


def test_a_run_that_keeps_every_promise_passes() -> None:
    part = part_of(*good_run())
    assert (part.state, part.reason) == ("passed", "")
    assert list(record.contradictions(document_of(part), "passed")) == []
    assert attest_verifier.broken_chaos(document_of(part), "passed") is None
    assert part.facts["calls"] == part.facts["answered"] == 25 and part.facts["repeated"] == 2
    assert part.facts["units_expected"] == part.facts["units_in_ledger"] == 37


def _lose(calls: list[Call], accounts: Accounts) -> Accounts:
    calls[3].delivered = False
    return Accounts(accounts.charged, {**accounts.answers, calls[3].request_id: 0})


def _charge_twice(calls: list[Call], accounts: Accounts) -> Accounts:
    return Accounts({**accounts.charged, "call-0": [2, 2]}, accounts.answers)


def _charge_too_much(calls: list[Call], accounts: Accounts) -> Accounts:
    return Accounts({**accounts.charged, "call-1": [3]}, accounts.answers)


def _charge_nothing(calls: list[Call], accounts: Accounts) -> Accounts:
    return Accounts({key: units for key, units in accounts.charged.items() if key != "call-1"}, accounts.answers)


def _charge_another(calls: list[Call], accounts: Accounts) -> Accounts:
    return Accounts({**accounts.charged, "unknown": [1]}, accounts.answers)


def _cross(calls: list[Call], accounts: Accounts) -> Accounts:
    calls[2].attempts[-1].result = "wrong"
    return accounts


def _break_the_ledger(calls: list[Call], accounts: Accounts) -> Accounts:
    return Accounts(accounts.charged, accounts.answers, ["chain: entry 3"])


def _do_little(calls: list[Call], accounts: Accounts) -> Accounts:
    del calls[:6]
    kept = {call.request_id for call in calls}
    return Accounts({key: units for key, units in accounts.charged.items() if key in kept}, accounts.answers)


def _kill_in_vain(calls: list[Call], accounts: Accounts) -> Accounts:
    for call in calls:
        for attempt in call.attempts:
            attempt.begun = 12.1 if attempt.begun <= 12.0 <= attempt.ended else attempt.begun
    return accounts


@pytest.mark.parametrize(
    ("harm", "promise"),
    [
        (_lose, "every call was answered in the end"),
        (_charge_twice, "nothing charged twice or undelivered"),
        (_charge_too_much, "delivered answers cost what they hold"),
        (_charge_nothing, "delivered answers cost what they hold"),
        (_charge_another, "units charged are those of the answers"),
        (_cross, "no wrong or crossed answer"),
        (_break_the_ledger, "the ledger verifies"),
        (_do_little, "at least 20 calls were made"),
        (_kill_in_vain, "processes were killed while calls were in work"),
    ],
)
def test_a_broken_promise_fails_the_part(harm: Callable[[list[Call], Accounts], Accounts], promise: str) -> None:
    calls, accounts = good_run()
    part = part_of(calls, harm(calls, accounts))
    assert part.state == "failed" and promise in part.reason
    assert promise in [each["name"] for each in document_of(part)["promises"] if not each["kept"]]


def test_an_answer_that_ended_with_a_killed_process_is_excused_only_where_it_was_kept_in_memory() -> None:
    calls, accounts = good_run()
    broken_off = next(call for call in calls if len(call.attempts) == 2)
    again = Accounts({**accounts.charged, broken_off.request_id: [2, 2]}, accounts.answers)
    assert part_of(calls, again, OUTLIVE).state == "failed"
    part = part_of(calls, again, IN_MEMORY)
    assert part.state == "passed" and list(record.contradictions(document_of(part), "passed")) == []
    assert "1 whose answer ended with a killed process" in json.dumps(document_of(part))
    elsewhere = Accounts({**accounts.charged, "call-0": [2, 2]}, accounts.answers)
    assert part_of(calls, elsewhere, IN_MEMORY).state == "failed"


def alterations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """A passed file, changed so that it no longer says what a passed part must say."""

    def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        altered = copy.deepcopy(document)
        change(altered)
        return altered

    return [
        changed(lambda found: found["calls"][0].update(charged=[2, 2])),
        changed(lambda found: found["calls"][0].update(charged=[1])),
        changed(lambda found: found["calls"][0].update(charged=[])),
        changed(lambda found: found["calls"][0].update(answers=0)),
        changed(lambda found: found["calls"][0].update(results=["wrong"])),
        changed(lambda found: found["calls"][0].update(price=9)),
        changed(lambda found: found["promises"][0].update(kept=False)),
        changed(lambda found: found.update(promises=[])),
        changed(lambda found: found.update(calls=[])),
        changed(lambda found: found.update(kills=[])),
    ]


def test_a_reader_finds_rows_that_contradict_the_verdict() -> None:
    document = document_of(part_of(*good_run()))
    for altered in alterations(document):
        assert list(record.contradictions(altered, "passed")), altered["promises"]
        assert attest_verifier.broken_chaos(altered, "passed") is not None
    assert list(record.contradictions(document, "failed")) and attest_verifier.broken_chaos(document, "failed")


def test_texts_are_compared_without_blanks_and_numbers() -> None:
    read = {"detail": [{"text": "a b", "score": 0.98, "corners": [1, 2]}], "n": 1}
    again = {"detail": [{"text": "ab", "score": 0.97, "corners": [1, 3]}], "n": 1}
    assert texts(read) == texts(again) != texts({"detail": [{"text": "ac", "score": 0.98}]})


def test_the_temporary_service_inherits_nothing_of_the_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INKGATE_DATABASE__URL", "postgresql+asyncpg://production")
    monkeypatch.setenv("inkgate_redis__url", "redis://production")
    monkeypatch.setenv("INKGATE_NOTICES__SMTP_HOST", "mail.example")
    monkeypatch.setenv("INKGATE_NOTICES__SMTP_FROM", "ocr@mail.example")
    settings = Settings(security={"master_key_file": tmp_path / "production.key"}, engine={"profile": "fast"})
    environment = _environment(settings, "sqlite+aiosqlite:///x", tmp_path / "own.key", "")
    instance = Instance(["true"], environment, tmp_path)
    own = {name: value for name, value in instance._environment.items() if name.upper().startswith("INKGATE_")}
    assert not [value for value in own.values() if "production" in value or "mail.example" in value]
    assert own["INKGATE_ENGINE__PROFILE"] == "fast" and own["INKGATE_SERVER__HOST"] == "127.0.0.1"
    assert own["INKGATE_NOTICES__ENABLED"] == "false" and own["INKGATE_DATABASE__URL"] == "sqlite+aiosqlite:///x"
