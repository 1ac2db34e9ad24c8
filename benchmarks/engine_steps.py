"""Steps of the text engine beside what they replace: `python -m benchmarks.engine_steps detector|cores IMAGES…`.

`detector` runs the detector's original graph and the one rewritten for CPUs on each image, one after the other on one
thread, and compares CPU time. `cores` reads each image on one core and on several (`--cores`), one after the other, and
compares seconds and CPU time; seconds mean something on a machine without other load only. Prints medians of the
ratios; `--out` writes them to a file, with facts about the machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from benchmarks.machine import facts
from inkgate.engines.imaging import decode
from inkgate.engines.manifest import find_model_file
from inkgate.engines.registry import open_text_engine
from inkgate.engines.runtimes.onnx import OnnxNetwork
from inkgate.engines.text.detect import Detector
from inkgate.engines.text.profiles import PROFILES
from inkgate.engines.types import Image
from inkgate.service.worker.cores import Cores

MAX_PIXELS = 100_000_000
Step = Callable[[Image], object]


def detectors(profile: str) -> Mapping[str, Step]:
    chosen = PROFILES[profile]
    names = [name for name in (chosen.detector, chosen.cpu_detector) if name]
    return {name: Detector(OnnxNetwork(find_model_file(name)), chosen.page) for name in names}


def pages(profile: str, cores: Sequence[int]) -> Mapping[str, Step]:
    steps = {}
    for count in cores:
        engine = open_text_engine("onnx", profile, 1, None, Cores.alone(count, count))
        engine.warmup()
        steps[f"cores {count}"] = engine.read
    return steps


def measure(steps: Mapping[str, Step], images: Sequence[Path], rounds: int) -> dict[str, dict[str, float]]:
    """For each step: median milliseconds and CPU milliseconds, and medians of their ratios to the first step's."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    for path in images:
        image = decode(path.read_bytes(), MAX_PIXELS)
        for _ in range(rounds):
            for name, step in steps.items():
                began, spent = time.perf_counter(), time.process_time()
                step(image)
                seconds[name].append(time.perf_counter() - began)
                cpu[name].append(time.process_time() - spent)
    first = next(iter(steps))
    return {
        name: {
            "ms": round(1000 * median(seconds[name]), 1),
            "cpu_ms": round(1000 * median(cpu[name]), 1),
            "ratio": round(median(map(_ratio, seconds[name], seconds[first])), 3),
            "cpu_ratio": round(median(map(_ratio, cpu[name], cpu[first])), 3),
        }
        for name in steps
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_steps", description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["detector", "cores"])
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--profile", choices=["fast", "balanced"], default="balanced")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2], help="numbers of cores to compare")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    steps = detectors(args.profile) if args.what == "detector" else pages(args.profile, args.cores)
    result: dict[str, Any] = {"images": len(args.images), **measure(steps, args.images, args.rounds)}
    for name in steps:
        print(f"{name:24}" + "".join(f" {key} {value:<8}" for key, value in result[name].items()))
    if args.out:
        machine = facts("onnxruntime", "numpy", "opencv-python-headless")
        args.out.write_text(json.dumps({"machine": machine, **result}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
