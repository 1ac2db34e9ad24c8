"""ONNX Runtime sessions as callables from arrays to arrays."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import onnxruntime as ort

from inkgate.engines.errors import ModelError
from inkgate.engines.runtimes import cpu, cuda
from inkgate.engines.runtimes.argmax_head import CLASSES, SCORES, append_argmax_outputs
from inkgate.engines.runtimes.interface import CPU, CUDA, Execution, GreedyPath, NotCompiling, Tensor

Opened = TypeVar("Opened", bound=Callable[[Tensor], object])

_CUDA_PROVIDER = "CUDAExecutionProvider"
_DEFAULT_SEARCH = "HEURISTIC"  # of cuDNN, where nothing was timed


class OnnxRuntime(NotCompiling):
    """The `Runtime` over ONNX Runtime: model files in the ONNX format, on CPUs and on CUDA."""

    name = "onnx"

    @property
    def version(self) -> str:
        """The installed ONNX Runtime's version."""
        return str(ort.__version__)

    def device(self) -> str:
        """CUDA where the installed ONNX Runtime has its provider, else CPU."""
        return device()

    def int8_is_faster(self) -> bool:
        """Whether the processor has the instructions that ONNX Runtime's INT8 networks need (see `cpu`)."""
        return cpu.has_vnni()

    def open(self, path: Path, execution: Execution) -> OnnxNetwork:
        """The network in an .onnx file. Raises ModelError when ONNX Runtime cannot load it."""
        return _opened(partial(OnnxNetwork, path), execution)

    def open_argmax(self, path: Path, execution: Execution) -> OnnxArgmaxNetwork:
        """The line recogniser in an .onnx file, with argmax appended to its graph. Raises ModelError."""
        return _opened(partial(OnnxArgmaxNetwork, path), execution)


class OnnxNetwork:
    """One session with one input. Thread-safe, as sessions are.

    `search` is how cuDNN looks for the quickest algorithm when it meets a new shape (see engines.runtimes.cuda).
    """

    def __init__(self, path: Path, threads: int = 1, device: str = CPU, search: str = _DEFAULT_SEARCH) -> None:
        """Raises ModelError when the file is no network."""
        self._session = _session(path, path, threads, device, search)
        self._input = self._session.get_inputs()[0].name

    @property
    def device(self) -> str:
        """Where it runs: "cuda", or "cpu", also when CUDA was wanted and did not load."""
        return CUDA if _CUDA_PROVIDER in self._session.get_providers() else CPU

    @property
    def classes(self) -> int | None:
        """The last dimension of the first output, None where it varies."""
        return _last_dimension(self._session)

    def __call__(self, batch: Tensor) -> Tensor:
        """Run one batch (n, 3, height, width) float32 and return the first output."""
        output: Tensor = self._session.run(None, {self._input: batch})[0]
        return output


class OnnxArgmaxNetwork:
    """A recogniser with argmax appended to its graph: the class probabilities stay on the device.

    For GPUs. On a CPU nothing is copied between devices, and NumPy's argmax is faster than the graph's (by 1 % of the
    time of a line with the accurate network, 4 % with the draft one).
    """

    def __init__(self, path: Path, threads: int = 1, device: str = CPU, search: str = _DEFAULT_SEARCH) -> None:
        """Raises ModelError when the file is no network."""
        try:
            model = append_argmax_outputs(path.read_bytes())
        except ValueError as error:
            raise ModelError(f"{path}: {error}") from None
        self._session = _session(path, model, threads, device, search)
        self._input = self._session.get_inputs()[0].name

    @property
    def classes(self) -> int | None:
        """Number of classes, None where it varies."""
        return _last_dimension(self._session)

    def __call__(self, batch: Tensor) -> GreedyPath:
        """Most likely class of each column and its probability, both (n, columns), of (n, 3, height, width)."""
        classes, scores = self._session.run([CLASSES, SCORES], {self._input: batch})
        return classes[:, :, 0], scores[:, :, 0]


def _opened(network: Callable[[int, str, str], Opened], execution: Execution) -> Opened:
    """The network; on CUDA with the algorithm search that is fastest for the shapes that will come."""
    if execution.device == CUDA and execution.shapes:
        return cuda.open_with_fastest_search(
            lambda search: network(execution.threads, execution.device, search),
            execution.shapes,
            warmed=execution.warmed,
        )
    return network(execution.threads, execution.device, _DEFAULT_SEARCH)


def _last_dimension(session: ort.InferenceSession) -> int | None:
    last = session.get_outputs()[0].shape[-1]
    return last if isinstance(last, int) else None


def _session(path: Path, model: Path | bytes, threads: int, device: str, search: str) -> ort.InferenceSession:
    _enable_shared_arena()
    options = ort.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    # A pattern is remembered for every shape ever seen, and images have many shapes.
    options.enable_mem_pattern = False
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads that spin take the core from the other workers of the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == CUDA:
        _preload_cuda_libraries()
        providers.insert(0, (_CUDA_PROVIDER, {"cudnn_conv_algo_search": search}))
    try:
        return ort.InferenceSession(model if isinstance(model, bytes) else str(model), options, providers=providers)
    except Exception as error:  # the runtime raises its own, undocumented classes
        raise ModelError(f"{path}: ONNX Runtime cannot load it ({error})") from None


@cache
def _preload_cuda_libraries() -> None:
    """CUDA's libraries out of the wheels beside ONNX Runtime, which its provider would look for in the system alone."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find; the system may have it
        ort.preload_dlls()


@cache
def _enable_shared_arena() -> None:
    """One memory arena for all sessions of the process, since only one of them runs at a time. Measured on a worker's
    six networks: 411 MB after mixed images instead of 886, at 0.9 of the CPU time.
    """
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, None)


def device() -> str:
    """CUDA where the installed ONNX Runtime can use it, else CPU."""
    return CUDA if _CUDA_PROVIDER in ort.get_available_providers() else CPU
