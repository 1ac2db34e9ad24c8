"""Worker side of the embedded broker: blocking calls over one end of a socket pair."""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable

from inkgate.service.broker import frames
from inkgate.service.broker.interface import Outcome, Reply, Task
from inkgate.service.broker.messages import MessageError, decode_task, encode_reply
from inkgate.service.errors import BrokerUnavailable

log = logging.getLogger(__name__)


class LocalPort:
    """A WorkerPort. Every method raises BrokerUnavailable once the gateway process has exited.

    `on_malformed` is called with the kind of every malformed message.
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
                frames.send_frame(self._sock, {"kind": "pull"})
                self._asked = True
            if not self._poll.poll(max(0.0, timeout) * 1000):
                return None
            self._asked = False
            return decode_task(*frames.receive_frame(self._sock))
        except frames.PeerClosed as error:
            raise BrokerUnavailable(f"the gateway is gone: {error}") from error
        except MessageError as error:
            self._on_malformed("task")
            log.error("a task cannot be understood: %s", error)
            self._send(error.answer or Reply("", 0, Outcome.FAILED))  # the broker knows the task of this connection
            return None

    def reply(self, task: Task, reply: Reply) -> None:
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        try:
            frames.send_frame(self._sock, {"kind": "reply", **encode_reply(reply, embedded=True)})
        except frames.PeerClosed as error:
            raise BrokerUnavailable(f"the gateway is gone: {error}") from error

    def close(self) -> None:
        """Disconnect. A task that arrived but was not pulled goes to another worker and does not count as started."""
        try:
            frames.send_frame(self._sock, {"kind": "bye"})
            self._sock.shutdown(socket.SHUT_WR)
        except (frames.PeerClosed, OSError):
            pass
        self._sock.close()
