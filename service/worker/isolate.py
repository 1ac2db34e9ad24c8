"""Reading a picture that may have killed a worker: alone, in a process that may die.

`read_alone` starts `python -m inkgate.service.worker.isolate`, hands it the picture over a socket pair, and
takes whatever happens to it as the answer: its reply, or the internal error. The child says when it begins to read:
only what ends it after that, and by itself, is the picture's doing.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from dataclasses import replace

from inkgate.service.broker import frames
from inkgate.service.broker.interface import Outcome, Reply, Task
from inkgate.service.broker.messages import MessageError, decode_reply, decode_task, encode_reply, encode_task
from inkgate.service.worker import control
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.control import Begun
from inkgate.service.worker.process import bind_to_parent, limit_memory, spawn
from inkgate.service.worker.reading import facts, open_reader, read

log = logging.getLogger(__name__)

_END_SECONDS = 1.0  # between the end of a process's sockets and its own


def read_alone(task: Task, config: WorkerConfig, worker: str) -> Reply:
    """Read `task` in a child process that lives no longer than the task's deadline. One that cannot be started, for
    want of memory or processes, fails the task and not the worker."""
    try:
        return _read_alone(task, config, worker)
    except OSError as error:
        log.error("a process to read an image alone could not be started: %s", error, extra=facts(task))
        return Reply(task.call_id, task.number, Outcome.FAILED, worker=worker, stages={"queue": task.queued})


def _read_alone(task: Task, config: WorkerConfig, worker: str) -> Reply:
    ours, theirs = socket.socketpair()
    begun = killed = False
    with ours:
        with theirs:
            child = spawn("inkgate.service.worker.isolate", [theirs])
        try:
            ours.settimeout(max(0.1, task.deadline - time.time()))
            frames.send_frame(ours, replace(config, redis_url="").as_dict())
            frames.send_frame(ours, encode_task(task), task.image)
            head, _ = frames.receive_frame(ours)
            begun = isinstance(control.decode(head), Begun)
            if not begun:
                raise MessageError("an answer of a process that has not begun")
            head, _ = frames.receive_frame(ours)
            reply = replace(decode_reply({**head, "call_id": task.call_id, "number": task.number}), worker=worker)
        except (frames.PeerClosed, MessageError) as error:
            killed = begun and isinstance(error, frames.PeerClosed) and _died(child)
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
    head, _ = frames.receive_frame(sock)
    config = WorkerConfig.from_dict(head)
    head, image = frames.receive_frame(sock)
    reader = open_reader(config)
    limit_memory(config.image_mib, at_once=1)
    frames.send_frame(sock, control.encode(Begun()))
    reply = read(reader, decode_task(head, image), config, "")
    frames.send_frame(sock, encode_reply(reply))


if __name__ == "__main__":
    main(sys.argv[1:])
