"""The sections on speed and memory of docs/explanation/performance.md, from benchmarks/results."""

from __future__ import annotations

from typing import Any

from tools.results_files import PICTURES, Column, Table, columns, read, share

_LEVELS = """
### 指令集 · Instruction sets

同一台机器、同一次交替运行：对每个子进程隐藏一部分指令集，并用产品在这种 CPU 上选的网络。AVX2 的内核在较新的处理
器上运行，所以比值是内核之比，不是旧机器之比。FP32 与 INT8 两列为该档位测得的矩阵乘峰值；“卷积块”为 8 时
ONNX Runtime 用的是 AVX2 内核，为 16 时是 AVX-512 内核。OpenVINO 的 bfloat16 只在最后一行使用。

One machine and one interleaved run: instruction sets are hidden from each child process, with the networks that
the product chooses on such a CPU. AVX2 kernels run on a newer processor here, so the ratio is that of the
kernels, not of older machines. The columns FP32 and INT8 are the peaks of matrix products measured at the level;
with a convolution block of 8 ONNX Runtime uses AVX2 kernels, with 16 those for AVX-512. Only the last row uses
OpenVINO's bfloat16.
"""
_ROOF = """
### 网络与峰值 · Networks and peaks

每个网络每张图的计算量（乘加计两次）、所用的 CPU、每字节的运算数，以及达到同精度矩阵乘峰值的多少；峰值在每张图之
后重测一次。图：`benchmarks/results/roofline.svg`。

The work of each network per image (a multiply-add counts as two), its CPU time, its operations per byte, and
its share of the peak of matrix products in the same precision, which is measured again after each image. Plot:
`benchmarks/results/roofline.svg`.
"""
_CAPABILITIES = """
## 四种能力的开销 · Cost by capability

一个 reader 在一个线程上轮流读各能力的图片，配置档 `balanced`。

One reader on one thread reads an image of each capability in turn, profile `balanced`.
"""
_SERVED = """
## 服务与引擎 · Service and engine

同样的图片，交替运行：只有引擎；`inkgate serve` 的单机形态，账本在 SQLite；网关与 worker 经 Valkey，账本在
Postgres。每次调用签名、计费，一张图。CPU 为所有进程之和，比值为各轮比值的中位数。心跳等后台工作按时间计，机器越
忙、一张图越久，摊到每张图就越多。bfloat16 在三者中都关闭。图：`benchmarks/results/served.svg`。

The same images, interleaved: the engine alone; the embedded layout with its ledger in SQLite; gateway and
worker over Valkey with the ledger in Postgres. Calls are signed and metered, with one image each. CPU time is
that of all processes; the ratio is the median over the rounds. Background work such as heartbeats is by time, so
its part of an image grows with the load of the machine. bfloat16 is off in all three. Plot:
`benchmarks/results/served.svg`.
"""
_MEMORY = """
## 内存 · Memory

一个引擎进程随机读图，常驻内存，MiB：预热后、读完后、最高。`:bf16` 为 bfloat16 的网络。

Resident memory of one engine process that reads images at random, in MiB: warm, at the end, and at its peak.
`:bf16` stands for networks in bfloat16.
"""
_CPU = "cpu_seconds_per_picture"  # key of the served results


def levels(table: Table) -> str:
    """The text engine at each instruction set level."""
    result = read("isa")
    shown: list[Column] = [
        (f"{result['conditions'][PICTURES]} 张 / images", lambda name, _: name),
        (f"CPU，比 / of {result['conditions']['base']}", lambda _, row: f"{row['cpu_ratio']:.2f}"),
        ("CPU s", lambda _, row: f"{row['cpu_seconds_per_image']:.2f}"),
        ("字符 / characters", lambda _, row: share(row["accuracy"]["char"])),
        ("FP32 10⁹/s", lambda _, row: f"{row['peaks']['float32']:.0f}"),
        ("INT8 10⁹/s", lambda _, row: f"{row['peaks']['int8']:.0f}"),
        ("卷积块 / block", lambda _, row: row["nchwc_block"]),
    ]
    return columns(table, "isa", result["levels"], shown)


