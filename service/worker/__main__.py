"""A worker process: `python -m inkgate.service.worker PARENT_PID CONTROL_FD [TASKS_FD…]`, started by a supervisor only.

The control socket carries the configuration in, and events out: ready, done, leaving, fatal (`control.py`).
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
from inkgate.service.worker.concurrency import run_loops
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
from inkgate.service.worker.cores import Cores
from inkgate.service.worker.loop import PullLoop
from inkgate.service.worker.process import die_with_parent, rss_mib, set_memory_limit
from inkgate.service.worker.reading import open_cores, open_reader
from inkgate.service.worker.render import line_count
from inkgate.service.worker.watchdog import Watchdog

log = logging.getLogger("inkgate.service.worker")

_UNUSABLE = 2  # exit status: the configuration cannot work, also not after a restart
_BROKEN = 1


def main(argv: list[str]) -> int:
    parent, control_fd, *tasks_fds = (int(argument) for argument in argv)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent decides when this process stops
    die_with_parent(parent)
    channel = _SupervisorChannel(socket.socket(fileno=control_fd))
    head = channel.receive_configuration()
    try:
        config = WorkerConfig.from_dict(head)
    except InkGateError as error:
        channel.send_event(Fatal(str(error)))
        return _UNUSABLE
    logs.configure(config.log_level, config.log_format, secrets=maskable_secrets(passwords(config.redis_url)))
    try:
        cores = open_cores(config)
        reader = open_reader(config, cores)
        reader.warmup()
    except (InkGateError, ModelError, ValueError) as error:
        channel.send_event(Fatal(str(error)))
        return _UNUSABLE
    except Exception as error:
        log.exception("the engine did not start")
        channel.send_event(Fatal(f"the engine did not start: {error!r}"))
        return _BROKEN
    set_memory_limit(config.image_mib, config.at_once, reader.info.growth.data_mib)
    _work(config, reader, cores, tasks_fds, channel, stop)
    return 0


def _work(
    config: WorkerConfig,
    reader: Reader,
    cores: Cores,
    tasks_fds: list[int],
    channel: _SupervisorChannel,
    stop: threading.Event,
) -> None:
    """Read images with a warm reader until the worker exits: at a shutdown signal, at a limit, or without a broker."""
    name = f"{socket.gethostname()}-{os.getpid()}"
    ports = _open_worker_ports(config, name, tasks_fds, channel)
    info = reader.info
    engine = EngineFacts(info.name, " ".join(sorted(info.models)) or info.version, info.device)
    channel.send_event(WorkerReady(name, engine, config.profile, rss_mib()))
    watchdog = Watchdog()
    tracing = Tracing.configured(config.traces_endpoint, "worker", __version__, config.traces_ratio)
    loops = [PullLoop(port, reader, config, name, stop, channel.done, tracing, watchdog, cores) for port in ports]
    with contextlib.suppress(BrokerUnavailable, frames.PeerClosed):  # without the gateway process there is no work
        channel.send_event(Leaving(run_loops(loops, stop)))
    # After any other error the process exits without closing its ports: a closed port returns its image as not started.
    tracing.close()
    for port in ports:
        port.close()


class _SupervisorChannel:
    """Sends events to the supervisor, from any thread. Raises frames.PeerClosed once the supervisor has closed the
    socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control, self._lock = control, threading.Lock()

    def receive_configuration(self) -> Mapping[str, Any]:
        """The first frame: a `WorkerConfig` as a dict."""
        head, _ = frames.receive_frame(self._control)
        return head

    def send_event(self, message: Message) -> None:
        with self._lock:
            frames.send_frame(self._control, encode(message))

    def done(self, task: Task, reply: Reply, in_progress: int) -> None:
        """Report an answered image; `in_progress` is `control.Done.in_hand`."""
        lines = line_count(task.capability, reply.element)
        self.send_event(
            Done(task.capability, reply.outcome, task.delivery, reply.stages, lines, rss_mib(), in_progress)
        )

    def malformed(self, kind: str) -> None:
        """Report a message that this process could not decode."""
        self.send_event(MalformedMessage(kind))

    def background_up(self, task: str, up: bool) -> None:
        """See inkgate.service.background.Observer. Only failures are reported: the state of a thread ends with its
        process."""

    def background_restarted(self, task: str) -> None:
        """See inkgate.service.background.Observer."""
        self.send_event(TaskFailed(task))


def _open_worker_ports(
    config: WorkerConfig, name: str, tasks_fds: list[int], channel: _SupervisorChannel
) -> Sequence[WorkerPort]:
    """One port per image that may be in progress: on sockets of the embedded broker if there are any, else Redis."""
    if tasks_fds:
        return [LocalPort(socket.socket(fileno=fd), channel.malformed) for fd in tasks_fds]
    from inkgate.service.broker.streams import StreamsPort  # embedded workers do not load the Redis client
    from inkgate.service.broker.streams.keys import Keys

    keys = Keys(config.namespace, config.profile)
    rule = HoldOffRule(config.killed_workers, config.killed_window, config.hold_off)
    names = [name, *(f"{name}-{number}" for number in range(1, config.at_once))]
    return [
        StreamsPort(
            config.redis_url,
            keys,
            port_name,
            capabilities=config.capabilities,
            lease=config.lease,
            rule=rule,
            overrun=config.overrun,
            on_malformed=channel.malformed,
            background=Background(channel),
        )
        for port_name in names
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
