"""Pages of docs/: their language marker, their text without code, and their sections.

A page states its languages in its front matter:

    language: zh en     the page says the same in Chinese and English
    language: zh        Chinese; `NAME.en.md` beside it is the same page in English, if there is one
    language: en        English; the counterpart of `NAME.md`, or a page that exists in English only
    language: mixed     parts differ; `language_note` states in both languages which

The records of docs/adr need no marker: they are in English, by DEFAULTS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
LANGUAGES = ("zh en", "zh", "en", "mixed")
DEFAULTS = ((re.compile(r"adr/\d{4}-"), "en"),)
"""Pages, by their path below docs/, that need no front matter."""

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.*)$", re.MULTILINE)
_CODE_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)[^)]*\)")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its level and the text up to the next heading. The text before the first heading has level 0."""

    level: int
    title: str
    text: str

    @property
    def prose(self) -> str:
        """The text without code blocks, code spans and comments."""
        return _CODE_SPAN.sub(" ", _COMMENT.sub("", _FENCE.sub("", self.text)))

    @property
    def code_spans(self) -> list[str]:
        return _CODE_SPAN.findall(_FENCE.sub("", self.text))

    @property
    def links(self) -> list[str]:
        return _LINK.findall(_FENCE.sub("", self.text))

    @property
    def rows(self) -> list[list[str]]:
        """The cells of all table rows, header and rule included."""
        lines = (line.strip() for line in _FENCE.sub("", self.text).splitlines())
        return [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines if line.startswith("|")]

    @property
    def items(self) -> int:
        """The number of list items."""
        return len(re.findall(r"^ *(?:[-*]|\d+\.) ", _FENCE.sub("", self.text), re.MULTILINE))

    @property
    def blocks(self) -> int:
        """The number of code blocks."""
        return len(_FENCE.findall(self.text))


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its path below docs/, its front matter, and its text without the front matter."""

    name: str
    meta: dict[str, str]
    text: str

    @property
    def language(self) -> str:
        """One of LANGUAGES, or "" for a page without a marker."""
        if "language" in self.meta:
            return self.meta["language"]
        return next((language for pattern, language in DEFAULTS if pattern.match(self.name)), "")

    @property
    def counterpart(self) -> str:
        """The name of the same page in the other language, whether or not it exists."""
        stem = self.name.removesuffix(".md")
        return f"{stem.removesuffix('.en')}.md" if stem.endswith(".en") else f"{stem}.en.md"

    @property
    def sections(self) -> list[Section]:
        """The sections in order, without the headings inside of code blocks."""
        hidden = _FENCE.sub(lambda block: re.sub(r"^#", "\0", block[0], flags=re.MULTILINE), self.text)
        found, start, level, title = [], 0, 0, ""
        for heading in _HEADING.finditer(hidden):
            found.append(Section(level, title, hidden[start : heading.start()].replace("\0", "#")))
            start, level, title = heading.end(), len(heading[1]), heading[2]
        found.append(Section(level, title, hidden[start:].replace("\0", "#")))
        return found

    @property
    def code(self) -> str:
        """Code blocks and code spans, one after the other."""
        blocks = [block[0] for block in _FENCE.finditer(self.text)]
        return "\n".join([*blocks, *_CODE_SPAN.findall(_FENCE.sub("", self.text))])

    @property
    def images(self) -> list[tuple[str, str]]:
        """Alternative text and target of each image."""
        return _IMAGE.findall(_FENCE.sub("", self.text))


def parse(name: str, text: str) -> Page:
    """Split `text` into front matter and body. Lines of the front matter that are not `key: value` are ignored."""
    front = _FRONT_MATTER.match(text)
    if front is None:
        return Page(name, {}, text)
    pairs = (line.split(":", 1) for line in front[1].splitlines() if ":" in line)
    return Page(name, {key.strip(): value.strip().strip("\"'") for key, value in pairs}, text[front.end() :])


def load(docs: Path = DOCS) -> dict[str, Page]:
    """All pages by name, sorted."""
    names = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    return {name: parse(name, (docs / name).read_text(encoding="utf-8")) for name in names}
