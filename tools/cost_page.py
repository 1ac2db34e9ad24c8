"""Builds docs/reference/cost.md: the packs of the public endpoint beside the cores that the same calls take here.

Prices are the capabilities' catalogue prices, those of the manual (2.1); CPU seconds are from benchmarks/results.
"""

from __future__ import annotations

from collections.abc import Callable

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.capability import Capability
from tools.sizing import TARGET_UTILISATION, cpu_seconds

Table = Callable[[tuple[str, ...], list[tuple[object, ...]]], str]
MILLION = 1_000_000
HOUR = 3600

_HEAD = """---
language: zh en
---

# 与公共端点的费用比较 · Cost compared with the public endpoint
"""
_ABOUT = """
资源包价格取自厂商手册 2.1（手册注明“仅供参考”），也是本产品目录的起始价格；每图 CPU 秒取自 `benchmarks/results`。本页只算计算资源：
另外还有机房、运维人员、支持服务与下面列出的固定部分。

Pack prices are those of the vendor's manual, 2.1 (which calls them a reference), and the initial prices of this product's catalogue. CPU seconds per
image are from `benchmarks/results`. This page counts computing only: premises, staff, support and the fixed parts below come on top.

## 资源包的价格 · Prices of the packs

每个资源包有效期一年，未用完的次数作废。营业执照免费。

A pack is valid for one year; unused units are lost. The licence capability is free.
"""
_OWN = """
## 同样的调用在自己的机器上 · The same calls on your own machines

核时 = 每图 CPU 秒 × 图片数 ÷ 3600 ÷ {utilisation:g}（利用率）。“持平”为一个核时的费用等于该价格时，两边的识别费用相同；低于它，自建更便宜。
核是跑基准的那台机器的核，其他机器请按比例换算。

Core hours = CPU seconds per image × images ÷ 3600 ÷ {utilisation:g} (utilisation). “Break-even” is the price of a core hour at which recognition costs the
same on both sides; below it, your own machines are cheaper. Cores are those of the machine of the benchmark: scale for others.
"""
_FIXED = """
## 固定部分 · Fixed parts

无论用量多少都需要，不计入上表：

These are needed at any volume and are not in the table above:

| | 单机 / One host | 多机 / Several hosts |
|---|---|---|
| 网关 / gateways | – | 2 核 / cores |
| Postgres | – | 主库与从库 / primary and standby |
| Redis | – | 1 |
| 备份、监控、证书 / backups, monitoring, certificates | ✓ | ✓ |

更大的规模见[容量规划](sizing.md)。

For larger installations, see [sizing](sizing.md).
"""


def yuan(fen: float) -> str:
    return f"¥{fen / 100:,.0f}"


def prices(capability: Capability) -> tuple[object, ...]:
    """The table row of a capability: the price of each pack and the range per 10,000 calls."""
    per_unit = [pack.price_fen / pack.units for pack in capability.packs]
    return (
        f"{capability.title} / {capability.title_en}",
        *(yuan(pack.price_fen) for pack in capability.packs),
        f"¥{max(per_unit) * 100:.2f} – {min(per_unit) * 100:.2f}",
    )


def own(capability: Capability, seconds: float) -> tuple[object, ...]:
    """The table row of a capability: core hours per million images and the break-even price of a core hour."""
    hours = seconds * MILLION / HOUR / TARGET_UTILISATION
    name = f"{capability.title} / {capability.title_en}"
    if not capability.packs:
        return (name, f"{seconds:.2f}", f"{hours:,.0f}", "–")
    million = [pack.price_fen / pack.units * MILLION / 100 for pack in capability.packs]
    return (name, f"{seconds:.2f}", f"{hours:,.0f}", f"¥{max(million) / hours:,.1f} – {min(million) / hours:,.1f}")


def cost_page(note: str, table: Table) -> str:
    """The page. `note` states that it is generated; `table` renders a header and rows as Markdown."""
    paid = [capability for capability in CAPABILITIES.values() if capability.packs]
    sizes = [f"{pack.units:,}" for pack in paid[0].packs]
    seconds = cpu_seconds()
    rows = [own(CAPABILITIES[name], each) for name, each in seconds.items()]
    return "\n".join(
        [
            _HEAD,
            note,
            _ABOUT.lstrip(),
            table(("", *sizes, "每万次 / per 10,000"), [prices(capability) for capability in paid]),
            _OWN.format(utilisation=TARGET_UTILISATION).lstrip(),
            table(
                ("", "CPU s / 图 image", "每百万张核时 / core hours per million", "持平 / break-even per core hour"),
                rows,
            ),
            "<small>`benchmarks/results/throughput-dev.json`, `documents.json`, `plate-times.json`</small>\n",
            _FIXED.strip() + "\n",
        ]
    )
