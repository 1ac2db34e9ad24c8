"""`inkgate ocr`: the command, its options and its progress."""

from __future__ import annotations

import asyncio
import enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from inkgate.service import settings as configuration
from inkgate.service.cli.ocr.inputs import collect
from inkgate.service.cli.ocr.output import Csv, Format, JsonLines, OutputFile, Text
from inkgate.service.cli.ocr.pages import PageSource, PdfLimits, can_render
from inkgate.service.cli.ocr.reading import Reading
from inkgate.service.cli.ocr.record import InputFile
from inkgate.service.cli.ocr.run import Run
from inkgate.service.cli.ocr.sinks import Display, FileSink, Sink, Stream
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT, Capability
from inkgate.service.errors import Misuse
from inkgate.service.telemetry import logs

CapabilityName = enum.StrEnum("CapabilityName", {name.upper(): name for name in CAPABILITIES})  # type: ignore[misc]
_DEFAULT = CapabilityName(DEFAULT)
_INTERRUPTED = 130  # exit status of a command that Ctrl-C ended, as shells have it


class Profile(enum.StrEnum):
    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"
    ACCURATE = "accurate"


class Out(enum.StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    TXT = "txt"
    PDF = "pdf"


def ocr(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="JPEG, PNG, BMP or PDF files; folders with -r.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Read the files of folders and their sub-folders.")
    ] = False,
    capability: Annotated[CapabilityName, typer.Option(help="What to read.")] = _DEFAULT,
    as_json: Annotated[
        bool, typer.Option("--json", help="As --out jsonl: an object per image, in the form of the service.")
    ] = False,
    out: Annotated[
        Out | None, typer.Option(help="Form of the results: jsonl, csv or txt; pdf for searchable PDF files.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File for the results [default: standard output]; for pdf a folder.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue --output; leave out what it already holds.")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, max=256, help="Worker processes; 0: one per core, on a GPU one.")] = 0,
    dpi: Annotated[
        int, typer.Option(min=50, max=600, help="Dots per inch: of PDF pages, and of images in --out pdf.")
    ] = 200,
    max_pages: Annotated[int, typer.Option(min=1, max=100_000, help="Pages that a PDF may have.")] = 1000,
    profile: Annotated[Profile | None, typer.Option(help="Speed against accuracy.")] = None,
    extras: Annotated[bool, typer.Option(help="Add confidences, places and warnings.")] = False,
) -> None:
    """Read images, folders and PDF files offline.

    Results come in the order of the command line, those of a folder by name. Exit status 1 when a page failed.
    """
    rule = CAPABILITIES[capability.value]
    form = _form(out, as_json, output, resume, rule)
    files = collect(paths, recursive=recursive, leave_out=None if output is None else output.resolve())
    _require_pdf(files, form)
    settings = configuration.load()
    logs.configure("error", "text")  # of this process; a worker that is started again is no news
    limits = PdfLimits(dpi, max_pages, rule.max_side, settings.engine.max_pixels)
    sink = _sink(form, output, resume, files, rule, limits)
    reading = Reading(rule, settings, profile or settings.engine.profile, extras, workers)
    run = Run(files, PageSource(rule, limits), reading, sink, Console(stderr=True, highlight=False, soft_wrap=True))
    try:
        asyncio.run(run.all())
    except (KeyboardInterrupt, asyncio.CancelledError):
        run.report("interrupted")
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        sink.close()
    if len(files) != 1 or output is not None:
        run.report("done")
    if run.failed or sink.failed_before:
        raise typer.Exit(1)


def _form(out: Out | None, as_json: bool, output: Path | None, resume: bool, rule: Capability) -> Out | None:
    """The form of the results, None for the display on a terminal. Raises Misuse for options that contradict."""
    if as_json and out not in (None, Out.JSONL):
        raise Misuse("command.ocr_formats_differ")
    form = Out.JSONL if as_json else out
    if resume and output is None:
        raise Misuse("command.ocr_resume_needs_output")
    if form is Out.PDF:
        if output is None:
            raise Misuse("command.ocr_pdf_needs_output")
        if not rule.text_key:
            raise Misuse("command.ocr_no_places", capability=rule.name)
    return form if form is not None or output is None else Out.TXT


def _require_pdf(files: list[InputFile], form: Out | None) -> None:
    """Raise Misuse where PDF is read or written without its library, before anything is read."""
    if not can_render() and (form is Out.PDF or any(each.path.suffix.lower() == ".pdf" for each in files)):
        raise Misuse("command.ocr_pdf_extra")


def _sink(
    form: Out | None, output: Path | None, resume: bool, files: list[InputFile], rule: Capability, limits: PdfLimits
) -> Sink:
    if form is None:
        return Display(rule, titles=len(files) > 1)
    if form is Out.PDF:
        assert output is not None
        from inkgate.service.cli.ocr.pdf_folder import PdfFolder  # the extra pdf

        return PdfFolder(output, files, rule, dpi=limits.dpi, max_pixels=limits.max_pixels, resume=resume)
    format: Format = JsonLines() if form is Out.JSONL else Csv(rule) if form is Out.CSV else Text(rule)
    return Stream(format) if output is None else FileSink(OutputFile(output, format, resume=resume))
