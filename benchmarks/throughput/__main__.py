"""OCR engines compared on the same images: `python -m benchmarks.throughput --help`.

Every engine is a single-threaded child process that runs for the whole benchmark. In each round every engine reads
every image, and the engines are interleaved image by image, so that other load on the machine affects all of them. CPU
seconds are those of the child; the figure of an image is the median over the rounds. Other engines have separate
Python environments; an engine whose interpreter is not given is left out. `--served` compares whole services instead
(see `python -m benchmarks.throughput --served --help`).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import facts
from benchmarks.throughput import served
from benchmarks.throughput.child import ADAPTERS, Child
from benchmarks.throughput.plot import frontier
from benchmarks.throughput.scoring import accuracy


@dataclass
class Engine(Child):
    """One engine and its answers: answers[image name] is a list with one entry per round."""

    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def engines(args: argparse.Namespace) -> list[Engine]:
    """The engines chosen by the arguments, InkGate's first."""
    chosen = [
        Engine(f"inkgate {profile}", [sys.executable, str(ADAPTERS / "inkgate_text.py"), profile])
        for profile in args.profiles.split(",")
    ]
    if args.rapidocr:
        chosen.append(Engine("rapidocr", [args.rapidocr, str(ADAPTERS / "rapid_ocr.py")]))
    if args.faster_paddle:
        adapter = str(ADAPTERS / "faster_paddle_ocr.py")
        chosen += [Engine(f"faster-paddle {size}", [args.faster_paddle, adapter, size]) for size in ("small", "tiny")]
    if args.paddleocr:
        command = [args.paddleocr, str(ADAPTERS / "paddle_ocr.py"), args.paddleocr_models]
        chosen.append(Engine("PaddleOCR small", command))
    return chosen


def run(chosen: list[Engine], images: list[Path], rounds: int) -> None:
    """Read all images with all engines and store the answers. The first image is also read once as warm-up."""
    for engine in chosen:
        engine.start()
        engine.read(images[0])
    for number in range(rounds):
        for at, image in enumerate(images):
            first = (number + at) % len(chosen)  # rotate the order
            for engine in chosen[first:] + chosen[:first]:
                engine.answers.setdefault(image.name, []).append(engine.read(image))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    for engine in chosen:
        engine.stop()


def summary(engine: Engine) -> dict[str, Any]:
    """Means over images of the medians over rounds, in seconds; lines per CPU second; peak memory in MiB."""
    cpu = [median(answer["cpu"] for answer in rounds) for rounds in engine.answers.values()]
    wall = [median(answer["wall"] for answer in rounds) for rounds in engine.answers.values()]
    lines = [len(rounds[-1]["lines"]) for rounds in engine.answers.values()]
    return {
        "cpu_seconds_per_image": sum(cpu) / len(cpu),
        "wall_seconds_per_image": sum(wall) / len(wall),
        "lines_per_cpu_second": sum(lines) / sum(cpu),
        "peak_rss_mib": max(answer["rss_mib"] for rounds in engine.answers.values() for answer in rounds),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__.split("\n")[0])
    parser.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profiles", default="balanced,fast", help="InkGate profiles, comma-separated")
    parser.add_argument("--rapidocr", metavar="PYTHON", help="the Python of an environment with rapidocr")
    parser.add_argument("--faster-paddle", metavar="PYTHON", help="the same for faster-paddle")
    parser.add_argument("--paddleocr", metavar="PYTHON", help="the same for PaddleOCR")
    parser.add_argument("--paddleocr-models", metavar="DIR", help="holds v6_small_det and v6_small_rec")
    parser.add_argument("--labels", type=Path, help="JSON lines: file, category, lines of text and box")
    parser.add_argument("--score", type=Path, help="a scoring program with score(labels, predictions)")
    parser.add_argument("--out", type=Path, help="write the result as JSON, and beside it the plot as SVG")
    return parser.parse_args()


def main() -> None:
    if "--served" in sys.argv:  # a separate comparison with its own options
        sys.argv.remove("--served")
        return served.main()
    args = arguments()
    images = sorted(file for path in args.images for file in (path.iterdir() if path.is_dir() else [path]))
    chosen = engines(args)
    run(chosen, images, args.rounds)
    result: dict[str, Any] = {
        "machine": facts("onnxruntime", "numpy", "opencv-python-headless"),
        "rounds": args.rounds,
        "pictures": len(images),
        "engines": {engine.name: summary(engine) for engine in chosen},
    }
    if args.labels and args.score:
        for engine in chosen:
            last = {name: rounds[-1]["lines"] for name, rounds in engine.answers.items()}
            result["engines"][engine.name]["accuracy"] = accuracy(args.score, args.labels, last)
    print(table(result["engines"]))
    if args.out:
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        args.out.with_suffix(".svg").write_text(frontier(result["engines"]), encoding="utf-8")


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The summary as plain text."""
    lines = [f"{'engine':24}{'CPU s/img':>10}{'wall s':>8}{'lines/s':>9}{'RSS MiB':>9}{'char':>8}{'line':>8}"]
    for name, row in rows.items():
        total = row.get("accuracy", {}).get("ALL", {})
        scores = "".join(f"{total[key]:8.4f}" if key in total else f"{'-':>8}" for key in ("char", "line"))
        lines.append(
            f"{name:24}{row['cpu_seconds_per_image']:10.3f}{row['wall_seconds_per_image']:8.2f}"
            f"{row['lines_per_cpu_second']:9.1f}{row['peak_rss_mib']:9.0f}{scores}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
