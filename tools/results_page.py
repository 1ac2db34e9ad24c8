"""Builds docs/explanation/performance.md, the page of results, from benchmarks/results."""

from __future__ import annotations

from tools import results_throughput
from tools.results_files import PICTURES, Table, read, share, source, sourced

_CATEGORIES = {
    "doc_screen": "屏幕截图 / screens",
    "form": "表单 / forms",
    "doc_scan": "扫描件 / scans",
    "web": "网页图片 / web graphics",
    "rotated": "旋转的页 / rotated pages",
    "real": "街景与店招 / street and shop",
    "doc_photo": "印刷品照片 / photographs of print",
}
_FAULTS = {
    "none": "无 / none",
    "gateway killed": "杀死网关 / a gateway killed",
    "database restarted": "数据库重启 / the database restarted",
    "clients hang up and repeat": "客户端断开并重发 / clients disconnect and repeat",
}
_HEAD = """---
language: zh en
---

# 结果：多快、多准 · Results: speed and accuracy
"""
_ABOUT = """
本页的每个数字都取自 `benchmarks/results`，由 `make reference` 写成；表下写明文件、机器、当时的负载与日期。CPU 秒按一个线程计，比值可以搬到别的机器，
绝对值不可以；负载高于核数时，绝对值也偏高。准确率在标注的开发集上测得，部分参数也由同一批图片选定，你的图片会不同：请按本页末尾的命令自行测量。各项改进的过程见[附录](../appendix/text-engine-log.md)，
实现见[证件](documents.md)、[车牌](plates.md)、[账本](ledger.md)、[横向扩展](scale-out.md)。

Every figure on this page is taken from `benchmarks/results` by `make reference`; file, machine, its load at that time and date stand below each table.
CPU seconds are of one thread: ratios carry over to other machines, absolute values do not, and they are higher where the load exceeds the cores. Accuracy was measured on labelled development images, from
which some parameters were chosen as well; it will differ on yours, and the commands at the end of the page measure it. The [appendix](../appendix/text-engine-log.md) records the single steps; for
the implementation, see [documents](documents.md), [plates](plates.md), [the ledger](ledger.md) and [scaling out](scale-out.en.md).

## 通用文字 · General text

所有系统在同一次运行中逐张交替，每个一个线程。“字符”为识别正确的字符占比，端到端；“整行”为一字不错的行；“找到”为检测到的行。其他系统不判断整页的方向，
所以旋转的页对它们不利。图：`benchmarks/results/throughput-dev.svg`。

All systems are interleaved image by image in one run, on one thread each. “Characters” is the share of characters read correctly, end to end; “whole
lines” are lines without any error; “found” are lines detected. The other systems do not detect the orientation of a page, so rotated pages count against
them. Plot: `benchmarks/results/throughput-dev.svg`.
"""
_LATER = """
### 带 AMX 的 CPU · A CPU with AMX

本版本在同一批图片上，带 AMX 的 CPU 上测得，bfloat16 见 [ADR 0068](../adr/0068-bf16-on-amx.md)。CPU 为与 ONNX Runtime 一行交替运行的比值。

The same images on a CPU with AMX; for bfloat16 see [ADR 0068](../adr/0068-bf16-on-amx.md). CPU is the ratio to the row of ONNX Runtime in the same
interleaved run.
"""
_DOCUMENTS = """
## 身份证与营业执照 · Identity cards and licences

“字段”为与印刷内容逐字一致的字段；“整张”为所有字段都对的图片。

“Fields” are fields that agree with the print in every character; “whole” are images with all fields right.
"""
_PLATES = """
## 车牌 · Number plates

“一致”为号码逐字相同；“误报”为在没有车牌的图上给出的结果。

“Exact” are plates with every character right; “false answers” are plates reported in images without one.
"""
_LOAD = """
## 负载 · Load

经两个网关、Postgres 与 Valkey 的签名调用，worker 为每图 500 ms 的模拟引擎，泊松到达，截止时间 10 秒。过载时完成的量不下降，多余的调用立即
得到 50300 与 `Retry-After`。

Signed calls through two gateways, Postgres and Valkey to stub workers of 500 ms per image; Poisson arrivals, a deadline of 10 s. Under
overload the completed rate does not fall; calls above it get 50300 with `Retry-After` at once.
"""
_LEDGER = """
## 账本 · Ledger

| | InkGate | 逐次提交 / one commit per call | 比 / ratio |
|---|---|---|---|
| 每秒扣减 / calls settled per second | {mine:,.0f} | {naive:,.0f} | {rate:.1f} |
| p99 ms | {mine_p99:.1f} | {naive_p99:.1f} | {p99:.2f} |
| 网关 CPU µs / gateway CPU µs per call | {mine_cpu:.0f} | {naive_cpu:.0f} | {cpu:.2f} |

{source}

上表测于记录有哈希链之前。哈希链的开销：{pairs} 对交替运行，有链与无链之比，网关与 Postgres 的 CPU 合计，中位数 {ratio:.3f}（四分位 {low:.3f} 至 {high:.3f}）。

The table was measured before entries had a hash chain. Its cost: {pairs} interleaved pairs, with the chain by without it, CPU time of gateways and Postgres together: median {ratio:.3f}
(quartiles {low:.3f} to {high:.3f}).

{chain_source}

15,000 次的资源包上，四个网关处理 20,000 个调用：多一次、少一次都算错。“扣减”为记下的次数，“重复”为同一调用记了两次。

20,000 calls through four gateways on packs of 15,000 units; one unit too many or too few is a fault. “Used” are the units recorded,
“twice” are calls recorded twice.
"""
_MEASURE = """
## 未测量 · Not measured

GPU 路径（[ADR 0014](../adr/0014-gpu-micro-batching.md)）只在 CPU 上测试过正确性，没有测过速度。ARM64 只在模拟的处理器上运行过，见[信创环境](../reference/xinchuang.md)。

The GPU path ([ADR 0014](../adr/0014-gpu-micro-batching.md)) was tested for correctness on CPUs; its speed was not measured. ARM64 was run
on an emulated processor only: see [domestic platforms](../reference/xinchuang.md).

## 自行测量 · Measure it yourself

```bash
python -m benchmarks.throughput IMAGES                      # 速度，与其他系统交替运行 / speed, interleaved with other systems
python -m benchmarks.throughput --served IMAGES             # 服务与引擎 / service and engine
python -m benchmarks.throughput.isa IMAGES                  # 指令集 / instruction sets
python -m benchmarks.throughput.roofline IMAGES             # 网络与峰值 / networks and peaks
python -m benchmarks.throughput.capabilities --help         # 四种能力 / capabilities
python -m benchmarks.memory IMAGES                          # 内存 / memory
python -m benchmarks.accuracy.general DIR --score PROGRAM   # 文字 / text
python -m benchmarks.accuracy.documents --set DIR           # 证件、执照 / cards and licences
python -m benchmarks.accuracy.plates --data DIR             # 车牌 / plates
make bench-metering exact-units                             # 账本 / the ledger
```
"""


