"""Base64 of any length, decoded in pieces: no copy of the text, and never long without letting others run."""

from __future__ import annotations

import binascii
from collections.abc import Iterable

from inkgate.service.contract.bounded_json import Buffer

STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_pieces(pieces: Iterable[Buffer], *, exact: bool = False, keep: int | None = None) -> bytearray:
    """The bytes behind base64 text in either alphabet, mixed too. Raises ValueError for anything else.

    Padding is optional and up to two signs of it are overlooked; with `exact` it is absent or as it should be. More
    than `keep` bytes are checked and not kept, except that the result is then longer than `keep`.
    """
    made = bytearray()
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
        if keep is None or len(made) <= keep:
            made += decoded
    made += _end(rest, exact, whole=not made)
    return made


def _end(text: Buffer, exact: bool, *, whole: bool) -> bytes:
    core = text.rstrip(b"=")
    if (not core and whole) or (not exact and len(text) - len(core) > 2):
        raise ValueError("nothing but padding, or too much of it")
    padding = b"=" * (-len(core) % 4)
    if exact and len(text) > len(core) and text != core + padding:
        raise ValueError("wrong padding")
    return binascii.a2b_base64(core + padding, strict_mode=True)
