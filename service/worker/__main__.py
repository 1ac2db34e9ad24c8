"""A worker process: `python -m inkgate.service.worker PARENT_PID CONTROL_FD [TASKS_FD…]`, started by a supervisor only.

The control socket brings the configuration and carries away what happens: ready, done, leaving, fatal.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from inkgate.engines.errors import ModelError
from inkgate.service import __version__
from inkgate.service.background import Background
from inkgate.service.broker import frames
from inkgate.service.broker.holdoff import HoldOffRule
from inkgate.service.broker.interface import Reply, Task, WorkerPort
from inkgate.service.broker.local_port import LocalPort
from inkgate.service.errors import BrokerUnavailable, InkGateError
from inkgate.service.settings import maskable, passwords
from inkgate.service.telemetry import logs
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.lanes import run_lanes
from inkgate.service.worker.loop import PullLoop
from inkgate.service.worker.process import bind_to_parent, limit_memory, rss_mib
from inkgate.service.worker.reading import open_reader
from inkgate.service.worker.watchdog import Watchdog

log = logging.getLogger("inkgate.service.worker")


def main(argv: list[str]) -> int:
    parent, control_fd, *tasks_fds = (int(argument) for argument in argv)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    bind_to_parent(parent)
    control = socket.socket(fileno=control_fd)
    head, _ = frames.recv(control)
    try:
        config = WorkerConfig.from_dict(head)
    except InkGateError as error:
        frames.send(control, {"kind": "fatal", "error": str(error)})
        return 2
    logs.configure(config.log_level, config.log_format, secrets=maskable(passwords(config.redis_url)))
    try:
        reader = open_reader(config)
        reader.warmup()
    except (InkGateError, ModelError, ValueError) as error:
        frames.send(control, {"kind": "fatal", "error": str(error)})
        return 2
    except Exception as error:
        log.exception("the engine did not start")
        frames.send(control, {"kind": "fatal", "error": f"the engine did not start: {error!r}"})
        return 1
    limit_memory(config.image_mib, config.at_once)
    name = f"{socket.gethostname()}-{os.getpid()}"
    teller = _Teller(control)
    ports = _open_ports(config, name, tasks_fds, teller)
    info = reader.info
    engine = {"engine": info.name, "model": " ".join(sorted(info.models)) or info.version, "device": info.device}
    teller.tell({"kind": "ready", "name": name, "engine": engine, "profile": config.profile, "rss_mib": rss_mib()})

    watchdog = Watchdog()

    def done(task: Task, reply: Reply, in_hand: int) -> None:
        teller.tell(
            {
                "kind": "done",
                "capability": task.capability,
                "outcome": reply.outcome,
                "delivery": task.delivery,
                "stages": dict(reply.stages),
                "lines": (reply.element or {}).get("text_line"),
                "rss_mib": rss_mib(),
                "in_hand": in_hand,
            }
        )

    tracing = Tracing.configured(config.traces_endpoint, "worker", __version__, config.traces_ratio)
    lanes = [PullLoop(port, reader, config, name, stop, done, tracing, watchdog) for port in ports]
    try:
        reason = run_lanes(lanes, stop)
        teller.tell({"kind": "leaving", "reason": reason})
    except (BrokerUnavailable, frames.PeerGone):
        pass  # the gateway process is gone: so is our work
    tracing.close()
    for port in ports:
        port.close()
    return 0


class _Teller:
    """Events for the supervisor, from any thread. Raises frames.PeerGone once it is gone."""

    def __init__(self, control: socket.socket) -> None:
        self._control, self._turn = control, threading.Lock()

    def tell(self, event: Mapping[str, Any]) -> None:
        with self._turn:
            frames.send(self._control, event)

    def malformed(self, kind: str) -> None:
        """A message that this process could not understand."""
        self.tell({"kind": "malformed", "message": kind})

    def background_up(self, task: str, up: bool) -> None:
        """See service.background.Observer. The state of a thread ends with its process: failures are told, no state."""

    def background_restarted(self, task: str) -> None:
        """See inkgate.service.background.Observer."""
        self.tell({"kind": "task failed", "task": task})


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
