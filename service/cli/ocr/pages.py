"""Turns files into pages: an image is one page as it stands, a PDF is rendered page by page."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inkgate.service.broker import frames
from inkgate.service.broker.messages import MessageError
from inkgate.service.cli.ocr.record import InputFile, Page
from inkgate.service.contract.capabilities import Capability
from inkgate.service.worker.process import spawn

PDF_MAGIC = b"%PDF-"
PDF_MAGIC_BYTES = 1024  # within which it lies: readers accept bytes before it
MAX_PDF_BYTES = 1024 * 1024 * 1024
SECONDS_PER_PAGE = 60.0  # for the renderer


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """How PDF pages are rendered: dots per inch, and at most so many pages of a file, pixels of a side, pixels."""

    dpi: int
    max_pages: int
    max_side: int
    max_pixels: int


def can_render() -> bool:
    """Whether the library of the extra `pdf` is installed."""
    return importlib.util.find_spec("pypdfium2") is not None


def is_pdf(path: Path) -> bool:
    """Whether a file is a PDF by its first bytes. Raises OSError."""
    with path.open("rb") as file:
        return PDF_MAGIC in file.read(PDF_MAGIC_BYTES)


class PageSource:
    """Opens files for a capability. `close` ends the renderer."""

    def __init__(self, rule: Capability, limits: PdfLimits) -> None:
        self._rule, self._limits = rule, limits
        self._renderer: _Renderer | None = None

    async def pages(self, file: InputFile, first: int = 1) -> AsyncGenerator[Page]:
        """The pages of a file, of a PDF from page `first` on; one page with a problem if it cannot be read."""
        if file.problem:
            yield Page(file, b"", problem=file.problem)
            return
        try:
            if not await asyncio.to_thread(is_pdf, file.path):
                yield Page(file, await asyncio.to_thread(self._image, file.path))
                return
            size = file.path.stat().st_size
        except OSError as error:
            yield Page(file, b"", problem=f"cannot be read: {error.strerror}")
            return
        if size > MAX_PDF_BYTES:
            yield Page(file, b"", problem=f"has {size:,} bytes; the limit for a PDF is {MAX_PDF_BYTES:,}")
        elif not can_render():
            yield Page(file, b"", problem="is a PDF, which needs the extra pdf: pip install 'inkgate[pdf]'")
        else:
            async for page in self._rendered(file, first):
                yield page

    def _image(self, path: Path) -> bytes:
        """The bytes of an image; of one that is too large as many as show that it is."""
        with path.open("rb") as file:
            return file.read(self._rule.max_image_bytes + 1)

    async def _rendered(self, file: InputFile, first: int) -> AsyncGenerator[Page]:
        number, count = first - 1, None
        if self._renderer is None:
            self._renderer = await _Renderer.start()
        try:
            await self._renderer.ask(file.path, first, self._limits)
            while True:
                header, image = await self._renderer.answer()
                if "end" in header:
                    return
                if "pages" in header:
                    count = int(header["pages"])
                    if not count:
                        yield Page(file, b"", problem="the PDF has no pages")
                    continue
                number = int(header.get("number", 0)) or number
                problem = str(header.get("problem", ""))
                if "number" not in header:
                    yield Page(file, b"", problem=problem)
                    return
                yield Page(file, image, number, count, problem)
        except (frames.PeerClosed, MessageError, OSError, TimeoutError):
            await self.close()
            yield Page(file, b"", number + 1 if count else None, count, "the PDF ended the renderer or took too long")

    async def close(self) -> None:
        """End the renderer; a further PDF starts a new one."""
        if self._renderer is not None:
            await self._renderer.close()
            self._renderer = None


class _Renderer:
    """The process of `render_pdf`."""

    def __init__(self, process: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process, self._reader, self._writer = process, reader, writer

    @classmethod
    async def start(cls) -> _Renderer:
        ours, theirs = socket.socketpair()
        with theirs:
            process = spawn("inkgate.service.cli.ocr.render_pdf", [theirs])
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        return cls(process, reader, writer)

    async def ask(self, path: Path, first: int, limits: PdfLimits) -> None:
        wanted = {
            "dpi": limits.dpi,
            "first": first,
            "most": limits.max_pages,
            "max_side": limits.max_side,
            "max_pixels": limits.max_pixels,
        }
        self._writer.writelines(frames.encode_frame(wanted, os.fsencode(path)))
        await self._writer.drain()

    async def answer(self) -> tuple[Mapping[str, Any], bytes]:
        """Raises PeerClosed when the process has ended, TimeoutError when it takes too long."""
        async with asyncio.timeout(SECONDS_PER_PAGE):
            return await frames.read_frame(self._reader)

    async def close(self) -> None:
        self._process.kill()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        await asyncio.to_thread(self._process.wait)
