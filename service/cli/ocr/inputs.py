"""Which files a command line names: files as they stand, folders with what lies in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from inkgate.service.cli.ocr.record import InputFile, printable
from inkgate.service.errors import Misuse

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".pdf"})
"""Suffixes (in lower case) of the files that are read from a folder. A file of the command line is read whatever its
suffix."""

MAX_FILES = 1_000_000
"""Of one run; their names are kept in memory."""


def collect(paths: Sequence[Path], *, recursive: bool, leave_out: Path | None = None) -> list[InputFile]:
    """The files in the order of the command line, those of a folder by name, files before its sub-folders.

    Hidden files and folders are left out, as are links to folders (so no loop is walked), and the folder `leave_out`,
    where results are written. A file that is named twice is read once. Raises Misuse for a path that does not exist,
    for a folder without `recursive`, and for more than MAX_FILES.
    """
    missing = [printable(path) for path in paths if not path.exists()]
    if missing:
        raise Misuse("command.file_not_found", paths=tuple(missing))
    folders = [printable(path) for path in paths if path.is_dir()]
    if folders and not recursive:
        raise Misuse("command.ocr_folder", paths=tuple(folders))
    found: dict[Path, InputFile] = {}
    for path in paths:
        for each in _walk(path, leave_out) if path.is_dir() else [InputFile(path, Path(path.name))]:
            found.setdefault(each.path, each)
            if len(found) > MAX_FILES:
                raise Misuse("command.ocr_too_many_files", most=MAX_FILES)
    return list(found.values())


def _walk(root: Path, leave_out: Path | None) -> Iterator[InputFile]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                entries = sorted((each for each in listed if not each.name.startswith(".")), key=lambda each: each.name)
        except OSError as error:
            yield InputFile(folder, folder.relative_to(root), f"cannot be listed: {error.strerror}")
            continue
        folders = []
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if leave_out is None or path.resolve() != leave_out:
                    folders.append(path)
            elif path.suffix.lower() in SUFFIXES and _is_file_or_broken(entry):
                yield InputFile(path, path.relative_to(root))
        waiting += reversed(folders)


def _is_file_or_broken(entry: os.DirEntry[str]) -> bool:
    """Whether to read an entry: a regular file or a link to one, or a broken link, which is reported. No devices, no
    pipes, which would block."""
    return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
