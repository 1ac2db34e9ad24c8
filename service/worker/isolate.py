"""Isolated reading of a redelivered image in a child process, because the image may have killed its first worker.

`read_isolated` starts `python -m inkgate.service.worker.isolate` and sends it the image over a socket pair. The answer
is the reply of the child, or the internal error when the child fails. The child reports that it starts to read: only
an exit after that report, and not by our kill, is attributed to the image.
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
from inkgate.service.worker.process import die_with_parent, set_memory_limit, spawn
from inkgate.service.worker.reading import log_fields, open_reader, read_task

log = logging.getLogger(__name__)

_MIN_WAIT_SECONDS = 0.1
_EXIT_GRACE_SECONDS = 1.0  # from the end of file on the sockets of a process to its exit


def read_isolated(task: Task, config: WorkerConfig, worker: str) -> Reply:
    """Read `task` in a child process that is killed at the task's deadline. If the child cannot be started (out of
    memory or processes), the task fails and the worker continues."""
    try:
        return _read_isolated(task, config, worker)
    except OSError as error:
        log.error("a process to read an image alone could not be started: %s", error, extra=log_fields(task))
        return Reply(task.call_id, task.number, Outcome.FAILED, worker=worker, stages={"queue": task.queued})


def _read_isolated(task: Task, config: WorkerConfig, worker: str) -> Reply:
    parent_end, child_end = socket.socketpair()
    started = killed = False
    with parent_end:
        with child_end:
            child = spawn("inkgate.service.worker.isolate", [child_end])
        try:
            _limit_wait(parent_end, task.deadline)
            frames.send_frame(parent_end, replace(config, redis_url="", cores_fd=-1).as_dict())
            frames.send_frame(parent_end, encode_task(task), task.image)
            head, _ = frames.receive_frame(parent_end)
            started = isinstance(control.decode(head), Begun)
            if not started:
                raise MessageError("an answer of a process that has not started")
            _limit_wait(parent_end, task.deadline)  # a time-out counts from the call: the child has used part of it
            head, _ = frames.receive_frame(parent_end)
            reply = replace(decode_reply({**head, "call_id": task.call_id, "number": task.number}), worker=worker)
        except (frames.PeerClosed, MessageError) as error:
            killed = started and isinstance(error, frames.PeerClosed) and _exited_by_itself(child)
            log.error("poison: this image killed the process that read it: %s", error, extra=log_fields(task))
            reply = Reply(
                task.call_id, task.number, Outcome.FAILED, worker=worker, stages={"queue": task.queued}, killed=killed
            )
        finally:
            child.kill()
            child.wait()
    return reply


def _limit_wait(sock: socket.socket, deadline: float) -> None:
    """Let the next call on a socket wait until the deadline (Unix time in seconds) at most."""
    sock.settimeout(max(_MIN_WAIT_SECONDS, deadline - time.time()))


def _exited_by_itself(child: subprocess.Popen[bytes]) -> bool:
    """Whether the child has exited with an error by itself. One that is too slow still runs; the caller kills it."""
    try:
        return child.wait(_EXIT_GRACE_SECONDS) != 0
    except subprocess.TimeoutExpired:
        return False


def main(argv: list[str]) -> None:
    """The child process: reads one image, sends one reply, exits."""
    parent, fd = int(argv[0]), int(argv[1])
    die_with_parent(parent)
    sock = socket.socket(fileno=fd)
    head, _ = frames.receive_frame(sock)
    config = WorkerConfig.from_dict(head)
    head, image = frames.receive_frame(sock)
    reader = open_reader(config)
    set_memory_limit(config.image_mib, at_once=1)
    frames.send_frame(sock, control.encode(Begun()))
    reply = read_task(reader, decode_task(head, image), config, "")
    frames.send_frame(sock, encode_reply(reply))


if __name__ == "__main__":
    main(sys.argv[1:])
