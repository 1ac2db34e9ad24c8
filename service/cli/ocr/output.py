"""Writers of records: one record is one write at the end of the file, so that a killed run leaves whole records and at
most one broken one at the end, which the next run cuts off."""

from __future__ import annotations

import csv
import fcntl
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import orjson

from inkgate.service.cli.ocr.record import InputFile, Record, printable
from inkgate.service.contract.capabilities import Capability
from inkgate.service.csv_export import CsvWriter, csv_cell
from inkgate.service.errors import Misuse

FIELD_LIMIT_BYTES = 16 * 1024 * 1024  # of one cell; a dense page has some hundred KiB


class NotARecord(ValueError):
    """A part of an existing file that this command did not write."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record of an existing file: the name of its file, and of a PDF the page and the number of pages."""

    name: str
    number: int | None
    count: int | None
    failed: bool


@dataclass(slots=True)
class Progress:
    """What an existing output holds: the files that are complete, the last page of the others, and failed records."""

    complete: set[str] = field(default_factory=set)
    last_pages: dict[str, int] = field(default_factory=dict)
    failed: int = 0

    def add(self, held: Held) -> None:
        self.failed += held.failed
        if held.number is None or held.number == held.count:
            self.complete.add(held.name)
            self.last_pages.pop(held.name, None)
        else:
            self.last_pages[held.name] = held.number


class Format(Protocol):
    """The records of a format as bytes. A file begins with `header`, each record with `start`."""

    header: bytes
    start: bytes

    def encode(self, record: Record) -> bytes: ...

    def decode(self, file: BinaryIO) -> Iterator[tuple[Held, int]]:
        """The whole records of `file`, from after the header, each with its length in bytes. Raises NotARecord."""

    def key(self, file: InputFile) -> str:
        """The name of a file as `Held` has it."""


class JsonLines:
    """One JSON object a line: `file`, of a PDF `page` and `pages`, and the element as the service answers it."""

    header, start = b"", b'{"file":'

    def encode(self, record: Record) -> bytes:
        page = record.page
        place = {} if page.number is None else {"page": page.number, "pages": page.count}
        return orjson.dumps({"file": page.file.name, **place, **record.element}, option=orjson.OPT_APPEND_NEWLINE)

    def decode(self, file: BinaryIO) -> Iterator[tuple[Held, int]]:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                found = orjson.loads(line)
                yield Held(found["file"], found.get("page"), found.get("pages"), "err_code" in found), len(line)
            except (ValueError, TypeError, KeyError):
                raise NotARecord from None

    def key(self, file: InputFile) -> str:
        return file.name


class Csv:
    """One row a page: file, page, pages, error, then the fields of a document, or the text."""

    start = b""

    def __init__(self, rule: Capability) -> None:
        self._rule = rule
        self._fields = [each.name for each in rule.fields]
        self._columns = ["file", "page", "pages", "error", *(self._fields or ["text"])]
        self.header = _csv_row(self._columns)

    def encode(self, record: Record) -> bytes:
        page = record.page
        values: list[object] = []
        if not record.failed:
            view = self._rule.view(record.element)
            texts = dict(view.fields)
            values = [texts.get(name) for name in self._fields] if self._fields else ["\n".join(view.lines())]
        return _csv_row([page.file.name, page.number, page.count, record.error or None, *values])

    def decode(self, file: BinaryIO) -> Iterator[tuple[Held, int]]:
        csv.field_size_limit(FIELD_LIMIT_BYTES)
        for raw in _csv_rows(file):
            try:
                name, number, count, error, *_ = next(csv.reader([raw.decode()], strict=True))
                yield Held(name, int(number) if number else None, int(count) if count else None, bool(error)), len(raw)
            except (ValueError, csv.Error, StopIteration):
                raise NotARecord from None

    def key(self, file: InputFile) -> str:
        return str(csv_cell(file.name))


