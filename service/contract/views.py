"""Results for display, common to console and command line: texts with positions, or the fields of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mark:
    """A text with its position. `box` is a flat tuple of x and y of four corners, clockwise from the top left, in
    pixels of the image. `kind` and `confidence` (0..1) are None where they do not apply."""

    box: tuple[float, ...]
    text: str
    kind: str | None = None
    confidence: float | None = None

    def line(self, confidence: str = ".2f") -> str:
        """Text, kind and confidence, separated by two spaces; `confidence` is its format specification."""
        parts = [self.text]
        if self.kind is not None:
            parts.append(self.kind)
        if self.confidence is not None:
            parts.append(format(self.confidence, confidence))
        return "  ".join(parts)


@dataclass(frozen=True, slots=True)
class View:
    """An element for display: `marks` of texts, or `fields` of a document (key and value, in the order of the answer).

    `summary` is one line. With `show_crops` the console shows the crop of each mark beside its text.
    """

    marks: tuple[Mark, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    show_crops: bool = False

    def lines(self) -> Iterator[str]:
        """The view as text lines: summary, marks, non-empty fields."""
        if self.summary:
            yield self.summary
        for mark in self.marks:
            yield mark.line()
        yield from (f"{key}: {value}" for key, value in self.fields if value)


def detail_fields(element: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Keys and values of an element's `detail` object; empty if it is not an object."""
    detail = element.get("detail")
    return tuple((key, str(value)) for key, value in detail.items()) if isinstance(detail, Mapping) else ()


def detail_list(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects of an element's `detail` list; empty if it is not a list."""
    detail = element.get("detail")
    return list(detail) if isinstance(detail, list) else []
