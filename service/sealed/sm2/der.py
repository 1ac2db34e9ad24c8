"""The ciphertext of GM/T 0009 in DER: SEQUENCE { INTEGER x, INTEGER y, OCTET STRING C3, OCTET STRING C2 }."""

from __future__ import annotations

SEQUENCE, INTEGER, OCTETS = 0x30, 0x02, 0x04
COORDINATE = HASH = 32  # bytes


def unpack(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """C1 (64 bytes), C3 (32 bytes) and C2 of a SEQUENCE that is `data` to the last byte; None for anything else.

    Only canonical DER is accepted: shortest lengths, minimal integers. The caller checks that C1 lies on the curve.
    """
    whole = _value(data, SEQUENCE)
    if whole is None or whole[1]:
        return None
    values, rest = [], whole[0]
    for tag in (INTEGER, INTEGER, OCTETS, OCTETS):
        found = _value(rest, tag)
        if found is None:
            return None
        value, rest = found
        values.append(value)
    x, y = _coordinate(values[0]), _coordinate(values[1])
    if rest or x is None or y is None or len(values[2]) != HASH:
        return None
    return x + y, values[2], values[3]


def _value(data: bytes, tag: int) -> tuple[bytes, bytes] | None:
    """The content of the first element, if its tag is `tag`, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        return None
    size, start = data[1], 2
    if size & 0x80:
        octets = data[2 : 2 + (size & 0x7F)]
        start += len(octets)
        if len(octets) != size & 0x7F or not 1 <= len(octets) <= 2:  # lengths of 64 KiB and more do not occur
            return None
        size = int.from_bytes(octets, "big")
        if size < 0x80 or octets[0] == 0:
            return None
    content = data[start : start + size]
    return (content, data[start + size :]) if len(content) == size else None


def _coordinate(number: bytes) -> bytes | None:
    """A non-negative integer in 32 bytes; None when it is longer or not minimal."""
    if not number or number[0] & 0x80 or (number[0] == 0 and len(number) > 1 and not number[1] & 0x80):
        return None
    bare = number.lstrip(b"\0")
    return bare.rjust(COORDINATE, b"\0") if len(bare) <= COORDINATE else None
