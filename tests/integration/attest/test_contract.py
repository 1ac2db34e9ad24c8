"""The self-check of the contract against a running service: it passes, and finds what differs."""

from __future__ import annotations

import json
from dataclasses import replace

from inkgate.service.attest import accuracy, contract_check
from inkgate.service.attest.contract_cases import Keys
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.metering.policy import Policy
from inkgate.service.sealed.keys import generate
from tests.sandbox import Sandbox

WINDOW = 900  # seconds, the default
SEALED = 6  # requests with a sealed body, of which one is read
COMMERCIAL = sum(each.commercial for each in CAPABILITIES.values())


def keys_of(sandbox: Sandbox) -> Keys:
    return Keys(sandbox.keys["AK"], sandbox.keys["SK"], sandbox.keys["APPKEY"], sandbox.keys["ENCKEY"])


def test_a_running_service_passes(sandbox: Sandbox) -> None:
    url = sandbox.keys["BASE_URL"]
    outcome = contract_check.run(url, keys_of(sandbox), Policy(), WINDOW)
    part = contract_check.part(outcome, url, outcome.units)
    assert (part.state, part.reason) == ("passed", "")
    assert outcome.units == 3 * COMMERCIAL + 1 and part.facts["cases"] == 9 + 3 * len(CAPABILITIES) + SEALED
    assert part.facts["sealed"] == SEALED
    read = accuracy.part(outcome.elements, url)
    assert read.state == "passed" and all(each["rate"] >= accuracy.LEAST for each in read.facts["scores"])
    assert sandbox.keys["SK"].encode() not in part.files[contract_check.FILE]


def test_wrong_keys_and_another_number_of_units_are_found(sandbox: Sandbox) -> None:
    url = sandbox.keys["BASE_URL"]
    outcome = contract_check.run(url, replace(keys_of(sandbox), sk="wrong"), Policy(), WINDOW)
    part = contract_check.part(outcome, url, 0)
    assert part.state == "failed" and "the ledger says 0 units, and 10 are right" in part.reason
    rows = {row["case"]: row for row in json.loads(part.files[contract_check.FILE])["results"]}
    assert rows["gateway.unsigned"]["passed"] and not rows["general.sample"]["passed"]
    assert "CTAPI_10020" in rows["general.sample"]["problem"]


def test_a_sealed_body_for_another_key_is_not_read(sandbox: Sandbox) -> None:
    url = sandbox.keys["BASE_URL"]
    outcome = contract_check.run(url, replace(keys_of(sandbox), enckey=generate()[1]), Policy(), WINDOW)
    rows = {each.case.name: each.problem for each in outcome.results if each.case.name.startswith("sealed.")}
    assert rows["sealed.sample"] == "the answer is not sealed with the keys of the request"
    assert rows["sealed.changed"] and rows["sealed.padding"] and not rows["sealed.shape"] and not rows["sealed.key"]
    assert contract_check.part(outcome, url, None).state == "failed"


def test_a_service_that_is_not_there_fails_every_case() -> None:
    outcome = contract_check.run("http://127.0.0.1:9", Keys("a", "b", "c"), Policy(), WINDOW)
    part = contract_check.part(outcome, "http://127.0.0.1:9", None)
    assert part.state == "failed" and part.facts["passed"] == 0
    assert accuracy.part(outcome.elements, "x").state == "failed"
