"""What runs a network: the protocol of a runtime and of the networks it opens.

The engines (text, plates, documents) depend on these names only. A new runtime is one module beside this one and one
row of `engines.runtimes.table`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.types import MemoryGrowth

Tensor = NDArray[np.float32]
Shape = tuple[int, ...]
GreedyPath = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Greedy CTC path: the most likely class of each column and its probability, both (n, columns)."""

RunNetwork = Callable[[Tensor], Tensor]
"""One batch (n, channels, height, width) float32 to the network's first output, float32."""

CPU, CUDA = "cpu", "cuda"  # devices


@dataclass(frozen=True, slots=True)
class Execution:
    """How a network is to run.

    `threads` of one call on the CPU. `device` is CPU or CUDA. `shapes` are input shapes that will come: a device whose
    speed depends on a choice of algorithms may time its choices on them when the network is opened. `warmed` says that
    each of them will have been run once before the first image comes.
    """

    threads: int = 1
    device: str = CPU
    shapes: tuple[Shape, ...] = ()
    warmed: bool = False


class Network(Protocol):
    """A loaded network with one input. Threads may share it."""

    @property
    def device(self) -> str:
        """Where it runs: CPU or CUDA; CPU also when CUDA was asked for and did not load."""

    @property
    def classes(self) -> int | None:
        """The last dimension of the first output, None where it varies."""

    def __call__(self, batch: Tensor, /) -> Tensor:
        """Run one batch (n, channels, height, width) float32 and return the first output."""


class ArgmaxNetwork(Protocol):
    """A line recogniser with an argmax head: the most likely class of each column instead of all probabilities."""

    @property
    def classes(self) -> int | None:
        """Number of classes, None where it varies."""

    def __call__(self, batch: Tensor, /) -> GreedyPath:
        """Run one batch (n, 3, height, width) float32."""


class Runtime(Protocol):
    """A library that loads network files and runs them."""

    @property
    def name(self) -> str:
        """Its name in the settings and in `EngineInfo.name`."""

    @property
    def version(self) -> str:
        """The library's version."""

    def device(self) -> str:
        """CUDA where the installed library can use it, else CPU."""

    def int8_is_faster(self) -> bool:
        """Whether networks in INT8 integers are faster than float32 on this processor, and read the same."""

    def open(self, path: Path, execution: Execution) -> Network:
        """The network in the file. Raises ModelError when the library cannot load it."""

    def open_argmax(self, path: Path, execution: Execution) -> ArgmaxNetwork:
        """The line recogniser in the file with argmax on the device. Raises as `open` does."""

    def compiled(self, path: Path, shapes: Sequence[Shape], fallback: RunNetwork) -> RunNetwork:
        """The network in the file compiled for these input shapes, once `start` was called; `fallback`, which gives the
        same outputs, runs all other shapes. A runtime that does not compile returns `fallback`."""

    def start(self) -> None:
        """Begin to compile, in the background. Calls may come meanwhile."""

    def close(self) -> None:
        """End what runs in the background."""

    @property
    def growth(self) -> MemoryGrowth:
        """What compiling networks will still take at most; nothing once it has ended."""


class NotCompiling:
    """The part of a `Runtime` that runs network files as they are."""

    growth = MemoryGrowth()

    def compiled(self, path: Path, shapes: Sequence[Shape], fallback: RunNetwork) -> RunNetwork:
        """`fallback`."""
        return fallback

    def start(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
