"""JSON from untrusted clients, parsed within a memory bound.

A general parser turns 95 MiB of `{"x":[{},{},…]}` into gigabytes of objects. A request to this service consists of a
few short values and long base64 texts, so a body is parsed in three bounded steps:

    scan      string literals longer than MIN_LONG_STRING_BYTES are replaced by short placeholders; the scan fails when
              the rest exceeds MAX_STRUCTURE_BYTES
    parse     orjson parses the rest
    check     orjson checks the long strings in pieces of PIECE_BYTES: control characters, escapes, UTF-8. A string
              is never decoded as a whole, because a str takes up to four bytes per character

Within the bounds, the accepted bodies are exactly those of `orjson.loads` (tests/unit/contract/test_bounded_json.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

MAX_UNBOUNDED_BYTES = 32 * 1024  # of a body that is parsed without a scan; its objects take less than 2 MiB
MIN_LONG_STRING_BYTES = 1024  # of a string literal; shorter ones are parsed with the rest
MAX_STRUCTURE_BYTES = 512 * 1024  # of a body without its long strings; parsing takes up to about 20 MiB and 50 ms
MAX_ESCAPED_QUOTES = 100_000  # in all long strings; each takes one step of the scan
PIECE_BYTES = 256 * 1024
BOM = b"\xef\xbb\xbf"

_QUOTE, _BACKSLASH = 0x22, 0x5C
_BACKSLASH_WINDOW_BYTES = 1024  # the scan counts backslashes in windows of this size
_ESCAPE = 6  # bytes of the longest escape, \\uXXXX

Buffer = bytes | bytearray


class InvalidJson(ValueError):
    """Not JSON, or beyond a bound; `detail` names the exceeded bound for the client."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


_TOO_MUCH = f"长字符串以外的 JSON 内容超过 {MAX_STRUCTURE_BYTES // 1024} KiB (too much JSON beside long strings)"
_TOO_MANY_QUOTES = f"字符串中的转义引号超过 {MAX_ESCAPED_QUOTES} 个 (too many escaped quotes)"


@dataclass(frozen=True, slots=True)
class LongString:
    """A string literal by reference: bytes `start` to `end` of `body`, without the quotes."""

    body: Buffer = field(repr=False)
    start: int
    end: int
    escaped: bool  # whether there is a backslash in it

    def pieces(self) -> Iterator[str]:
        """The text in pieces of at most PIECE_BYTES characters. Raises orjson.JSONDecodeError where it is malformed."""
        for piece in self._raw():
            yield orjson.loads(b"".join((b'"', piece, b'"')))

    def ascii_pieces(self) -> Iterator[Buffer]:
        """The text as bytes. With escapes, raises UnicodeEncodeError for non-ASCII text. Without escapes the bytes are
        returned unchecked; the caller validates them."""
        if self.escaped:
            for text in self.pieces():
                yield text.encode("ascii")
        else:
            yield from self._raw()

    def _raw(self) -> Iterator[Buffer]:
        at = self.start
        while at < self.end:
            to = min(at + PIECE_BYTES, self.end)
            if to < self.end:
                to = self._boundary(at, to)
            yield self.body[at:to]
            at = to

    def _boundary(self, at: int, to: int) -> int:
        """The last character boundary at or before `to`. `at` is one; in malformed text any position will do."""
        body = self.body
        for _ in range(3):
            if body[to] & 0xC0 == 0x80:  # a byte inside a UTF-8 sequence
                to -= 1
        if not self.escaped:
            return to
        last = body.rfind(b"\\", to - _ESCAPE + 1, to)
        if last >= 0 and _backslashes(body, at, last + 1) % 2:
            length = _ESCAPE if body[last + 1] == 0x75 else 2
            to = last if last + length > to else to
        if body[to : to + 3].lower() == b"\\ud" and body[to + 3] in b"cdefCDEF":
            to -= _ESCAPE  # the second half of a surrogate pair goes with the first
        return to


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed body. `value` contains placeholders for long strings: pass values taken from it to `resolve`."""

    value: Any
    _spans: tuple[LongString, ...] = field(default=(), repr=False)
    _mark: str = field(default="", repr=False)

    def resolve(self, value: Any) -> Any:
        """The value, or the long string if the value is a placeholder."""
        if self._spans and isinstance(value, str) and value.startswith(self._mark):
            return self._spans[int(value[len(self._mark) :])]
        return value


def loads(body: Buffer) -> Document:
    """Parse a body; a byte-order mark before it is skipped. Raises InvalidJson."""
    start = len(BOM) if body.startswith(BOM) else 0
    mark, spans, skeleton = "", list[LongString](), body
    if len(body) > MAX_UNBOUNDED_BYTES:
        mark = secrets.token_hex(8)  # unpredictable, so that no client can send a placeholder
        skeleton, spans = _scan(body, start, mark)
    elif start:
        skeleton = body[start:]
    try:
        value = orjson.loads(skeleton)
        for span in spans:
            for _ in span.pieces():
                pass
    except orjson.JSONDecodeError:
        raise InvalidJson from None
    return Document(value, tuple(spans), mark)


def _scan(body: Buffer, start: int, mark: str) -> tuple[Buffer, list[LongString]]:
    """The body with placeholders for its long strings, and these strings."""
    size, at = len(body), start
    cut, kept = start, 0  # end of the last long string; bytes of the rest before it
    left_over: list[Buffer] = []
    spans: list[LongString] = []
    quotes = 0
    while True:
        end = cut + MAX_STRUCTURE_BYTES - kept
        opened = body.find(b'"', at, end)
        if opened < 0:
            break
        closed, skipped = _closing(body, opened + 1, MAX_ESCAPED_QUOTES - quotes)
        quotes += skipped
        at = closed + 1
        if closed - opened - 1 > MIN_LONG_STRING_BYTES:
            left_over += (body[cut : opened + 1], b"%s%d" % (mark.encode(), len(spans)))
            kept += sum(map(len, left_over[-2:]))
            escaped = body.find(b"\\", opened + 1, closed) >= 0
            spans.append(LongString(body, opened + 1, closed, escaped))
            cut = closed
    if end < size:
        raise InvalidJson(_TOO_MUCH)
    if not spans:
        return body[start:] if start else body, spans
    return b"".join([*left_over, body[cut:]]), spans


def _closing(body: Buffer, start: int, max_quotes: int) -> tuple[int, int]:
    """The position of the closing quote of the string at `start`, and the number of escaped quotes before it. Raises
    InvalidJson."""
    skipped, begin = 0, start
    while True:
        quote = body.find(b'"', begin)
        if quote < 0:
            raise InvalidJson
        if quote == start or body[quote - 1] != _BACKSLASH or not _backslashes(body, start, quote) % 2:
            return quote, skipped
        skipped, begin = skipped + 1, quote + 1
        if skipped > max_quotes:
            raise InvalidJson(_TOO_MANY_QUOTES)


def _backslashes(body: Buffer, start: int, end: int) -> int:
    """Number of consecutive backslashes directly before `end`, counted back to `start` at most."""
    at = end
    while at > start:
        piece = body[max(start, at - _BACKSLASH_WINDOW_BYTES) : at]
        rest = len(piece.rstrip(b"\\"))
        at -= len(piece) - rest
        if rest:
            break
    return end - at
