"""A result as people see it: texts with their places, or a document's fields. One form for console and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mark:
    """A text found at a place. `box` holds the x and y of its corners in pixels of the image, flat, four corners from
    top-left clockwise. `kind` and `confidence` (0..1) are None where there is no such thing.
    """

    box: tuple[float, ...]
    text: str
    kind: str | None = None
    confidence: float | None = None

    def line(self, confidence: str = ".2f") -> str:
        """Text, kind and confidence, two blanks between them; `confidence` is the format of the last one."""
        parts = [self.text]
        if self.kind is not None:
            parts.append(self.kind)
        if self.confidence is not None:
            parts.append(format(self.confidence, confidence))
        return "  ".join(parts)


@dataclass(frozen=True, slots=True)
class View:
    """An element for people: `marks` of texts, or `fields` (key and value, in the order of the answer) of a document.

    `summary` is one line about the whole. With `cut_out` a page shows each mark's part of the image beside its text.
    """

    marks: tuple[Mark, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    cut_out: bool = False

    def lines(self) -> Iterator[str]:
        """The view as text: summary, marks, fields that are not empty."""
        if self.summary:
            yield self.summary
        for mark in self.marks:
            yield mark.line()
        yield from (f"{key}: {value}" for key, value in self.fields if value)


def detail_fields(element: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Keys and values of an element's `detail` object; none where it is not an object."""
    detail = element.get("detail")
    return tuple((key, str(value)) for key, value in detail.items()) if isinstance(detail, Mapping) else ()


def detail_list(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects of an element's `detail` list; none where it is not a list."""
    detail = element.get("detail")
    return list(detail) if isinstance(detail, list) else []
