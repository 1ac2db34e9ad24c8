"""faster-paddle on one thread. Argument: model size."""

import sys

from _loop import serve
from faster_paddle import OcrEngine

engine = OcrEngine(model_size=sys.argv[1], threads=1)


def read(data):
    lines = []
    for bound in engine.ocr(data)["bounds"].values():
        (left, top), (right, bottom) = bound["topLeftCoord"], bound["bottomRightCoord"]
        lines.append((bound["text"], [left, top, right, top, right, bottom, left, bottom]))
    return lines


serve(read)
