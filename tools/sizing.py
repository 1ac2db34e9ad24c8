"""Compute docs/reference/sizing.md from benchmarks/results; tools/reference.py writes the page."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
RATES = (1, 10, 50, 100, 300, 1000)
DAY = 86_400
TARGET_UTILISATION = 0.7  # share of a core; the rest is reserve for bursts and restarts
PEAK_FACTOR = 2.0  # gateways also parse bodies, which no benchmark measures separately
IMAGE_BYTES = 400_000  # of an encoded image
ANSWER_BYTES = 4_000  # of an answer with about twenty lines
QUEUE_SECONDS = 5  # that an image waits in Redis at peak load
REPLAY_SECONDS = 600  # for which Redis keeps a paid answer


@dataclass(frozen=True)
class Measured:
    """CPU seconds, resident MiB and bytes per image, from the benchmark results."""

    balanced: float
    balanced_mib: float
    fast: float
    fast_mib: float
    broker: float
    ledger: float
    redis: float
    table_bytes: float
    log_bytes: float


def measured() -> Measured:
    """Read the results. Raises KeyError when a result lacks a figure."""
    engines = json.loads((RESULTS / "throughput-dev.json").read_text())["engines"]
    ledger = json.loads((RESULTS / "metering.json").read_text())["ledger_open_loop"]
    storage = json.loads((RESULTS / "storage.json").read_text())["figures"]
    broker = json.loads((RESULTS / "broker-overhead.json").read_text())["figures"]["cpu_ms_per_picture"]
    simulation = json.loads((RESULTS / "scale-out-simulation.json").read_text())["rows"]
    balanced, fast = engines["inkgate balanced"], engines["inkgate fast"]
    return Measured(
        balanced["cpu_seconds_per_image"],
        balanced["peak_rss_mib"],
        fast["cpu_seconds_per_image"],
        fast["peak_rss_mib"],
        broker["streams, 500 kB"]["median"] / 1e3,
        ledger["gateway_cpu_us_per_call"] / 1e6,
        simulation[-1]["server_us_per_picture"] / 1e6,
        storage["table_and_index_bytes_per_call"],
        storage["log_bytes_per_call"],
    )


def cpu_seconds() -> dict[str, float]:
    """CPU seconds of one thread per image, by capability (profile `balanced`)."""
    engines = json.loads((RESULTS / "throughput-dev.json").read_text())["engines"]
    documents = json.loads((RESULTS / "documents.json").read_text())["cpu_seconds"]
    plates = json.loads((RESULTS / "plate-times.json").read_text())
    return {
        "general": engines["inkgate balanced"]["cpu_seconds_per_image"],
        "idcard": documents["idcard"]["mean"],
        "plate": plates["1280x960"]["cpu_ms_median"] / 1e3,
        "licence": documents["bizlicense"]["mean"],
    }


def per_image() -> str:
    """The table of the cost of one image by capability."""
    lines = [
        f"| `{name}` | {seconds:.2f} | {TARGET_UTILISATION / seconds:.1f} | {seconds * 1e6 / 3600 / TARGET_UTILISATION:,.0f} |"
        for name, seconds in cpu_seconds().items()
    ]
    head = "| 能力 / Capability | CPU s | 每核每秒 / images/s per core | 每百万张核时 / core hours per million |"
    return "\n".join([head, "|---|---|---|---|", *lines])


def row(rate: int, found: Measured) -> tuple[str, ...]:
    """The table row for `rate` images per second."""
    balanced, fast = (math.ceil(rate * cost / TARGET_UTILISATION) for cost in (found.balanced, found.fast))
    gateways = max(2, math.ceil(rate * PEAK_FACTOR * (found.broker + found.ledger) / TARGET_UTILISATION))
    cells = max(1, math.ceil(rate * found.redis / TARGET_UTILISATION))
    redis = rate * (IMAGE_BYTES * QUEUE_SECONDS + ANSWER_BYTES * REPLAY_SECONDS)
    return (
        f"{rate:,}",
        f"{balanced:,}",
        f"{balanced * found.balanced_mib / 1024:,.1f}",
        f"{fast:,}",
        f"{fast * found.fast_mib / 1024:,.1f}",
        f"{gateways:,}",
        f"{cells}",
        f"{redis / 1e9:,.2f}",
        f"{rate * DAY * found.table_bytes / 1e9:,.2f}",
        f"{rate * DAY * found.log_bytes / 1e9:,.2f}",
    )


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ("---",) * len(head), *rows))


def page() -> str:
    """The page for the current results."""
    found = measured()
    workers = (
        "图/秒 · images/s",
        "`balanced` 核 · cores",
        "内存 · memory, GiB",
        "`fast` 核 · cores",
        "内存 · memory, GiB",
        "网关核 · gateway cores",
    )
    stores = ("图/秒 · images/s", "Redis", "Redis GB", "Postgres GB/天 · day", "WAL GB/天 · day")
    rows = [row(rate, found) for rate in RATES]
    table = "\n\n".join(
        markdown(head, lines)
        for head, lines in (
            (workers, [line[: len(workers)] for line in rows]),
            (stores, [(line[0], *line[len(workers) :]) for line in rows]),
        )
    )
    return f"""---
