"""The report of a running installation equals what the cloud was made to answer otherwise."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from inkgate.service.takeover.routes import Mode
from tests.takeover.plan import Change, Fault, Plan, PlannedCode, PlannedFault
from tests.takeover.stage import Stage, staged
from tests.takeover.traffic import Caller, used_units

CALLS = 40  # of each capability
COMPARED_SECONDS = 120.0  # within which all must be compared


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    bounds = {"TAKEOVER__SHADOW_CALLS": "1000", "TAKEOVER__SHADOW_WAIT": "300", "TAKEOVER__REPORT_PERSONAL": "true"}
    with staged(tmp_path_factory.mktemp("figures"), tls=False, **bounds) as made:
        yield made


def report_of(stage: Stage) -> dict[str, dict[str, Any]]:
    """Capability → its report by the command."""
    return {each["capability"]: each for each in json.loads(stage.command("takeover", "report", "--json"))}


def wait_for_report(stage: Stage, calls: int) -> dict[str, dict[str, Any]]:
    """The reports once they have so many calls: reading them takes its time, then the figures are written."""
    give_up = time.monotonic() + COMPARED_SECONDS
    while True:
        found = report_of(stage)
        if sum(each["calls"] for each in found.values()) >= calls:
            return found
        assert time.monotonic() < give_up
        time.sleep(0.5)


def test_the_figures_equal_the_planted_differences(stage: Stage) -> None:
    stage.route(Mode.MIRROR)
    stage.upstream.plan = plan = Plan(
        changes=(
            Change("idcard", "name", lambda old: f"{old}x", every=5),
            Change("idcard", "nation", lambda old: "汉", every=8, first=1),  # empty here
            Change("idcard", "note", lambda old: None, every=1000),  # no key of the detail: changes nothing
            Change("general", "text", lambda old: old[:-2] + "..", every=4),
            Change("plate", "platelicense", lambda old: f" {old}", every=10),
        ),
        codes=(PlannedCode("plate", 4011, every=8, first=3),),
        faults=(PlannedFault(Fault.STATUS, every=3 * CALLS, first=3 * CALLS - 1, status=503),),
    )
    used = used_units(stage.folder)
    caller = Caller(stage.base, stage.here.keys)
    for name in ("idcard", "general", "plate"):
        for _ in range(CALLS):
            caller.call(name)
    found = wait_for_report(stage, 3 * CALLS)
    assert {each["calls"] for each in found.values()} == {CALLS} and not any(each["skipped"] for each in found.values())

    cards = {each["name"]: each for each in found["idcard"]["fields"]}
    assert found["idcard"]["images"] == CALLS == found["idcard"]["units"]
    assert (cards["name"]["differs"], cards["name"]["equal"]) == (8, 32) and plan.planted["idcard", "name"] == 8
    assert (cards["nation"]["only_cloud"], cards["nation"]["empty"]) == (5, 35) and plan.planted[
        "idcard", "nation"
    ] == 5

    text = found["general"]["text"]
    changed = plan.planted["general", "text"]
    assert changed == 10 and (text["equal_lines"], text["cloud_lines"]) == (CALLS - changed, CALLS)
    assert text["edits"] == 2 * changed and text["characters"] == 16 * CALLS

    plates, refused = found["plate"], plan.planted["plate", "4011"]
    codes = {(each["cloud"], each["local"]): each["count"] for each in plates["codes"]}
    assert refused == 5 and codes == {("0", "0"): CALLS - refused - 1, ("4011", "0"): refused, ("http_503", "0"): 1}
    assert plates["fields"][0]["folded"] == plan.planted["plate", "platelicense"] == 4
    assert plates["units"] == CALLS - 1 and used_units(stage.folder) == used  # a business error is charged, a 503 not


def test_the_values_are_in_the_admin_api_and_no_image_is_anywhere(stage: Stage) -> None:
    made = stage.command("admin", "token-create", "reader", "--scope", "usage:read")
    token = made.split()[-1]
    period = {"since": "2026-01-01T00:00:00Z", "until": "2027-12-31T00:00:00Z", "capability": "idcard"}
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{stage.base}/admin/v1/takeover/differences", params=period, headers=headers, timeout=30)
    rows = {(each["field"], each["cloud"], each["local"]): each["count"] for each in answer.json()}
    ((name, count),) = [(key, count) for key, count in rows.items() if key[0] == "name"]
    assert count == 8 and name[1] == f"{name[2]}x" and rows["nation", "汉", ""] == 5
    stored = (stage.folder / "inkgate.db").read_bytes()
    assert b"iVBORw0KGgo" not in stored and b"\x89PNG" not in stored
