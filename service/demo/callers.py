"""Addresses of the example callers, and the table that maps them to provinces.

The addresses are of the network for benchmarks (RFC 2544), which no host of the Internet has; each province has a /24.
"""

from __future__ import annotations

import random
from pathlib import Path

WEIGHTS: dict[str, tuple[tuple[str, int], ...]] = {
    "网上大厅": (
        ("浙江", 46), ("上海", 14), ("江苏", 12), ("广东", 9), ("北京", 7), ("四川", 4), ("湖北", 3), ("山东", 3),
        ("福建", 2), ("陕西", 1), ("辽宁", 1),
    ),
    "夜间归档": (("浙江", 1),),
    "停车场入口": (("浙江", 7), ("江苏", 2), ("安徽", 1)),
    "馆藏目录": (("北京", 1),),
}  # fmt: skip
"""Provinces from which an app is called, with their weights."""

_NETWORKS = {
    "浙江": 33, "上海": 31, "江苏": 32, "广东": 44, "北京": 11, "四川": 51, "湖北": 42, "山东": 37, "福建": 35,
    "陕西": 61, "辽宁": 21, "安徽": 34,
}  # fmt: skip
"""The third byte of 198.18.x.0/24, which is the province's code of GB/T 2260."""

HOSTS = 6  # of an app in a province


def address(app: str, draw: random.Random) -> str:
    """The address of one call of an app."""
    provinces, weights = zip(*WEIGHTS[app], strict=True)
    return f"198.18.{_NETWORKS[draw.choices(provinces, weights)[0]]}.{draw.randint(10, 9 + HOSTS)}"


def regions(folder: Path) -> Path:
    """Write the table of networks and provinces to `folder`, in the form of INKGATE_CONSOLE__REGIONS."""
    path = folder / "regions.csv"
    lines = [f"198.18.{third}.0/24,{province}\n" for province, third in _NETWORKS.items()]
    path.write_text("".join(["network,region\n", *lines]), "utf-8")
    return path
