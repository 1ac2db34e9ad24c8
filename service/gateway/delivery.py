"""Whether an answer has reached its client: every byte acknowledged by the peer's TCP (CONTRACT D3, D13).

What a process hands to a socket waits in the kernel, for a slow client megabytes of it, and is lost when the client
resets. The kernel counts what the peer has acknowledged (`tcpi_bytes_acked`, Linux 4.1); an answer is delivered when
that count passes the position at which it ended. The wait for it delays neither the answer nor the connection:

    asked       at once, when the next request comes on the connection, and at growing intervals between
    closed      by us while bytes are on their way: the socket is kept, its sending side shut, until they are told
    reset       by the peer: not delivered, unless the count had passed already
    bounds      WAIT_SECONDS an answer, MOST_ANSWERS and MOST_CLOSING a server; above them: not delivered

Where nobody can tell (no Linux, no TCP) an answer counts as not delivered.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

EXTENSION = "inkgate.acknowledgements"  # in scope["extensions"]
WAIT_SECONDS = 600.0  # as long as an answer is kept: service/replay
CLOSED_SECONDS = 60.0  # the same for a connection that we have closed
MOST_ANSWERS = 4096  # waited for at once
MOST_CLOSING = 256  # sockets kept open for it
FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.25  # seconds

_STATE, _BYTES_ACKED = 0, 120  # offsets in struct tcp_info
_INFO_BYTES = 128
_TCP_CLOSE = 7


@dataclass(slots=True)
class Waiting:
    """How much one server waits for: answers, and sockets kept open for some of them."""

    answers: int = 0
    closing: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """`position`: bytes of the connection up to its end; `until`: the loop's time."""

    position: int
    until: float
    verdict: asyncio.Future[bool]


class Acknowledgements:
    """Those of one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, waiting: Waiting) -> None:
        self._loop, self._waiting = loop, waiting
        self._socket: Any = transport.get_extra_info("socket")
        self._tells = transport.get_extra_info("sslcontext") is None and _tells(self._socket)
        self._handed = 0
        self._answers: deque[_Answer] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._pause = FIRST_PAUSE
        self._lost = self._kept_open = False

    def handed(self, amount: int) -> None:
        """So many bytes more were handed to the transport."""
        self._handed += amount

    def delivered(self) -> asyncio.Future[bool]:
        """Becomes true once the peer has acknowledged what has been handed over so far, false when it will not."""
        verdict: asyncio.Future[bool] = self._loop.create_future()
        if self._lost or not self._tells:
            verdict.set_result(False)
            return verdict
        if not self._answers and _ask(self._socket)[1] >= self._handed:  # nothing to wait for
            verdict.set_result(True)
            return verdict
        if self._waiting.answers >= MOST_ANSWERS:
            verdict.set_result(False)
            return verdict
        self._waiting.answers += 1
        self._answers.append(_Answer(self._handed, self._loop.time() + WAIT_SECONDS, verdict))
        self._pause = FIRST_PAUSE
        self._wait()
        return verdict

    def look(self) -> None:
        """Ask the kernel, if there is anything to ask for."""
        if not self._answers:
            return
        state, acked = _ask(self._socket)
        while self._answers and self._answers[0].position <= acked:
            self._judge(True)
        while self._answers and (state == _TCP_CLOSE or self._answers[0].until < self._loop.time()):
            self._judge(False)
        if not self._answers:
            self._stop()

    def lost(self, *, orderly: bool) -> None:
        """The connection ends and its socket is about to be closed; `orderly` when no error ended it."""
        self._lost = True
        self.look()
        if self._answers and orderly and self._all_in_kernel() and self._waiting.closing < MOST_CLOSING:
            self._keep_open()
        while self._answers and not self._kept_open:
            self._judge(False)
        if not self._answers:
            self._stop()

    def _judge(self, delivered: bool) -> None:
        verdict = self._answers.popleft().verdict
        self._waiting.answers -= 1
        if not verdict.done():  # its waiter may be gone
            verdict.set_result(delivered)

    def _all_in_kernel(self) -> bool:
        """Whether nothing of the last answer was still in this process: that would never be sent."""
        return _ask(self._socket)[1] + _unacknowledged(self._socket) >= self._answers[-1].position

    def _keep_open(self) -> None:
        try:
            self._socket = self._socket.dup()
        except OSError:  # out of descriptors
            return
        self._kept_open = True
        self._waiting.closing += 1
        until = self._loop.time() + CLOSED_SECONDS
        self._answers = deque(_Answer(each.position, min(each.until, until), each.verdict) for each in self._answers)
        self._pause = FIRST_PAUSE
        try:
            self._socket.shutdown(socket.SHUT_WR)  # what closing it would have told the peer
        except OSError:  # reset in between
            return

    def _wait(self) -> None:
        if self._answers and self._timer is None:
            self._timer = self._loop.call_later(self._pause, self._look_again)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _look_again(self) -> None:
        self._timer = None
        self.look()
        self._wait()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._kept_open:
            self._kept_open = False
            self._waiting.closing -= 1
            self._socket.close()


class CountedTransport:
    """A transport that tells how many bytes it was given; everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, acknowledgements: Acknowledgements) -> None:
        self._transport, self._acknowledgements = transport, acknowledgements

    def write(self, data: bytes) -> None:
        self._acknowledgements.handed(len(data))
        self._transport.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _tells(sock: Any) -> bool:
    """Whether the kernel counts what the peer of this socket has acknowledged."""
    if sys.platform != "linux" or sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return len(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)) == _INFO_BYTES
    except OSError:
        return False


def _ask(sock: Any) -> tuple[int, int]:
    """State of a connection, and bytes that its peer has acknowledged."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return _TCP_CLOSE, 0
    return info[_STATE], struct.unpack_from("=Q", info, _BYTES_ACKED)[0]


def _unacknowledged(sock: Any) -> int:
    """Bytes that the kernel holds for the peer, sent or not (SIOCOUTQ)."""
    import fcntl
    import termios

    try:
        return int(struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except OSError:
        return 0