def roofline(table: Table) -> str:
    """The networks of a page and what they reach."""
    result = read("roofline")
    shown: list[Column] = [
        ("网络 / network", lambda name, _: f"`{name}`"),
        ("精度 / precision", lambda _, row: row["precision"]),
        ("次 / runs", lambda _, row: row["runs_per_image"]),
        ("GFLOP", lambda _, row: f"{row['gflop_per_image']:.2f}"),
        ("CPU ms", lambda _, row: f"{row['cpu_ms_per_image']:.0f}"),
        ("FLOP/B", lambda _, row: f"{row['flop_per_byte']:.0f}"),
        ("GFLOP/s", lambda _, row: f"{row['gflop_per_second']:.0f}"),
        ("峰值的 / of peak", lambda _, row: f"{row['share_of_peak']:.0%}"),
    ]
    found = result["peaks"]
    peaks = "、".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in found.items() if name != "copied")
    note = f"峰值 / peaks：{peaks}；内存 / memory {found['copied']:.0f} GB/s\n\n"
    return columns(table, "roofline", result["networks"], shown, note)


def capabilities(table: Table) -> str:
    """CPU seconds an image by capability."""
    shown: list[Column] = [
        ("能力 / capability", lambda name, _: f"`{name}`"),
        ("张 / images", lambda _, row: row[PICTURES]),
        ("百万像素 / megapixels", lambda _, row: f"{row['megapixels_median']:.1f}"),
        ("CPU s，均值 / mean", lambda _, row: f"{row['cpu_seconds_mean']:.2f}"),
        ("中位数 / median", lambda _, row: f"{row['cpu_seconds_median']:.2f}"),
        ("90 %", lambda _, row: f"{row['cpu_seconds_90%']:.2f}"),
    ]
    return columns(table, "capabilities", read("capabilities")["capabilities"], shown)


def served(table: Table) -> str:
    """Whole services beside the bare engine, by process."""
    result = read("served")

    def ratio(name: str, row: Any) -> str:
        bare = f"bare engine x{row['workers']}"
        return f"{result['ratios'].get(f'{name} / {bare}, CPU', 1.0):.2f}"

    shown: list[Column] = [
        (
            f"{result['conditions'][PICTURES]} 张 × {result['conditions']['rounds']} 轮 / images × rounds",
            lambda name, _: name,
        ),
        ("CPU，比 / of the engine", ratio),
        ("CPU ms", lambda _, row: f"{1000 * row[_CPU]:.0f}"),
        ("网关 / gateway", lambda _, row: _ms(row.get(f"{_CPU}, gateway"))),
        ("worker", lambda _, row: _ms(row.get(f"{_CPU}, workers"))),
        ("Valkey", lambda _, row: _ms(row.get(f"{_CPU}, redis"))),
        ("Postgres", lambda _, row: _ms(row.get(f"{_CPU}, postgres"))),
        ("MiB", lambda _, row: row["pss_mib"]),
    ]
    return columns(table, "served", result["targets"], shown)


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.1f}"


def memory(table: Table) -> str:
    """Resident memory of each engine."""
    result = read("memory")
    shown: list[Column] = [
        (f"{result['conditions']['count']} 张 / images", lambda name, _: f"`{name}`"),
        ("预热后 / warm", lambda _, row: f"{row['warm_mib']:.0f}"),
        ("读完后 / at the end", lambda _, row: f"{list(row['mib'].values())[-1]:.0f}"),
        ("最高 / peak", lambda _, row: f"{row['peak_mib']:.0f}"),
    ]
    return columns(table, "memory", result["engines"], shown)


def sections(table: Table) -> list[str]:
    """The sections after general text and before cards and licences."""
    return [_LEVELS.lstrip(), levels(table), _ROOF.strip() + "\n", roofline(table)]


def later_sections(table: Table) -> list[str]:
    """The sections after plates: all capabilities, the service, memory."""
    return [
        _CAPABILITIES.lstrip(),
        capabilities(table),
        _SERVED.strip() + "\n",
        served(table),
        _MEMORY.strip() + "\n",
        memory(table),
    ]
