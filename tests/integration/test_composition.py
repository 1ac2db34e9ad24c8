"""Starting and stopping whole processes: whichever step fails or is cancelled, what was started before is closed."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from inkgate.service.broker.local import LocalBroker
from inkgate.service.broker.streams import StreamsBroker
from inkgate.service.broker.streams.worker_registry import WorkerRegistryPublisher
from inkgate.service.composition import console, database, embedded, gateway, gateways, probes, web, workers
from inkgate.service.console import ConsoleDependencies
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.housekeeping import Housekeeper
from inkgate.service.settings import Settings
from inkgate.service.telemetry.probe_server import ProbeServer
from inkgate.service.telemetry.sampling import SamplerRunner
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.usage.refusals import RefusalWriter
from inkgate.service.worker.supervisor import Supervisor
from tests.leftovers import nothing_left
from tests.valkey import free_port

SECONDS = 60.0  # for one start and stop on a busy machine


class StepFailed(Exception):
    """What a step raises that was made to fail."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a start: the function `name` of `owner`."""

    owner: Any
    name: str

    def __str__(self) -> str:
        return f"{getattr(self.owner, '__name__', self.owner).rpartition('.')[2]}.{self.name}"

    @property
    def waits(self) -> bool:
        return inspect.iscoroutinefunction(getattr(self.owner, self.name))

    def replace(self, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., Any]) -> None:
        """Let `fault(original, *arguments)` take the step's place."""
        original = getattr(self.owner, self.name)
        static = inspect.getattr_static(self.owner, self.name)

        def instead(*arguments: Any, **named: Any) -> Any:
            return fault(original, *arguments, **named)

        bound = isinstance(static, classmethod)
        monkeypatch.setattr(self.owner, self.name, staticmethod(instead) if bound else instead)


GATEWAY = (
    Step(databases, "create"),
    Step(migrate, "check"),
    Step(database, "open_vault"),
    Step(Tracing, "configured"),
    Step(gateway, "SqlDirectory"),
    Step(gateway, "gateway_watch"),
    Step(SqlLedger, "start"),
    Step(SamplerRunner, "start"),
    Step(RefusalWriter, "start"),
    Step(Housekeeper, "start"),
    Step(gateway, "create_app"),
    Step(gateway, "create_admin"),
    Step(uvicorn.Server, "startup"),
)
STEPS: dict[str, tuple[Step, ...]] = {
    "embedded": (
        Step(LocalBroker, "start"),
        Step(Supervisor, "start"),
        *GATEWAY,
        Step(gateway, "create_console"),
        Step(embedded, "server_for"),
        Step(embedded, "listen"),
        Step(Supervisor, "wait_ready"),
    ),
    "gateway": (  # the steps of GATEWAY are those of the embedded process
        Step(StreamsBroker, "start"),
        Step(migrate, "check"),
        Step(Housekeeper, "start"),
        Step(uvicorn.Server, "startup"),
        Step(gateway, "RedisLimiter"),
        Step(gateway, "RedisReplayStore"),
        Step(gateways, "server_for"),
    ),
    "gateways": (
        Step(gateways, "Supervisor"),
        Step(gateways, "listen"),
        Step(probes, "ProbeServer"),
        Step(ProbeServer, "start"),
        Step(Supervisor, "start"),
        Step(Supervisor, "wait_ready"),
    ),
    "console": (
        Step(databases, "create"),
        Step(migrate, "check"),
        Step(database, "open_vault"),
        Step(ConsoleDependencies, "of"),
        Step(console, "create_console"),
        Step(console, "server_for"),
        Step(console, "listen"),
        Step(uvicorn.Server, "startup"),
    ),
    "workers": (
        Step(workers, "Supervisor"),
        Step(workers, "WorkerRegistryPublisher"),
        Step(probes, "ProbeServer"),
        Step(ProbeServer, "start"),
        Step(WorkerRegistryPublisher, "start"),
        Step(Supervisor, "start"),
        Step(Supervisor, "wait_ready"),
    ),
}
Ready = Callable[..., None]


async def _gateway(settings: Settings, ready: Ready) -> None:
    await gateways.serve_gateway(settings, web.listen("127.0.0.1", 0), ready)


RUN: dict[str, Callable[[Settings, Ready], Awaitable[None]]] = {
    "embedded": embedded.serve_embedded,
    "gateway": _gateway,
    "gateways": lambda settings, ready: gateways.supervise_gateways(settings, 1, ready),
    "console": console.serve_console,
    "workers": workers.serve_workers,
}