def engines(name: str, table: Table) -> str:
    """Speed, memory and accuracy of all engines of one interleaved run."""
    result = read(name)
    base = result["engines"]["faster-paddle small"]["cpu_seconds_per_image"]
    rows: list[tuple[object, ...]] = [
        (
            engine.replace("inkgate", "InkGate"),
            f"{row['cpu_seconds_per_image']:.2f}",
            f"{row['cpu_seconds_per_image'] / base:.2f}",
            f"{row['peak_rss_mib']:.0f}",
            *(share(row["accuracy"]["ALL"][rate]) for rate in ("char", "line", "hit")),
        )
        for engine, row in result["engines"].items()
    ]
    head = (
        f"{result[PICTURES]} 张 × {result['rounds']} 轮 / images × rounds",
        "CPU s",
        "比 / of faster-paddle small",
        "MiB",
        "字符 / characters",
        "整行 / whole lines",
        "找到 / found",
    )
    return sourced(table, name, head, rows)


def categories(table: Table) -> str:
    """Character accuracy by category."""
    names = ("inkgate balanced", "inkgate fast", "faster-paddle small")
    result = read("throughput-dev")
    found = [result["engines"][name]["accuracy"] for name in names]
    rows: list[tuple[object, ...]] = [
        (label, found[0][category]["N"], *(share(each[category]["char"]) for each in found))
        for category, label in _CATEGORIES.items()
    ]
    head = ("字符 / characters", "张 / images", *(name.replace("inkgate", "InkGate") for name in names))
    return sourced(table, "throughput-dev", head, rows)


