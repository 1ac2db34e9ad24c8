"""Renders pages of PDF files to JPEG, in a process of its own: `python -m … PARENT_PID SOCKET_FD`.

A malformed file can end the renderer, so it ends this process and not the run. One request at a time: {"dpi", "first",
"most", "max_side", "max_pixels"} with the path of the file. The answers are {"pages"}, then for each page from `first`
(counted from 1) {"number"} with the JPEG or {"number", "problem"}, and {"end"}; or {"problem"} for the whole file.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import pypdfium2
import pypdfium2.raw

from inkgate.service.broker import frames
from inkgate.service.worker.process import die_with_parent, set_memory_limit

POINTS_PER_INCH = 72
JPEG_QUALITY = 90  # of 0 to 100; text keeps its edges
MEMORY_MIB = 2048  # for one file and the page in hand


def main(argv: list[str]) -> int:
    parent, descriptor = (int(each) for each in argv)
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent decides
    set_memory_limit(MEMORY_MIB, 1)
    with socket.socket(fileno=descriptor) as sock, contextlib.suppress(frames.PeerClosed):
        while True:
            wanted, path = frames.receive_frame(sock)
            try:
                with Path(os.fsdecode(path)).open("rb") as file:
                    _answer(sock, file, wanted)
            except OSError as error:
                frames.send_frame(sock, {"problem": f"cannot be read: {error.strerror}"})
    return 0


def _answer(sock: socket.socket, file: BinaryIO, wanted: dict[str, Any]) -> None:
    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        needs_password = error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY)
        frames.send_frame(
            sock, {"problem": "the PDF is protected by a password" if needs_password else "is no readable PDF"}
        )
    else:
        with contextlib.closing(document):
            _send_pages(sock, document, wanted)


def _send_pages(sock: socket.socket, document: Any, wanted: dict[str, Any]) -> None:
    count = len(document)
    if count > wanted["most"]:
        frames.send_frame(sock, {"problem": f"has {count} pages; the limit is {wanted['most']} (--max-pages)"})
        return
    frames.send_frame(sock, {"pages": count})
    for number in range(wanted["first"], count + 1):
        try:
            frames.send_frame(sock, {"number": number}, _render(document, number, wanted))
        except (RuntimeError, ValueError, MemoryError, cv2.error):  # PdfiumError is a RuntimeError
            frames.send_frame(sock, {"number": number, "problem": "the page cannot be rendered"})
    frames.send_frame(sock, {"end": True})


def _render(document: Any, number: int, wanted: dict[str, Any]) -> bytes:
    """Page `number` as JPEG, at the resolution asked for, or less where it would exceed the limits."""
    page = document[number - 1]
    with contextlib.closing(page):
        width, height = page.get_size()
        if not (0 < width < math.inf and 0 < height < math.inf):
            raise ValueError("a page without a size")
        scale = min(
            wanted["dpi"] / POINTS_PER_INCH,
            (wanted["max_side"] - 1) / max(width, height),  # pdfium rounds up
            math.sqrt(wanted["max_pixels"] / (width * height)) * 0.999,
        )
        with contextlib.closing(page.render(scale=scale)) as bitmap:
            written, data = cv2.imencode(".jpg", bitmap.to_numpy(), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not written:
        raise ValueError("the page cannot be encoded")
    return data.tobytes()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
