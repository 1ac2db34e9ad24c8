"""A worker process: `python -m inkgate.service.worker PARENT_PID CONTROL_FD [TASKS_FD…]`, started by a supervisor only.

The control socket brings the configuration and carries away what happens: ready, done, leaving, fatal.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from inkgate.engines.errors import ModelError
from inkgate.engines.interfaces import Reader
from inkgate.service import __version__
from inkgate.service.background import Background
from inkgate.service.broker import frames
from inkgate.service.broker.holdoff import HoldOffRule
from inkgate.service.broker.interface import Reply, Task, WorkerPort
from inkgate.service.broker.local_port import LocalPort
from inkgate.service.errors import BrokerUnavailable, InkGateError
from inkgate.service.settings import maskable_secrets, passwords
from inkgate.service.telemetry import logs
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.control import (
    Done,
    EngineFacts,
    Fatal,
    Leaving,
    MalformedMessage,
    Message,
    TaskFailed,
    WorkerReady,
    encode,
)
from inkgate.service.worker.lanes import run_lanes
from inkgate.service.worker.loop import PullLoop
from inkgate.service.worker.process import bind_to_parent, limit_memory, rss_mib
from inkgate.service.worker.reading import open_reader
from inkgate.service.worker.render import line_count
from inkgate.service.worker.watchdog import Watchdog

log = logging.getLogger("inkgate.service.worker")

_UNUSABLE = 2  # exit status: what the process was given cannot work, nor will it at the next start
_BROKEN = 1


def main(argv: list[str]) -> int:
    parent, control_fd, *tasks_fds = (int(argument) for argument in argv)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    bind_to_parent(parent)
    teller = _Teller(socket.socket(fileno=control_fd))
    head = teller.greeting()
    try:
        config = WorkerConfig.from_dict(head)
    except InkGateError as error:
        teller.tell(Fatal(str(error)))
        return _UNUSABLE
    logs.configure(config.log_level, config.log_format, secrets=maskable_secrets(passwords(config.redis_url)))
    try:
        reader = open_reader(config)
        reader.warmup()
    except (InkGateError, ModelError, ValueError) as error:
        teller.tell(Fatal(str(error)))
        return _UNUSABLE
    except Exception as error:
        log.exception("the engine did not start")
        teller.tell(Fatal(f"the engine did not start: {error!r}"))
        return _BROKEN
    limit_memory(config.image_mib, config.at_once)
    _work(config, reader, tasks_fds, teller, stop)
    return 0


def _work(config: WorkerConfig, reader: Reader, tasks_fds: list[int], teller: _Teller, stop: threading.Event) -> None:
    """Read images with a warm reader until the worker leaves: at a shutdown signal, at a limit, or without a broker."""
    name = f"{socket.gethostname()}-{os.getpid()}"
    ports = _open_ports(config, name, tasks_fds, teller)
    info = reader.info
    engine = EngineFacts(info.name, " ".join(sorted(info.models)) or info.version, info.device)
    teller.tell(WorkerReady(name, engine, config.profile, rss_mib()))
    watchdog = Watchdog()
    tracing = Tracing.configured(config.traces_endpoint, "worker", __version__, config.traces_ratio)
    lanes = [PullLoop(port, reader, config, name, stop, teller.done, tracing, watchdog) for port in ports]
    with contextlib.suppress(BrokerUnavailable, frames.PeerClosed):  # the gateway process is gone: so is our work
        teller.tell(Leaving(run_lanes(lanes, stop)))
    # After any other error the process ends as it is: a port that leaves would give its image back as not begun.
    tracing.close()
    for port in ports:
        port.close()


class _Teller:
    """Events for the supervisor, from any thread. Raises frames.PeerClosed once it is gone."""

    def __init__(self, control: socket.socket) -> None:
        self._control, self._turn = control, threading.Lock()

    def greeting(self) -> Mapping[str, Any]:
        """What the supervisor says first: a `WorkerConfig` as a dict."""
        head, _ = frames.receive_frame(self._control)
        return head

    def tell(self, message: Message) -> None:
        with self._turn:
            frames.send_frame(self._control, encode(message))

    def done(self, task: Task, reply: Reply, in_hand: int) -> None:
        """An image has been answered; `in_hand` as in `control.Done`."""
        lines = line_count(task.capability, reply.element)
        self.tell(Done(task.capability, reply.outcome, task.delivery, reply.stages, lines, rss_mib(), in_hand))

    def malformed(self, kind: str) -> None:
        """A message that this process could not understand."""
        self.tell(MalformedMessage(kind))

    def background_up(self, task: str, up: bool) -> None:
        """See inkgate.service.background.Observer. The state of a thread ends with its process: only failures are
        reported."""

    def background_restarted(self, task: str) -> None:
        """See inkgate.service.background.Observer."""
        self.tell(TaskFailed(task))


def _open_ports(config: WorkerConfig, name: str, tasks_fds: list[int], teller: _Teller) -> Sequence[WorkerPort]:
    """A port for each picture that may be in hand: the embedded broker's sockets where there are some, else Redis."""
    if tasks_fds:
        return [LocalPort(socket.socket(fileno=fd), teller.malformed) for fd in tasks_fds]
    from inkgate.service.broker.streams import StreamsPort  # the Redis client is not for embedded workers to load
    from inkgate.service.broker.streams.keys import Keys

    keys = Keys(config.namespace, config.profile)
    rule = HoldOffRule(config.killed_workers, config.killed_window, config.hold_off)
    names = [name, *(f"{name}-{lane}" for lane in range(1, config.at_once))]
    return [
        StreamsPort(
            config.redis_url,
            keys,
            each,
            capabilities=config.capabilities,
            lease=config.lease,
            rule=rule,
            overrun=config.overrun,
            on_malformed=teller.malformed,
            background=Background(teller),
        )
        for each in names
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
