"""One run over all files: what is left out, progress, failures, and the count at the end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inkgate.service.cli.ocr.pages import PageSource, is_pdf
from inkgate.service.cli.ocr.reading import Reading
from inkgate.service.cli.ocr.record import InputFile, Page, Record
from inkgate.service.cli.ocr.sinks import Sink

FAILURES_SHOWN = 20  # lines on the terminal; the output has all of them


class Run:
    """Reads `files` once. `read` and `failed` count pages, `skipped` files that the output already holds."""

    def __init__(
        self, files: list[InputFile], source: PageSource, reading: Reading, sink: Sink, screen: Console
    ) -> None:
        self._files, self._source, self._reading, self._sink, self._screen = files, source, reading, sink, screen
        self.read = self.failed = self.skipped = 0

    async def all(self) -> None:
        """Read everything. Raises CancelledError at SIGINT and SIGTERM."""
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._screen, transient=True) as progress:
            bar = progress.add_task("loading models", total=len(self._files))

            def ready() -> None:
                progress.update(bar, description="reading")

            try:
                async with aclosing(self._records(ready)) as records:
                    async for record in records:
                        self._take(record)
                        last = record.page.number == record.page.count
                        progress.update(bar, advance=last, total=len(self._files) - self.skipped)
            finally:
                await self._source.close()

    def report(self, word: str) -> None:
        """Print the counts."""
        parts = [f"{self.read} read", f"{self.failed} failed"]
        if self.skipped:
            parts.append(f"{self.skipped} files already in the output")
        if self._sink.failed_before:
            parts.append(f"{self._sink.failed_before} failed before")
        self._screen.print(f"{word}: {', '.join(parts)}", markup=False)

    def _take(self, record: Record) -> None:
        written = self._sink.write(record)
        if not written.failed:
            self.read += 1
            return
        self.failed += 1
        if self.failed > FAILURES_SHOWN:
            return
        page = written.page
        place = "" if page.number is None else f" page {page.number}"
        self._screen.print(f"{page.file.name}{place}: {written.error}", markup=False)
        if self.failed == FAILURES_SHOWN:
            self._screen.print("… further failures are in the output only")

    async def _records(self, on_ready: Callable[[], None]) -> AsyncGenerator[Record]:
        files = [each for each in self._files if self._sink.pages_held(each) is not None]
        self.skipped = len(self._files) - len(files)
        if not files:
            return
        if len(files) == 1 and not _is_pdf(files[0]):  # worker processes take longer to start than one image to read
            async for page in self._pages(files):
                yield self._reading.here(page)
            return
        async with aclosing(self._reading.in_workers(self._pages(files), on_ready)) as records:
            async for record in records:
                yield record

    async def _pages(self, files: list[InputFile]) -> AsyncGenerator[Page]:
        for file in files:
            async with aclosing(self._source.pages(file, (self._sink.pages_held(file) or 0) + 1)) as pages:
                async for page in pages:
                    yield page


def _is_pdf(file: InputFile) -> bool:
    try:
        return not file.problem and is_pdf(file.path)
    except OSError:
        return False
