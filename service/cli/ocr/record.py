"""What passes between the parts of `inkgate ocr`: files, pages to read, and records of what was read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to read. `inside` is its path below the folder of the command line, or its name. `problem` is why it
    cannot be read at all, "" otherwise."""

    path: Path
    inside: Path
    problem: str = ""

    @property
    def name(self) -> str:
        """The path as text: bytes that are no UTF-8 and control characters are escaped."""
        return printable(self.path)


@dataclass(frozen=True, slots=True)
class Page:
    """An image to read: a whole file, or page `number` of the `count` pages of a PDF. Without an image, `problem` is
    why there is none."""

    file: InputFile
    image: bytes
    number: int | None = None
    count: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A page and its element of the answer; that of a failed one has `err_code` and `err_msg`.

    `err_code` is that of the service, None for what it never sees, such as a file without read permission.
    """

    page: Page
    element: dict[str, Any]

    @property
    def failed(self) -> bool:
        return "err_code" in self.element

    @property
    def error(self) -> str:
        """Code and message of a failed page, "" for one that was read."""
        if not self.failed:
            return ""
        return " ".join(str(each) for each in (self.element["err_code"], self.element["err_msg"]) if each is not None)


def unreadable(problem: str) -> dict[str, Any]:
    """The element of a page that the service never sees."""
    return {"err_code": None, "err_msg": problem}


def printable(path: Path) -> str:
    """A path as one line of valid UTF-8."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