class Text:
    """A line `=== FILE`, of a PDF with `page N/M` after a tab, then the lines of text, and a form feed at the end."""

    header, start = b"", b"=== "
    END = b"\f\n"

    def __init__(self, rule: Capability) -> None:
        self._rule = rule

    def encode(self, record: Record) -> bytes:
        page = record.page
        parts = [f"=== {page.file.name}"]
        if page.number is not None:
            parts.append(f"page {page.number}/{page.count}")
        if record.failed:
            parts.append(f"error: {record.error}")
        lines = [] if record.failed else list(self._rule.view(record.element).lines())
        return "".join(f"{each}\n" for each in ("\t".join(parts), *lines)).replace("\f", " ").encode() + self.END

    def decode(self, file: BinaryIO) -> Iterator[tuple[Held, int]]:
        head, size = b"", 0
        for line in file:
            if line == self.END:
                yield self._held(head), size + len(line)
                head, size = b"", 0
                continue
            head, size = head or line, size + len(line)

    def _held(self, head: bytes) -> Held:
        try:
            name, *rest = head.decode().removesuffix("\n").split("\t")
            places = [each.removeprefix("page ").split("/") for each in rest if each.startswith("page ")]
            number, count = (int(places[0][0]), int(places[0][1])) if places else (None, None)
        except (ValueError, IndexError):
            raise NotARecord from None
        if not name.startswith("=== "):
            raise NotARecord
        return Held(name[4:], number, count, any(each.startswith("error: ") for each in rest))

    def key(self, file: InputFile) -> str:
        return file.name


class OutputFile:
    """A file of records that one run at a time appends to."""

    def __init__(self, path: Path, format: Format, *, resume: bool) -> None:
        """Open `path`; `progress` is what it holds. Raises Misuse when it exists (without `resume`), is in use by
        another run or holds something else, and for an error of the system."""
        self._path, self._format, self.progress = path, format, Progress()
        flags = os.O_RDWR | os.O_CREAT | (0 if resume else os.O_EXCL)
        try:
            self._descriptor = os.open(path, flags, 0o666)
        except FileExistsError:
            raise Misuse("command.ocr_output_exists", path=printable(path)) from None
        except OSError as error:
            raise Misuse("command.ocr_output_failed", path=printable(path), reason=error.strerror or "") from None
        try:
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):  # a pipe or a device
                raise Misuse("command.ocr_output_other", path=printable(path))
            self._take_up(path)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take_up(self, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Misuse("command.ocr_output_in_use", path=printable(path)) from None
        end = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            head = file.read(len(self._format.header))
            if head == self._format.header:
                end = len(head)
                try:
                    for held, size in self._format.decode(file):
                        self.progress.add(held)
                        end += size
                except NotARecord:
                    raise Misuse("command.ocr_output_other", path=printable(path)) from None
                file.seek(end)
                self._check_tail(path, file.read(len(self._format.start)))
            elif not self._format.header.startswith(head):
                raise Misuse("command.ocr_output_other", path=printable(path))
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)
        if not end:
            self._append(self._format.header)

    def _check_tail(self, path: Path, tail: bytes) -> None:
        """Refuse to cut off what is not the beginning of a record."""
        start = self._format.start
        if not (tail.startswith(start) or start.startswith(tail)):
            raise Misuse("command.ocr_output_other", path=printable(path))

    def pages_held(self, file: InputFile) -> int | None:
        """How many pages of a file are in the output; None for all of them."""
        key = self._format.key(file)
        return None if key in self.progress.complete else self.progress.last_pages.get(key, 0)

    def write(self, record: Record) -> None:
        """Append a record. Raises Misuse for an error of the system, such as a full disk."""
        self._append(self._format.encode(record))

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise Misuse("command.ocr_output_failed", path=printable(self._path), reason=error.strerror or "") from None

    def close(self) -> None:
        os.fsync(self._descriptor)
        os.close(self._descriptor)


def _csv_row(cells: list[object] | list[str]) -> bytes:
    out = io.StringIO(newline="")
    CsvWriter(out).row(cells)
    return out.getvalue().encode()


def _csv_rows(file: BinaryIO) -> Iterator[bytes]:
    """The whole rows of a CSV file; a cell in quotes may hold line ends."""
    row = b""
    for line in file:
        row += line
        if len(row) > FIELD_LIMIT_BYTES:
            raise NotARecord
        if row.endswith(b"\r\n") and row.count(b'"') % 2 == 0:
            yield row
            row = b""
