"""CPU time of plate reading by image size:  python -m benchmarks.accuracy.plate_times --data DIR [--json FILE]

DIR is as for `benchmarks.accuracy.plates`. Scenes are scaled to 1280x960 and to 4000x3000, and ten crops at a time
are composed into a street scene of 1920x1080 with plates about 90 pixels wide. One thread; sizes are interleaved.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.accuracy.plates import MAX_PIXELS, SCOPE, bounds
from benchmarks.machine import facts
from inkgate.engines.imaging import decode
from inkgate.engines.registry import open_plate_reader
from inkgate.engines.types import Image

PLATE_WIDTH = 90  # pixels, in the street scene
TILE = (384, 540)  # width and height in pixels


def letterbox(image: Image, width: int, height: int) -> Image:
    """The image scaled to fit into width x height and padded on the right and below by repeating its border."""
    scale = min(width / image.shape[1], height / image.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
    right, bottom = max(width - small.shape[1], 0), max(height - small.shape[0], 0)
    full = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(full[:height, :width], np.uint8)


def tile(image: Image, quad: Any) -> Image:
    """A crop of TILE pixels centred on a plate, scaled so that the plate is PLATE_WIDTH wide."""
    x0, y0, x1, y1 = bounds(quad)
    scale = PLATE_WIDTH / (x1 - x0)
    move = np.array([(scale, 0, TILE[0] / 2 - scale * (x0 + x1) / 2), (0, scale, TILE[1] / 2 - scale * (y0 + y1) / 2)])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(image, move, TILE, flags=how, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def build_images(data: Path, count: int) -> dict[str, list[Image]]:
    """`count` images of each size, by the name of the size, made from scenes with exactly one plate."""
    scenes = [json.loads(line) for line in (data / "labels.jsonl").read_text("utf8").splitlines()]
    single = [s for s in scenes if len(s["plates"]) == 1 and s["plates"][0]["type"] in SCOPE]
    read = [(decode((data / s["file"]).read_bytes(), MAX_PIXELS), s["plates"][0]) for s in single[:: len(single) // 60]]
    tiles = [
        tile(image, plate.get("corners") or plate["approx_quad"])
        for image, plate in read
        if plate.get("corners") or plate.get("approx_quad")
    ]
    rng = np.random.default_rng(0)
    streets = []
    for _ in range(count):
        ten = [tiles[k] for k in rng.choice(len(tiles), 10, replace=False)]
        streets.append(np.vstack([np.hstack(ten[:5]), np.hstack(ten[5:])]))
    return {
        "1280x960": [letterbox(image, 1280, 960) for image, _ in read[:count]],
        "4000x3000": [letterbox(image, 4000, 3000) for image, _ in read[:count]],
        "street of ten plates, 1920x1080": streets,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    reader = open_plate_reader()
    reader.warmup()
    by_size = build_images(options.data, options.count)
    times: dict[str, list[float]] = {name: [] for name in by_size}
    plates: dict[str, int] = dict.fromkeys(by_size, 0)
    for k in range(options.count):
        for name, images in by_size.items():
            began = time.process_time()
            plates[name] += len(reader.read(images[k]))
            times[name].append(1000 * (time.process_time() - began))
    result: dict[str, Any] = {
        name: {
            "cpu_ms_median": round(float(np.median(spent))),
            "cpu_ms_90%": round(float(np.quantile(spent, 0.9))),
            "plates_a_picture": round(plates[name] / options.count, 1),
        }
        for name, spent in times.items()
    }
    print(json.dumps(result, ensure_ascii=False, indent=1))
    if options.json:
        machine = facts("onnxruntime", "numpy", "opencv-python-headless")
        result = {"machine": machine, "images_of_each_size": options.count, **result}
        options.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    main()
