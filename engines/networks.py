"""Networks by model name: each file located, verified and loaded once, on the runtime that was chosen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from inkgate.engines.interfaces import IdleCores
from inkgate.engines.manifest import find_model_file, verify_model_file
from inkgate.engines.runtimes.interface import ArgmaxNetwork, Execution, Network, RunNetwork, Runtime, Shape, Tensor

log = logging.getLogger(__name__)


class NetworkFactory:
    """Opens the networks of one engine. Model names are those of the manifest.

    Every method that takes a name raises ModelError when the file is missing, altered, or no network that the runtime
    loads. `digests` holds the sha256 of each file opened so far, by model name.
    """

    def __init__(
        self,
        runtime: Runtime,
        model_dir: Path | None = None,
        threads: int = 1,
        device: str | None = None,
        cores: IdleCores | None = None,
    ) -> None:
        """`model_dir` is the operator's directory of models; without a `device` the runtime's best one is used.

        `cores` are those that a page may borrow while its networks run on a CPU.
        """
        self.runtime = runtime
        self.model_dir = model_dir
        self.threads = threads
        self.cores = cores
        self.device = device or runtime.device()
        self.digests: dict[str, str] = {}
        self._networks: dict[str, Network] = {}

    def file(self, name: str) -> Path:
        """The verified file of a model that is no network, such as a character set."""
        path = find_model_file(name, self.model_dir)
        self.digests[name] = verify_model_file(name, path)
        return path

    def network(self, name: str) -> Network:
        """The network, opened once. Where the device does not load, this and all later ones run on the CPU."""
        if name not in self._networks:
            network = self._networks[name] = self.runtime.open(self.file(name), self._execution())
            if network.device != self.device:
                log.warning("CUDA did not load: reading on the CPU. Check the driver, CUDA and cuDNN.")
                self.device = network.device
        return self._networks[name]

    def compiled(self, name: str, shapes: Sequence[Shape], fallback: RunNetwork) -> RunNetwork:
        """The network, compiled for these input shapes where the runtime compiles. All other shapes are run by
        `fallback`, which gives the same outputs.
        """
        return self.runtime.compiled(self.file(name), shapes, fallback)

    def on_demand(self, name: str) -> RunNetwork:
        """The network, opened by its first call; its file is located and verified now."""
        opened = cache(partial(self.runtime.open, self.file(name), self._execution()))

        def run(batch: Tensor) -> Tensor:
            return opened()(batch)

        return run

    def spread(self, name: str) -> RunNetwork:
        """The network, for one thread and once more for as many as a page may have, where it may borrow cores."""
        narrow = self.network(name)
        if self.cores is None or not self.cores.most:
            return narrow
        threads = self.threads + self.cores.most
        return SpreadNetwork(narrow, self.runtime.open(self.file(name), Execution(threads, self.device)), self.cores)

    def timed(self, name: str, shapes: Sequence[Shape], *, warmed: bool) -> Network:
        """A network of its own for these input shapes, tuned to them where the device can be (see `Execution`)."""
        return self.runtime.open(self.file(name), self._execution(shapes, warmed))

    def argmax(self, name: str, shapes: Sequence[Shape], *, warmed: bool) -> ArgmaxNetwork:
        """A line recogniser with argmax on the device, tuned as in `timed`."""
        return self.runtime.open_argmax(self.file(name), self._execution(shapes, warmed))

    def _execution(self, shapes: Sequence[Shape] = (), warmed: bool = False) -> Execution:
        return Execution(self.threads, self.device, tuple(shapes), warmed)


class SpreadNetwork:
    """One network opened twice, for one thread and for several: the several where that many cores are idle."""

    def __init__(self, narrow: RunNetwork, wide: RunNetwork, cores: IdleCores) -> None:
        """`wide` runs on `cores.most` more threads than `narrow`."""
        self._narrow, self._wide, self._cores = narrow, wide, cores

    def __call__(self, batch: Tensor) -> Tensor:
        lent = self._cores.borrow(self._cores.most)
        try:
            return (self._wide if lent == self._cores.most else self._narrow)(batch)
        finally:
            self._cores.give_back(lent)
