"""Reads pages: one image in this process, many in worker processes like those of a gateway."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inkgate.service import settings as configuration
from inkgate.service.broker.interface import Broker, Outcome, Task
from inkgate.service.cli.ocr.record import Page, Record, unreadable
from inkgate.service.contract.answers import failed_element
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.contract.images import ImageFault, check_image
from inkgate.service.db import ids
from inkgate.service.errors import ConfigurationError, InkGateError
from inkgate.service.settings import Settings

if TYPE_CHECKING:  # importing the engines takes a second
    from inkgate.engines.interfaces import Reader

SECONDS_PER_IMAGE = 300.0  # waiting for a worker included; a worker that overruns it is ended
PAGES_PER_WORKER = 2  # in memory at once: one that is read, one that waits
GRACE_SECONDS = 1.0  # for the images in hand when the run is interrupted


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read, and how. `workers` is the number of worker processes, 0 as the settings say."""

    rule: Capability
    settings: Settings
    profile: str
    extras: bool
    workers: int

    def here(self, page: Page) -> Record:
        """Read one page in this process. Raises ConfigurationError when no reader can be opened."""
        from inkgate.engines.errors import DecodeError, ImageTooLarge
        from inkgate.service.worker.render import element

        refused = _refused(page, self.rule)
        if refused is not None:
            return refused
        reader = _open_reader(self.settings, self.profile, [self.rule.name])
        options = {"plate_types": self.settings.worker.plate_types}
        try:
            return Record(page, dict(element(reader, self.rule.name, page.image, self.extras, options)))
        except (DecodeError, ImageTooLarge):
            return Record(page, failed_element(self.rule, "decode"))
        finally:
            reader.close()

    async def in_workers(self, pages: AsyncGenerator[Page], on_ready: Callable[[], None]) -> AsyncGenerator[Record]:
        """Read pages in worker processes; yields the records in the order of the pages.

        A bounded number of pages is in memory. An image that ends its worker is read again alone, and fails if it does
        so a second time. Raises Misuse with the error of the engine when no worker can start.
        """
        from inkgate.service.composition.fleet import embedded_fleet
        from inkgate.service.worker import policy

        settings = self._worker_settings()
        window = max(1, policy.process_count(settings) * policy.concurrency(settings)) * PAGES_PER_WORKER
        async with embedded_fleet(settings) as broker:
            await broker.wait_ready()
            on_ready()
            async with aclosing(self._submit_in_order(broker, pages, window)) as records:
                async for record in records:
                    yield record

    async def _submit_in_order(
        self, broker: Broker, pages: AsyncGenerator[Page], window: int
    ) -> AsyncGenerator[Record]:
        """Submit pages, at most `window` at once; yields the records in the order of the pages."""
        waiting: deque[asyncio.Task[Record]] = deque()
        try:
            async with aclosing(pages):
                async for page in pages:
                    waiting.append(asyncio.create_task(self._submit(broker, page)))
                    if len(waiting) >= window:
                        yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _submit(self, broker: Broker, page: Page) -> Record:
        refused = _refused(page, self.rule)
        if refused is not None:
            return refused
        deadline = time.time() + SECONDS_PER_IMAGE
        try:
            reply = (await broker.submit([Task(ids.new(), 0, self.rule.name, deadline, page.image, self.extras)]))[0]
        except InkGateError as error:
            return Record(page, unreadable(str(error)))
        if reply.outcome is Outcome.READ and reply.element is not None:
            return Record(page, dict(reply.element))
        fault = "decode" if reply.outcome is Outcome.UNDECODABLE else "internal"
        return Record(page, failed_element(self.rule, fault))

    def _worker_settings(self) -> Settings:
        """The settings of the worker processes: queue in memory, errors only in the log, one capability."""
        given = self.settings
        worker = {"capabilities": (self.rule.name,), "grace": GRACE_SECONDS}
        if self.workers:
            worker["processes"] = self.workers
        return configuration.load(
            **{
                **given.model_dump(),
                "redis": {"url": ""},
                "engine": {**given.engine.model_dump(), "profile": self.profile},
                "limits": {**given.limits.model_dump(), "killed_workers": 0},  # no hold-off: there is no client
                "telemetry": {**given.telemetry.model_dump(), "log_level": "error", "log_format": "text"},
                "worker": {**given.worker.model_dump(), **worker},
            }
        )


def elements_of(images: Mapping[str, bytes], loaded: Settings) -> dict[str, dict[str, Any]]:
    """The element of one image of each capability, read in this process. Raises ConfigurationError, and ImageFault,
    DecodeError or ImageTooLarge for an image that cannot be read."""
    from inkgate.service.worker.render import element

    for name, data in images.items():
        check_image(data, CAPABILITIES[name])
    reader = _open_reader(loaded, loaded.engine.profile, list(images))
    options = {"plate_types": loaded.worker.plate_types}
    try:
        return {name: dict(element(reader, name, data, False, options)) for name, data in images.items()}
    finally:
        reader.close()


def _open_reader(loaded: Settings, profile: str, wanted: Sequence[str]) -> Reader:
    """The engines of the settings, which have every capability of `wanted`. Raises ConfigurationError."""
    from inkgate.engines.decoder_limits import limit_decoder
    from inkgate.engines.errors import ModelError

    engine = loaded.engine
    limit_decoder(engine.max_pixels)
    from inkgate.engines.registry import open_reader
    from inkgate.service.worker import policy
    from inkgate.service.worker.cores import Cores
    from inkgate.service.worker.process import usable_cores
    from inkgate.service.worker.reading import without_reader

    cores = Cores.alone(usable_cores(), policy.page_cores(loaded))
    try:
        reader = open_reader(engine.runtime, profile, engine.threads, engine.model_dir, engine.max_pixels, cores)
    except (ModelError, ValueError) as error:
        raise ConfigurationError("INKGATE_ENGINE", str(error), "See `inkgate doctor`.") from None
    if missing := [name for name in wanted if name not in reader.names]:
        reader.close()
        raise without_reader(missing)
    return reader


def _refused(page: Page, rule: Capability) -> Record | None:
    """The record of a page that the checks of the service refuse, None for one that can be read."""
    if page.problem:
        return Record(page, unreadable(page.problem))
    try:
        check_image(page.image, rule)
    except ImageFault as fault:
        return Record(page, failed_element(rule, fault.fault))
    return None