BEGINS = ("start", "startup")  # the steps that leave something running
EACH_STEP = [(process, step) for process, steps in STEPS.items() for step in steps]


def cases(steps: Iterable[tuple[str, Step]]) -> list[Any]:
    return [pytest.param(process, step, id=f"{process}-{step}") for process, step in steps]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file of this release's schema, to copy."""
    path = tmp_path_factory.mktemp("composition") / "inkgate.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def base(
    migrated: Path, tmp_path: Path, valkey_server: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, object]]:
    """Settings of small processes over an empty database, in the environment too, for child processes."""
    groups: dict[str, dict[str, object]] = {
        "server": {"port": 0, "health_port": 0},
        "database": {"url": f"sqlite+aiosqlite:///{shutil.copy(migrated, tmp_path)}"},
        "redis": {"url": valkey_server, "namespace": f"composition-{os.getpid()}"},
        "worker": {"processes": 1, "health_port": 0},
        "engine": {"runtime": "stub"},
        "console": {"port": 0, "gateway_url": "http://127.0.0.1:1"},
    }
    for group, values in groups.items():
        for name, value in values.items():
            monkeypatch.setenv(f"INKGATE_{group.upper()}__{name.upper()}", str(value))
    return groups


def settings_of(process: str, base: dict[str, dict[str, object]]) -> Settings:
    groups = {**base, "redis": {"url": ""}} if process == "embedded" else base
    return Settings.model_validate(groups)


async def run(process: str, settings: Settings, ready: Ready = lambda *_: None) -> None:
    async with asyncio.timeout(SECONDS):
        await RUN[process](settings, ready)


async def fails_at(
    process: str, step: Step, base: dict[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    """Start a process whose `step` raises, before or (`begun`) after it has done its work."""

    def fault(original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if begun:
            original(*arguments, **named)
        raise StepFailed

    async def waiting_fault(original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if begun:
            await original(*arguments, **named)
        raise StepFailed

    settings = settings_of(process, base)
    async with nothing_left():
        step.replace(monkeypatch, waiting_fault if step.waits else fault)
        with pytest.raises(StepFailed):
            await run(process, settings)


@pytest.mark.parametrize(("process", "step"), cases(EACH_STEP))
async def test_a_step_that_fails_leaves_nothing(
    process: str, step: Step, base: dict[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await fails_at(process, step, base, monkeypatch, begun=False)


@pytest.mark.parametrize(("process", "step"), cases(each for each in EACH_STEP if each[1].name in BEGINS))
async def test_a_step_that_fails_half_way_leaves_nothing(
    process: str, step: Step, base: dict[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await fails_at(process, step, base, monkeypatch, begun=True)


@pytest.mark.parametrize(("process", "step"), cases(each for each in EACH_STEP if each[1].waits))
async def test_a_step_that_is_cancelled_leaves_nothing(
    process: str, step: Step, base: dict[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def hang(original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        await original(*arguments, **named)
        reached.set()
        await asyncio.Event().wait()

    settings = settings_of(process, base)
    async with nothing_left():
        step.replace(monkeypatch, hang)
        running = asyncio.create_task(run(process, settings))
        async with asyncio.timeout(SECONDS):
            await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.mark.parametrize("process", RUN)
async def test_an_announcement_that_fails_leaves_nothing(process: str, base: dict[str, dict[str, object]]) -> None:
    def ready(*_: object) -> None:
        raise StepFailed

    async with nothing_left():
        with pytest.raises(StepFailed):
            await run(process, settings_of(process, base), ready)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("process", RUN)
async def test_a_shutdown_signal_leaves_nothing(process: str, number: int, base: dict[str, dict[str, object]]) -> None:
    announced = []

    def ready(*address: object) -> None:
        announced.append(address[0])
        os.kill(os.getpid(), number)

    async with nothing_left():
        await run(process, settings_of(process, base), ready)
    assert len(announced) == 1 and str(announced[0]).startswith("http://127.0.0.1:")


@pytest.mark.parametrize(("process", "setting"), [("gateways", "SERVER"), ("workers", "WORKER")])
async def test_a_port_for_health_that_is_taken_is_one_plain_line(
    process: str, setting: str, base: dict[str, dict[str, object]]
) -> None:
    port = free_port()
    with web.listen("127.0.0.1", port) as taken:
        taken.listen()
        base[setting.lower()]["health_port"] = port
        async with nothing_left():
            with pytest.raises(Exception, match=f"INKGATE_{setting}__HEALTH_PORT"):
                await run(process, settings_of(process, base))
