"""CPU time of plates by the size of the picture:  python -m benchmarks.accuracy.plate_times --data DIR [--json FILE]

DIR is as for `benchmarks.accuracy.plates`. Its scenes are brought to 1280x960 and to 4000x3000, and ten of them at a
time are set into one street of 1920x1080 with plates about 90 pixels wide. One thread; sizes are interleaved.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.accuracy.plates import MOST_PIXELS, SCOPE, bounds
from inkgate.engines.imaging import decode
from inkgate.engines.registry import open_plate_reader
from inkgate.engines.types import Image

WIDE = 90  # pixels of a plate in the street
TILE = (384, 540)


def fitted(picture: Image, width: int, height: int) -> Image:
    """The picture scaled to fit into width x height, the rest filled by repeating its border."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)
    right, bottom = max(width - small.shape[1], 0), max(height - small.shape[0], 0)
    full = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(full[:height, :width], np.uint8)


def tile(picture: Image, quad: Any) -> Image:
    """TILE pixels around a plate, scaled so that it is WIDE."""
    x0, y0, x1, y1 = bounds(quad)
    scale = WIDE / (x1 - x0)
    move = np.array([(scale, 0, TILE[0] / 2 - scale * (x0 + x1) / 2), (0, scale, TILE[1] / 2 - scale * (y0 + y1) / 2)])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(picture, move, TILE, flags=how, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def pictures(data: Path, count: int) -> dict[str, list[Image]]:
    """`count` pictures of each size, from the first scenes with one plate."""
    scenes = [json.loads(line) for line in (data / "labels.jsonl").read_text("utf8").splitlines()]
    single = [s for s in scenes if len(s["plates"]) == 1 and s["plates"][0]["type"] in SCOPE]
    read = [
        (decode((data / s["file"]).read_bytes(), MOST_PIXELS), s["plates"][0]) for s in single[:: len(single) // 60]
    ]
    tiles = [
        tile(picture, plate.get("corners") or plate["approx_quad"])
        for picture, plate in read
        if plate.get("corners") or plate.get("approx_quad")
    ]
    rng = np.random.default_rng(0)
    streets = []
    for _ in range(count):
        ten = [tiles[k] for k in rng.choice(len(tiles), 10, replace=False)]
        streets.append(np.vstack([np.hstack(ten[:5]), np.hstack(ten[5:])]))
    return {
        "1280x960": [fitted(picture, 1280, 960) for picture, _ in read[:count]],
        "4000x3000": [fitted(picture, 4000, 3000) for picture, _ in read[:count]],
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
    made = pictures(options.data, options.count)
    times: dict[str, list[float]] = {name: [] for name in made}
    plates: dict[str, int] = dict.fromkeys(made, 0)
    for k in range(options.count):
        for name, images in made.items():
            began = time.process_time()
            plates[name] += len(reader.read(images[k]))
            times[name].append(1000 * (time.process_time() - began))
    result = {
        name: {
            "cpu_ms_median": round(float(np.median(spent))),
            "cpu_ms_90%": round(float(np.quantile(spent, 0.9))),
            "plates_a_picture": round(plates[name] / options.count, 1),
        }
        for name, spent in times.items()
    }
    print(json.dumps(result, ensure_ascii=False, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    main()
