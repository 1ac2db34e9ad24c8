"""JSON of strangers, with a bound on what parsing it may build.

A parser that builds everything turns 95 MiB of `{"x":[{},{},…]}` into gigabytes of objects. A request to this service
is a few short values and long base64 texts, so a body is read in three steps, each with a bound of its own:

    scan      string literals of more than LONG_BYTES are cut out and replaced by short placeholders; what is left over
              may have MOST_BYTES, and the scan ends where it has more
    parse     orjson parses what is left over
    check     the long strings are checked in pieces of PIECE_BYTES, by orjson as well: control characters, escapes,
              UTF-8. No text of one is ever whole in memory, as text takes up to four bytes a character

Within the bounds, exactly those bodies pass that `orjson.loads` takes (tests/unit/contract/test_bounded_json.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

SMALL_BYTES = 32 * 1024  # of a body that is parsed as it is: all it can become is less than 2 MiB
LONG_BYTES = 1024  # of a string literal; a shorter one is parsed with the rest
MOST_BYTES = 512 * 1024  # of a body without its long strings; parsed it takes at most some 20 MiB and 50 ms
MOST_ESCAPED_QUOTES = 100_000  # in all long strings; each costs the scan a step
PIECE_BYTES = 256 * 1024
BOM = b"\xef\xbb\xbf"

_QUOTE, _BACKSLASH = 0x22, 0x5C
_RUN = 1024  # bytes; how far the scan looks for backslashes at a time
_ESCAPE = 6  # bytes of the longest escape, \\uXXXX

Buffer = bytes | bytearray


class InvalidJson(ValueError):
    """Not JSON, or more than may be parsed; `detail` is a text for the client that says which bound was passed."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


_TOO_MUCH = f"长字符串以外的 JSON 内容超过 {MOST_BYTES // 1024} KiB (too much JSON beside long strings)"
_TOO_MANY_QUOTES = f"字符串中的转义引号超过 {MOST_ESCAPED_QUOTES} 个 (too many escaped quotes)"


@dataclass(frozen=True, slots=True)
class LongString:
    """A string literal that stays where it is: bytes `start` to `end` of `body`, without the quotes."""

    body: Buffer = field(repr=False)
    start: int
    end: int
    escaped: bool  # whether there is a backslash in it

    def pieces(self) -> Iterator[str]:
        """The text in pieces of at most PIECE_BYTES characters. Raises orjson.JSONDecodeError where it is malformed."""
        for piece in self._raw():
            yield orjson.loads(b"".join((b'"', piece, b'"')))

    def ascii_pieces(self) -> Iterator[Buffer]:
        """The same as bytes. Raises UnicodeEncodeError for other than ASCII where there are escapes; without escapes
        the bytes are given as they are, and whoever takes them sees what they are."""
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
        """The last place not after `to` where a character begins. `at` is one; in malformed text any place will do."""
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
    """A parsed body. `value` holds placeholders for long strings: what is taken out of it goes through `resolve`."""

    value: Any
    _spans: tuple[LongString, ...] = field(default=(), repr=False)
    _mark: str = field(default="", repr=False)

    def resolve(self, value: Any) -> Any:
        """The value, or the long string that it stands for."""
        if self._spans and isinstance(value, str) and value.startswith(self._mark):
            return self._spans[int(value[len(self._mark) :])]
        return value


def loads(body: Buffer) -> Document:
    """Parse a body; a byte-order mark before it is skipped. Raises InvalidJson."""
    start = len(BOM) if body.startswith(BOM) else 0
    mark, spans, skeleton = "", list[LongString](), body
    if len(body) > SMALL_BYTES:
        mark = secrets.token_hex(8)  # nobody can send a string that looks like a placeholder
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
    """The body with placeholders for its long strings, and those."""
    size, at = len(body), start
    cut, kept = start, 0  # the end of the last long string, and how many bytes are left over before it
    left_over: list[Buffer] = []
    spans: list[LongString] = []
    quotes = 0
    while True:
        end = cut + MOST_BYTES - kept
        opened = body.find(b'"', at, end)
        if opened < 0:
            break
        closed, skipped = _closing(body, opened + 1, MOST_ESCAPED_QUOTES - quotes)
        quotes += skipped
        at = closed + 1
        if closed - opened - 1 > LONG_BYTES:
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


def _closing(body: Buffer, start: int, most: int) -> tuple[int, int]:
    """Where the string that begins at `start` ends, and how many escaped quotes were passed. Raises InvalidJson."""
    skipped, begin = 0, start
    while True:
        quote = body.find(b'"', begin)
        if quote < 0:
            raise InvalidJson
        if quote == start or body[quote - 1] != _BACKSLASH or not _backslashes(body, start, quote) % 2:
            return quote, skipped
        skipped, begin = skipped + 1, quote + 1
        if skipped > most:
            raise InvalidJson(_TOO_MANY_QUOTES)


def _backslashes(body: Buffer, start: int, end: int) -> int:
    """How many backslashes stand directly before `end`, not counting any before `start`."""
    at = end
    while at > start:
        piece = body[max(start, at - _RUN) : at]
        rest = len(piece.rstrip(b"\\"))
        at -= len(piece) - rest
        if rest:
            break
    return end - at