def release(table: Table) -> str:
    """Accuracy of this release, and CPU time and memory with bfloat16."""
    general, amx = read("general"), read("amx")
    found = [("InkGate balanced", general["accuracy"]["ALL"], "", "")]
    found += [
        (f"InkGate {name}", row["accuracy"], f"{row['cpu_ratio']:.2f}", row["memory"]["most_mib"])
        for name, row in amx["engines"].items()
    ]
    rows: list[tuple[object, ...]] = [
        (name, *(share(rates[each]) for each in ("char", "line", "strict")), ratio, memory)
        for name, rates, ratio, memory in found
    ]
    head = ("", "字符 / characters", "整行 / whole lines", "严格 / strict", "CPU", "MiB")
    sources = source("general", general["machine"]) + "\n" + source("amx", amx["machine"])
    return f"{table(head, rows)}\n{sources}"


def documents(table: Table) -> str:
    """Fields, whole images and CPU time of cards and licences."""
    result = read("documents")
    rows: list[tuple[object, ...]] = []
    for kind, timed, label in (
        ("idcard", "idcard", "身份证 / identity cards"),
        ("licence", "bizlicense", "营业执照 / licences"),
    ):
        fields, whole = result["fields"][f"{kind} FIELDS"], result["fields"][f"{kind} WHOLE"]
        rows.append(
            (
                label,
                *(f"{each['right']} / {each['of']} ({each['right'] / each['of']:.1%})" for each in (fields, whole)),
                f"{result['cpu_seconds'][timed]['median']:.2f}",
            )
        )
    others = result["fields"]["negatives"]
    rows.append(("其他图片 / other images", "–", f"{others['right']} / {others['of']}", "–"))
    head = ("", "字段 / fields", "整张 / whole", "CPU s，中位数 / median")
    return sourced(table, "documents", head, rows)


def plates(table: Table) -> str:
    """Recall and exact plates, false answers and CPU time, beside another system."""
    result = read("plates")
    rows: list[tuple[object, ...]] = []
    for key, label in (("networks", "InkGate"), ("agentclpr", "agentclpr")):
        row = result[key]
        total = row["groups"]["all"]
        rows.append(
            (
                label,
                *(
                    f"{total[name]} / {total['plates']} ({total[name] / total['plates']:.1%})"
                    for name in ("found", "exact")
                ),
                row["false_positives"],
                row["cpu_ms_a_picture_median"],
            )
        )
    head = ("", "找到 / found", "一致 / exact", "误报 / false answers", "CPU ms，中位数 / median")
    own = "InkGate " + source("plates", result["machine_of_networks"])
    other = "agentclpr " + source("plates", result["machine"])
    apart = (
        "两行测于不同的机器，CPU 不可相比。 / The rows are from different machines: their CPU times do not compare.\n"
    )
    return f"{table(head, rows)}\n{apart}\n{own}\n{other}\n{_plate_times(table)}"


