"""Memory of a text engine over many images: `python -m benchmarks.memory IMAGES… [--count 500] [--engines balanced …]`.

Each engine is a process of its own, which reads images drawn at random from those given, on one thread, and samples its
resident set size. Memory counts as flat when the linear trend from the hundredth image on rises by no more than the
scatter of the samples around it. An engine is a profile, or a profile with ":bf16": with networks in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import bf16
from benchmarks.machine import facts, peak_mib
from benchmarks.throughput.interleaved import image_files
from inkgate.engines.imaging import decode
from inkgate.engines.interfaces import TextEngine
from inkgate.engines.registry import open_text_engine

RESULTS = Path(__file__).parent / "results"
SEED = 20
SAMPLE_INTERVAL = 20  # images between two samples
WARMUP_IMAGES = 100  # the trend starts here
MIN_SAMPLES = 3  # of a trend
MAX_PIXELS = 100_000_000


def open_engine(name: str) -> TextEngine:
    """The engine called `name`, warm, with everything compiled. Raises SystemExit when compiling takes too long."""
    profile, _, precision = name.partition(":")
    if precision == "bf16":
        return bf16.open_engine(profile, True)[0]
    engine = open_text_engine("onnx", profile, 1, None)
    engine.warmup()
    return engine


def measure(images: list[Path], count: int, name: str) -> dict[str, Any]:
    """Resident MiB warm, after the first and every twentieth image, and their maximum; the trend from the hundredth on
    where there are enough images.
    """
    chance = random.Random(SEED)
    engine = open_engine(name)
    process, samples = psutil.Process(), {}
    warm = process.memory_info().rss
    for number in range(1, count + 1):
        engine.read(decode(chance.choice(images).read_bytes(), MAX_PIXELS))
        if number == 1 or number % SAMPLE_INTERVAL == 0:
            samples[number] = round(process.memory_info().rss / 1024**2, 1)
    figures = {"warm_mib": round(warm / 1024**2, 1), "peak_mib": round(peak_mib(), 1)}
    return {"mib": samples, "most_mib": max(samples.values()), **figures, **trend(samples)}


def trend(samples: Mapping[int, float]) -> dict[str, float]:
    """Rise from image WARMUP_IMAGES to the last one by the linear trend, and the scatter around it, in MiB; empty with
    fewer than three samples.
    """
    late = np.array([(number, mib) for number, mib in samples.items() if number >= WARMUP_IMAGES])
    if len(late) < MIN_SAMPLES:
        return {}
    slope, base = np.polyfit(late[:, 0], late[:, 1], 1)
    scatter = float(np.std(late[:, 1] - base - slope * late[:, 0]))
    return {"rise_mib": round(float(slope * (late[-1, 0] - WARMUP_IMAGES)), 1), "scatter_mib": round(scatter, 1)}


def in_child(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", *map(str, args.images), "--count", str(args.count)]
    done = subprocess.run([*command, "--child", name], stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("images", nargs="+", type=Path, help="image files, or folders of them")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--engines", nargs="+", default=["fast", "balanced", "best"])
    parser.add_argument("--json", type=Path, default=RESULTS / "memory.json")
    parser.add_argument("--child", metavar="ENGINE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measure(image_files(args.images), args.count, args.child)))
        return
    engines: dict[str, Any] = {}
    for name in args.engines:
        engines[name] = in_child(name, args)
        print(f"{name}: {json.dumps(engines[name])}", flush=True)
    conditions = {"count": args.count, "sample_interval": SAMPLE_INTERVAL}
    machine = facts("onnxruntime", "openvino", "numpy", "opencv-python-headless")
    result = {"machine": machine, "conditions": conditions, "engines": engines}
    args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
