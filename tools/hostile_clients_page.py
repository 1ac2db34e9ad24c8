"""Builds docs/reference/rude-clients.md from benchmarks/results/rude.json, the results of `make rude`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results" / "rude.json"
HEAD = (
    "试了什么 / Tried",
    "得到的答复 / Answered",
    "调用数 / Calls",
    "p50 ms",
    "p99 ms",
    "p99 倍数 / Times",
    "失败 / Failed",
    "网关核数 / Cores",
    "MiB",
)
ABOUT = """
`make rude` 启动一个网关，一边是表中的客户端（合计每秒至多 {rate} 个新连接），一边是一个守规矩的客户端，一次接一次地调用。每行 {rounds} 轮，每轮先单独
{seconds:g} 秒，再同时 {seconds:g} 秒；「→」左边是单独，右边是同时。引擎是替身，数据库在内存里，所以看到的是网关自己；攻击方以最低优先级运行，因为真实的攻击方
不在这台机器上。有一次调用失败，或哪一行的 p99 超过 2 倍，命令以 1 结束。

A client of the table, and beside it a well-behaved client that calls one after the other: left of each arrow alone, right beside, {rounds} rounds in turns.
The engine is the stub and the database lies in memory, so the times are the gateway's own; attackers run at the lowest priority, since they would not be
on this machine. A failed call, or a p99 of more than twice, ends the command with 1.
"""
END = """
{processor}, {cores} cores, Python {python}, load average {load} when it began. Bounds: [ADR 0051](../adr/0051-connection-limits.md), tried with short
clocks in `tests/hostile/test_protocol.py`.
"""


def hostile_clients_page(note: str, table: Callable[[tuple[str, ...], list[tuple[object, ...]]], str]) -> str:
    """The page. `note` states that it is generated; `table` renders a header and rows as Markdown."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows: list[tuple[object, ...]] = [
        (
            row["tried"],
            ", ".join(f"{what}: {count:,}" for what, count in row["answered"].items()),
            *(" → ".join(f"{value:,}" for value in row[name]) for name in ("calls", "p50_ms", "p99_ms")),
            f"{row['times']:.2f}",
            row["failed"],
            row["cpu"],
            row["rss_mib"],
        )
        for row in results["rows"]
    ]
    machine = results["machine"]
    return "\n".join(
        [
            "# 恶意客户端 · Hostile clients\n",
            note,
            ABOUT.format(**results).lstrip(),
            table(HEAD, rows),
            END.format(**machine, load=machine["load_average"][0]).strip() + "\n",
        ]
    )
