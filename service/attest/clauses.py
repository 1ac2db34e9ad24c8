"""The table of clauses (clauses.toml): what standards and law ask for, and what answers them. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

STATES: Mapping[str, tuple[str, str]] = {
    "product": ("产品", "product"),
    "shared": ("产品与客户", "product and customer"),
    "customer": ("客户", "customer"),
}
EVIDENCE: Mapping[str, tuple[str, str]] = {
    "command": ("命令", "command"),
    "setting": ("设置", "setting"),
    "test": ("测试", "test"),
    "pack": ("包内文件", "file of the pack"),
    "page": ("文档", "page"),
}
"""Kinds of evidence → Chinese and English name."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. `evidence` are pairs of a kind (see EVIDENCE) and what it names."""

    number: str
    topic: Text
    state: str
    does: Text
    customer: Text
    evidence: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard or law with its clauses; `compared` says which numbers and titles were compared with which texts."""

    title: Text
    compared: Text
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table, and the known limits of an evidence pack."""

    standards: tuple[Standard, ...]
    limits: tuple[Text, ...]


def load() -> Table:
    """The table that ships with the product."""
    text = resources.files("inkgate.service.attest").joinpath("clauses.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    standards = tuple(
        Standard(
            Text(about["title"], about["title_en"]),
            Text(about["compared"], about["compared_en"]),
            tuple(_clause(each) for each in document["clause"] if each["standard"] == name),
        )
        for name, about in document["standards"].items()
    )
    return Table(standards, tuple(Text(each["text"], each["text_en"]) for each in document["limit"]))


def _clause(row: Mapping[str, object]) -> Clause:
    def text(name: str) -> Text:
        return Text(str(row[name]), str(row[f"{name}_en"]))

    named = row["evidence"]
    assert isinstance(named, list)
    pairs = tuple((str(each).partition(" ")[0], str(each).partition(" ")[2]) for each in named)
    return Clause(str(row["number"]), text("topic"), str(row["state"]), text("does"), text("customer"), pairs)
