"""CPU time of an image for each capability, in one run: `python -m benchmarks.throughput.capabilities --help`.

One reader, as in a worker, reads one image of each capability in turn, on one thread, so that other load on the machine
affects all of them. Each folder holds images; with `labels.jsonl` in it, of cards and licences only those of the right
kind are read.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

from benchmarks.machine import facts, peak_mib
from inkgate.engines.imaging import decode
from inkgate.engines.interfaces import Reader
from inkgate.engines.registry import open_reader

RESULTS = Path(__file__).parents[1] / "results"
MAX_PIXELS = 100_000_000
CAPABILITIES = {"general": "", "idcard": "idcard", "licence": "bizlicense", "plate": ""}
"""Capability → kind of document in the labels; empty where every image is read."""


def files(folder: Path, kind: str) -> list[Path]:
    """The images of a folder, or those of one `kind` by its `labels.jsonl`. Raises ValueError when none is left."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp"))
    if kind:
        lines = (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()
        wanted = {each["file"] for each in map(json.loads, filter(None, lines)) if each["doc"] == kind}
        found = [path for path in found if path.relative_to(folder).as_posix() in wanted]
    if not found:
        raise ValueError(f"{folder} has no image to read")
    return found


def spread(found: Sequence[Path], count: int) -> list[Path]:
    """`count` of the files, evenly spread; all of them when there are fewer."""
    return [found[at * len(found) // count] for at in range(count)] if count < len(found) else list(found)


def measure(reader: Reader, chosen: dict[str, list[Path]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each image by capability, the median over the rounds."""
    spent: dict[str, list[list[float]]] = {name: [[] for _ in paths] for name, paths in chosen.items()}
    for name, paths in chosen.items():
        reader.read(name, paths[0].read_bytes())
    for number in range(rounds):
        for at in range(max(map(len, chosen.values()))):
            for name, paths in chosen.items():
                if at < len(paths):
                    data, begun = paths[at].read_bytes(), time.process_time()
                    reader.read(name, data)
                    spent[name][at].append(time.process_time() - begun)
        print(f"round {number + 1} of {rounds}", flush=True)
    return {name: [median(each) for each in images] for name, images in spent.items()}


def row(paths: Sequence[Path], seconds: Sequence[float]) -> dict[str, Any]:
    """CPU seconds an image, and the size of the images in megapixels."""
    pixels = [image.shape[0] * image.shape[1] / 1e6 for image in (decode(p.read_bytes(), MAX_PIXELS) for p in paths)]
    return {
        "pictures": len(paths),
        "megapixels_median": round(median(pixels), 2),
        "cpu_seconds_mean": round(mean(seconds), 3),
        "cpu_seconds_median": round(median(seconds), 3),
        "cpu_seconds_90%": round(quantiles(seconds, n=10, method="inclusive")[-1], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput.capabilities", description=__doc__.split("\n")[0]
    )
    for name in CAPABILITIES:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=int, default=20, help="images of each capability")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--out", type=Path, default=RESULTS / "capabilities.json")
    args = parser.parse_args()
    chosen = {name: spread(files(getattr(args, name), kind), args.count) for name, kind in CAPABILITIES.items()}
    seconds = measure(open_reader("onnx", args.profile, 1, None, MAX_PIXELS), chosen, args.rounds)
    result = {
        "machine": facts("onnxruntime", "numpy", "opencv-python-headless"),
        "conditions": {"profile": args.profile, "rounds": args.rounds},
        "capabilities": {name: row(paths, seconds[name]) for name, paths in chosen.items()},
        "peak_rss_mib": round(peak_mib()),
    }
    print(json.dumps(result["capabilities"], indent=1))
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
