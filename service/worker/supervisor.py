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
from typing import Any

from service.broker import frames
from service.errors import Misuse
from service.worker.process import spawn

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_HEALTHY_AFTER = 30.0  # seconds after which a child's death is news again, not the next of a series

Event = Mapping[str, Any]


class Supervisor:
    """Children running one module. Each gets a control socket: our `greeting` first, then its events come back.

    `on_spawn(slot)` may return further sockets to pass on; they are closed here once the child has them. `shared`
    sockets go to every child and stay open.
    `on_event(slot, event)` hears "ready", "done", "leaving" and "fatal" from the child, and "gone" from here.
    """

    def __init__(
        self,
        module: str,
        count: int,
        greeting: Event,
        *,
        shared: Sequence[socket.socket] = (),
        on_spawn: Callable[[int], Sequence[socket.socket]] = lambda slot: (),
        on_event: Callable[[int, Event], None] = lambda slot, event: None,
        extra_env: Mapping[str, str] | None = None,
    ) -> None:
        self._module = module
        self._greeting = greeting
        self._shared = shared
        self._on_spawn = on_spawn
        self._on_event = on_event
        self._extra_env = extra_env
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._ready: set[int] = set()
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []
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
        self._keepers = [asyncio.create_task(self._keep(slot)) for slot in range(self.count)]

    async def wait_ready(self, count: int = 1) -> None:
        """Wait until `count` children are ready. Raises Misuse with a child's own words if none can start."""
        while self.ready < count:
            if self.fatal and not self._ready:
                raise Misuse(self.fatal)
            self._changed.clear()
            await self._changed.wait()

    async def stop(self, grace: float) -> None:
        """SIGTERM to all; SIGKILL to those that are still there after `grace` seconds."""
        self._stopping.set()
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        if not self._keepers:
            return
        _, late = await asyncio.wait(self._keepers, timeout=grace)
        for child in self._children.values():
            child.kill()
        if late:
            await asyncio.wait(late, timeout=5)

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
        """One life of one child, from start to exit status."""
        ours, theirs = socket.socketpair()
        passed = self._on_spawn(slot)
        child = spawn(self._module, [theirs, *self._shared, *passed], extra_env=self._extra_env)
        self._children[slot] = child
        for sock in (theirs, *passed):
            sock.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            writer.writelines(frames.pack(self._greeting))
            while True:
                event, _ = await frames.read(reader)
                self._hear(slot, event)
        except frames.PeerGone:
            pass  # the socket ends with the process, and sooner than any poll would tell
        finally:
            writer.close()
            self._ready.discard(slot)
            status = await _reap(child)
            del self._children[slot]
            self._hear(slot, {"kind": "gone", "status": status, "pid": child.pid})
        return status

    def _hear(self, slot: int, event: Event) -> None:
        if event["kind"] == "ready":
            self._ready.add(slot)
            self.fatal = ""
        elif event["kind"] == "leaving":
            self._ready.discard(slot)
        elif event["kind"] == "fatal":
            self.fatal = str(event["error"])
        self._changed.set()
        self._on_event(slot, event)


async def _reap(child: subprocess.Popen[bytes]) -> int:
    """The exit status of a child whose control socket has closed; one that lingers is killed."""
    for _ in range(200):
        status = child.poll()
        if status is not None:
            return status
        await asyncio.sleep(0.01)
    child.kill()
    return child.wait()
