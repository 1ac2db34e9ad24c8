"""The text engine at each instruction set level of this machine: `python -m benchmarks.throughput.isa IMAGES…`.

All levels run on one machine in one interleaved run: each is a child process from which instruction sets are hidden
(masking.py), with the networks that the product chooses on such a CPU. Kernels for AVX2 then run on a newer processor,
so the ratio is that of the kernels; an older processor has other clocks and caches. For each level the result also has
the rate of matrix products and the width of convolution blocks, which show that the level was in effect.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import facts
from benchmarks.throughput.child import ADAPTERS, ONE_THREAD
from benchmarks.throughput.interleaved import Engine, image_files, run, summary
from benchmarks.throughput.isa.masking import Level, available, environment, prepare
from benchmarks.throughput.plot import bars
from benchmarks.throughput.scoring import accuracy

RESULTS = Path(__file__).parents[2] / "results"
BASE = "AVX2"


def engine(name: str, level: Level, folder: Path, profile: str) -> Engine:
    command = [sys.executable, str(ADAPTERS / "inkgate_level.py"), profile, "int8" if level.int8 else "float"]
    return Engine(name, command + ["bf16"] * level.bf16, environment=environment(level, folder))


def kernels(level: Level, folder: Path) -> dict[str, Any]:
    """What `benchmarks.throughput.peaks` reports at the level."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.throughput.peaks"],
        env={**os.environ, **ONE_THREAD, **environment(level, folder)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    if not level.bf16:  # OpenVINO asks the CPU itself, from which nothing is hidden
        found["peaks"].pop("bfloat16", None)
    return found


def ratio(one: Engine, base: Engine) -> float:
    """The median over images of the ratio of CPU seconds, each the median over the rounds."""
    pairs = [
        median(answer["cpu"] for answer in answers) / median(answer["cpu"] for answer in base.answers[name])
        for name, answers in one.answers.items()
    ]
    return round(median(pairs), 3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput.isa", description=__doc__.split("\n")[0])
    parser.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    parser.add_argument("--every", type=int, default=1, help="read every so-many-th image")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--labels", type=Path, help="JSON lines: file, category, lines of text and box")
    parser.add_argument("--score", type=Path, help="a scoring program with score(labels, predictions)")
    parser.add_argument("--out", type=Path, default=RESULTS / "isa.json", help="JSON; the plot goes beside it")
    args = parser.parse_args()
    images = image_files(args.images)[:: args.every]
    machine = facts("onnxruntime", "openvino", "numpy", "opencv-python-headless")
    levels = available(machine["vector"])
    with tempfile.TemporaryDirectory(prefix="inkgate-isa-") as name:
        replaced = prepare(Path(name))
        shown = {level: kernels(chosen, Path(name)) for level, chosen in levels.items()}
        engines = [engine(level, chosen, Path(name), args.profile) for level, chosen in levels.items()]
        rounds = max(run(engines, images, args.rounds))
    base = next((each for each in engines if each.name == BASE), engines[0])
    result: dict[str, Any] = {
        "machine": machine,
        "conditions": {
            "profile": args.profile,
            "pictures": len(images),
            "rounds": rounds,
            "cpuid_replaced": replaced,
            "base": base.name,
        },
        "levels": {},
    }
    for each in engines:
        row = {"cpu_ratio": ratio(each, base), **summary(each), **shown[each.name]}
        if args.labels and args.score:
            last = {name: answers[-1]["lines"] for name, answers in each.answers.items()}
            row["accuracy"] = accuracy(args.score, args.labels, last)["ALL"]
        result["levels"][each.name] = row
        print(f"{each.name:14} {json.dumps(row)}")
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    costs = {name: row["cpu_seconds_per_image"] for name, row in result["levels"].items()}
    args.out.with_suffix(".svg").write_text(bars(costs, "CPU seconds per image"), encoding="utf-8")


if __name__ == "__main__":
    main()
