"""bfloat16 beside ONNX Runtime: `python -m benchmarks.bf16 FOLDER --score PROGRAM [--every 4] [--json FILE]`.

FOLDER holds `labels.jsonl` and `images/` (see benchmarks.accuracy.general). Each image is read by every engine in turn,
in an order that rotates, so that ratios of CPU time hold on a busy machine too. Memory is that of one process per
engine, which reads the same images. Needs the extra `amx` and a CPU with bfloat16 instructions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import psutil

from benchmarks.machine import facts
from benchmarks.throughput.scoring import RATES, accuracy
from inkgate.engines.imaging import decode
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes import cpu
from inkgate.engines.runtimes.onnx import OnnxRuntime
from inkgate.engines.runtimes.openvino import OpenVinoRuntime
from inkgate.engines.text.build import open_line_engine
from inkgate.engines.text.engine import LineEngine
from inkgate.engines.text.profiles import PROFILES

MAX_PIXELS = 100_000_000
COMPILE_SECONDS = 900
BASELINE = "balanced, ONNX Runtime"
ENGINES = {
    BASELINE: ("balanced", False),
    "balanced, bfloat16": ("balanced", True),
    "best, bfloat16": ("best", True),
}


def open_engine(profile: str, bf16: bool) -> tuple[LineEngine, float]:
    """A warm engine with everything compiled, and the CPU seconds of compiling."""
    runtime = OpenVinoRuntime() if bf16 else OnnxRuntime()
    engine = open_line_engine(NetworkFactory(runtime, None, 1), PROFILES[profile])
    begun = time.process_time()
    engine.warmup()
    if isinstance(runtime, OpenVinoRuntime) and not runtime.wait(COMPILE_SECONDS):
        raise SystemExit("the networks were not compiled in time")
    return engine, time.process_time() - begun


def interleave(images: list[Path]) -> tuple[dict[str, list[float]], dict[str, dict[str, Any]]]:
    """CPU seconds per image and the lines of each image, by engine."""
    engines = {name: open_engine(*given)[0] for name, given in ENGINES.items()}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    lines: dict[str, dict[str, Any]] = {name: {} for name in engines}
    names = list(engines)
    for number, image in enumerate(images):
        data = image.read_bytes()
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            begun = time.process_time()
            page = engines[name].read(decode(data, MAX_PIXELS))
            seconds[name].append(time.process_time() - begun)
            lines[name][image.name] = [
                {"text": line.text, "box": [number for point in line.quad for number in point]} for line in page.lines
            ]
    return seconds, lines


def memory(images: list[Path], profile: str, bf16: bool) -> dict[str, float]:
    """Resident MiB of this process: warm with everything compiled, at most, and in the end; CPU seconds to get warm."""
    engine, compiling = open_engine(profile, bf16)
    process = psutil.Process()
    samples = [process.memory_info().rss]
    for image in images:
        engine.read(decode(image.read_bytes(), MAX_PIXELS))
        samples.append(process.memory_info().rss)
    warm, most, end = (round(sample / 2**20) for sample in (samples[0], max(samples), samples[-1]))
    return {"warm_mib": warm, "most_mib": most, "end_mib": end, "cpu_seconds_to_warm": round(compiling, 1)}


def memory_in_child(folder: Path, every: int, name: str) -> dict[str, float]:
    """`memory` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bf16", str(folder), "--every", str(every), "--memory-of", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bf16", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--score", type=Path, help="a scoring program; without it no accuracy is given")
    parser.add_argument("--every", type=int, default=1, help="read every so-many-th image")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--memory-of", choices=tuple(ENGINES), help=argparse.SUPPRESS)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    images = sorted((args.folder / "images").iterdir())[:: args.every]
    if args.memory_of:
        print(json.dumps(memory(images, *ENGINES[args.memory_of])))
        return
    seconds, lines = interleave(images)
    result: dict[str, Any] = {
        "machine": facts("onnxruntime", "openvino", "numpy", "opencv-python-headless"),
        "bf16_instructions": cpu.bf16_instructions(),
        "images": len(images),
        "engines": {},
    }
    for name, taken in seconds.items():
        ratios = [one / base for one, base in zip(taken, seconds[BASELINE], strict=True)]
        figures: dict[str, Any] = {
            "cpu_ratio": round(sum(taken) / sum(seconds[BASELINE]), 3),
            "median_cpu_ratio": round(statistics.median(ratios), 3),
            "cpu_seconds_per_image": round(statistics.mean(taken), 3),
            "memory": memory_in_child(args.folder, args.every, name),
        }
        if args.score and args.every == 1:
            rates = accuracy(args.score, args.folder / "labels.jsonl", lines[name])["ALL"]
            figures["accuracy"] = {key: rates[key] for key in RATES}
        result["engines"][name] = figures
        print(f"{name:24}", json.dumps(figures), flush=True)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
