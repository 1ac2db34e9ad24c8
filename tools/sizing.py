"""Compute docs/reference/sizing.md from benchmarks/results.

python -m tools.sizing     write the page; run it after new benchmark results
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "reference" / "sizing.md"
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


def page() -> str:
    """The page for the current results."""
    found = measured()
    head = (
        "图/秒 · img/s",
        "`balanced` 核 · cores",
        "内存 · GiB",
        "`fast` 核 · cores",
        "内存 · GiB",
        "网关核 · gateway cores",
        "Redis",
        "Redis GB",
        "Postgres GB/天 · day",
        "WAL GB/天 · day",
    )
    lines = [head, ("---",) * len(head), *(row(rate, found) for rate in RATES)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"""# 容量规划 · Sizing

<!-- Made by tools/sizing.py; after new results run: python -m tools.sizing -->

由 `benchmarks/results` 算出，直到每秒 1,000 张。以通用文字的一页、每个调用一张图计；核是跑基准的那台机器（AMD EPYC，有整数向量指令 VNNI）的核，
没有这种指令的约慢三成。先在自己的机器上测 `python -m benchmarks.throughput`，再按比例换算。表中各行都是推算，没有按这些速率跑过。

Computed from `benchmarks/results` for pages of general text, one image per call. Cores are those of the machine measured (an AMD EPYC
with VNNI; without such instructions pages take about a third more): measure your own and scale. No row was run at its rate; the table
is arithmetic.

{table}

## 怎么算 · How

- worker 核 / cores = 图/秒 × 每图 CPU 秒（`balanced` {found.balanced:.2f}，`fast` {found.fast:.2f}）÷ {TARGET_UTILISATION:g}；一核一个进程，
  内存 / memory = 进程 × {found.balanced_mib:.0f} 或 / or {found.fast_mib:.0f} MiB.
- 网关核 / gateway cores = 图/秒 × （经 Redis {found.broker * 1e3:.1f} ms + 记账 ledger {found.ledger * 1e3:.1f} ms） × {PEAK_FACTOR:g} ÷ {TARGET_UTILISATION:g}，
  至少两个 / two at least. 拆开请求体没有单独测过，所以乘 {PEAK_FACTOR:g} / taking bodies apart was not measured alone, hence the factor.
- Redis 个数 / servers = 图/秒 × {found.redis * 1e6:.0f} µs ÷ {TARGET_UTILISATION:g}：它是单线程，多于一个时按
  [单元](../explanation/scale-out.md) 拆分 / one thread each; more than one means cells.
- Redis 内存 / memory = 图/秒 × （{IMAGE_BYTES // 1000} kB × 高峰排队 {QUEUE_SECONDS} s + {ANSWER_BYTES // 1000} kB × 答复保留 {REPLAY_SECONDS} s）。
  400 kB、4 kB、5 s 是假设 / are assumptions; 最坏情形由 `INKGATE_LIMITS__INFLIGHT_BYTES` × 网关数限定 / bounds the worst case.
- Postgres：每个调用 {found.table_bytes:.0f} 字节（表与索引），WAL {found.log_bytes:.0f} 字节；按 `INKGATE_LEDGER__RETENTION_DAYS`（默认 400）保留。
  / bytes per call, tables and indexes, then log; lines are kept for that many days.
- 证件与车牌更便宜或更贵：见 `documents.json`、`plates.json` 的每图 CPU / other capabilities cost what those files say.

换了 `benchmarks/results` 之后重算 / Compute again after new results: `python -m tools.sizing`；Postgres 的字节由 / its bytes by
`python -m benchmarks.storage`.
"""


def main() -> None:
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
