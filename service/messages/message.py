"""Types of the message catalogue."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

Param = str | int | float | tuple[str, ...]
"""A value that a message names; JSON can hold it."""


class Kind(StrEnum):
    """The kind of problem that a message reports; the admin API derives its HTTP status from it."""

    NOT_FOUND = "not_found"  # the named object does not exist
    CONFLICT = "conflict"  # the state of the object does not allow it
    INVALID = "invalid"  # a value is not acceptable, in any state
    FORBIDDEN = "forbidden"  # the caller lacks the permission
    LIMIT = "limit"  # more than the service allows


@dataclass(frozen=True, slots=True)
class Message:
    """A problem in two languages: `str.format` templates with named parameters.

    `english_only` names the parameters that the Chinese text leaves out; all others stand in both.
    """

    kind: Kind
    english: str
    chinese: str
    english_only: tuple[str, ...] = ()

    @property
    def params(self) -> frozenset[str]:
        """The names of the parameters that the raiser passes."""
        return frozenset(fields(self.english))


def fields(template: str) -> Iterator[str]:
    """The parameter names in a template, including repeated ones."""
    return (name for _, name, _, _ in string.Formatter().parse(template) if name is not None)
