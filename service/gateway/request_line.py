"""Accepts raw bytes above 0x7f in a query, which the HTTP parser refuses (CONTRACT D9).

llhttp, as built by httptools, rejects such a request line. The line is passed to it with those bytes percent-encoded.
The query as sent is passed separately, for the signature; other readers of the query (frameworks, pages, logs) expect
ASCII.
"""

from __future__ import annotations

import re

RAW_QUERY = "inkgate.raw_query"  # in scope["extensions"]; absent when `query_string` is what was sent
_HIGH = re.compile(rb"[\x80-\xff]")


class RequestLine:
    """Rewrites the first line of one request head, piece by piece. Only the query is encoded: the contract has no such
    bytes in a path, and the parser refuses them."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._in_query = self._ended = self._high = False

    def skip(self) -> None:
        """Do not rewrite this head: it starts inside a piece of the previous request."""
        self._ended = True

    def rewritten(self, data: bytes) -> bytes:
        """The next piece of the head, `data`, as passed to the parser."""
        if self._ended:
            return data
        start = 0 if self._line else len(data) - len(data.lstrip(b"\r\n"))  # empty lines may come before a request
        end = data.find(b"\n", start)
        piece = data[start:] if end < 0 else data[start:end]
        self._ended = end >= 0
        mark = 0 if self._in_query else piece.find(b"?") + 1
        self._in_query = self._in_query or mark > 0
        self._line += piece
        self._high = self._high or not piece.isascii()
        if piece.isascii() or not self._in_query:
            return data
        encoded = piece[:mark] + _HIGH.sub(lambda byte: b"%%%02X" % byte[0][0], piece[mark:])
        return data[:start] + encoded + data[start + len(piece) :]

    @property
    def target(self) -> bytes | None:
        """Path and query as sent, once the line is complete; None if nothing was rewritten."""
        if not self._high:
            return None
        return [part for part in bytes(self._line).split(b" ") if part][1].partition(b"#")[0]

    @property
    def query(self) -> bytes | None:
        """The query as sent, once the line is complete; None if nothing was rewritten."""
        return None if self.target is None else self.target.partition(b"?")[2]
