"""Turns a task into a reply: the result of the reader, or the outcome of its failure."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from inkgate.engines.decoder_limits import limit_decoder
from inkgate.engines.errors import DecodeError, ImageTooLarge
from inkgate.engines.interfaces import Reader
from inkgate.service.broker.interface import Outcome, Reply, Task
from inkgate.service.errors import ConfigurationError
from inkgate.service.worker import render
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.cores import Cores

log = logging.getLogger(__name__)


def open_cores(config: WorkerConfig) -> Cores:
    """The cores that this worker process may use."""
    if config.cores_fd < 0:
        return Cores.alone(1, 1)
    return Cores.shared(config.cores_fd, config.total_cores, config.page_cores)


def open_reader(config: WorkerConfig, cores: Cores | None = None) -> Reader:
    """The configured reader with its models loaded, not warmed up. With `cores` a page borrows idle ones.

    Raises inkgate.engines.errors.ModelError, and ConfigurationError for a configured capability without a reader.
    """
    reader = _open(config, cores)
    missing = sorted(set(config.capabilities) - reader.names)
    if missing:
        raise without_reader(missing)
    return reader


def without_reader(names: Sequence[str]) -> ConfigurationError:
    """The error for configured capabilities without a reader."""
    return ConfigurationError(
        "INKGATE_WORKER__CAPABILITIES",
        f"no reader is installed for {', '.join(names)}",
        "Install a distribution that has one, under the entry-point group inkgate.readers, or leave it out.",
    )


def _open(config: WorkerConfig, cores: Cores | None) -> Reader:
    limit_decoder(config.max_pixels)
    if config.runtime == "stub":
        from inkgate.service.worker.stub import StubReader

        return StubReader(config.stub_ms / 1000)
    from inkgate.engines import registry

    model_dir = None if config.model_dir is None else Path(config.model_dir)
    return registry.open_reader(
        config.runtime, config.profile, config.threads, model_dir, config.max_pixels, cores, bf16=_bf16(config)
    )


def _bf16(config: WorkerConfig) -> bool:
    """Whether to run networks in bfloat16. Raises ConfigurationError where the setting asks for what cannot be."""
    from inkgate.engines.registry import bf16_choice

    choice = bf16_choice(config.bf16, config.runtime, config.profile, config.processes)
    if choice.remedy:
        raise ConfigurationError("INKGATE_ENGINE__BF16", choice.reason, choice.remedy)
    log.info("bfloat16 %s", choice.reason)
    return choice.used


def log_fields(task: Task) -> dict[str, object]:
    """The fields of a task for log lines; never the image itself."""
    return {
        "call_id": task.call_id,
        "number": task.number,
        "capability": task.capability,
        "size": len(task.image),
        "app": task.app,
    }


def read_task(reader: Reader, task: Task, config: WorkerConfig, worker: str) -> Reply:
    """Read one image. Errors caused by the image become the outcome of the reply."""
    started = time.perf_counter()
    element = None
    try:
        element = render.element(reader, task.capability, task.image, task.extras, config.options)
        outcome = Outcome.READ
    except (DecodeError, ImageTooLarge):
        outcome = Outcome.UNDECODABLE
    except Exception:
        log.exception("reading failed", extra=log_fields(task))
        outcome = Outcome.FAILED
    stages = {"queue": task.queued, "infer": time.perf_counter() - started}
    return Reply(task.call_id, task.number, outcome, element, worker, stages)
