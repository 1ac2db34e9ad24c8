"""The page of a pack, Chinese first with English beside: one file without scripts and without anything from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from inkgate.service.attest import charts
from inkgate.service.attest.chaos.record import FILE as CHAOS_FILE
from inkgate.service.attest.clauses import EVIDENCE, STATES, Table
from inkgate.service.attest.evidence import Part
from inkgate.service.contract.capabilities import CAPABILITIES

TITLES: Mapping[str, tuple[str, str]] = {
    "settings": ("设置", "settings"),
    "sbom": ("软件组成", "software parts"),
    "models": ("模型文件", "model files"),
    "contract": ("合同自检", "self-check of the contract"),
    "accuracy": ("样例准确率", "accuracy on the samples"),
    "audit": ("操作审计", "audit trail"),
    "ledger": ("账本", "ledger"),
    "chaos": ("故障演练", "chaos run"),
}
STATE_TITLES: Mapping[str, tuple[str, str]] = {
    "passed": ("通过", "passed"),
    "failed": ("未通过", "failed"),
    "not_asked": ("未做", "not done"),
}
FACTS: Mapping[str, tuple[str, str]] = {
    "settings": ("设置项", "settings"),
    "changed": ("不同于默认值", "differ from the default"),
    "secrets_set": ("含密钥的设置项", "settings that are secrets"),
    "components": ("组件", "components"),
    "spec": ("CycloneDX 版本", "CycloneDX version"),
    "models": ("模型", "models"),
    "verified": ("SHA-256 相符", "SHA-256 as listed"),
    "base_url": ("地址", "address"),
    "cases": ("用例", "cases"),
    "passed": ("通过", "passed"),
    "sealed": ("其中加密请求体", "with a sealed body"),
    "units_expected": ("应扣次数", "units that are right"),
    "units_in_ledger": ("账本所记次数", "units in the ledger"),
    "source": ("读取者", "read by"),
    "events": ("记录", "events"),
    "checkpoints": ("签名", "signed checkpoints"),
    "first": ("首条", "first"),
    "last": ("末条", "last"),
    "findings": ("不符", "findings"),
    "entries": ("账本记录", "entries"),
    "meters": ("计量表", "meters"),
    "root": ("链尾的根", "root of the heads"),
    "event": ("记入审计第几条", "event that records it"),
    "setup": ("临时服务", "temporary service"),
    "seconds": ("秒", "seconds"),
    "kills": ("终止进程（次）", "kills"),
    "calls": ("调用", "calls"),
    "answered": ("已应答", "answered"),
    "repeated": ("客户端重试过", "repeated by the client"),
    "slowest_recovery": ("最慢的恢复（秒）", "slowest recovery (s)"),
}
"""Fact of a part → what it is called."""


KILLED: Mapping[str, tuple[str, str]] = {
    "worker": ("一个识别进程", "a worker"),
    "all workers": ("全部识别进程", "all workers"),
    "gateway": ("网关进程", "the gateway process"),
}
"""What a chaos run kills → Chinese and English name."""


PROMISES: Mapping[str, str] = {
    "no wrong or crossed answer": "没有错误或串号的应答",
    "every call was answered in the end": "每个调用最终得到应答",
    "nothing charged twice or undelivered": "没有重复计费，没有未送达而计费",
    "delivered answers cost what they hold": "送达的应答按其内容计费",
    "the ledger verifies": "账本与审计校验通过",
    "units charged are those of the answers": "计费总数等于应答的总数",
    "processes were killed while calls were in work": "终止进程时有调用在处理中",
    "at least 20 calls were made": "至少有 20 个调用",
}
"""What must hold of a chaos run → its Chinese name."""


def clause_rows(table: Table, files: frozenset[str]) -> list[dict[str, Any]]:
    """The table of clauses for `clauses.json`; evidence in the pack says whether it is there."""
    return [
        {
            "standard": {"zh": standard.title.zh, "en": standard.title.en},
            "number": clause.number,
            "topic": {"zh": clause.topic.zh, "en": clause.topic.en},
            "by": clause.state,
            "product": {"zh": clause.does.zh, "en": clause.does.en},
            "customer": {"zh": clause.customer.zh, "en": clause.customer.en},
            "evidence": [
                {"kind": kind, "name": name} | ({"in_pack": name in files} if kind == "pack" else {})
                for kind, name in clause.evidence
            ],
        }
        for standard in table.standards
        for clause in standard.clauses
    ]


def page(parts: Sequence[Part], table: Table, facts: Mapping[str, str], key_id: str, files: frozenset[str]) -> str:
    """The page. Raises jinja2.UndefinedError for a fault of its template."""
    environment = Environment(
        loader=PackageLoader("inkgate.service.attest", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    by_name = {part.name: part for part in parts}
    return environment.get_template("report.html").render(
        facts=facts, key_id=key_id, parts=parts, table=table, titles=TITLES, states=STATE_TITLES, names=FACTS,
        by=STATES, kinds=EVIDENCE, files=files, cases=_cases(by_name.get("contract")),
        accuracy=_accuracy(by_name.get("accuracy")), chain=_chain(by_name, key_id), shown=_shown,
        chaos=_chaos(by_name.get("chaos")), time_line=_time_line(by_name.get("chaos")), kills=KILLED, promises=PROMISES,
    )  # fmt: skip


def _shown(value: object) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _cases(part: Part | None) -> list[dict[str, Any]]:
    if part is None or not part.files:
        return []
    rows: list[dict[str, Any]] = json.loads(part.files["contract.json"])["results"]
    return rows


def _chaos(part: Part | None) -> dict[str, Any] | None:
    if part is None or CHAOS_FILE not in part.files:
        return None
    found: dict[str, Any] = json.loads(part.files[CHAOS_FILE])
    return found


def _time_line(part: Part | None) -> Markup | None:
    found = _chaos(part)
    if found is None:
        return None
    calls = [(row["begun"], row["ended"], bool(row["answers"])) for row in found["calls"] if row["begun"] is not None]
    kills = [(each["at"], each["at"] + each["recovered_seconds"], KILLED[each["what"]][0]) for each in found["kills"]]
    label = "调用与终止进程的时间 calls and kills over time"
    return Markup(charts.time_line(calls, kills, found["seconds"], label))  # noqa: S704 - its texts are escaped


def _accuracy(part: Part | None) -> Markup | None:
    if part is None or "scores" not in part.facts:
        return None
    units = {"characters": "字符 characters", "fields": "字段 fields"}
    rows = [
        (CAPABILITIES[each["capability"]].title, each["rate"], f"{each['right']} / {each['all']} {units[each['unit']]}")
        for each in part.facts["scores"]
    ]
    return Markup(charts.bars(rows, "样例准确率 accuracy on the samples"))  # noqa: S704 - its texts are escaped


def _chain(parts: Mapping[str, Part], key_id: str) -> Markup:
    ledger, audit = parts["ledger"].facts, parts["audit"].facts
    boxes = [
        ("账本 ledger", f"{_shown(ledger.get('entries'))} 条 entries", "SM3"),
        ("链尾的根 root", f"{_shown(ledger.get('meters'))} 计量表 meters", charts.short(ledger.get("root"))),
        ("审计 audit trail", f"第 {_shown(ledger.get('event'))} 条 event", f"1 … {_shown(audit.get('last'))}"),
        ("签名 SM2", "密钥 key", key_id),
    ]
    return Markup(charts.chain(boxes, "账本到签名 from the ledger to the signature"))  # noqa: S704 - escaped
