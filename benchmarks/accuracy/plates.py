"""Accuracy and CPU time of plate reading on labelled scenes:

    python -m benchmarks.accuracy.plates --data DIR [--engine networks lines] [--agentclpr PYTHON] [--sandbox]

DIR holds labels.jsonl, one object a scene: {"file", "plates": [{"text", "type", "corners" or "approx_quad": quad}],
"ignore": [quads], "tags": [..]}. A plate is detected when an answer overlaps it (IoU of bounding boxes >= 0.2); a
missed plate counts as misread. Only blue, yellow and green plates are in scope. A false positive overlaps neither a
labelled nor an ignored region. The readers are interleaved scene by scene; times are CPU time of one thread. With
--sandbox a server is started on this machine and the scenes are sent to it in signed requests as well. --without names
folders of images without plates, all of which are read: every answer is a false one. The gallery shows images of
plates; --gallery must name a folder outside the repository.
"""

from __future__ import annotations

import argparse
import base64
import html
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.accuracy.documents import sandbox
from benchmarks.machine import facts
from benchmarks.throughput.child import ADAPTERS, Child
from inkgate.engines.boxes import as_quad
from inkgate.engines.imaging import decode
from inkgate.engines.plate import PlateReader
from inkgate.engines.plate.colour import background_colour
from inkgate.engines.plate.detect import Corners
from inkgate.engines.plate.lines import TextLinePlateReader
from inkgate.engines.plate.rectify import rectified_strip
from inkgate.engines.plate.syntax import plate_kind
from inkgate.engines.registry import open_plate_reader, open_text_engine
from inkgate.engines.types import Plate

ROOT = Path(__file__).resolve().parents[2]
SCOPE = ("blue", "yellow", "green")
PLATE_TYPES = ("蓝牌", "黄牌", "新能源绿牌")
MAX_PIXELS = 25_100_000
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
COUNTS = ("plates", "found", "exact", "without_province", "type")
Quad = list[list[float]]


@dataclass
class Tally:
    """The counts of a run by group, and its errors."""

    groups: dict[str, Counter[str]] = field(default_factory=dict)
    corner_errors: list[float] = field(default_factory=list)
    false_positives: list[str] = field(default_factory=list)
    answers: list[tuple[float, bool]] = field(default_factory=list)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def add(self, groups: Iterable[str], truth: dict[str, Any], answer: Plate | None) -> None:
        for group in groups:
            count = self.groups.setdefault(group, Counter())
            count["plates"] += 1
            if answer is not None:
                count["found"] += 1
                count["exact"] += answer.text == truth["text"]
                count["without_province"] += answer.text[1:] == truth["text"][1:]
                count["type"] += answer.kind == truth["type"]


def bounds(quad: Any) -> tuple[float, float, float, float]:
    points = np.asarray(quad, np.float64)
    return (*points.min(0), *points.max(0))


def iou(a: Any, b: Any) -> float:
    """Intersection over union of two quadrilaterals' bounding boxes."""
    a, b = bounds(a), bounds(b)
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared + 1e-9)


def groups_of(truth: dict[str, Any], scene: dict[str, Any]) -> list[str]:
    """The names of the groups in which a plate is counted."""
    names = ["all", truth["type"], *(tag for tag in scene["tags"] if tag in ("multi", "tilt", "dirty"))]
    quad = truth.get("corners") or truth.get("approx_quad")
    if quad and bounds(quad)[2] - bounds(quad)[0] < 80:
        names.append("narrower than 80 px")
    if truth["text"][0] != "皖":
        names.append("not 皖")
    return names


def judge(scene: dict[str, Any], answers: list[Plate], tally: Tally) -> None:
    """Match the answers for one scene to its labels and add the result to `tally`."""
    used: set[int] = set()
    for truth in scene["plates"]:
        quad = truth.get("corners") or truth.get("approx_quad")
        overlaps = [iou(plate.quad, quad) if quad else float(plate.text == truth["text"]) for plate in answers]
        best = int(np.argmax(overlaps)) if overlaps and max(overlaps) >= 0.2 else None
        if best is not None:
            used.add(best)
        if truth["type"] not in SCOPE:
            continue
        answer = None if best is None else answers[best]
        tally.add(groups_of(truth, scene), truth, answer)
        if answer is not None:
            tally.answers.append((answer.confidence, answer.text == truth["text"]))
            if "corners" in truth:
                pairs = zip(answer.quad, truth["corners"], strict=True)
                width = max(math.dist(truth["corners"][0], truth["corners"][1]), 1)
                tally.corner_errors.append(sum(math.dist(a, b) for a, b in pairs) / 4 / width)
        if answer is None or answer.text != truth["text"] or answer.kind != truth["type"]:
            tally.wrong.append({"file": scene["file"], "truth": truth, "quad": quad, "answer": answer})
    regions = [p.get("corners") or p.get("approx_quad") for p in scene["plates"]] + scene["ignore"]
    for k, plate in enumerate(answers):
        if k not in used and not any(region and iou(plate.quad, region) > 0.1 for region in regions):
            tally.false_positives.append(f"{scene['file']} {plate.text} {plate.confidence:.2f}")


