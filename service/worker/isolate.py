"""Reading a picture that may have killed a worker: alone, in a process that may die.

`read_alone` starts `python -m service.worker.isolate`, hands it the picture over a socket pair, and takes whatever
happens to it as the answer: its reply, or the internal error. The child says when it begins to read: only what ends it
after that, and by itself, is the picture's doing.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from dataclasses import replace

from service.broker import frames
from service.broker.interface import Outcome, Reply, Task
from service.worker.config import WorkerConfig
from service.worker.process import bind_to_parent, spawn
from service.worker.reading import facts, open_reader, read

log = logging.getLogger(__name__)

_END_SECONDS = 1.0  # between the end of a process's sockets and its own


def read_alone(task: Task, config: WorkerConfig, worker: str) -> Reply:
    """Read `task` in a child process that lives no longer than the task's deadline."""
    ours, theirs = socket.socketpair()
    begun = killed = False
    with ours:
        with theirs:
            child = spawn("service.worker.isolate", [theirs])
        try:
            ours.settimeout(max(0.1, task.deadline - time.time()))
            frames.send(ours, replace(config, redis_url="").as_dict())
            frames.send(ours, frames.head_of(task), task.image)
            frames.recv(ours)
            begun = True
            head, _ = frames.recv(ours)
            reply = Reply(
                task.call_id, task.number, Outcome(head["outcome"]), head["element"], worker, head["stages"]
            )
        except frames.PeerGone as error:
            killed = begun and _died(child)
            log.error("poison: this picture took down a process of its own: %s", error, extra=facts(task))
            reply = Reply(
                task.call_id, task.number, Outcome.FAILED, worker=worker, stages={"queue": task.queued}, killed=killed
            )
        finally:
            child.kill()
            child.wait()
    return reply


def _died(child: subprocess.Popen[bytes]) -> bool:
    """Whether the child has ended by itself. One that is too slow is still there, and will be killed."""
    try:
        return child.wait(_END_SECONDS) != 0
    except subprocess.TimeoutExpired:
        return False


def main(argv: list[str]) -> None:
    """The child: one picture, one frame, end."""
    parent, fd = int(argv[0]), int(argv[1])
    bind_to_parent(parent)
    sock = socket.socket(fileno=fd)
    head, _ = frames.recv(sock)
    config = WorkerConfig(**head)
    head, image = frames.recv(sock)
    reader = open_reader(config)
    frames.send(sock, {"kind": "begun"})
    reply = read(reader, Task(image=image, **head), config, "")
    frames.send(sock, {"outcome": reply.outcome, "element": reply.element, "stages": dict(reply.stages)})


if __name__ == "__main__":
    main(sys.argv[1:])
