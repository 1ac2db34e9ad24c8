"""OpenVINO in bfloat16 beside ONNX Runtime: networks compiled for fixed input shapes, in the background.

A CPU with AMX multiplies bfloat16 matrices several times as fast as float32 ones, and ONNX Runtime has no kernels for
that. OpenVINO has, and is fast for static shapes only, so each network is compiled for a few shapes and an input is
padded to the smallest one that holds it. Everything else runs on ONNX Runtime: shapes that none holds, networks for
which no shapes were named, and all of them until they are compiled (see docs/adr/0068-bf16-on-amx.md).
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from inkgate.engines.runtimes.interface import CPU, ArgmaxNetwork, Execution, Network, RunNetwork, Shape, Tensor
from inkgate.engines.runtimes.onnx import OnnxRuntime
from inkgate.engines.types import MemoryGrowth

log = logging.getLogger(__name__)

BF16, F32 = "bf16", "f32"  # what OpenVINO calls the precisions
MAX_PADDED_AREA = 1.6  # times the area of an input; a shape padded further costs as much as ONNX Runtime
_MIN_GAIN = 0.95  # share of ONNX Runtime's time that a compiled network must stay below
_TRIALS = 3
_CLOSE_SECONDS = 20.0  # for the shape in hand, half a second on an idle core
_SHAPE_RESIDENT_MIB = 40  # of a compiled shape: 33 measured, activations and the library included
_SHAPE_DATA_MIB = 128  # 110 measured: buffers for generated code are large, and hardly touched


class CompiledNetwork(Protocol):
    """A network compiled for one shape."""

    shape: Shape

    def __call__(self, batch: Tensor, /) -> Tensor:
        """Run one batch that `shape` holds; the output is cropped to the batch."""

    def release_activations(self) -> None:
        """Free the memory between the layers until the next run."""


class Compiler(Protocol):
    """Compiles the network in a file for one input shape."""

    def __call__(self, path: Path, shape: Shape, /) -> CompiledNetwork: ...

    def forget_files(self) -> None:
        """Free the networks that were read from files; compiled ones have weights of their own."""


class OpenVinoRuntime:
    """The `Runtime` over ONNX Runtime that also compiles networks, in a thread that `start` begins and `close` ends."""

    name = "openvino"

    def __init__(self, precision: str = BF16, threads: int = 1, compiler: Compiler | None = None) -> None:
        self._onnx = OnnxRuntime()
        self._compile = compiler or ShapeCompiler(precision, threads)
        self._networks: list[PaddedNetwork] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def version(self) -> str:
        """The installed OpenVINO's version."""
        return metadata.version("openvino")

    def device(self) -> str:
        """The CPU: GPUs have a runtime of their own."""
        return CPU

    def int8_is_faster(self) -> bool:
        """As for ONNX Runtime, which runs the networks that are not compiled."""
        return self._onnx.int8_is_faster()

    def open(self, path: Path, execution: Execution) -> Network:
        """The network on ONNX Runtime. Raises ModelError when it cannot load the file."""
        return self._onnx.open(path, execution)

    def open_argmax(self, path: Path, execution: Execution) -> ArgmaxNetwork:
        """The line recogniser on ONNX Runtime. Raises ModelError."""
        return self._onnx.open_argmax(path, execution)

    def compiled(self, path: Path, shapes: Sequence[Shape], fallback: RunNetwork) -> RunNetwork:
        """The network in `path`, compiled for `shapes` once `start` was called; `fallback` runs all others."""
        network = PaddedNetwork(path, shapes, fallback)
        self._networks.append(network)
        return network

    @property
    def growth(self) -> MemoryGrowth:
        """By the number of shapes that were named, until compiling has ended."""
        ended = self._thread is not None and not self._thread.is_alive()
        shapes = 0 if ended else sum(len(network.shapes) for network in self._networks)
        return MemoryGrowth(shapes * _SHAPE_RESIDENT_MIB, shapes * _SHAPE_DATA_MIB)

    def start(self) -> None:
        """Compile all shapes in a thread of their own, in the order in which they were named."""
        if self._thread is None and self._networks:
            self._thread = threading.Thread(target=self._compile_all, name="compile-networks", daemon=True)
            atexit.register(self.close)  # an interpreter that ends while OpenVINO compiles aborts
            self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Whether all shapes are compiled, or given up, within `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def close(self) -> None:
        """End the thread after the shape that it compiles at the moment (half a second)."""
        self._stopping.set()
        self.wait(_CLOSE_SECONDS)
        atexit.unregister(self.close)

    def _compile_all(self) -> None:
        begun, count = time.perf_counter(), 0
        for network in self._networks:
            for shape in network.shapes:
                if self._stopping.is_set():
                    return
                try:
                    faster = network.add(self._compile(network.path, shape))
                except Exception:  # OpenVINO raises RuntimeError, and MemoryError at the worker's limit
                    log.exception("%s is not compiled for %s: ONNX Runtime runs it", network.path.name, shape)
                    break
                if not faster:
                    break
                count += 1
        self._compile.forget_files()
        release_free_memory()
        log.info("%d shapes compiled in %.1f s", count, time.perf_counter() - begun)


class PaddedNetwork:
    """A network compiled for some shapes, and a fallback for all others. Threads may share it.

    Inputs are padded with zeros on the right and at the bottom; what the padding adds to the output is cut off.
    """

    def __init__(self, path: Path, shapes: Sequence[Shape], fallback: RunNetwork) -> None:
        self.path = path
        self.shapes = tuple(shapes)
        self._fallback = fallback
        self._table: tuple[CompiledNetwork, ...] = ()  # replaced, never changed: calls run meanwhile

    @property
    def compiled_shapes(self) -> tuple[Shape, ...]:
        """The shapes that are compiled by now."""
        return tuple(entry.shape for entry in self._table)

    def __call__(self, batch: Tensor) -> Tensor:
        """Run one batch (n, channels, height, width) float32 and return the first output."""
        entry = smallest_that_holds(self._table, batch.shape)
        if entry is None:
            return self._fallback(batch)
        return entry(batch)

    def add(self, entry: CompiledNetwork) -> bool:
        """Use a compiled shape from now on. The first one must be faster than the fallback, or none is used: False.

        Raises ValueError when it gives outputs of another shape: an operator's file may be of another family.
        """
        if not self._table and not _is_faster(entry, self._fallback):
            log.info("%s is not faster in OpenVINO: ONNX Runtime runs it", self.path.name)
            return False
        entry.release_activations()
        self._table = (*self._table, entry)
        return True


def smallest_that_holds(table: Sequence[CompiledNetwork], wanted: Shape) -> CompiledNetwork | None:
    """The entry of the smallest area that holds an input of `wanted`, None where none does or it is too large."""
    count, channels, height, width = wanted
    fits = [
        entry
        for entry in table
        if entry.shape[:2] == (count, channels)
        and entry.shape[2] >= height
        and entry.shape[3] >= width
        and entry.shape[2] * entry.shape[3] <= MAX_PADDED_AREA * height * width
    ]
    return min(fits, key=lambda entry: entry.shape[2] * entry.shape[3], default=None)


def _is_faster(entry: CompiledNetwork, fallback: RunNetwork) -> bool:
    """Whether the compiled network takes less CPU time than the fallback, by the best of a few runs each. Raises
    ValueError when their outputs differ in shape."""
    batch = np.zeros(entry.shape, np.float32)
    shape, expected = entry(batch).shape, fallback(batch).shape
    if shape != expected:
        raise ValueError(f"its output is {shape}, and {expected} that of the network in use")
    times: dict[Callable[[Tensor], Tensor], float] = {entry: float("inf"), fallback: float("inf")}
    for _ in range(_TRIALS):
        for run, best in times.items():
            begun = time.thread_time()
            run(batch)
            times[run] = min(best, time.thread_time() - begun)
    return times[entry] < _MIN_GAIN * times[fallback]


class ShapeCompiler:
    """Compiles networks for fixed shapes with OpenVINO. Files are read once."""

    def __init__(self, precision: str, threads: int) -> None:
        self._options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # every worker would pin itself to the same core
        }
        self._models: dict[Path, Any] = {}

    def __call__(self, path: Path, shape: Shape) -> CompiledNetwork:
        """The network in the file, compiled for one input shape. Raises RuntimeError when OpenVINO cannot."""
        from openvino import PartialShape

        model = self._model(path).clone()
        model.reshape(PartialShape(list(shape)))
        return FixedShapeNetwork(_core().compile_model(model, "CPU", self._options), shape)

    def forget_files(self) -> None:
        """See `Compiler`."""
        self._models.clear()

    def _model(self, path: Path) -> Any:
        if path not in self._models:
            from openvino._offline_transformations import apply_moc_transformations

            model = _core().read_model(str(path))
            # Constants are folded once here; otherwise each compiled shape keeps folded ones of its own (9 MiB more).
            apply_moc_transformations(model, cf=True, smart_reshape=True)
            self._models[path] = model
        return self._models[path]


@cache
def _core() -> Any:
    from openvino import Core

    return Core()


class FixedShapeNetwork:
    """A network that OpenVINO compiled for one shape. Threads take turns: its activations exist once."""

    def __init__(self, compiled: Any, shape: Shape) -> None:
        self.shape = shape
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._output_shape: Shape = tuple(compiled.output(0).shape)
        self._turn = threading.Lock()

    def __call__(self, batch: Tensor) -> Tensor:
        """The output for one batch of at most `shape`, cropped to it, in memory of its own."""
        from openvino import Tensor as OpenVinoTensor

        output = np.empty(self._output_shape, np.float32)
        padded = pad(batch, self.shape)
        with self._turn:
            self._request.set_input_tensor(OpenVinoTensor(padded, shared_memory=True))
            self._request.set_output_tensor(OpenVinoTensor(output, shared_memory=True))
            self._request.infer()
        return crop_output(output, batch.shape, self.shape)

    def release_activations(self) -> None:
        """Free the memory between the layers until the next run; a run in progress is waited for."""
        with self._turn:
            self._compiled.release_memory()


def pad(batch: Tensor, shape: Shape) -> Tensor:
    """The batch with zeros on the right and at the bottom up to `shape`, contiguous."""
    if batch.shape == shape:
        return np.ascontiguousarray(batch)
    height, width = batch.shape[2:]
    padded = np.empty(shape, np.float32)
    padded[:, :, :height, :width] = batch
    padded[:, :, :height, width:] = 0
    padded[:, :, height:] = 0
    return padded


def crop_output(output: Tensor, wanted: Shape, padded: Shape) -> Tensor:
    """The part of an output that belongs to an input of `wanted` size, of which `padded` is the padded one.

    A line gives (n, columns, classes), a page (n, channels, height, width); either keeps the input's proportions.
    """
    if wanted == padded:
        return output
    if output.ndim == 3:
        return output[:, : _scaled(output.shape[1], wanted[3], padded[3])]
    height, width = (_scaled(output.shape[axis], wanted[axis], padded[axis]) for axis in (2, 3))
    return output[:, :, :height, :width]


def _scaled(size: int, wanted: int, padded: int) -> int:
    """`size` reduced by `wanted` of `padded`, rounded half down, as the strides of the networks round."""
    return -((padded - 2 * size * wanted) // (2 * padded))


def release_free_memory() -> None:
    """Return what glibc keeps of freed memory: compiling leaves more behind than the networks take."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
