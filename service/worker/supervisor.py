"""Keeps N child processes up: starts them, restarts the dead with a growing pause, drains them at the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from inkgate.service.background import Background, BackgroundTask
from inkgate.service.broker import frames
from inkgate.service.broker.messages import MessageError
from inkgate.service.errors import Misuse
from inkgate.service.worker import control
from inkgate.service.worker.control import Event, Gone, Kind
from inkgate.service.worker.process import spawn

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_HEALTHY_AFTER = 30.0  # seconds after which a child's death is news again, not the next of a series
_LAST_WAIT = 5.0  # seconds for a killed child to be gone


class Supervisor:
    """Children running one module. Each gets a control socket: our `greeting` first, then its events come back.

    `on_spawn(slot)` may return further sockets to pass on; they are closed here once the child has them. `shared`
    sockets go to every child and stay open.
    `on_event(slot, event)` receives the child's messages (see `control.Message`), and Gone from here. What cannot be
    understood or taken, of a child of another release for one, is logged and reported to `on_malformed`.
    Each slot is kept by a background task of its own, `<name>-slot-<n>`: one that cannot start its child (no memory,
    no process, no file descriptor left) is started again; with `essential` the host is not ready meanwhile.
    """

    def __init__(
        self,
        module: str,
        count: int,
        greeting: Mapping[str, Any],
        *,
        shared: Sequence[socket.socket] = (),
        on_spawn: Callable[[int], Sequence[socket.socket]] = lambda slot: (),
        on_event: Callable[[int, Event], None] = lambda slot, event: None,
        on_malformed: Callable[[str], None] = lambda kind: None,
        extra_env: Mapping[str, str] | None = None,
        name: str = "worker",
        essential: bool = False,
        background: Background | None = None,
    ) -> None:
        self._module = module
        self._greeting = greeting
        self._shared = shared
        self._on_spawn = on_spawn
        self._on_event = on_event
        self._on_malformed = on_malformed
        self._extra_env = extra_env
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._ready: set[int] = set()
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        background = background or Background()
        self._keepers: list[BackgroundTask] = [
            background.task(f"{name}-slot-{slot}", partial(self._keep, slot), essential=essential)
            for slot in range(count)
        ]
        self.count = count
        self.restarts = 0
        self.fatal = ""

    @property
    def ready(self) -> int:
        """Children that are warmed up and at work."""
        return len(self._ready)

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self._children.values()]

    def start(self) -> None:
        for keeper in self._keepers:
            keeper.start()

    async def wait_ready(self, count: int = 1) -> None:
        """Wait until `count` children are ready. Raises Misuse with a child's own words if none can start."""
        while self.ready < count:
            if self.fatal and not self._ready:
                raise Misuse("worker.cannot_start", reason=self.fatal)
            self._changed.clear()
            await self._changed.wait()

    async def stop(self, grace: float) -> None:
        """SIGTERM to all; SIGKILL to those that are still there after `grace` seconds."""
        self._stopping.set()
        for keeper in self._keepers:
            keeper.expect_exit()
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        await asyncio.gather(*(keeper.wait(grace) for keeper in self._keepers))
        for child in self._children.values():
            child.kill()
        await asyncio.gather(*(keeper.wait(_LAST_WAIT) for keeper in self._keepers))
        await asyncio.gather(*(keeper.close() for keeper in self._keepers))

    async def _keep(self, slot: int) -> None:
        failures = 0
        while not self._stopping.is_set():
            begun = time.monotonic()
            status = await self._run(slot)
            if self._stopping.is_set():
                return
            self.restarts += 1
            if status == 0:
                failures = 0
                continue
            failures = 0 if time.monotonic() - begun > _HEALTHY_AFTER else failures
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**failures)
            failures += 1
            log.warning("%s %d ended with status %s; next start in %.1f s", self._module, slot, status, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _run(self, slot: int) -> int:
        """One life of one child, from start to exit status. Raises OSError when none can be started."""
        child, ours = self._spawn(slot)
        self._children[slot] = child
        try:
            await self._listen(slot, ours)
        finally:
            self._ready.discard(slot)
            status = await _reap(child)
            del self._children[slot]
            self._changed.set()
            self._tell(slot, Gone(status, child.pid))
        return status

    def _spawn(self, slot: int) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """A child and our end of its control socket; the sockets that it has are closed here, whatever happens."""
        ours, theirs = socket.socketpair()
        passed: Sequence[socket.socket] = ()
        try:
            passed = self._on_spawn(slot)
            return spawn(self._module, [theirs, *self._shared, *passed], extra_env=self._extra_env), ours
        except BaseException:
            ours.close()
            raise
        finally:
            for sock in (theirs, *passed):
                sock.close()

    async def _listen(self, slot: int, ours: socket.socket) -> None:
        """Greet a child and hear its events until it has gone: its socket tells sooner than any poll would."""
        try:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        try:
            writer.writelines(frames.encode_frame(self._greeting))
            while True:
                try:
                    head, _ = await frames.read_frame(reader)
                except MessageError as error:
                    self._refuse(slot, error)
                else:
                    self._hear(slot, head)
        except frames.PeerClosed:
            pass
        finally:
            writer.close()

    def _hear(self, slot: int, head: Mapping[str, Any]) -> None:
        """Take one message. Never raises: one that cannot be understood must not cost us the child that sent it."""
        self._note(slot, head)
        try:
            event = control.decode(head)
        except MessageError as error:
            self._refuse(slot, error)
            return
        if event is not None:
            self._tell(slot, event)

    def _note(self, slot: int, head: Mapping[str, Any]) -> None:
        """Where the child stands, by the kind of its message alone: one of another release is ready as well."""
        match control.kind_of(head):
            case Kind.READY:
                self._ready.add(slot)
                self.fatal = ""
            case Kind.LEAVING:
                self._ready.discard(slot)
            case Kind.FATAL:
                self.fatal = control.error_text(head)
        self._changed.set()

    def _tell(self, slot: int, event: Event) -> None:
        try:
            self._on_event(slot, event)
        except Exception as error:
            self._refuse(slot, error)

    def _refuse(self, slot: int, error: Exception) -> None:
        self._on_malformed("event")
        log.error("an event of %s %d cannot be understood: %s", self._module, slot, type(error).__name__)


async def _reap(child: subprocess.Popen[bytes]) -> int:
    """The exit status of a child whose control socket has closed; one that lingers is killed."""
    for _ in range(200):
        status = child.poll()
        if status is not None:
            return status
        await asyncio.sleep(0.01)
    child.kill()
    return child.wait()
