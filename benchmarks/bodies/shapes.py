"""Builders of request bodies of a given size: shapes that are expensive for JSON parsers, and ordinary ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from tests.images import padded_png

IMAGE_BYTES = 10_000_000
EMOJI = "\U0001f600".encode()
Shape = Callable[[int], bytes]

# Head, repeated unit, tail. Refused because of the size of the parsed document.
REPEATED: dict[str, tuple[bytes, bytes, bytes]] = {
    "empty objects": (b'{"x":[', b"{},", b"1]}"),
    "empty lists": (b'{"x":[', b"[],", b"1]}"),
    "small trees": (b'{"x":[', b'{"a":{"b":[]}},', b"1]}"),
    "nested as deep as it goes": (b'{"x":', b"[", b""),
    "lists in lists": (b'{"x":[', b"[[[[[[[]]]]]]],", b"1]}"),
    "whole numbers": (b'{"x":[', b"12345,", b"1]}"),
    "fractions": (b'{"x":[', b"1e9,", b"1]}"),
    "short strings": (b'{"x":[', b'"ab",', b"1]}"),
    "escaped short strings": (b'{"x":[', b'"\\n\\u4e2d",', b"1]}"),
    "strings of 1 KiB": (b'{"x":[', b'"' + b"A" * 1024 + b'",', b"1]}"),
    "strings of a little more": (b'{"x":[', b'"' + b"A" * 1025 + b'",', b"1]}"),
    "blanks": (b"{", b" ", b"}"),
    # one long string
    "one long string of emoji": (b'{"x":"', EMOJI, b'","data":[]}'),
    "one emoji in a long string": (b'{"data":["' + EMOJI, b"A", b'"]}'),
    "escapes in a long string": (b'{"data":["', b"\\u0041", b'"]}'),
    "surrogate pairs in a long string": (b'{"data":["', b"\\ud83d\\ude00", b'"]}'),
    "backslashes in a long string": (b'{"data":["', b"\\\\", b'"]}'),
    "quotes in a long string": (b'{"data":["', b'\\"', b'"]}'),
    "base64 of no image": (b'{"data":["', b"QUJD", b'"]}'),
}
ALSO_SEALED = ("empty objects", "one emoji in a long string")  # also sent encrypted


def repeated(name: str) -> Shape:
    head, unit, tail = REPEATED[name]
    return lambda size: head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def many_keys(size: int) -> bytes:
    """An object of as many distinct keys as fit into `size` bytes."""
    return b"{" + b",".join(b'"%07x":1' % number for number in range(size // 12)) + b"}"


def images(size: int) -> bytes:
    """A batch of `size` bytes with as few images as possible, each of at most IMAGE_BYTES."""
    count = -(-size * 3 // 4 // IMAGE_BYTES)
    text = base64.b64encode(padded_png(size * 3 // 4 // count - 1000)).decode()
    return json.dumps({"data": [text] * count}).encode()


def escaped_images(size: int) -> bytes:
    """The same batch with every slash and every plus sign escaped, as some JSON encoders do."""
    count = -(-size * 3 // 4 // IMAGE_BYTES)
    raw = base64.b64encode(padded_png(size * 3 // 4 // count * 9 // 10, bytes(range(256))))
    text = raw.replace(b"/", b"\\/").replace(b"+", b"\\u002B")
    return b'{"data":["' + b'","'.join([text] * count) + b'"]}'


def one_image(size: int, capability: Capability) -> bytes:
    """A call of one image of `size` bytes."""
    text = base64.b64encode(padded_png(size)).decode()
    document = capability.request([text])
    return json.dumps(document).encode()


PLAIN: dict[str, Shape] = {
    **{name: repeated(name) for name in REPEATED},
    "different names": many_keys,
    "images": images,
    "images, escaped": escaped_images,
}
LICENCE, GENERAL = CAPABILITIES["licence"], CAPABILITIES["general"]
