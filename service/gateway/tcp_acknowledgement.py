"""Delivery of an answer: all bytes acknowledged by the peer's TCP (CONTRACT D3, D13).

Bytes written to a socket wait in the kernel's send buffer, megabytes of them for a slow client, and are lost when the
client resets the connection. The kernel counts the bytes acknowledged by the peer (`tcpi_bytes_acked`, Linux 4.1); an
answer is delivered when that count passes its last byte. Waiting for it delays neither the answer nor the connection:

    polled      at once, when the next request arrives on the connection, and with exponential back-off in between
    closed      by the server with bytes in flight: a duplicate of the socket is kept, shut for writing, until the
                outcome is known
    reset       by the peer: not delivered, unless the count had passed already
    limits      WAIT_SECONDS per answer, MAX_PENDING_ANSWERS and MAX_LINGERING_SOCKETS per server; above them an answer
                counts as not delivered

Without TCP_INFO (other systems, other sockets, TLS in this process) an answer counts as not delivered.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any

WAIT_SECONDS = 600.0  # as long as an answer is kept: service/replay
LINGER_SECONDS = 60.0  # the same for a connection closed by the server
MAX_PENDING_ANSWERS = 4096  # per server
MAX_LINGERING_SOCKETS = 256  # closed connections whose socket is kept open
MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.002, 0.25  # seconds

_STATE, _BYTES_ACKED = 0, 120  # offsets in struct tcp_info
_INFO_BYTES = 128
_TCP_CLOSE = 7


@dataclass(slots=True)
class PendingAnswers:
    """Counters of one server: answers whose delivery is pending, and sockets kept open for some of them."""

    answers: int = 0
    closing: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """`position`: bytes of the connection up to the end of the answer; `until`: time of the event loop."""

    position: int
    until: float
    outcome: asyncio.Future[bool]


class AcknowledgementTracker:
    """Tracks which bytes of one connection the peer has acknowledged."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, pending: PendingAnswers) -> None:
        self._loop, self._pending = loop, pending
        self._socket: Any = transport.get_extra_info("socket")
        self._trackable = transport.get_extra_info("sslcontext") is None and _supports_tcp_info(self._socket)
        self._written = 0
        self._answers: deque[_Answer] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._poll_delay = MIN_POLL_SECONDS
        self._lost = self._lingering = False

    def record_written(self, amount: int) -> None:
        """Count `amount` more bytes as written to the transport."""
        self._written += amount

    def delivered(self) -> asyncio.Future[bool]:
        """A future: True once the peer has acknowledged all bytes written so far, False when it will not."""
        outcome: asyncio.Future[bool] = self._loop.create_future()
        if self._lost or not self._trackable:
            outcome.set_result(False)
            return outcome
        if not self._answers and _tcp_info(self._socket)[1] >= self._written:  # nothing to wait for
            outcome.set_result(True)
            return outcome
        if self._pending.answers >= MAX_PENDING_ANSWERS:
            outcome.set_result(False)
            return outcome
        self._pending.answers += 1
        self._answers.append(_Answer(self._written, self._loop.time() + WAIT_SECONDS, outcome))
        self._poll_delay = MIN_POLL_SECONDS
        self._schedule_poll()
        return outcome

    def poll_kernel(self) -> None:
        """Read the acknowledged bytes from the kernel and resolve the answers they decide."""
        if not self._answers:
            return
        state, acked = _tcp_info(self._socket)
        while self._answers and self._answers[0].position <= acked:
            self._resolve(True)
        while self._answers and (state == _TCP_CLOSE or self._answers[0].until < self._loop.time()):
            self._resolve(False)
        if not self._answers:
            self._stop()

    def connection_lost(self, *, orderly: bool) -> None:
        """To be called before the socket is closed; `orderly`: no error ended the connection."""
        self._lost = True
        self.poll_kernel()
        if self._answers and orderly and self._all_in_kernel() and self._pending.closing < MAX_LINGERING_SOCKETS:
            self._linger()
        while self._answers and not self._lingering:
            self._resolve(False)
        if not self._answers:
            self._stop()

    def _resolve(self, delivered: bool) -> None:
        outcome = self._answers.popleft().outcome
        self._pending.answers -= 1
        if not outcome.done():  # its waiter may be gone
            outcome.set_result(delivered)

    def _all_in_kernel(self) -> bool:
        """Whether no byte of the last answer is still buffered in this process, where it would never be sent."""
        return _tcp_info(self._socket)[1] + _unacknowledged(self._socket) >= self._answers[-1].position

    def _linger(self) -> None:
        try:
            self._socket = self._socket.dup()
        except OSError:  # out of descriptors
            return
        self._lingering = True
        self._pending.closing += 1
        until = self._loop.time() + LINGER_SECONDS
        self._answers = deque(_Answer(each.position, min(each.until, until), each.outcome) for each in self._answers)
        self._poll_delay = MIN_POLL_SECONDS
        try:
            self._socket.shutdown(socket.SHUT_WR)  # sends the FIN that closing the socket would send
        except OSError:  # reset in between
            return

    def _schedule_poll(self) -> None:
        if self._answers and self._timer is None:
            self._timer = self._loop.call_later(self._poll_delay, self._poll_again)
            self._poll_delay = min(2 * self._poll_delay, MAX_POLL_SECONDS)

    def _poll_again(self) -> None:
        self._timer = None
        self.poll_kernel()
        self._schedule_poll()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lingering:
            self._lingering = False
            self._pending.closing -= 1
            self._socket.close()


def _supports_tcp_info(sock: Any) -> bool:
    """Whether the kernel reports the bytes acknowledged by the peer of this socket."""
    if sys.platform != "linux" or sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return len(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)) == _INFO_BYTES
    except OSError:
        return False


def _tcp_info(sock: Any) -> tuple[int, int]:
    """TCP state of a connection, and the bytes acknowledged by its peer."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return _TCP_CLOSE, 0
    return info[_STATE], struct.unpack_from("=Q", info, _BYTES_ACKED)[0]


def _unacknowledged(sock: Any) -> int:
    """Bytes in the kernel's send queue, sent or not (SIOCOUTQ)."""
    import fcntl
    import termios

    try:
        return int(struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except OSError:
        return 0
