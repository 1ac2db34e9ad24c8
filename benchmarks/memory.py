"""Memory of a text engine over many images: `python -m benchmarks.memory IMAGES… [--count 500] [--profile balanced]`.

Reads images drawn at random from those given, on one thread, and samples the resident set size. Memory counts as flat
when the linear trend from the hundredth image on rises by no more than the scatter of the samples around it.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.machine import facts
from inkgate.engines.imaging import decode
from inkgate.engines.registry import open_text_engine

RESULTS = Path(__file__).parent / "results"
SEED = 20
SAMPLE_INTERVAL = 20  # images between two samples
WARMUP_IMAGES = 100  # the trend starts here
MAX_PIXELS = 100_000_000


def measure(images: list[Path], count: int, profile: str) -> dict[str, Any]:
    """Resident MiB after the first and every twentieth image, their maximum, and the trend from the hundredth on."""
    chance = random.Random(SEED)
    engine = open_text_engine("onnx", profile, 1, None)
    engine.warmup()
    process, samples = psutil.Process(), {}
    for number in range(1, count + 1):
        engine.read(decode(chance.choice(images).read_bytes(), MAX_PIXELS))
        if number == 1 or number % SAMPLE_INTERVAL == 0:
            samples[number] = round(process.memory_info().rss / 1024**2, 1)
            print(f"{number:5d} {samples[number]:8.1f} MiB", flush=True)
    late = np.array([(number, mib) for number, mib in samples.items() if number >= WARMUP_IMAGES])
    slope, base = np.polyfit(late[:, 0], late[:, 1], 1)
    scatter = float(np.std(late[:, 1] - base - slope * late[:, 0]))
    rise = float(slope * (count - WARMUP_IMAGES))
    return {
        "mib": samples,
        "most_mib": max(samples.values()),
        "rise_mib": round(rise, 1),
        "scatter_mib": round(scatter, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--json", type=Path, default=RESULTS / "memory.json")
    args = parser.parse_args()
    figures = measure(args.images, args.count, args.profile)
    conditions = {"machine": facts("onnxruntime", "numpy", "opencv-python-headless"), "profile": args.profile}
    args.json.write_text(json.dumps({**conditions, **figures}, indent=1) + "\n")
    print(
        f"most {figures['most_mib']} MiB; rise from image {WARMUP_IMAGES} on {figures['rise_mib']} MiB, "
        f"scatter {figures['scatter_mib']} MiB"
    )


if __name__ == "__main__":
    main()
