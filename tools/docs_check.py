"""Check the pages of docs/: languages, images, measured figures, and the names of files and settings.

python -m tools.docs_check     exit status 1, with one line for each fault

What is checked:

- Every page has a language marker (tools/docs_pages.py). A page in both languages has both in every section and about
  as much of either; the two pages of a pair have the same headings, tables, lists, code and links.
- Every image has alternative text and one entry in docs/img/sources.toml that states where it comes from.
- Every table of measured figures stands in a section that names its source: a file of benchmarks/results, or a command.
- Files, settings, metrics, commands and make targets that a page names exist.
- No text waits to be written, and no address of the example domain stands where a reader would use it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tools.docs_pages import DOCS, LANGUAGES, ROOT, Page, Section, load

MIN_RATIO, MAX_RATIO = 0.35, 1.3
"""English words per Chinese character of a page in both languages; pages that say the same have 0.4 to 1.1."""
MIN_SECTION_RATIO, MAX_SECTION_RATIO = 0.28, 2.0
"""The same for a section of at least LONG_SECTION characters or words."""
LONG_SECTION = 40
MIN_CHARACTERS = 12
"""Chinese characters from which a section needs English words."""
MIN_WORDS = 8
"""English words from which a section needs Chinese characters."""
MIN_ALT_CHARACTERS = 2

_HAN = re.compile(r"[\u4e00-\u9fff]")
_WORD = re.compile(r"[A-Za-z]{2,}")
_FUNCTION_WORD = re.compile(
    r"\b(?:the|an|is|are|of|to|and|in|for|with|by|not|no|on|at|or|it|from|when|each|per|one|as|all|see|if|its|be|has)\b",
    re.IGNORECASE,
)
_URL = re.compile(r"\]\([^)]*\)")
_MEASURE = re.compile(
    r"\bms\b|\bCPU\b|images/s|图/秒|\bMiB\b|\bp50\b|\bp99\b|\bcharacters\b|字符(?:准确|正确)|准确率|\baccuracy\b"
)
_SOURCE = re.compile(r"benchmarks/results\b|python -m (?:benchmarks|tests)\.|make [a-z-]+|docs/img/sources\.toml")
_FILE = re.compile(r"(?:service|engines|tests|tools|deploy|helm|benchmarks|examples|clients)/[\w./-]*\w")
_RESULT = re.compile(r"benchmarks/results/[\w.-]+\.\w+")
_METRIC = re.compile(r"(?<!as: )\binkgate_[a-z0-9]+_[a-z0-9_]*[a-z0-9]\b(?![.\w])")
_COMMAND = re.compile(r"(?<!-g )(?<!user )(?:\b|^)inkgate ([a-z][a-z-]*)(?: ([a-z][a-z0-9-]*))?", re.MULTILINE)
_TARGET = re.compile(r"(?:^|`)make ([a-z][a-z-]*)", re.MULTILINE)
_SETTING = re.compile(r"\bINKGATE_([A-Z]+)__([A-Z0-9_]+)\b")
_UNFINISHED = re.compile(r"\b(?:TODO|TBD|FIXME|to be defined|lorem ipsum)\b|待定|待补|占位", re.IGNORECASE)
_EXAMPLE_ADDRESS = re.compile(r"[\w.]+@inkgate\.example|\]\(https?://[\w.]*inkgate\.example")
_GENERATED_FILES = {"deploy/.env": "deploy/init.sh"}
"""Files that a page may name although the repository must not have them, and the script that writes each."""


def bilingual(page: Page) -> Iterator[str]:
    """Faults of a page that should say the same in both languages."""
    han = words = 0
    for section in page.sections:
        prose = _URL.sub("]", section.prose)
        chinese, english = len(_HAN.findall(prose)), len(_WORD.findall(prose))
        han, words = han + chinese, words + english
        where = f"section {section.title!r}" if section.title else "the beginning"
        if chinese >= MIN_CHARACTERS and not _FUNCTION_WORD.search(prose):
            yield f"{where} has no English"
        if english >= MIN_WORDS and not chinese:
            yield f"{where} has no Chinese"
        if max(chinese, english) < LONG_SECTION or not chinese:
            continue
        if not MIN_SECTION_RATIO <= english / chinese <= MAX_SECTION_RATIO:
            yield f"{where} has {english} English words beside {chinese} Chinese characters"
    if not MIN_RATIO <= words / max(han, 1) <= MAX_RATIO:
        yield f"{words} English words stand beside {han} Chinese characters: the two do not say the same"


def structure(section: Section) -> dict[str, object]:
    """What a section and its translation have in common."""
    return {
        "level of the heading": section.level,
        "table rows": [len(row) for row in section.rows],
        "list items": section.items,
        "code blocks": section.blocks,
        "code": sorted(set(section.code_spans)),
        "links": sorted({re.sub(r"(?:\.en)?\.md(?:#.*)?$", ".md", link) for link in section.links if link[0] != "#"}),
    }


def pair(chinese: Page, english: Page) -> Iterator[str]:
    """Differences between the two pages of a pair."""
    for page in (chinese, english):
        if page.counterpart.rsplit("/", 1)[-1] not in page.text:
            yield f"{page.name} has no link to {page.counterpart}"
    if len(chinese.sections) != len(english.sections):
        yield f"{len(chinese.sections)} sections in Chinese, {len(english.sections)} in English"
        return
    for one, other in zip(chinese.sections[1:], english.sections[1:], strict=True):
        mine, theirs = structure(one), structure(other)
        for what in (key for key in mine if mine[key] != theirs[key]):
            differing = f"{mine[what]} and {theirs[what]}"
            if what in ("code", "links"):
                differing = f"only on one side: {sorted(set(mine[what]) ^ set(theirs[what]))}"  # type: ignore[call-overload]
            yield f"{one.title!r} and {other.title!r} differ in {what}: {differing}"


def languages(page: Page, pages: dict[str, Page]) -> Iterator[str]:
    """Faults of the language marker, and of the text by it."""
    if page.language not in LANGUAGES:
        yield f"has no language marker; begin it with '---', 'language: {' | '.join(LANGUAGES)}', '---'"
    elif page.language == "zh en":
        yield from bilingual(page)
    elif page.language == "mixed" and not page.meta.get("language_note"):
        yield "is in mixed languages without a language_note that says which part is in which"
    other = pages.get(page.counterpart)
    if page.name.endswith(".en.md"):
        if other is None or (page.language, other.language) != ("en", "zh"):
            yield f"is not marked 'en' beside {page.counterpart} marked 'zh'"
        else:
            yield from pair(other, page)


def image_sources(docs: Path) -> dict[str, str]:
    """Source by file pattern below docs/img."""
    entries = tomllib.loads((docs / "img" / "sources.toml").read_text(encoding="utf-8"))
    return {pattern: entry["source"] for pattern, entry in entries.items()}


def images(pages: dict[str, Page], docs: Path = DOCS) -> Iterator[str]:
    """Images without alternative text, without a file, or without exactly one source."""
    sources = image_sources(docs)
    for page in pages.values():
        for alt, target in page.images:
            if len(alt.strip()) < MIN_ALT_CHARACTERS or alt.strip() == target.rsplit("/", 1)[-1]:
                yield f"{page.name}: the image {target} has no alternative text"
            if not (docs / page.name).parent.joinpath(target).is_file():
                yield f"{page.name}: there is no image {target}"
    files = sorted(path.relative_to(docs / "img").as_posix() for path in (docs / "img").rglob("*.*"))
    for file in files:
        matching = [pattern for pattern in sources if fnmatchcase(file, pattern)]
        if file != "sources.toml" and len(matching) != 1:
            yield f"img/{file}: {len(matching)} entries in docs/img/sources.toml, one is needed"
    for pattern in sources:
        if not any(fnmatchcase(file, pattern) for file in files):
            yield f"docs/img/sources.toml: no image matches {pattern!r}"


def figures(page: Page) -> Iterator[str]:
    """Tables of measured figures whose section, or the section above it, names no source."""
    above = ""
    for section in page.sections:
        if section.level <= 2:
            above = section.text
        head = " ".join(cell for row in section.rows[:1] for cell in row)
        if _MEASURE.search(head) and not _SOURCE.search(section.text) and not _SOURCE.search(above):
            yield f"the table in section {section.title!r} has figures without their source"


def unfinished(page: Page) -> Iterator[str]:
    """Text that waits to be written, and addresses of the example domain that look like real ones."""
    for found in (*_UNFINISHED.findall(page.text), *_EXAMPLE_ADDRESS.findall(page.text)):
        yield f"{found!r} is a placeholder"


@dataclass(frozen=True, slots=True)
class Known:
    """What pages may name: settings as GROUP__NAME, metrics, commands as `app` and `app open`, make targets."""

    settings: frozenset[str]
    metrics: frozenset[str]
    commands: frozenset[str]
    targets: frozenset[str]


def names(page: Page, root: Path, known: Known) -> Iterator[str]:
    """Files, settings, metrics, commands and make targets that the page names and that do not exist."""
    for section in page.sections:
        for span in section.code_spans:
            if _FILE.fullmatch(span) and not (root / _GENERATED_FILES.get(span, span)).exists():
                yield f"there is no {span}"
    for name in sorted(set(_RESULT.findall(page.text))):
        if not (root / name).exists():
            yield f"there is no {name}"
    for group, name in sorted(set(_SETTING.findall(page.text))):
        setting = f"{group}__{name}"
        if group == "GROUP":  # the form of a name
            continue
        if setting not in known.settings:
            yield f"there is no setting INKGATE_{setting}"
    for metric in sorted(set(_METRIC.findall(page.text))):
        if not {metric, re.sub(r"_(?:bucket|sum|count)$", "", metric)} & known.metrics:
            yield f"there is no metric {metric}"
    for command, word in sorted(set(_COMMAND.findall(page.code))):
        group = any(each.startswith(f"{command} ") for each in known.commands)
        if command not in known.commands or (group and word and f"{command} {word}" not in known.commands):
            yield f"there is no command inkgate {command} {word}".rstrip()
    for target in sorted(set(_TARGET.findall(page.code)) - known.targets):
        yield f"there is no make target {target}"


def known_commands(command: Any, path: str = "") -> Iterator[str]:
    """Every command and group below `command`, by its words."""
    context = command.make_context(path or "inkgate", [], resilient_parsing=True)
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield f"{path} {name}".strip()
        yield from known_commands(command.get_command(context, name), f"{path} {name}".strip())


def load_known(root: Path = ROOT) -> Known:
    """All names of the product."""
    import typer.main

    from inkgate.service.cli import app
    from inkgate.service.telemetry.metrics import Metrics

    return Known(
        known_settings(),
        frozenset(doc.name for doc in Metrics("gateway", "0").catalogue),
        frozenset(known_commands(typer.main.get_command(app))),
        frozenset(re.findall(r"^([a-z][a-z-]*):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)),
    )


def known_settings() -> frozenset[str]:
    """GROUP__NAME of every setting."""
    from inkgate.service.settings import Settings

    model = Settings.model_json_schema()
    found = set()
    for group, reference in model["properties"].items():
        definition = model["$defs"][(reference.get("$ref") or reference["allOf"][0]["$ref"]).rsplit("/", 1)[1]]
        found |= {f"{group}__{name}".upper() for name in definition["properties"]}
    return frozenset(found)


def problems(docs: Path = DOCS, root: Path = ROOT) -> list[str]:
    """All faults, one line each."""
    pages, known = load(docs), load_known(root)
    found = list(images(pages, docs))
    for page in pages.values():
        about = list(languages(page, pages))
        if not page.name.startswith("adr/"):  # records describe the time of their decision
            about += [*figures(page), *names(page, root, known), *unfinished(page)]
        found += [f"docs/{page.name}: {problem}" for problem in about]
    return found


def main() -> None:
    found = problems()
    for line in found:
        print(line, file=sys.stderr)
    if found:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
