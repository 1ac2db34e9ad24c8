"""A worker process's end of the embedded broker: blocking calls over its half of a socket pair."""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable

from inkgate.service.broker import frames
from inkgate.service.broker.interface import Outcome, Reply, Task
from inkgate.service.broker.messages import Malformed, reply_head, task_from
from inkgate.service.errors import BrokerUnavailable

log = logging.getLogger(__name__)


class LocalPort:
    """A WorkerPort. Every method raises BrokerUnavailable once the gateway process is gone.

    `on_malformed` hears the kind of every message that could not be understood.
    """

    def __init__(self, sock: socket.socket, on_malformed: Callable[[str], None] = lambda kind: None) -> None:
        self._on_malformed = on_malformed
        sock.setblocking(True)
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._asked = False

    def pull(self, timeout: float) -> Task | None:
        try:
            if not self._asked:
                frames.send(self._sock, {"kind": "pull"})
                self._asked = True
            if not self._poll.poll(max(0.0, timeout) * 1000):
                return None
            self._asked = False
            return task_from(*frames.recv(self._sock))
        except frames.PeerGone as error:
            raise BrokerUnavailable(f"the gateway is gone: {error}") from error
        except Malformed as error:
            self._on_malformed("task")
            log.error("a task cannot be understood: %s", error)
            self._send(error.answer or Reply("", 0, Outcome.FAILED))  # the broker knows whose task it was
            return None

    def reply(self, task: Task, reply: Reply) -> None:
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        try:
            frames.send(self._sock, {"kind": "reply", **reply_head(reply, embedded=True)})
        except frames.PeerGone as error:
            raise BrokerUnavailable(f"the gateway is gone: {error}") from error

    def close(self) -> None:
        """Leave the table. A task that arrived and was not pulled goes to another worker, not counted as begun."""
        try:
            frames.send(self._sock, {"kind": "bye"})
            self._sock.shutdown(socket.SHUT_WR)
        except (frames.PeerGone, OSError):
            pass
        self._sock.close()
