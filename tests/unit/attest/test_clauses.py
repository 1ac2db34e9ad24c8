"""No claim without its evidence: every command, setting, test, file of a pack and page that the clauses name exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from inkgate.service.attest import clauses
from inkgate.service.permissions.commands import COMMANDS
from inkgate.service.settings import Settings
from tools.compliance_page import compliance_page
from tools.reference import GENERATED_NOTE, table

ROOT = Path(__file__).parents[3]
TABLE = clauses.load()
ALL = [(clause, kind, name) for each in TABLE.standards for clause in each.clauses for kind, name in clause.evidence]


def of_kind(kind: str) -> list[str]:
    found = sorted({name for _, each, name in ALL if each == kind})
    assert found
    return found


@pytest.mark.parametrize("name", of_kind("test"))
def test_each_test_exists(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    defined = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert function in defined


def test_each_command_setting_page_and_file_exists() -> None:
    assert [each for each in of_kind("command") if each not in COMMANDS] == []
    settings = {
        f"INKGATE_{group}__{name}".upper()
        for group, about in Settings.model_fields.items()
        for name in about.annotation.model_fields  # type: ignore[union-attr]
    }
    assert [each for each in of_kind("setting") if each not in settings] == []
    assert [each for each in of_kind("page") if not (ROOT / each).is_file() and "compliance" not in each] == []
    page = (ROOT / "docs" / "reference" / "evidence-pack.md").read_text("utf-8")
    assert [each for each in of_kind("pack") if f"| `{each}` |" not in page] == []
    assert {kind for _, kind, _ in ALL} == set(clauses.EVIDENCE)


def test_what_the_product_does_has_evidence() -> None:
    for standard in TABLE.standards:
        assert standard.clauses and len({each.number for each in standard.clauses}) == len(standard.clauses)
        for clause in standard.clauses:
            assert clause.state in clauses.STATES
            if clause.state == "product":
                assert {kind for kind, _ in clause.evidence} & {"test", "command"}, clause.number
            for text in (clause.topic, clause.does, clause.customer):
                assert text.zh and text.en and not re.search(r"[一-鿿]", text.en), clause.number


def test_the_page_has_every_clause_and_is_current() -> None:
    page = compliance_page(GENERATED_NOTE, table)
    for standard in TABLE.standards:
        assert all(clause.does.en in page and f"**{clause.number}**" in page for clause in standard.clauses)
    assert (ROOT / "docs" / "reference" / "compliance.md").read_text("utf-8") == page
