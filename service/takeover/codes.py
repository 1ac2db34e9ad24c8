"""The result code in an answer's body, for figures and logs. Reads what any server may send; never raises."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

_HEAD_BYTES = 4096  # every documented answer has its code first or in a short body
_MAX_CODE_CHARACTERS = 32
_CODE = re.compile(rb'"statusCode"\s*:\s*(?:"([^"\\]{0,32})"|(-?\d{1,31}))')
_WBITS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


def answer_code(body: bytes) -> str:
    """The value of `statusCode` as text, as "0" or "CTAPI_10020"; "" when there is none near either end."""
    found = _CODE.search(body, 0, _HEAD_BYTES) or _CODE.search(body[-_HEAD_BYTES:])
    if found is None:
        return ""
    return (found[1] if found[1] is not None else found[2]).decode("utf-8", "replace")[:_MAX_CODE_CHARACTERS]


def plain_body(headers: Iterable[tuple[bytes, bytes]], body: bytes, limit: int) -> bytes | None:
    """The body without its content coding (gzip, deflate); None for another coding, a corrupt body, or one of more
    than `limit` bytes."""
    encoding = b", ".join(value for name, value in headers if name.lower() == b"content-encoding").strip().lower()
    if encoding in (b"", b"identity"):
        return body if len(body) <= limit else None
    if encoding not in _WBITS:
        return None
    try:
        inflater = zlib.decompressobj(_WBITS[encoding])
        plain = inflater.decompress(body, limit + 1)
    except zlib.error:
        return None
    return plain if inflater.eof and len(plain) <= limit else None
