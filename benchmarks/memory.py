"""What a reader of pages holds in memory: `python -m benchmarks.memory PICTURES… [--count 500] [--profile balanced]`.

Reads pictures drawn at random from those given, on one thread, and notes the resident set after some of them. Flat
means that the line through what was noted from the hundredth picture on rises by no more than the notes scatter.
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
SEED, EVERY, WARM = 20, 20, 100
MAX_PIXELS = 100_000_000


def measure(pictures: list[Path], count: int, profile: str) -> dict[str, Any]:
    """MiB after the first picture and after every twentieth, the most of them, and the slope from the hundredth on."""
    chance = random.Random(SEED)
    engine = open_text_engine("onnx", profile, 1, None)
    engine.warmup()
    process, noted = psutil.Process(), {}
    for number in range(1, count + 1):
        engine.read(decode(chance.choice(pictures).read_bytes(), MAX_PIXELS))
        if number == 1 or number % EVERY == 0:
            noted[number] = round(process.memory_info().rss / 1024**2, 1)
            print(f"{number:5d} {noted[number]:8.1f} MiB", flush=True)
    late = np.array([(number, mib) for number, mib in noted.items() if number >= WARM])
    slope, base = np.polyfit(late[:, 0], late[:, 1], 1)
    scatter = float(np.std(late[:, 1] - base - slope * late[:, 0]))
    rise = float(slope * (count - WARM))
    return {"mib": noted, "most_mib": max(noted.values()), "rise_mib": round(rise, 1), "scatter_mib": round(scatter, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--json", type=Path, default=RESULTS / "memory.json")
    args = parser.parse_args()
    figures = measure(args.pictures, args.count, args.profile)
    found = {"machine": facts("onnxruntime", "numpy", "opencv-python-headless"), "profile": args.profile}
    args.json.write_text(json.dumps({**found, **figures}, indent=1) + "\n")
    print(
        f"most {figures['most_mib']} MiB; rise from picture {WARM} on {figures['rise_mib']} MiB, "
        f"scatter {figures['scatter_mib']} MiB"
    )


if __name__ == "__main__":
    main()
