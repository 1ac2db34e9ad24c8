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
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from benchmarks.throughput import served
from benchmarks.throughput.child import ADAPTERS
from benchmarks.throughput.interleaved import Engine, image_files, run, summary
from benchmarks.throughput.plot import frontier
from benchmarks.throughput.scoring import accuracy

AMX = Path(__file__).parents[1] / "results" / "amx.json"


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


def plot(engines: dict[str, Any]) -> str:
    """The frontier of the run, with this release in bfloat16 as measured on a CPU with AMX (`benchmarks.bf16`).

    The latter's cost is its ratio to `balanced` there, times the cost of `balanced` here.
    """
    base = engines.get("inkgate balanced")
    if base is None or not AMX.is_file():
        return frontier(engines)
    measured = json.loads(AMX.read_text(encoding="utf-8"))["engines"]
    elsewhere = {
        f"inkgate {name}": (row["cpu_ratio"] * base["cpu_seconds_per_image"], row["accuracy"]["char"])
        for name, row in measured.items()
        if "bfloat16" in name and "accuracy" in row
    }
    return frontier(engines, elsewhere)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__.split("\n")[0])
    parser.add_argument("images", type=Path, nargs="*", help="image files, or folders of them")
    parser.add_argument("--plot", type=Path, metavar="JSON", help="only draw the plot of an earlier result, beside it")
    parser.add_argument("--every", type=int, default=1, help="read every so-many-th image")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profiles", default="balanced,fast,best", help="InkGate profiles, comma-separated")
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
    if args.plot:
        args.plot.with_suffix(".svg").write_text(plot(json.loads(args.plot.read_text())["engines"]), encoding="utf-8")
        return None
    if not args.images:
        raise SystemExit("name images or folders of them")
    images = image_files(args.images)[:: args.every]
    chosen = engines(args)
    for rounds in run(chosen, images, args.rounds):
        result = report(chosen, images, rounds, args)
        if args.out:  # after each round, so that a run that is stopped leaves its finished rounds
            args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            args.out.with_suffix(".svg").write_text(plot(result["engines"]), encoding="utf-8")
    print(table(result["engines"]))


def report(chosen: list[Engine], images: list[Path], rounds: int, args: argparse.Namespace) -> dict[str, Any]:
    """Machine, conditions and the summary of each engine, with its accuracy where labels are given."""
    result: dict[str, Any] = {
        "machine": facts("onnxruntime", "numpy", "opencv-python-headless"),
        "rounds": rounds,
        "pictures": len(images),
        "engines": {engine.name: summary(engine) for engine in chosen},
    }
    if args.labels and args.score:
        for engine in chosen:
            last = {name: rounds[-1]["lines"] for name, rounds in engine.answers.items()}
            result["engines"][engine.name]["accuracy"] = accuracy(args.score, args.labels, last)
    return result


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
