"""Clients of the cloud, unchanged, with their keys and the cloud's URL, are answered by a service in their network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.airgap.test_airgap import namespace

pytestmark = pytest.mark.ops
ROOT = Path(__file__).resolve().parents[2]
Outcome = dict[str, Any]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What happened in the namespace (host_name_inside.py), once for all tests."""
    for program in ("nginx", "curl"):
        assert shutil.which(program), f"{program} is missing; on Debian: apt-get install {program}"
    folder = tmp_path_factory.mktemp("takeover")
    command = [*namespace(), "--mount", sys.executable, "-m", "tests.takeover.host_name_inside", str(folder)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("INKGATE_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=clean, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "no way out" in done.stdout
    result: Outcome = json.loads(done.stdout.partition("RESULT ")[2])
    return result


def to_do(outcome: Outcome, name: str) -> dict[str, str]:
    """Finding → remedy, of what needs doing."""
    report = outcome[name]
    found = {each["what"]: each["remedy"] for each in report["findings"] if each["remedy"]}
    assert report["rc"] == bool(found)
    return found


def lines(answer: str) -> list[str]:
    parsed = json.loads(answer)
    assert parsed["statusCode"] == 0
    return [line["text"] for line in parsed["returnObj"][0]["detail"]]


def test_clients_with_the_urls_and_keys_of_the_cloud_read_images(outcome: Outcome) -> None:
    clients = outcome["clients"]
    by_requests = lines(clients["requests"]["out"])
    assert by_requests[0] == "图书馆开放通知" and len(by_requests) == 7
    assert clients["urllib"]["out"].splitlines() == by_requests
    assert json.loads(clients["curl"]["out"])["statusCode"] == "CTAPI_10020"  # not signed, but the certificate is good


def test_a_java_client_reads_with_a_trust_store(outcome: Outcome) -> None:
    if "java" not in outcome["clients"]:
        pytest.skip("no JDK on this machine")
    assert lines(outcome["clients"]["java"]["out"])[0] == "图书馆开放通知"
    refused = outcome["clients"]["java, not trusted"]
    assert refused["rc"] and "PKIX path building failed" in refused["err"]


def test_a_client_that_does_not_trust_the_authority_sends_nothing(outcome: Outcome) -> None:
    assert "CERTIFICATE_VERIFY_FAILED" in outcome["clients"]["requests, not trusted"]["err"]
    assert outcome["clients"]["curl, not trusted"]["rc"] == 60


def test_each_call_used_one_imported_unit_and_the_doctor_none(outcome: Outcome) -> None:
    used = {each["capability"]: (each["used"], each["total"]) for each in outcome["packs"]}
    answered = 2 + ("java" in outcome["clients"])
    assert used == {"general": (answered, 1200), "idcard": (0, 5)}


def test_the_doctor_names_the_next_step_of_a_takeover(outcome: Outcome) -> None:
    assert set(to_do(outcome, "no record")) == {"host name", "imported apps"}
    assert set(to_do(outcome, "before the import")) == {"signed call", "imported apps"}
    assert "--ca" in to_do(outcome, "not trusted")["certificate"]
    assert to_do(outcome, "ready") == {}
    assert set(to_do(outcome, "elsewhere")) == {"host name"}


def test_the_doctor_proves_that_the_call_reached_this_gateway(outcome: Outcome) -> None:
    found = {each["what"]: each["found"] for each in outcome["ready"]["findings"]}
    assert found["signed call"] == "reached this gateway with the keys of 扫描前台 (in its ledger, 0 units)"
    assert found["host name"] == "ai-global.ctapi.ctyun.cn is 127.0.0.1"


def test_the_doctor_sends_no_call_to_a_public_address(outcome: Outcome) -> None:
    assert "calls from here go to the cloud" in str(outcome["public"]["findings"])
    for name in ("public", "elsewhere", "no record"):
        assert "signed call" not in {each["what"] for each in outcome[name]["findings"]}
