"""Builds docs/reference/compliance.md from the table of clauses of the evidence pack (service/attest/clauses.toml)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from inkgate.service.attest import clauses
from inkgate.service.attest.clauses import EVIDENCE, STATES, Clause

Table = Callable[[tuple[str, ...], list[tuple[object, ...]]], str]

_HEAD = """---
language: zh en
---

# 合规对照 · Clause by clause
"""
_ABOUT = """
本页与[证据包](evidence-pack.md)中的对照表取自同一处（`service/attest/clauses.toml`）。每一项证据都存在：命令、设置、测试、包内文件与文档由测试核对。
这是产品方的自述，不是测评结论；“客户”一列的事项由使用者完成。

This page and the table in an [evidence pack](evidence-pack.md) have one source. A test checks that each command, setting, test, file and page exists. It is the vendor's own
statement, not the result of an assessment; what stands under “customer” is the user's to do.
"""


def compliance_page(generated_note: str, table: Table) -> str:
    """The page."""
    found = clauses.load()
    parts = [_HEAD, generated_note, _ABOUT.strip(), ""]
    head = ("条款 / Clause", "由谁 / By", "产品做什么 / Product", "证据 / Evidence", "客户要做什么 / Customer")
    for standard in found.standards:
        parts += [
            f"## {standard.title.zh}\n",
            f"{standard.title.en}\n",
            f"{standard.compared.zh}\n",
            f"{standard.compared.en}\n",
            table(head, [_row(each) for each in standard.clauses]),
        ]
    parts += ["## 已知限制 · Known limits\n", *(f"- {each.zh} / {each.en}" for each in found.limits), ""]
    return "\n".join(parts)


def _row(clause: Clause) -> tuple[object, ...]:
    return (
        f"**{clause.number}** {clause.topic.zh} / {clause.topic.en}",
        " / ".join(STATES[clause.state]),
        f"{clause.does.zh} / {clause.does.en}",
        "<br>".join(_evidence(*each) for each in clause.evidence) or "–",
        f"{clause.customer.zh} / {clause.customer.en}",
    )


def _evidence(kind: str, name: str) -> str:
    title = EVIDENCE[kind][0]
    if kind == "page":
        path = PurePosixPath(name)
        beside = path.name if path.parent.name == "reference" else f"../{path.parent.name}/{path.name}"
        return f"[{path.stem}]({beside})"
    return f"{title} `{'inkgate ' if kind == 'command' else ''}{name}`"
