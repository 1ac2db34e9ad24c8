"""InkGate's text engine at an instruction set level. Arguments: profile; "int8" or "float"; "bf16" or nothing.

The level itself comes from the environment (benchmarks.throughput.isa); the arguments say which networks the product
chooses on a CPU of that level, where it would look into /proc/cpuinfo.
"""

import sys

import cv2
from _loop import serve

sys.path.insert(0, ".")

from inkgate.engines.imaging import decode
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes.onnx import OnnxRuntime
from inkgate.engines.runtimes.openvino import OpenVinoRuntime
from inkgate.engines.text.build import open_line_engine
from inkgate.engines.text.profiles import PROFILES

MAX_PIXELS = 100_000_000
COMPILE_SECONDS = 900
profile, precision = sys.argv[1], sys.argv[2]


class Onnx(OnnxRuntime):
    """ONNX Runtime with the choice between INT8 and float32 networks given."""

    def int8_is_faster(self):
        return precision == "int8"


cv2.setNumThreads(1)
runtime = OpenVinoRuntime() if "bf16" in sys.argv else Onnx()
engine = open_line_engine(NetworkFactory(runtime, None, 1), PROFILES[profile])
engine.warmup()
if isinstance(runtime, OpenVinoRuntime) and not runtime.wait(COMPILE_SECONDS):
    raise SystemExit("the networks were not compiled in time")


def read(data):
    page = engine.read(decode(data, MAX_PIXELS))
    return [(line.text, [number for point in line.quad for number in point]) for line in page.lines]


serve(read)
