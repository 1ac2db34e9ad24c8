"""The records in docs/adr have one form, and the index page lists all of them."""

from __future__ import annotations

import pytest

from tools import decisions

RECORD = """# 0099 Fair queueing

**Status.** Accepted, 2026-11-29. Amends [0041](0041-queue.md).

**Context.** One.

**Decision.** Two.

**Consequences.** Three.

**Other choices.** Four.
"""


def test_every_record_has_the_form_and_a_short_title() -> None:
    found = decisions.records()
    assert len(found) > 40
    for record in found:
        assert len(record.title) <= 60, record
        assert "—" not in record.title, record


def test_the_head_of_a_record() -> None:
    record = decisions.parse("0099-fair-queueing.md", RECORD)
    assert (record.number, record.title, record.status, record.date) == (
        "0099",
        "Fair queueing",
        "Accepted",
        "2026-11-29",
    )
    assert decisions.parse("0099-a.md", RECORD.replace("Accepted, 2026-11-29", "Accepted")).date == ""


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("0098-a.md", "", "", "number of the file name"),
        ("0099-a.md", "# 0099 Fair queueing", "# 0099: Fair queueing", "number of the file name"),
        ("0099-a.md", "**Context.** One.\n\n", "", "sections"),
        ("0099-a.md", "**Decision.**", "**Context.**", "sections"),
        ("0099-a.md", "Accepted, 2026-11-29", "Perhaps", "status"),
    ],
)
def test_another_form_is_refused(file: str, old: str, new: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decisions.parse(file, RECORD.replace(old, new) if old else RECORD)


def test_the_index_lists_every_record() -> None:
    page = decisions.decisions_page("<!-- note -->\n")
    for record in decisions.records():
        assert f"| [{record.number}]({record.file}) | {record.title} | {record.status} |" in page
