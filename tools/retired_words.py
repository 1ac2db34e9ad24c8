"""Find words that the glossary has retired: `python -m tools.retired_words`.

The last column of the tables in docs/explanation/glossary.md lists the retired words of each term. The tool looks for
them in all tracked source, documentation and test files and prints `file:line: word → term`. A word matches as a whole
word in any case, also inside an identifier (`put_right`, `PutRight`) and with a plural s. A word with an underscore is
an identifier and matches exactly.

With `--commits main..HEAD` the subjects of those commits are checked instead, with `--message FILE` the subject of a
message that is being written (a commit-msg hook). Exit status 1 when anything is found.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = ROOT / "docs" / "explanation" / "glossary.md"
SUFFIXES = frozenset({".py", ".md", ".lua", ".html", ".js", ".css", ".sh", ".toml", ".yml", ".yaml"})
# Not checked: this tool's own files, history, and what is generated from sources that are checked.
SKIPPED = (
    "docs/explanation/glossary.md",
    "docs/reference/",
    "tools/retired_words.py",
    "tests/unit/test_retired_words.py",
    "CHANGELOG.md",
    "helm/inkgate/README.md",
    "helm/inkgate/values.schema.json",
    "service/console/static/vendor/",
)
MAX_SUBJECT = 60  # characters
PERMITTED_HEADING = "permitted uses"
_CODE_SPAN = re.compile(r"`([^`]+)`")
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class RetiredWord:
    """A word or phrase, the term that replaces it, and the path prefixes where it is retired (none: everywhere)."""

    text: str
    term: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Glossary:
    """All retired words, and for some of them the texts that make a line acceptable."""

    words: tuple[RetiredWord, ...]
    permitted: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A retired word at a line (from 1) of a file, or of a list of commit subjects."""

    path: str
    line: int
    word: RetiredWord

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word.text} → {self.word.term}"


def parse_glossary(text: str) -> Glossary:
    """The retired words of a glossary page. Raises ValueError for a row of a wrong number of cells."""
    words: list[RetiredWord] = []
    permitted: dict[str, tuple[str, ...]] = {}
    in_permitted, columns = False, 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            in_permitted = PERMITTED_HEADING in line.lower()
        if not line.startswith("|"):
            columns = 0
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not columns:
            columns = len(cells)  # the table's head
        elif len(cells) != columns:
            raise ValueError(f"line {number}: {len(cells)} cells instead of {columns}")
        elif in_permitted:
            permitted.update({word: tuple(_CODE_SPAN.findall(cells[1])) for word in _CODE_SPAN.findall(cells[0])})
        else:
            words += (_retired_word(span, cells[1]) for span in _CODE_SPAN.findall(cells[-1]))
    return Glossary(tuple(words), permitted)


def _retired_word(span: str, term: str) -> RetiredWord:
    text, _, paths = span.partition("@")
    return RetiredWord(text.strip(), term, tuple(paths.split()))


def normalise(text: str) -> str:
    """Lower case, with the parts of identifiers (snake_case, kebab-case, CamelCase) separated by blanks."""
    return re.sub(r"[_-]+", " ", _CAMEL_CASE.sub(" ", text)).lower()


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """A pattern for any of `texts` as a whole word; it matches nothing when there are none."""
    choices = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    return re.compile(rf"(?<![A-Za-z_])({choices})s?(?![A-Za-z_])" if choices else r"(?!)()")


class Scanner:
    """Finds the retired words of a glossary in texts."""

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self._words: dict[str, list[RetiredWord]] = {}
        for word in glossary.words:
            key = word.text if "_" in word.text else normalise(word.text)
            self._words.setdefault(key, []).append(word)
        self._identifier = _any_of(key for key in self._words if "_" in key)
        self._phrase = _any_of(key for key in self._words if "_" not in key)

    def scan(self, path: str, text: str) -> Iterator[Finding]:
        """The findings of one file's text, line by line."""
        for number, line in enumerate(text.splitlines(), 1):
            keys = [match[1] for match in self._identifier.finditer(line)]
            keys += [match[1] for match in self._phrase.finditer(normalise(self._identifier.sub(" ", line)))]
            for word in (word for key in keys for word in self._words[key]):
                if self._applies(word, path) and not self._is_permitted(word, line):
                    yield Finding(path, number, word)

    @staticmethod
    def _applies(word: RetiredWord, path: str) -> bool:
        return not word.paths or path.startswith(word.paths)

    def _is_permitted(self, word: RetiredWord, line: str) -> bool:
        return any(text in line for text in self._glossary.permitted.get(word.text, ()))


def tracked_files(root: Path) -> list[str]:
    """Paths of the tracked files to check, relative to `root`."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    return [path for path in listing if Path(path).suffix in SUFFIXES and not path.startswith(SKIPPED)]


def scan_files(scanner: Scanner, root: Path, paths: Iterable[str]) -> list[Finding]:
    """The findings of files below `root`; links are left out, their targets are checked."""
    found: list[Finding] = []
    for path in paths:
        file = root / path
        if file.is_file() and not file.is_symlink():
            found += scanner.scan(path, file.read_text(encoding="utf-8"))
    return found


def commit_subjects(revisions: str) -> list[str]:
    """The subjects of a range of commits, without merges."""
    return subprocess.run(
        ["git", "log", "--no-merges", "--format=%s", revisions], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def judge_subjects(scanner: Scanner, subjects: Iterable[str]) -> list[str]:
    """What is wrong with the subjects of commits: retired words, and more than MAX_SUBJECT characters."""
    problems: list[str] = []
    for subject in subjects:
        problems += (f"{subject!r}: {each.word.text} → {each.word.term}" for each in scanner.scan("", subject))
        if len(subject) > MAX_SUBJECT:
            problems.append(f"{subject!r}: {len(subject)} characters, at most {MAX_SUBJECT}")
    return problems


def main() -> None:
    """Check the repository, or the subjects of new commits; exit status 1 with the findings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commits", metavar="RANGE", help="check the subjects of these commits instead of the files")
    parser.add_argument("--message", metavar="FILE", type=Path, help="check the subject of this commit message")
    options = parser.parse_args()
    scanner = Scanner(parse_glossary(GLOSSARY.read_text(encoding="utf-8")))
    if options.message:
        subjects = options.message.read_text(encoding="utf-8").splitlines()[:1]
        raise SystemExit("\n".join(judge_subjects(scanner, subjects)) or 0)
    if options.commits:
        raise SystemExit("\n".join(judge_subjects(scanner, commit_subjects(options.commits))) or 0)
    found = scan_files(scanner, ROOT, tracked_files(ROOT))
    raise SystemExit("\n".join(str(finding) for finding in found) or 0)


if __name__ == "__main__":
    main()
