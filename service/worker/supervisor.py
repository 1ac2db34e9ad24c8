"""Supervises N child processes: starts them, restarts them with back-off, drains them at shutdown."""

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

from inkgate.service.background import (
    BACKOFF_RESET_SECONDS,
    MAX_BACKOFF_SECONDS,
    MIN_BACKOFF_SECONDS,
    Background,
    BackgroundTask,
    backoff_seconds,
)
from inkgate.service.broker import frames
from inkgate.service.broker.messages import MessageError
from inkgate.service.errors import Misuse
from inkgate.service.worker import control
from inkgate.service.worker.control import Event, Gone, Kind
from inkgate.service.worker.process import spawn

log = logging.getLogger(__name__)

_KILL_WAIT_SECONDS = 5.0  # for a killed child to exit


class Supervisor:
    """Child processes that run one module. Each has a control socket: it receives `configuration` and sends events.

    `on_spawn(slot)` may return further sockets for the child; the parent's copies are closed once it has started.
    `shared` sockets are inherited by every child and stay open, as are the descriptors `inherited`, which only the
    configuration names.
    `on_event(slot, event)` receives the messages of the child (see `control.Message`), and Gone when it has exited. A
    message that cannot be decoded or handled, e.g. of another release, is logged and reported to `on_malformed`.
    Each slot is a background task of its own, `<name>-slot-<n>`. It is restarted when it cannot start its child (no
    memory, process or file descriptor left); with `essential` the host is not ready meanwhile.
    """

    def __init__(
        self,
        module: str,
        count: int,
        configuration: Mapping[str, Any],
        *,
        shared: Sequence[socket.socket] = (),
        on_spawn: Callable[[int], Sequence[socket.socket]] = lambda slot: (),
        on_event: Callable[[int, Event], None] = lambda slot, event: None,
        on_malformed: Callable[[str], None] = lambda kind: None,
        extra_env: Mapping[str, str] | None = None,
        name: str = "worker",
        essential: bool = False,
        background: Background | None = None,
        inherited: Sequence[int] = (),
    ) -> None:
        self._module = module
        self._configuration = configuration
        self._shared = shared
        self._inherited = inherited
        self._on_spawn = on_spawn
        self._on_event = on_event
        self._on_malformed = on_malformed
        self._extra_env = extra_env
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._ready: set[int] = set()
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        background = background or Background()
        self._slot_tasks: list[BackgroundTask] = [
            background.task(f"{name}-slot-{slot}", partial(self._keep_slot_running, slot), essential=essential)
            for slot in range(count)
        ]
        self.count = count
        self.restarts = 0
        self.fatal = ""

    @property
    def ready(self) -> int:
        """Number of children that are ready."""
        return len(self._ready)

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self._children.values()]

    def start(self) -> None:
        for slot_task in self._slot_tasks:
            slot_task.start()

    async def wait_ready(self, count: int = 1) -> None:
        """Wait until `count` children are ready. Raises Misuse with the error of a child if none can start."""
        while self.ready < count:
            if self.fatal and not self._ready:
                raise Misuse("worker.cannot_start", reason=self.fatal)
            self._changed.clear()
            await self._changed.wait()

    async def stop(self, grace: float) -> None:
        """Send SIGTERM to all children, and SIGKILL to those that still run after `grace` seconds."""
        self._stopping.set()
        for slot_task in self._slot_tasks:
            slot_task.expect_exit()
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        await asyncio.gather(*(slot_task.wait(grace) for slot_task in self._slot_tasks))
        for child in self._children.values():
            child.kill()
        await asyncio.gather(*(slot_task.wait(_KILL_WAIT_SECONDS) for slot_task in self._slot_tasks))
        await asyncio.gather(*(slot_task.close() for slot_task in self._slot_tasks))

    async def _keep_slot_running(self, slot: int) -> None:
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            status = await self._run_child(slot)
            if self._stopping.is_set():
                return
            self.restarts += 1
            if status == 0:
                failures = 0
                continue
            failures = 1 if time.monotonic() - started > BACKOFF_RESET_SECONDS else failures + 1
            backoff = backoff_seconds(failures, MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
            log.warning("%s %d ended with status %s; next start in %.1f s", self._module, slot, status, backoff)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)

    async def _run_child(self, slot: int) -> int:
        """Run one child from start to exit; its exit status. Raises OSError when it cannot be started."""
        child, parent_end = self._spawn(slot)
        self._children[slot] = child
        try:
            await self._listen(slot, parent_end)
        finally:
            self._ready.discard(slot)
            status = await _reap(child)
            del self._children[slot]
            self._changed.set()
            self._emit(slot, Gone(status, child.pid))
        return status

    def _spawn(self, slot: int) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """A child and the parent end of its control socket. The parent's copies of the child's sockets are closed."""
        parent_end, child_end = socket.socketpair()
        passed: Sequence[socket.socket] = ()
        try:
            passed = self._on_spawn(slot)
            sockets = [child_end, *self._shared, *passed]
            child = spawn(self._module, sockets, extra_env=self._extra_env, inherited=self._inherited)
            return child, parent_end
        except BaseException:
            parent_end.close()
            raise
        finally:
            for sock in (child_end, *passed):
                sock.close()

    async def _listen(self, slot: int, parent_end: socket.socket) -> None:
        """Send a child its configuration and handle its events until its socket closes."""
        try:
            reader, writer = await asyncio.open_unix_connection(sock=parent_end)
        except BaseException:
            parent_end.close()
            raise
        try:
            writer.writelines(frames.encode_frame(self._configuration))
            while True:
                try:
                    head, _ = await frames.read_frame(reader)
                except MessageError as error:
                    self._report_malformed(slot, error)
                else:
                    self._handle_event(slot, head)
        except frames.PeerClosed:
            pass
        finally:
            writer.close()

    def _handle_event(self, slot: int, head: Mapping[str, Any]) -> None:
        """Handle one message. Never raises: a malformed message must not end the child that sent it."""
        self._update_state(slot, head)
        try:
            event = control.decode(head)
        except MessageError as error:
            self._report_malformed(slot, error)
            return
        if event is not None:
            self._emit(slot, event)

    def _update_state(self, slot: int, head: Mapping[str, Any]) -> None:
        """Update the state of a child by the kind of its message only, so that it also works for another release."""
        match control.kind_of(head):
            case Kind.READY:
                self._ready.add(slot)
                self.fatal = ""
            case Kind.LEAVING:
                self._ready.discard(slot)
            case Kind.FATAL:
                self.fatal = control.error_text(head)
        self._changed.set()

    def _emit(self, slot: int, event: Event) -> None:
        try:
            self._on_event(slot, event)
        except Exception as error:
            self._report_malformed(slot, error)

    def _report_malformed(self, slot: int, error: Exception) -> None:
        self._on_malformed("event")
        log.error("an event of %s %d cannot be understood: %s", self._module, slot, type(error).__name__)


async def _reap(child: subprocess.Popen[bytes]) -> int:
    """The exit status of a child whose control socket has closed; it is killed if it does not exit within 2 s."""
    for _ in range(200):
        status = child.poll()
        if status is not None:
            return status
        await asyncio.sleep(0.01)
    child.kill()
    return child.wait()
