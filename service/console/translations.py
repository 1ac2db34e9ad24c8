"""Texts in two languages. The Chinese texts are the keys; `locale/en.po` has the English translations (gettext)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = {"zh": "zh-CN", "en": "en"}
"""Language → `lang` attribute of the page. The first one is the default."""


MAX_ACCEPTED = 500  # characters of an Accept-Language header that are read


def preferred_language(header: str) -> str:
    """The language that a browser prefers, by the q-values of its Accept-Language header; the first one for none.

    Of equal weights the first counts. A language of the header that the console does not have is passed over.
    """
    best, weight = next(iter(LANGUAGES)), 0.0
    for entry in header[:MAX_ACCEPTED].split(","):
        tag, *parameters = (part.strip().lower() for part in entry.split(";"))
        language, quality = tag.partition("-")[0], _quality(parameters)
        if language in LANGUAGES and quality > weight:
            best, weight = language, quality
    return best


def _quality(parameters: list[str]) -> float:
    """The q-value, from 0 to 1; 0 for an invalid one."""
    given = next((each.partition("=")[2].strip() for each in parameters if each.startswith("q")), "1")
    if re.fullmatch(r"[01](\.[0-9]{0,3})?", given) is None:
        return 0.0
    return min(float(given), 1.0)


class Translator:
    """Translates texts into one language: `translate("共 {n} 条", n=3)`. A text with a plural has its number first."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "zh"
        self._texts: Mapping[str, Forms] = translations() if self.language == "en" else {}

    def __call__(self, text: str, **values: object) -> str:
        forms = self._texts.get(text, (text,))
        found = forms[0] if str(next(iter(values.values()), "")) == "1" else forms[-1]
        return found.format(**values) if values else found


Forms = tuple[str, ...]
"""A text in English: one form, or the singular and the plural."""


@cache
def translations() -> Mapping[str, Forms]:
    """Chinese text → English text."""
    return dict(parse(files("inkgate.service.console").joinpath("locale/en.po").read_text("utf-8")))


def parse(source: str) -> Iterator[tuple[str, Forms]]:
    """The (msgid, msgstr) entries of a .po file; each string may span several lines, and one with a plural has
    `msgid_plural`, `msgstr[0]` for 1 and `msgstr[1]` for other numbers.

    As in gettext, `msgid` starts an entry: blank lines between entries are for readers."""
    entry: dict[str, str] = {}
    field = ""
    for line in source.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith('"'):
            field, _, line = line.partition(" ")
            if field == "msgid":
                yield from _whole(entry)
                entry = {}
        entry[field] = entry.get(field, "") + str(ast.literal_eval(line))
    yield from _whole(entry)


def _whole(entry: Mapping[str, str]) -> Iterator[tuple[str, Forms]]:
    """The entry, without the header, whose msgid is empty."""
    if not entry.get("msgid"):
        return
    if "msgid_plural" in entry:
        yield entry["msgid"], (entry["msgstr[0]"], entry["msgstr[1]"])
    else:
        yield entry["msgid"], (entry["msgstr"],)
