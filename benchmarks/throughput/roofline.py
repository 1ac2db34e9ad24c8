"""Where each network stands between arithmetic and memory: `python -m benchmarks.throughput.roofline IMAGES…`.

The text engine of a profile reads the images while every run of a network is recorded: its input shape, its CPU time,
and the work of that shape (work.py). After each image the peaks of the core are measured again (peaks.py), so that
other load on the machine affects both. A network's rate is its work over its CPU time; its share is that rate over the
peak of its precision, the median over the images. Bytes count each operand once.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from benchmarks.machine import facts
from benchmarks.throughput import peaks, work
from benchmarks.throughput.interleaved import image_files
from benchmarks.throughput.roofline_plot import roofline
from inkgate.engines.imaging import decode
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes.interface import Execution, Tensor
from inkgate.engines.runtimes.onnx import OnnxNetwork, OnnxRuntime
from inkgate.engines.text.build import open_line_engine
from inkgate.engines.text.profiles import PROFILES

RESULTS = Path(__file__).parents[1] / "results"
MAX_PIXELS = 100_000_000
Runs = list[tuple[Path, tuple[int, ...], float]]


class RecordedNetwork:
    """A network that appends file, input shape and CPU seconds of each run to `runs`."""

    def __init__(self, network: OnnxNetwork, path: Path, runs: Runs) -> None:
        self._network, self._path, self._runs = network, path, runs
        self.device, self.classes = network.device, network.classes

    def __call__(self, batch: Tensor) -> Tensor:
        begun = time.process_time()
        result = self._network(batch)
        self._runs.append((self._path, tuple(batch.shape), time.process_time() - begun))
        return result


class RecordingRuntime(OnnxRuntime):
    """ONNX Runtime whose networks record their runs in `runs`."""

    def __init__(self) -> None:
        self.runs: Runs = []

    def open(self, path: Path, execution: Execution) -> RecordedNetwork:
        return RecordedNetwork(super().open(path, execution), path, self.runs)


@dataclass
class Totals:
    """Runs, CPU seconds, operations and bytes of one network, and its share of the peak for each image."""

    runs: int = 0
    seconds: float = 0.0
    operations: int = 0
    bytes: int = 0
    shares: list[float] = field(default_factory=list)


def precision(path: Path) -> str:
    """The name of the peak that the network in `path` is held against."""
    return "int8" if work.is_int8(path) else "float32"


def measure(images: Sequence[Path], profile: str) -> dict[str, Any]:
    """The best peaks of all images, and the figures of each network by the name of its file."""
    runtime = RecordingRuntime()
    engine = open_line_engine(NetworkFactory(runtime, None, 1), PROFILES[profile])
    engine.warmup()
    totals: dict[Path, Totals] = defaultdict(Totals)
    best: dict[str, float] = {}
    for image in images:
        runtime.runs.clear()
        engine.read(decode(image.read_bytes(), MAX_PIXELS))
        found = peaks.measure(rounds=1)
        best = {name: max(rate, best.get(name, 0.0)) for name, rate in found.items()}
        for path, (operations, seconds) in add(runtime.runs, totals).items():
            totals[path].shares.append(operations / seconds / 1e9 / found[precision(path)])
        print(f"{image.name} {json.dumps(found)}", flush=True)
    networks = {name_of(path): figures(path, found, len(images)) for path, found in totals.items()}
    return {"peaks": best, "networks": dict(sorted(networks.items(), key=lambda item: -item[1]["cpu_ms_per_image"]))}


def add(runs: Runs, totals: dict[Path, Totals]) -> dict[Path, tuple[int, float]]:
    """Add the runs of one image to the totals. Returns operations and CPU seconds of this image by network."""
    image: dict[Path, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for path, shape, seconds in runs:
        done, total = work.count(path, shape), totals[path]
        total.runs, total.seconds = total.runs + 1, total.seconds + seconds
        total.operations, total.bytes = total.operations + done.operations, total.bytes + done.bytes
        image[path] = (image[path][0] + done.operations, image[path][1] + seconds)
    return image


def name_of(path: Path) -> str:
    """The name of a network in the manifest's terms; files in wheels are only called det.onnx and rec.onnx."""
    return path.stem if path.stem not in ("det", "rec") else f"{path.parent.parent.name}-{path.stem}"


def figures(path: Path, found: Totals, images: int) -> dict[str, Any]:
    """The figures of one network."""
    return {
        "precision": precision(path),
        "runs_per_image": round(found.runs / images, 1),
        "gflop_per_image": round(found.operations / images / 1e9, 3),
        "cpu_ms_per_image": round(1000 * found.seconds / images, 1),
        "flop_per_byte": round(found.operations / found.bytes, 1),
        "gflop_per_second": round(found.operations / found.seconds / 1e9, 1),
        "share_of_peak": round(median(found.shares), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput.roofline", description=__doc__.split("\n")[0]
    )
    parser.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    parser.add_argument("--every", type=int, default=1, help="read every so-many-th image")
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--out", type=Path, default=RESULTS / "roofline.json", help="JSON; the plot goes beside it")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    images = image_files(args.images)[:: args.every]
    result = {
        "machine": facts("onnxruntime", "openvino", "numpy"),
        "conditions": {"profile": args.profile, "pictures": len(images), "matrix_side": peaks.SIDE},
        **measure(images, args.profile),
    }
    print(json.dumps(result["networks"], indent=1))
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    args.out.with_suffix(".svg").write_text(roofline(result["peaks"], result["networks"]), encoding="utf-8")


if __name__ == "__main__":
    main()
