"""The figures in both READMEs, from benchmarks/results: between two markers, written by `make reference`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.results_page import PICTURES, read, share

BEGIN = "<!-- figures: made by tools/readme_figures.py; run: make reference -->"
END = "<!-- end of figures -->"

Table = Callable[[tuple[str, ...], list[tuple[object, ...]]], str]

_WORDS: dict[str, dict[str, str]] = {
    "zh": {
        "engine": "{} 张图片，一个线程",
        "cpu": "CPU（InkGate balanced = 1）",
        "char": "字符",
        "line": "整行",
        "memory": "内存 MiB",
        "what": "其他测量",
        "figure": "结果",
        "ids": "身份证字段一致",
        "licences": "营业执照字段一致",
        "plates": "车牌",
        "plates_value": "{plates} 个中找到 {found}、逐字一致 {exact}，误报 {false}",
        "settled": "账本，每秒入账的调用（加哈希链之前，哈希链另加 {chain:.0%} CPU）",
        "settled_value": "{rate:,.0f}（逐次提交的写法：{naive:,.0f}）",
        "exact": "四轮各两万次调用：无故障、网关被杀、数据库重启、客户端断开重发",
        "exact_value": "{used:,} / {units:,} 次，重复 {twice} 次",
        "source": "机器与日期",
        "join": "，",
    },
    "en": {
        "engine": "{} images, one thread",
        "cpu": "CPU (InkGate balanced = 1)",
        "char": "characters",
        "line": "whole lines",
        "memory": "memory, MiB",
        "what": "Other measurements",
        "figure": "Result",
        "ids": "fields of identity cards, exact",
        "licences": "fields of business licences, exact",
        "plates": "number plates",
        "plates_value": "of {plates}, {found} found and {exact} exact; {false} false",
        "settled": "ledger, calls settled a second (before the hash chain, which adds {chain:.0%} CPU)",
        "settled_value": "{rate:,.0f} (a commit for each call: {naive:,.0f})",
        "exact": "4 × 20,000 calls: undisturbed, gateway killed, database restarted, clients that repeat",
        "exact_value": "{used:,} of {units:,} units used, {twice} charged twice",
        "source": "Machines and dates",
        "join": ", ",
    },
}


def with_figures(text: str, language: str, table: Table) -> str:
    """A README with its figures of now. Raises ValueError when it has no markers, or not in their order."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the markers {BEGIN!r} and {END!r} are missing")
    return f"{before}{BEGIN}\n\n{_figures(_WORDS[language], table)}\n{END}{after}"


def _figures(words: dict[str, str], table: Table) -> str:
    speed = read("throughput-dev")
    return "\n".join(
        [
            table(*_engines(speed, words)),
            table((words["what"], words["figure"]), _others(words)),
            _sources(words, {"throughput-dev": speed["machine"]}),
        ]
    )


def _engines(result: dict[str, Any], words: dict[str, str]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    base = result["engines"]["inkgate balanced"]["cpu_seconds_per_image"]
    rows: list[tuple[object, ...]] = [
        (
            f"**{name.replace('inkgate', 'InkGate')}**" if name.startswith("inkgate") else name,
            f"{row['cpu_seconds_per_image'] / base:.2f}",
            share(row["accuracy"]["ALL"]["char"]),
            share(row["accuracy"]["ALL"]["line"]),
            f"{row['peak_rss_mib']:,.0f}",
        )
        for name, row in result["engines"].items()
    ]
    head = (words["engine"].format(result[PICTURES]), *(words[each] for each in ("cpu", "char", "line", "memory")))
    return head, rows


def _others(words: dict[str, str]) -> list[tuple[object, ...]]:
    fields, plates = read("documents")["fields"], read("plates")["networks"]
    metering, exact = read("metering"), read("exact-units")
    every, runs = plates["groups"]["all"], exact["runs"].values()
    return [
        (words["ids"], _of(fields["idcard FIELDS"]["right"], fields["idcard FIELDS"]["of"])),
        (words["licences"], _of(fields["licence FIELDS"]["right"], fields["licence FIELDS"]["of"])),
        (
            words["plates"],
            words["plates_value"].format(
                false=plates["false_positives"], **{name: every[name] for name in ("plates", "found", "exact")}
            ),
        ),
        (
            words["settled"].format(chain=read("metering-chain")["cpu_ratio_median"] - 1),
            words["settled_value"].format(
                rate=metering["ledger_closed_loop"]["calls_per_second"],
                naive=metering["naive_closed_loop"]["calls_per_second"],
            ),
        ),
        (
            words["exact"],
            words["exact_value"].format(
                used=sum(sum(run["units_used_by_pack"]) for run in runs),
                units=exact["conditions"]["units"] * len(runs),
                twice=sum(run["calls_recorded_twice"] for run in runs),
            ),
        ),
    ]


def _of(right: int, count: int) -> str:
    return f"{right} / {count}"


def _sources(words: dict[str, str], machines: dict[str, dict[str, Any]]) -> str:
    machines |= {"documents": read("documents")["machine"], "plates": read("plates")["machine_of_networks"]}
    machines |= {name: read(name)["machine"] for name in ("metering", "exact-units")}
    parts = [
        f"`{name}.json` {machine['processor']} {machine['measured_at'][:10]}" for name, machine in machines.items()
    ]
    return f"<small>{words['source']}: `benchmarks/results/` {words['join'].join(parts)}</small>\n"
