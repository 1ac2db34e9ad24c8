"""Builds docs/reference/hostile-clients.md from benchmarks/results/hostile-clients.json, the results of `make hostile-clients`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results" / "hostile-clients.json"
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
# The rows of the results in Chinese; attacks are named in tests/hostile/attacks.py.
TRIED = {
    "200 slow heads, a byte a tenth of a second": "200 个缓慢的请求头，每 0.1 秒一个字节",
    "100 bodies of 90 MiB announced, never sent": "100 个声明 90 MiB 而从不发送的请求体",
    "bodies of 150 MiB": "150 MiB 的请求体",
    "chunked bodies of 150 MiB": "150 MiB 的分块请求体",
    "bodies of 40 MiB under a known access key, wrongly signed": "已知访问密钥、签名错误的 40 MiB 请求体",
    "100 bodies under a known access key, a byte a tenth of a second": "100 个已知访问密钥的请求体，每 0.1 秒一个字节",
    "half-closed after half a body": "发送一半请求体后半关闭",
    "disconnect as soon as the request is sent": "发完请求立即断开",
    "20 requests in one write, answers never read": "一次写入 20 个请求，从不读取应答",
    "wrong Content-Length: negative, huge, twice, too short": "错误的 Content-Length：负数、巨大、重复、过短",
    "request smuggling: both lengths, unusual encodings, folded lines": "请求走私：两种长度并存、少见的编码、折行的请求头",
    "HTTP/1.0, HTTP/0.9, HTTP/2, TLS and random bytes": "HTTP/1.0、HTTP/0.9、HTTP/2、TLS 与随机字节",
    "a paying app that sends 10 requests of 50 images a second": "一个付费应用每秒发送 10 个请求，每个 50 张图片",
    "10,000 idle connections": "10,000 个空闲连接",
}
ANSWERED = {
    "held open below the limit of 20 s": "20 秒上限之内保持",
    "held open below the limit of 55 s": "55 秒上限之内保持",
    "held open below the limit of 60 s": "60 秒上限之内保持",  # the limit when it was measured
    "open, no answer": "未应答",
    "reset": "连接被重置",
    "cancelled by the client": "由客户端取消",
    "closed": "关闭",
    "disconnected": "已断开",
    "not read": "未读取",
    "opened": "已打开",
}
ABOUT = """
`make hostile-clients` 启动一个网关，让表中的恶意客户端（合计每秒至多 {rate} 个新连接）与一个正常客户端同时访问，后者一次接一次地调用。每行 {rounds} 轮，每轮先由正常客户端
单独运行 {seconds:g} 秒，再同时运行 {seconds:g} 秒；「→」左边是单独，右边是同时。引擎是模拟的，数据库在内存里，所以用时只属于网关；恶意客户端以最低优先级运行，
因为它们实际上不在这台机器上。正常客户端有一次调用失败，或哪一行的 p99 超过 2 倍，命令的退出状态为 1。

`make hostile-clients` starts one gateway. The hostile clients of the table (together at most {rate} new connections a second) and a well-behaved client, which calls one
after the other, use it at the same time. Each row has {rounds} rounds; in each, the well-behaved client runs alone for {seconds:g} s, then beside the hostile ones for
{seconds:g} s: left and right of the arrow. The engine is a stub and the database is in memory, so the times are those of the gateway alone. Hostile clients run at
the lowest priority, since in reality they are not on this machine. A failed call of the well-behaved client, or a p99 of more than twice, gives exit status 1.
"""
END = """
来源 / Source: `benchmarks/results/hostile-clients.json`; {processor}, {cores} 核 cores, Python {python}, 开始时的负载 / load average at the start: {load}. 各项限制见
[ADR 0051](../adr/0051-connection-limits.md)，`tests/hostile/test_protocol.py` 以较短的时限测试它们。 / The limits are in ADR 0051;
`tests/hostile/test_protocol.py` checks them with short times.
"""
FRONT_MATTER = """---
language: zh en
---
"""


def _both(english: str, chinese: dict[str, str]) -> str:
    """A text in both languages; a status code is the same in both. Raises KeyError for one without a translation."""
    return english if english.isdigit() else f"{chinese[english]} / {english}"


def hostile_clients_page(note: str, table: Callable[[tuple[str, ...], list[tuple[object, ...]]], str]) -> str:
    """The page. `note` states that it is generated; `table` renders a header and rows as Markdown."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows: list[tuple[object, ...]] = [
        (
            _both(row["tried"], TRIED),
            ", ".join(f"{_both(what, ANSWERED)}: {count:,}" for what, count in row["answered"].items()),
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
            FRONT_MATTER,
            "# 恶意客户端 · Hostile clients\n",
            note,
            ABOUT.format(**results).lstrip(),
            table(HEAD, rows),
            END.format(**machine, load=machine["load_average"][0]).strip() + "\n",
        ]
    )
