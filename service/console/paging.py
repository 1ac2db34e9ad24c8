"""Paging of lists. One row more than a page is read, to know whether another page follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

LAST_PAGE = 1000  # limits the offset that the database has to skip

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `more`: another one follows; `name` is the query parameter that has its number."""

    rows: list[T] = field(default_factory=list)
    number: int = 1
    more: bool = False
    name: str = "page"

    def of(self, rows: Sequence[S]) -> Page[S]:
        """The same page with other rows, such as view models of its rows."""
        return Page(list(rows), self.number, self.more, self.name)


@dataclass(frozen=True, slots=True)
class Paging:
    """Page `number` (from 1) of a list with `size` rows per page."""

    number: int
    size: int
    name: str = "page"

    @classmethod
    def of(cls, asked: int, size: int, name: str = "page") -> Paging:
        """The requested page, limited to 1..LAST_PAGE."""
        return cls(min(max(asked, 1), LAST_PAGE), size, name)

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

    def page(self, rows: Sequence[T]) -> Page[T]:
        """The page, from the rows that were read with `limit` and `offset`."""
        shown, more = self.cut(rows)
        return Page(shown, self.number, more, self.name)

    def page_of_all(self, rows: Sequence[T]) -> Page[T]:
        """The page of a list that is in memory as a whole."""
        return self.page(rows[self.offset : self.offset + self.limit])