Read = Callable[[Path], tuple[list[Plate], float]]
"""The plates of an image file, and the CPU seconds that reading took on one thread."""


def run(reads: dict[str, Read], data: Path) -> dict[str, Tally]:
    """Run every reader on every scene of `data`, interleaved scene by scene. Returns a tally by reader."""
    tallies = {name: Tally() for name in reads}
    for line in (data / "labels.jsonl").read_text("utf8").splitlines():
        scene = json.loads(line)
        for name, read in reads.items():
            answers, seconds = read(data / scene["file"])
            tallies[name].times.append(seconds)
            judge(scene, answers, tallies[name])
    return tallies


def local(engine: str) -> Read:
    """A plate reader in this process, on one thread. `engine` is "lines" or "networks"."""
    cv2.setNumThreads(1)
    reader: PlateReader = (
        TextLinePlateReader(open_text_engine("onnx", "balanced", 1, None)) if engine == "lines" else open_plate_reader()
    )
    reader.warmup()

    def read(file: Path) -> tuple[list[Plate], float]:
        began = time.process_time()
        return reader.read(decode(file.read_bytes(), MAX_PIXELS)), time.process_time() - began

    return read


def false_answers(read: Read, folders: Iterable[Path]) -> dict[str, int]:
    """How many images the folders hold, which show no plate, and how many plates are answered for them."""
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix in _IMAGE_SUFFIXES]
    return {"images": len(files), "answers": sum(len(read(file)[0]) for file in files)}


def agentclpr(python: str) -> Read:
    """agentclpr with its defaults, in a separate Python environment.

    It returns no plate colour, so the colour is measured from the pixels; its confidence is not used.
    """
    child = Child("agentclpr", [python, str(ADAPTERS / "agent_clpr.py")])
    child.start()

    def read(file: Path) -> tuple[list[Plate], float]:
        said = child.read(file)
        image, plates = decode(file.read_bytes(), MAX_PIXELS), []
        for line in said["lines"]:
            corners = upright(np.array(line["box"], np.float32).reshape(4, 2))
            kind = plate_kind(line["text"], background_colour(rectified_strip(image, as_quad(corners))), 1)
            if kind in SCOPE:
                plates.append(Plate(as_quad(corners), kind, line["text"], 0.0))
        return plates, said["cpu"]

    return read


def upright(corners: Corners) -> Corners:
    """The same quadrilateral, clockwise, starting at its top left corner. Shape (4, 2)."""
    around = corners - corners.mean(0)
    order = np.argsort(np.arctan2(around[:, 1], around[:, 0]))
    first = int(np.argmin(corners[order].sum(1)))
    return corners[np.roll(order, -first)]


def served(url: str) -> Read:
    """A reader over a running server, with the keys from the environment. CPU time is reported as 0."""
    sys.path.insert(0, str(ROOT / "clients" / "python" / "src"))
    from inkgate_client import Client

    client = Client(url, ak=os.environ["AK"], sk=os.environ["SK"], appkey=os.environ["APPKEY"])
    kinds = dict(zip(PLATE_TYPES, SCOPE, strict=True))

    def read(file: Path) -> tuple[list[Plate], float]:
        (answers,) = client.plate(file.read_bytes())
        return [Plate(one.box, kinds[one.kind], one.number, one.confidence) for one in answers], 0.0

    return read