language: zh en
---

# 容量规划 · Sizing

<!-- Made by tools/reference.py; change the source, then run: make reference -->

由 `benchmarks/results` 算出。核是跑基准的那台机器（AMD EPYC，有整数向量指令 VNNI）的核；没有这种指令的机器，通用文字约慢三成。先在自己的机器上运行
`python -m benchmarks.throughput`，再按比例换算。

The figures are computed from `benchmarks/results`. Cores are those of the machine measured (an AMD EPYC with VNNI); without such instructions, general text
takes about a third more. Run `python -m benchmarks.throughput` on your own machine and scale.

## 一张图片 · One image

{per_image()}

<small>`benchmarks/results/throughput-dev.json`, `documents.json`, `plate-times.json` · 配置档 profile `balanced`</small>

- 按 {TARGET_UTILISATION:.0%} 利用率。通用文字为 63 张各类图片的平均，证件与执照为平均，车牌为 1280×960 的中位数。 / At {TARGET_UTILISATION:.0%}
  utilisation. General text is the mean of 63 images of all kinds, cards and licences are means, plates the median at 1280×960.
- 用时随内容变化：通用文字随行数与字数，车牌随图片尺寸与车牌数（[结果](../explanation/performance.md)）。 / The time depends on the content: for general
  text on lines and characters, for plates on the size of the image and the number of plates ([results](../explanation/performance.md)).
- 一个 worker 进程同时只读一张，占一个核；内存按下表。加密请求体（10 MB）在网关另加 0.24 秒。 / A worker process reads one image at a time and uses one
  core; the table below has its memory. A sealed body of 10 MB takes 0.24 s more in the gateway.
- 延迟：空闲时等于上表的 CPU 秒加几毫秒；要保持 p99，每种能力至少五个 worker，或利用率更低（[负载](../explanation/scale-out.md)）。 / Latency: on an
  idle system the CPU seconds above and some milliseconds. To keep a p99, run at least five workers per capability, or a lower utilisation
  ([load](../explanation/scale-out.en.md)).

## 每秒若干张 · By rate

以通用文字的一页、每个调用一张图计，由 `benchmarks/results` 推算，没有按这些速率跑过。

For pages of general text, one image per call. The rows are computed from `benchmarks/results`; none was run at its rate.

{table}

## 怎么算 · How it is computed

| 列 / Column | 算式 / Formula |
|---|---|
| worker 核、内存 / cores, memory | 图/秒 × CPU 秒（`balanced` {found.balanced:.2f}，`fast` {found.fast:.2f}）÷ {TARGET_UTILISATION:g}；一核一个进程，每进程 {found.balanced_mib:.0f} 或 {found.fast_mib:.0f} MiB / images per second × CPU seconds ÷ {TARGET_UTILISATION:g}; a process per core, of {found.balanced_mib:.0f} or {found.fast_mib:.0f} MiB |
| 网关核 / gateway cores | 图/秒 ×（经 Redis {found.broker * 1e3:.1f} ms + 记账 {found.ledger * 1e3:.1f} ms）× {PEAK_FACTOR:g} ÷ {TARGET_UTILISATION:g}，至少两个；请求体的解析没有单独测过，所以乘 {PEAK_FACTOR:g} / images per second × (Redis + ledger) × {PEAK_FACTOR:g} ÷ {TARGET_UTILISATION:g}, at least two; the factor of {PEAK_FACTOR:g} is for the parsing of bodies, which was not measured alone |
| Redis | 图/秒 × {found.redis * 1e6:.0f} µs ÷ {TARGET_UTILISATION:g}：服务器是单线程，多于一个时按[单元](../explanation/scale-out.md)拆分 / images per second × {found.redis * 1e6:.0f} µs ÷ {TARGET_UTILISATION:g}: the server is one thread; more than one means [cells](../explanation/scale-out.en.md) |
| Redis 内存 / memory | 图/秒 ×（{IMAGE_BYTES // 1000} kB × 高峰排队 {QUEUE_SECONDS} s + {ANSWER_BYTES // 1000} kB × 答复保留 {REPLAY_SECONDS} s），三个数都是假设；最坏情形为 `INKGATE_LIMITS__INFLIGHT_BYTES` × 网关数 / images per second × (size × seconds in the queue at peak load + answer × seconds it is stored), all three assumed; the worst case is `INKGATE_LIMITS__INFLIGHT_BYTES` × gateways |
| Postgres | 每个调用 {found.table_bytes:.0f} 字节（表与索引），WAL {found.log_bytes:.0f} 字节；保留 `INKGATE_LEDGER__RETENTION_DAYS`（默认 400）天 / bytes per call of tables and indexes, then of the log; entries are kept for that many days |

有了新的结果后 / After new results: `make reference`；Postgres 的字节 / the bytes of Postgres: `python -m benchmarks.storage`.
"""
