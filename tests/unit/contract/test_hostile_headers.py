"""Parsing an image header takes little time, whatever the file contains."""

from __future__ import annotations

import time

import pytest

from inkgate.service.contract.images import ImageFault, image_dimensions


@pytest.mark.parametrize(
    "filler",
    [
        b"\xff",
        b"\xff\xd0",
        b"\xff\xe0\x00\x02",
        b"\xff\xe0\x00\x00",
        b"\xff\x00",
        b"\xff\x00" + b"a" * 9,
        b"a",
        b"\xff\xd0" + b"a" * 9,
        b"\xff\xfe\x00\x02" + b"a" * 40,
        b"\xff\x01" + b"a" * 40,
        b"\xff\xff\xff\x00" + b"a" * 30,
    ],
)
def test_jpeg_of_nothing_but_filler(filler: bytes):
    """Regression: 10 MB of filler blocked the interpreter, and so the whole gateway, for up to 1.9 seconds."""
    jpeg = b"\xff\xd8\xff" + filler * (10 * 1024 * 1024 // len(filler))
    began = time.process_time()
    with pytest.raises(ImageFault, match="decode"):
        image_dimensions(jpeg)
    assert time.process_time() - began < 0.25
