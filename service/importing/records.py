"""The records of an import file, and the problems of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from inkgate.service.errors import Misuse
from inkgate.service.messages import ENGLISH, render

FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "account": (("account",), ("parent",)),
        "key": (("account", "id", "secret"), ()),
        "app": (("account", "app", "id", "secret"), ("description", "allowed", "seals", "sm2_private_key")),
        "capability": (("app", "capability"), ("account", "qps", "allowed")),
        "pack": (("capability", "units", "ends"), ("account", "app")),
    }
)
"""Kind of record → (required fields, optional fields)."""

COLUMNS = (
    "record",
    "account",
    "parent",
    "app",
    "id",
    "secret",
    "capability",
    "qps",
    "allowed",
    "units",
    "ends",
    "seals",
    "sm2_private_key",
    "description",
)
"""All fields, in the order of the template."""

APP_RECORDS = ("app", "capability", "pack")
"""The kinds that `inkgate app import` takes: their accounts exist already."""


@dataclass(frozen=True, slots=True)
class AccountRecord:
    row: int
    name: str
    parent: str  # name of the main account; "" for a main account


@dataclass(frozen=True, slots=True)
class KeyRecord:
    row: int
    account: str
    ak: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppRecord:
    """`private` is the SM2 private key (32 bytes) that came along, b"" when there is none."""

    row: int
    account: str
    name: str
    appkey: str
    secret: str = field(repr=False)
    description: str = ""
    allowed: tuple[str, ...] = ()
    seals: bool = False
    private: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CapabilityRecord:
    """`app` is a name or an AppKey; `account`, "" for any, is that of the app."""

    row: int
    account: str
    app: str
    capability: str
    qps: float | None
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackRecord:
    """`units` that remain, until `ends`; for `app` (name or AppKey, with `account` "" of any account), or with "" for
    every app of `account`."""

    row: int
    account: str
    app: str
    capability: str
    units: int
    ends: datetime


Record = AccountRecord | KeyRecord | AppRecord | CapabilityRecord | PackRecord


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be imported. Its text never holds a value of `id`, `secret` or `sm2_private_key`.

    `row` counts as a spreadsheet does: the header of a CSV file is row 1; the first record of a JSON file is row 1.
    `field` is "" when the problem concerns the whole row.
    """

    row: int
    field: str
    reason: Misuse

    def text(self, language: str = ENGLISH) -> str:
        """One line: row, field and reason."""
        reason = render(self.reason.code, self.reason.params, language)
        if language == ENGLISH:
            return f"row {self.row}, {self.field}: {reason}" if self.field else f"row {self.row}: {reason}"
        return f"第 {self.row} 行，{self.field}：{reason}" if self.field else f"第 {self.row} 行：{reason}"


@dataclass(frozen=True, slots=True)
class SealingApp:
    """An app whose clients seal bodies. With `own_key` the key pair came along; otherwise its clients need the new
    public key: `enckey`, "" in a dry run."""

    name: str
    account: str
    own_key: bool
    enckey: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an import. `counts`: kind of record → number in the file. Nothing is written unless `applied`."""

    applied: bool
    counts: Mapping[str, int]
    problems: tuple[Problem, ...] = ()
    more_problems: int = 0  # beyond those listed
    sealing: tuple[SealingApp, ...] = ()
