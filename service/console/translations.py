"""Texts in two languages. The Chinese texts are the keys; `locale/en.po` has the English translations (gettext)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = {"zh": "zh-CN", "en": "en"}
"""Language → `lang` attribute of the page. The first one is the default."""


class Translator:
    """Translates texts into one language: `translate("共 {n} 条", n=3)`."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "zh"
        self._texts: Mapping[str, str] = translations() if self.language == "en" else {}

    def __call__(self, text: str, **values: object) -> str:
        found = self._texts.get(text, text)
        return found.format(**values) if values else found


@cache
def translations() -> Mapping[str, str]:
    """Chinese text → English text."""
    return dict(parse(files("inkgate.service.console").joinpath("locale/en.po").read_text("utf-8")))


def parse(source: str) -> Iterator[tuple[str, str]]:
    """The (msgid, msgstr) entries of a .po file; each string may span several lines."""
    entry: dict[str, str] = {}
    field = ""
    for line in [*source.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if entry.get("msgid"):
                yield entry["msgid"], entry["msgstr"]
            entry = {}
            continue
        if not line.startswith('"'):
            field, _, line = line.partition(" ")
        entry[field] = entry.get(field, "") + str(ast.literal_eval(line))
