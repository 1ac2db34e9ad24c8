"""A worker process: `python -m service.worker PARENT_PID CONTROL_FD [TASKS_FD]`, started by a supervisor only.

The control socket brings the configuration and carries away what happens: ready, done, leaving, fatal.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading

from engines.errors import ModelError
from service.broker import frames
from service.broker.interface import Reply, Task
from service.broker.local_port import LocalPort
from service.errors import BrokerDown, InkGateError
from service.worker.config import WorkerConfig
from service.worker.loop import PullLoop
from service.worker.process import bind_to_parent, rss_mib
from service.worker.reading import open_reader

log = logging.getLogger("service.worker")


def main(argv: list[str]) -> int:
    parent, control_fd, *tasks_fd = (int(argument) for argument in argv)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    bind_to_parent(parent)
    control = socket.socket(fileno=control_fd)
    head, _ = frames.recv(control)
    config = WorkerConfig(**head)
    logging.basicConfig(level=config.log_level.upper(), format="%(levelname)s worker %(process)d %(message)s")
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
    name = f"{socket.gethostname()}-{os.getpid()}"
    port = LocalPort(socket.socket(fileno=tasks_fd[0]))
    frames.send(control, {"kind": "ready", "name": name, "rss_mib": rss_mib()})

    def done(task: Task, reply: Reply) -> None:
        report = {"kind": "done", "capability": task.capability, "outcome": reply.outcome, "delivery": task.delivery}
        frames.send(control, {**report, "stages": dict(reply.stages), "rss_mib": rss_mib()})

    try:
        reason = PullLoop(port, reader, config, name, stop, done).run()
        frames.send(control, {"kind": "leaving", "reason": reason})
    except (BrokerDown, frames.PeerGone):
        pass  # the gateway process is gone: so is our work
    port.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
