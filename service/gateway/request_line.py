"""A raw query, bytes above 0x7f and all, past a parser that refuses it (CONTRACT D9).

llhttp, as httptools builds it, answers such a request line with an error. It is shown the same line with those bytes
percent-encoded. The query as it was sent goes beside it, for the signature: whatever else reads a query (frameworks,
pages, logs) expects one of ASCII.
"""

from __future__ import annotations

import re

RAW_QUERY = "inkgate.raw_query"  # in scope["extensions"]; absent when `query_string` is what was sent
_HIGH = re.compile(rb"[\x80-\xff]")


class RequestLine:
    """The first line of one request head, as its pieces come in. Only what stands behind the `?` is encoded: a path
    has no such bytes in the contract and stays the parser's to refuse."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._in_query = self._ended = self._high = False

    def skip(self) -> None:
        """The head has begun inside a piece that belongs to the request before it: leave it alone."""
        self._ended = True

    def shown(self, data: bytes) -> bytes:
        """`data`, the next piece of the head, as the parser is to see it."""
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
    def query(self) -> bytes | None:
        """The query as sent, of a line that has come whole; None when the parser has it right."""
        if not self._high:
            return None
        target = [part for part in bytes(self._line).split(b" ") if part][1]
        return target.partition(b"#")[0].partition(b"?")[2]
