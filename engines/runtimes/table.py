"""The runtimes that the settings may name. A new one is a module in this package and a row of `RUNTIMES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inkgate.engines.interfaces import TextEngine
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes.interface import Runtime
from inkgate.engines.runtimes.onnx import OnnxRuntime
from inkgate.engines.runtimes.openvino import OpenVinoRuntime
from inkgate.engines.runtimes.paddle import open_paddle_engine
from inkgate.engines.text.build import open_line_engine
from inkgate.engines.text.profiles import Profile


@dataclass(frozen=True, slots=True)
class RuntimeEntry:
    """What a name in the settings stands for.

    `networks` makes the runtime that opens network files. `text_engine` builds the text engine from them: our own by
    default, or one that the library brings along. `compiling` makes the runtime that also compiles networks in
    bfloat16, for so many threads.
    """

    networks: Callable[[], Runtime]
    text_engine: Callable[[NetworkFactory, Profile], TextEngine] = open_line_engine
    compiling: Callable[[int], Runtime] | None = None


RUNTIMES: dict[str, RuntimeEntry] = {
    "onnx": RuntimeEntry(OnnxRuntime, compiling=lambda threads: OpenVinoRuntime(threads=threads)),
    # PaddleOCR reads the lines. Orientation and plates have no Paddle model files: ONNX Runtime opens those.
    "paddle": RuntimeEntry(OnnxRuntime, open_paddle_engine),
}
