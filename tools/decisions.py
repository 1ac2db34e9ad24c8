"""Parse the architecture decision records, check their form, and build their index, docs/adr/index.md.

A record has the title `# NNNN Title`, with the number of its file name, and the sections of SECTIONS in that order.
Each section starts with its name in bold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "adr"
SECTIONS = ("Status", "Context", "Decision", "Consequences", "Other choices")
_TITLE = re.compile(r"# (\d{4}) (\S.*)")
_STATUS = re.compile(r"(Accepted|Superseded by \[\d{4}\]\([^)]+\))(, (\d{4}-\d{2}-\d{2}))?\.")
_HEAD = """---
language: mixed
language_note: 各条记录只有英文。 The records are in English only.
---

# 决定 · Decisions

{note}
每条记录一个决定：状态、背景、决定、后果、其他选择。新记录取下一个空号，格式由测试检查，本页由 `make reference` 生成。

One record per decision: status, context, decision, consequences, other choices. A new record takes a free number. A
test checks its form, and `make reference` makes this page.

| | 决定 / Decision | 状态 / Status | 日期 / Date |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """The header of a record. `status` is "Accepted" or "Superseded by …"; `date` is "" when none is given."""

    file: str
    number: str
    title: str
    status: str
    date: str


def parse(file: str, text: str) -> Decision:
    """Parse the header of the record `file`. Raises ValueError when `text` does not have the form of a record."""
    title = _TITLE.fullmatch(text.split("\n", 1)[0])
    if title is None or not file.startswith(f"{title[1]}-"):
        raise ValueError(f"{file}: the first line is not '# NNNN Title' with the number of the file name")
    sections = tuple(re.findall(r"^\*\*([^*\n]+)\.\*\*", text, re.MULTILINE))
    if tuple(name for name in sections if name in SECTIONS) != SECTIONS:
        raise ValueError(f"{file}: the sections are not {', '.join(SECTIONS)}")
    status = _STATUS.match(text.split("**Status.**", 1)[1].strip())
    if status is None:
        raise ValueError(f"{file}: the status is not 'Accepted.' or 'Superseded by [NNNN](file).'")
    return Decision(file, title[1], title[2], status[1], status[3] or "")


def records(folder: Path = FOLDER) -> list[Decision]:
    """All records, sorted by number. Raises ValueError for a malformed record or a duplicate number."""
    found = [parse(path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.md"))]
    numbers = [record.number for record in found]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"duplicate number among {', '.join(numbers)}")
    return found


def decisions_page(note: str) -> str:
    """The index page. `note` is the comment which states that the page is generated."""
    rows = (
        f"| [{record.number}]({record.file}) | {record.title} | {record.status} | {record.date} |"
        for record in records()
    )
    return _HEAD.format(note=note.strip()) + "\n".join(rows) + "\n"
