"""Writes a searchable PDF for every file, below one folder and by the paths of the files."""

from __future__ import annotations

from pathlib import Path

from inkgate.engines.errors import DecodeError
from inkgate.service.cli.ocr.record import InputFile, Record, printable, unreadable
from inkgate.service.cli.ocr.searchable_pdf import SearchablePdf
from inkgate.service.contract.capabilities import Capability
from inkgate.service.errors import Misuse

SUFFIX = ".pdf"


class PdfFolder:
    """Takes the records of all pages in order; the PDF of a file is written when its last page has come.

    A page that cannot be read is shown without text. A file of which no page can be shown gets no PDF.
    """

    def __init__(
        self, folder: Path, files: list[InputFile], rule: Capability, *, dpi: int, max_pixels: int, resume: bool
    ) -> None:
        """Raises Misuse when two files would get one name, and when a PDF exists without `resume`."""
        self._resume, self.failed_before = resume, 0
        self._folder, self._rule, self._dpi, self._max_pixels = folder, rule, dpi, max_pixels
        targets: dict[Path, InputFile] = {}
        for each in files:
            target = self.target(each)
            other = targets.setdefault(target, each)
            if other is not each:
                raise Misuse("command.ocr_same_name", first=other.name, second=each.name, target=printable(target))
            if target.exists() and not resume:
                raise Misuse("command.ocr_output_exists", path=printable(target))
        self._document: SearchablePdf | None = None
        self._of: InputFile | None = None
        self._pages = 0

    def target(self, file: InputFile) -> Path:
        """Where the PDF of a file goes: `a/b.jpg` becomes `a/b.jpg.pdf`, a PDF keeps its name."""
        inside = file.inside
        named = inside if inside.suffix.lower() == SUFFIX else inside.with_name(inside.name + SUFFIX)
        return self._folder / named

    def pages_held(self, file: InputFile) -> int | None:
        """See `Sink`: a PDF is written as a whole."""
        return None if self._resume and self.target(file).exists() else 0

    def write(self, record: Record) -> Record:
        """Add a page, and write the file after its last one. Returns the record, failed if it cannot be shown."""
        page = record.page
        if page.file is not self._of:
            self.close()
            self._document, self._of = SearchablePdf(self._dpi, self._max_pixels), page.file
        if page.image and self._document is not None:
            try:
                self._document.add(page.image, () if record.failed else self._rule.view(record.element).marks)
                self._pages += 1
            except DecodeError as error:
                record = record if record.failed else Record(page, unreadable(f"cannot be shown: {error}"))
        if page.number == page.count:
            record = self._finish(record)
        return record

    def _finish(self, record: Record) -> Record:
        document, pages = self._document, self._pages
        try:
            if document is not None and pages:
                target = self.target(record.page.file)
                target.parent.mkdir(parents=True, exist_ok=True)
                document.save(target)
        except OSError as error:
            problem = f"the PDF cannot be written: {error.strerror}"
            return record if record.failed else Record(record.page, unreadable(problem))
        finally:
            self.close()
        return record

    def close(self) -> None:
        """Drop the file in hand."""
        if self._document is not None:
            self._document.close()
        self._document, self._of, self._pages = None, None, 0
