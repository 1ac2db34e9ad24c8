"""Lists that are shown a page at a time; one row more than a page is read, to know whether another one follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

LAST_PAGE = 1000  # beyond it nobody pages; a bound for the database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging:
    """Page `number` of a list of `size` rows a page; the first is 1."""

    number: int
    size: int

    @classmethod
    def of(cls, asked: int, size: int) -> Paging:
        """The page that a visitor asked for, or the nearest one that there may be."""
        return cls(min(max(asked, 1), LAST_PAGE), size)

    @property
    def limit(self) -> int:
        """Rows to read."""
        return self.size + 1

    @property
    def offset(self) -> int:
        """Rows to leave out before."""
        return (self.number - 1) * self.size

    def cut(self, rows: Sequence[T]) -> tuple[list[T], bool]:
        """The rows of the page out of those read, and whether another page follows."""
        return list(rows[: self.size]), len(rows) > self.size