def summary(tally: Tally) -> dict[str, Any]:
    """The result as a JSON object."""
    errors = sorted(tally.corner_errors)
    confident = [right for confidence, right in tally.answers if confidence >= 0.9]
    bins = {}
    for low in np.arange(0, 1, 0.1).round(1):
        inside = [right for confidence, right in tally.answers if low <= confidence < low + 0.1 + (low == 0.9)]
        bins[f"{low:.1f}"] = [len(inside), sum(inside)]
    return {
        "groups": {name: {key: count[key] for key in COUNTS} for name, count in tally.groups.items()},
        "false_positives": len(tally.false_positives),
        "corner_error_median_%": round(100 * errors[len(errors) // 2], 2) if errors else None,
        "corners_known": len(errors),
        "confidence>=0.9": len(confident),
        "of_those_wrong": len(confident) - sum(confident),
        "confidence_bins_[answers, right]": bins,
        "cpu_ms_a_picture_median": round(1000 * float(np.median(tally.times))),
        "cpu_ms_a_picture_95%": round(1000 * float(np.quantile(tally.times, 0.95))),
    }


def table(result: dict[str, Any]) -> str:
    """The groups as a text table of counts and percentages."""
    rows = [f"{'':22s}{'plates':>7s}{'found':>14s}{'exact':>14s}{'w/o province':>14s}{'type of found':>15s}"]
    for name, count in result["groups"].items():
        n, found = count["plates"], max(count["found"], 1)
        cells = [f"{count[key]:4d} {100 * count[key] / n:5.1f} %" for key in ("found", "exact", "without_province")]
        rows.append(
            f"{name:22s}{n:7d}" + "".join(f"{c:>14s}" for c in cells) + f"{100 * count['type'] / found:13.1f} %"
        )
    rest = {key: value for key, value in result.items() if key != "groups"}
    return "\n".join([*rows, json.dumps(rest, ensure_ascii=False)])


def gallery(tally: Tally, data: Path, folder: Path) -> None:
    """Write every wrong answer with a crop of its region to one HTML file in `folder`."""
    if ROOT in [folder.resolve(), *folder.resolve().parents]:
        raise SystemExit("--gallery must lie outside the repository: it shows number plates")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for error in tally.wrong:
        image = cv2.imread(str(data / error["file"]))
        if image is None or error["quad"] is None:
            continue
        x0, y0, x1, y1 = bounds(error["quad"])
        pad_x, pad_y = (x1 - x0) * 0.6 + 10, (y1 - y0) * 1.2 + 10
        part = image[max(0, int(y0 - pad_y)) : int(y1 + pad_y), max(0, int(x0 - pad_x)) : int(x1 + pad_x)]
        _, data_ = cv2.imencode(".jpg", part)
        source = base64.b64encode(data_.tobytes()).decode()
        answer = error["answer"]
        said = f"{answer.text} {answer.kind} {answer.confidence:.2f}" if answer else "not found"
        caption = html.escape(f"{error['file']}: {error['truth']['text']} {error['truth']['type']} → {said}")
        rows.append(
            f'<figure><img src="data:image/jpeg;base64,{source}" height="120">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    page = "<!doctype html><meta charset=utf-8><style>figure{display:inline-block;margin:8px}</style>" + "\n".join(rows)
    page += "<h2>confidence: answers, share right</h2><table>"
    for low, (count, right) in summary(tally)["confidence_bins_[answers, right]"].items():
        share = 100 * right / max(count, 1)
        bar = f'<div style="width:{2 * share:.0f}px;background:#36c">&nbsp;</div>'
        page += f"<tr><td>{low}<td>{count}<td>{share:.0f} %<td>{bar}"
    page += "</table><h2>false positives</h2><pre>" + html.escape("\n".join(tally.false_positives)) + "</pre>"
    (folder / "plates.html").write_text(page, "utf8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--engine", choices=("networks", "lines"), nargs="+", default=["networks"])
    parser.add_argument("--agentclpr", metavar="PYTHON", help="interpreter of an environment with agentclpr")
    parser.add_argument("--sandbox", action="store_true", help="also read through a server started for this run")
    parser.add_argument("--without", type=Path, nargs="+", help="folders of images that show no plate")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--gallery", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        reads = {name: local(name) for name in options.engine}
        if options.sandbox:
            reads["server"] = served(stack.enter_context(sandbox("balanced")))
        if options.agentclpr:
            reads["agentclpr"] = agentclpr(options.agentclpr)
        tallies = run(reads, options.data)
        without = {name: false_answers(reads[name], options.without or []) for name in options.engine}
    result = {name: summary(tally) for name, tally in tallies.items()}
    if options.without:
        for name, counts in without.items():
            result[name]["without_plates"] = counts
    for name, counts in result.items():
        print(f"== {name}\n{table(counts)}")
    if options.json:
        options.json.write_text(
            json.dumps({"machine": facts("onnxruntime", "numpy"), **result}, ensure_ascii=False, indent=1) + "\n",
            "utf8",
        )
    if options.gallery:
        gallery(tallies[options.engine[0]], options.data, options.gallery)


if __name__ == "__main__":
    main()
