"""Where records go: a terminal, standard output, a file. `pdf_folder` writes searchable PDF files."""

from __future__ import annotations

import sys
from typing import Protocol

from rich.console import Console

from inkgate.service.cli.ocr.output import Format, OutputFile
from inkgate.service.cli.ocr.record import InputFile, Record
from inkgate.service.contract.capabilities import Capability


class Sink(Protocol):
    """Takes the records in the order of the pages. `failed_before`: failed ones that the output already holds."""

    @property
    def failed_before(self) -> int: ...

    def pages_held(self, file: InputFile) -> int | None:
        """How many pages of a file the output already holds; None for all of them."""

    def write(self, record: Record) -> Record:
        """Write a record. Returns it, or in its place the record of a page that cannot be written."""

    def close(self) -> None: ...


class _NewOutput:
    """Output that holds nothing before the run."""

    failed_before = 0

    def pages_held(self, file: InputFile) -> int | None:
        return 0

    def close(self) -> None:
        """Nothing to close."""


class Display(_NewOutput):
    """Text on standard output, with `titles` the name of each file or page above it."""

    def __init__(self, rule: Capability, *, titles: bool) -> None:
        self._rule, self._titles = rule, titles
        self._console = Console(highlight=False, soft_wrap=True)

    def write(self, record: Record) -> Record:
        page = record.page
        if self._titles or page.number is not None:
            place = "" if page.number is None else f" {page.number}/{page.count}"
            self._console.rule(page.file.name.replace("[", r"\[") + place, align="left", style="dim")
        for line in [record.error] if record.failed else self._rule.view(record.element).lines():
            self._console.print(line, markup=False)
        return record


class Stream(_NewOutput):
    """Records on standard output."""

    def __init__(self, format: Format) -> None:
        self._format = format
        self._put(format.header)

    def write(self, record: Record) -> Record:
        self._put(self._format.encode(record))
        return record

    def _put(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


class FileSink:
    """Records at the end of a file."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file
        self.pages_held = file.pages_held

    @property
    def failed_before(self) -> int:
        return self._file.progress.failed

    def write(self, record: Record) -> Record:
        self._file.write(record)
        return record

    def close(self) -> None:
        self._file.close()
