"""The configuration of a worker process: a flat part of the settings, without secrets that it does not need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from inkgate.service.broker.messages import known_fields
from inkgate.service.contract.capability import Options
from inkgate.service.errors import Misuse
from inkgate.service.telemetry.logs import Format, Level
from inkgate.service.worker import policy

if TYPE_CHECKING:  # a worker process receives its values and does not load the settings module
    from inkgate.service.settings import Settings


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The first frame on the control socket; so neither argv nor the environment shows it.

    After an upgrade of the files on disk a supervisor of the previous release may start this process: every new field
    needs a default.
    """

    runtime: str
    profile: str
    threads: int
    model_dir: str | None
    max_pixels: int
    stub_ms: float
    max_images: int
    max_rss_mib: int
    overrun: float
    at_once: int
    log_level: Level
    log_format: Format
    traces_endpoint: str = ""
    traces_ratio: float = 1.0
    redis_url: str = ""
    namespace: str = ""
    lease: float = 0.0
    capabilities: tuple[str, ...] = ()
    plate_types: Mapping[str, str] = field(default_factory=dict)
    image_mib: int = 1536
    killed_workers: int = 0
    killed_window: float = 0.0
    hold_off: float = 0.0
    cores_fd: int = -1
    total_cores: int = 1
    page_cores: int = 1
    bf16: str = "off"
    processes: int = 1  # worker processes that share the machine

    @classmethod
    def of(cls, settings: Settings, cores_fd: int = -1) -> WorkerConfig:
        """`cores_fd` is an inherited descriptor from `cores.open_shared_cells`; without it no cores are borrowed."""
        engine, worker = settings.engine, settings.worker
        return cls(
            runtime=engine.runtime,
            profile=engine.profile,
            threads=engine.threads,
            model_dir=None if engine.model_dir is None else str(engine.model_dir),
            max_pixels=engine.max_pixels,
            stub_ms=engine.stub_ms,
            max_images=worker.max_images,
            max_rss_mib=worker.max_rss_mib,
            image_mib=worker.image_mib,
            overrun=worker.overrun,
            at_once=policy.concurrency(settings),
            log_level=settings.telemetry.log_level,
            log_format=settings.telemetry.log_format,
            traces_endpoint=settings.telemetry.traces_endpoint,
            traces_ratio=settings.telemetry.traces_ratio,
            redis_url=settings.redis.url,
            namespace=settings.redis.namespace,
            lease=settings.redis.lease,
            capabilities=worker.capabilities,
            plate_types=worker.plate_types,
            killed_workers=settings.limits.killed_workers,
            killed_window=settings.limits.killed_window,
            hold_off=settings.limits.hold_off,
            cores_fd=cores_fd,
            total_cores=policy.total_cores(settings),
            page_cores=policy.page_cores(settings),
            bf16=engine.bf16,
            processes=policy.process_count(settings),
        )

    @classmethod
    def from_dict(cls, head: Mapping[str, Any]) -> WorkerConfig:
        """The inverse of `as_dict`. Unknown fields of another release are ignored. Raises Misuse for a missing one."""
        try:
            return cls(**known_fields(cls, head))
        except TypeError as error:
            raise Misuse("worker.other_release", reason=str(error)) from None

    @property
    def options(self) -> Options:
        """The operator's settings about elements, for `Capability.element`."""
        return {"plate_types": self.plate_types}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
