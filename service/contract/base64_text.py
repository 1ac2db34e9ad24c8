"""Chunked base64 decoding: does not copy the text, and lets other threads run between the chunks."""

from __future__ import annotations

import binascii
from collections.abc import Iterable

from inkgate.service.contract.bounded_json import Buffer

STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_pieces(pieces: Iterable[Buffer], *, exact: bool = False, max_bytes: int | None = None) -> bytearray:
    """Decode base64 text of the standard or URL-safe alphabet, or a mixture. Raises ValueError for invalid text.

    Padding is optional, and up to two wrong padding characters are ignored; with `exact` padding is absent or correct.
    Input beyond `max_bytes` is checked but not stored; the result is then longer than `max_bytes`.
    """
    decoded_so_far = bytearray()
    rest: Buffer = b""
    for piece in pieces:
        if b"-" in piece or b"_" in piece:
            piece = piece.translate(STANDARD)
        text = rest + piece if rest else piece
        ready = max(0, (len(text) - 2) // 4 * 4)  # two may be padding, which belongs to the end alone
        if text.find(b"=", 0, ready) >= 0:
            raise ValueError("padding amid the text")
        decoded = binascii.a2b_base64(text[:ready], strict_mode=True) if ready else b""
        rest = text[ready:]
        if max_bytes is None or len(decoded_so_far) <= max_bytes:
            decoded_so_far += decoded
    decoded_so_far += _end(rest, exact, whole=not decoded_so_far)
    return decoded_so_far


def _end(text: Buffer, exact: bool, *, whole: bool) -> bytes:
    core = text.rstrip(b"=")
    if (not core and whole) or (not exact and len(text) - len(core) > 2):
        raise ValueError("nothing but padding, or too much of it")
    padding = b"=" * (-len(core) % 4)
    if exact and len(text) > len(core) and text != core + padding:
        raise ValueError("wrong padding")
    return binascii.a2b_base64(core + padding, strict_mode=True)