def _plate_times(table: Table) -> str:
    """CPU time by the size of an image, on one thread."""
    result = read("plate-times")
    sizes = ("1280x960", "4000x3000", "street of ten plates, 1920x1080")
    labels = ("1280×960", "4000×3000", "十块车牌的街景，1920×1080 / a street of ten plates")
    rows: list[tuple[object, ...]] = [
        (label, result[size]["cpu_ms_median"], result[size]["cpu_ms_90%"])
        for size, label in zip(sizes, labels, strict=True)
    ]
    head = ("InkGate，图片尺寸 / size of the image", "CPU ms，中位数 / median", "90 %")
    return f"{table(head, rows)}\n{source('plate-times', result['machine'])}"


def load(table: Table) -> str:
    """Answered calls and latency below, at and above the capacity of eight workers."""
    result = read("scale-out-load")
    fleet = result["fleets"]["8 workers"]
    rows: list[tuple[object, ...]] = [
        (
            label,
            f"{fleet[key]['calls']:,}",
            f"{fleet[key]['goodput_per_second']:.1f}",
            f"{fleet[key]['p50_ms']:,.0f}",
            f"{fleet[key]['p99_ms']:,.0f}",
        )
        for key, label in (("unloaded", "5 %"), ("at_70", "70 %"), ("at_100", "100 %"), ("at_300", "300 %"))
    ]
    head = ("负载 / load", "调用 / calls", "完成 / answered per second", "p50 ms", "p99 ms")
    return sourced(table, "scale-out-load", head, rows)


def ledger(table: Table) -> str:
    """Settlement beside the naive method, and exact units under faults."""
    metering, chain, exact = read("metering"), read("metering-chain"), read("exact-units")
    mine, naive = metering["ledger_closed_loop"], metering["naive_closed_loop"]
    figures = {
        "mine": mine["calls_per_second"],
        "naive": naive["calls_per_second"],
        "mine_p99": mine["p99_ms"],
        "naive_p99": naive["p99_ms"],
        "mine_cpu": mine["gateway_cpu_us_per_call"],
        "naive_cpu": naive["gateway_cpu_us_per_call"],
        "rate": mine["calls_per_second"] / naive["calls_per_second"],
        "p99": mine["p99_ms"] / naive["p99_ms"],
        "cpu": mine["gateway_cpu_us_per_call"] / naive["gateway_cpu_us_per_call"],
        "pairs": len(chain["pairs"]),
        "ratio": chain["cpu_ratio_median"],
        "low": chain["cpu_ratio_quartiles"][0],
        "high": chain["cpu_ratio_quartiles"][1],
        "chain_source": source("metering-chain", chain["machine"]).strip(),
    }
    rows: list[tuple[object, ...]] = [
        (
            _FAULTS.get(name, name),
            f"{run['calls']:,}",
            f"{sum(run['units_used_by_pack']):,}",
            run["calls_recorded_twice"],
        )
        for name, run in exact["runs"].items()
    ]
    head = ("故障 / fault", "调用 / calls", "扣减 / used, of 15,000", "重复 / twice")
    text = _LEDGER.format(**figures, source=source("metering", metering["machine"]).strip())
    return f"{text.strip()}\n\n{table(head, rows)}\n{source('exact-units', exact['machine'])}"


def results_page(note: str, table: Table) -> str:
    """The page. `note` states that it is generated; `table` renders a header and rows as Markdown."""
    return "\n".join(
        [
            _HEAD,
            note,
            _ABOUT.lstrip(),
            engines("throughput-dev", table),
            categories(table),
            _LATER.strip() + "\n",
            release(table),
            *results_throughput.sections(table),
            _DOCUMENTS.strip() + "\n",
            documents(table),
            _PLATES.strip() + "\n",
            plates(table),
            *results_throughput.later_sections(table),
            _LOAD.strip() + "\n",
            load(table),
            ledger(table),
            _MEASURE.strip() + "\n",
        ]
    )
