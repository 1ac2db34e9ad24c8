"""Accuracy of general OCR on labelled images: `python -m benchmarks.accuracy.general FOLDER --score PROGRAM`.

FOLDER holds `labels.jsonl` (file, category, lines of text and box) and `images/`. Prints the rates of the scoring
program per category and CPU seconds per image; `--out` writes them to a file, with facts about the machine.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from benchmarks.throughput.scoring import RATES, accuracy
from inkgate.engines.registry import open_reader


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.general", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--score", type=Path, required=True, help="a scoring program with score(labels, predictions)")
    parser.add_argument("--runtime", default="onnx")
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    args = parser.parse_args()

    reader = open_reader(args.runtime, args.profile, 1, None, 100_000_000)
    reader.warmup()
    predictions: dict[str, list[dict[str, Any]]] = {}
    began = time.process_time()
    for image in sorted((args.folder / "images").iterdir()):
        predictions[image.name] = [
            {"text": line.text, "box": [number for point in line.quad for number in point]}
            for line in reader.read("general", image.read_bytes()).lines
        ]
    spent = (time.process_time() - began) / len(predictions)
    reader.close()

    rates = accuracy(args.score, args.folder / "labels.jsonl", predictions)
    for category, rate in rates.items():
        print(f"{category:12}" + "".join(f" {key} {rate[key]:<7}" for key in RATES))
    print(f"{spent:.3f} CPU seconds per image")
    if args.out:
        result = {
            "machine": facts("onnxruntime", "numpy", "opencv-python-headless"),
            "runtime": args.runtime,
            "profile": args.profile,
            "cpu_seconds_per_image": round(spent, 4),
            "accuracy": rates,
        }
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
