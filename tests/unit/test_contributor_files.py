"""The files for contributors name what exists: owners' paths, places to change, and hooks without outside sources."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_path_of_the_owners_file_exists() -> None:
    rules = [line.split() for line in read(".github/CODEOWNERS").splitlines() if line and not line.startswith("#")]
    assert rules[0][0] == "*", "the first rule owns everything"
    for pattern, *owners in rules:
        assert owners and all(owner.startswith("@") for owner in owners), pattern
        assert pattern == "*" or (ROOT / pattern.lstrip("/")).exists(), pattern


def test_hooks_come_from_this_repository_alone() -> None:
    config = read(".pre-commit-config.yaml")
    assert set(re.findall(r"repo: (\S+)", config)) == {"local"}
    assert "://" not in config
    assert "make --no-print-directory lint" in config


def test_links_of_the_contributor_pages_lead_to_files() -> None:
    for page in ("CONTRIBUTING.md", "SECURITY.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", read(page)):
            assert (ROOT / target).exists(), f"{page}: {target}"


def test_makefile_targets_that_the_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for page in ("CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md"):
        assert set(re.findall(r"\bmake ([a-z-]+)", read(page))) <= targets, page


def test_test_folders_that_the_guide_names_exist() -> None:
    named = set(re.findall(r"`(tests/[a-z]+)`", read("CONTRIBUTING.md")))
    assert named, "the guide explains the folders of the tests"
    for folder in named:
        assert (ROOT / folder).is_dir(), folder
