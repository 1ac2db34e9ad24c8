"""A worker process's end of the embedded broker: blocking calls over its half of a socket pair."""

from __future__ import annotations

import select
import socket

from service.broker import frames
from service.broker.interface import Reply, Task
from service.errors import BrokerDown


class LocalPort:
    """A WorkerPort. Every method raises BrokerDown once the gateway process is gone."""

    def __init__(self, sock: socket.socket) -> None:
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
            head, image = frames.recv(self._sock)
        except frames.PeerGone as error:
            raise BrokerDown(f"the gateway is gone: {error}") from error
        self._asked = False
        return Task(image=image, **head)

    def reply(self, task: Task, reply: Reply) -> None:
        head = {
            "kind": "reply", "call_id": task.call_id, "number": task.number, "outcome": reply.outcome,
            "element": reply.element, "worker": reply.worker, "stages": dict(reply.stages), "busy": reply.busy,
            "killed": reply.killed,
        }
        try:
            frames.send(self._sock, head)
        except frames.PeerGone as error:
            raise BrokerDown(f"the gateway is gone: {error}") from error

    def close(self) -> None:
        """Leave the table. A task that arrived and was not pulled goes to another worker, not counted as begun."""
        try:
            frames.send(self._sock, {"kind": "bye"})
            self._sock.shutdown(socket.SHUT_WR)
        except (frames.PeerGone, OSError):
            pass
        self._sock.close()
