"""SM2 with gmssl-pyx: GmSSL's C code as a wheel.

It accepts DER in the order C1C3C2 only, so each order is tried in turn; it verifies C3 itself. It writes a trace to
stderr at each refusal, with which an unauthenticated client could flood the log.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from inkgate.service.sealed.sm2.ciphertext import orderings


class GmsslC:
    """Provider over gmssl-pyx. Raises ImportError when it is not installed."""

    name = "gmssl-pyx"

    def __init__(self) -> None:
        import gmssl_pyx

        self._decrypt = gmssl_pyx.sm2_decrypt
        self._refusal: type[Exception] = gmssl_pyx.GmsslInnerError
        self._silence = _StderrSuppressor.of_this_platform()

    def open(self, private: bytes, c1: bytes, rest: bytes) -> bytes | None:
        for c2, c3 in orderings(rest):
            der = _tlv(0x30, _integer(c1[:32]) + _integer(c1[32:]) + _tlv(0x04, c3) + _tlv(0x04, c2))
            try:
                with self._quiet():
                    return bytes(self._decrypt(private, der))
            except self._refusal:
                continue
        return None

    def _quiet(self) -> AbstractContextManager[None]:
        return self._silence.suppressed() if self._silence else nullcontext()


class _StderrSuppressor:
    """Redirects C's `stderr` to the null device during one call.

    The variable of the C library is changed, not file descriptor 2: Python's own writes, and those of C++ libraries,
    are not affected. Output of other C code during that millisecond is lost.
    """

    def __init__(self, libc: ctypes.CDLL) -> None:
        libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_char_p)
        self._stderr = ctypes.c_void_p.in_dll(libc, "stderr")
        self._null = libc.fopen(b"/dev/null", b"w")
        self._lock = threading.Lock()

    @classmethod
    def of_this_platform(cls) -> _StderrSuppressor | None:
        """None where the variable cannot be changed: musl keeps it constant, others name it differently."""
        if not sys.platform.startswith("linux"):
            return None
        libc = ctypes.CDLL(None)
        silence = cls(libc) if hasattr(libc, "gnu_get_libc_version") else None
        return silence if silence and silence._null else None

    @contextmanager
    def suppressed(self) -> Iterator[None]:
        with self._lock:
            usual, self._stderr.value = self._stderr.value, self._null
            try:
                yield
            finally:
                self._stderr.value = usual


def _integer(number: bytes) -> bytes:
    short = number.lstrip(b"\0") or b"\0"
    return _tlv(0x02, b"\0" + short if short[0] & 0x80 else short)


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        length = bytes([size])
    else:
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content
