"""Paging of lists. One row more than a page is read, to know whether another page follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

LAST_PAGE = 1000  # limits the offset that the database has to skip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging:
    """Page `number` (from 1) of a list with `size` rows per page."""

    number: int
    size: int

    @classmethod
    def of(cls, asked: int, size: int) -> Paging:
        """The requested page, limited to 1..LAST_PAGE."""
        return cls(min(max(asked, 1), LAST_PAGE), size)

    @property
    def limit(self) -> int:
        """Rows to read."""
        return self.size + 1

    @property
    def offset(self) -> int:
        """Rows to skip."""
        return (self.number - 1) * self.size

    def cut(self, rows: Sequence[T]) -> tuple[list[T], bool]:
        """The rows of the page, and whether another page follows."""
        return list(rows[: self.size]), len(rows) > self.size
