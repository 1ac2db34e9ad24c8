"""Values that nobody passes by at the right moment: read from a timer, not from the call or the scrape.

A scrape must answer also when the database or the queue does not, so it never asks them; a `Watch` does, each sampler
in a task of its own and under a time limit, and what it could not read keeps its last value.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography import x509

from inkgate.service.background import Background
from inkgate.service.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sampler:
    """`read` is awaited every `every` seconds, each time for at most `timeout`; it may raise."""

    name: str
    read: Callable[[], Awaitable[None]]
    every: float
    timeout: float = 5.0


class Watch:
    """Runs samplers from `start` to `close`."""

    def __init__(self, samplers: Sequence[Sampler], background: Background | None = None) -> None:
        background = background or Background()
        self._tasks = [background.task(f"sampler-{item.name}", partial(self._run, item)) for item in samplers]

    async def start(self) -> None:
        """Begin; the first reading of each sampler is made at once, in the background."""
        for task in self._tasks:
            task.start()

    async def close(self) -> None:
        await asyncio.gather(*(task.close() for task in self._tasks))

    async def _run(self, sampler: Sampler) -> None:
        failing = False
        while True:
            try:
                await asyncio.wait_for(sampler.read(), sampler.timeout)
                failing = False
            except Exception as error:  # a sampler must not end because one reading failed
                if not failing:  # said once, not every few seconds
                    log.warning("cannot sample", extra={"sampler": sampler.name, "error": type(error).__name__})
                failing = True
            await asyncio.sleep(sampler.every)


def certificate_sampler(metrics: Metrics, files: Sequence[Path], every: float = 3600.0) -> Sampler:
    """When each PEM file's first certificate ends; one that cannot be read counts as ended, for somebody must look."""

    def read_all() -> None:
        for file in files:
            try:
                ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()
            except (OSError, ValueError) as error:
                log.warning("cannot read certificate", extra={"file": str(file), "error": type(error).__name__})
                ends = 0.0
            metrics.certificate(str(file), ends)

    async def read() -> None:
        await asyncio.to_thread(read_all)

    return Sampler("certificates", read, every)
