"""The check for retired words: what it finds and permits, and that the repository has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import retired_words as checker

PAGE = """
# Glossary

| 中文 | English | In code | Meaning | Retired |
|---|---|---|---|---|
| 图像 | image | `image` | Pixels. | `picture` |
| 更正 | correct | `correct_name` | Replace. | `put_right`, `put right` |
| 字符 | character | | A symbol. | `sign @ engines/ tools/` |
| 网关 | gateway | | No retired word. | |

## 允许的用法 · Permitted uses

| Word | Accepted with |
|---|---|
| `picture` | `pictures.py`, `PICTURES` |
"""


def scan(line: str, path: str = "service/a.py") -> list[str]:
    scanner = checker.Scanner(checker.parse_glossary(PAGE))
    return [finding.word.text for finding in scanner.scan(path, line)]


@pytest.mark.parametrize(
    "line",
    ["a picture", "Pictures of", "read_picture(x)", "class PictureReader:", "picture-size", "PICTURE = 1"],
)
def test_a_word_is_found_in_prose_and_in_identifiers(line: str) -> None:
    assert scan(line) == ["picture"]


@pytest.mark.parametrize("line", ["an image", "picturesque", "see tests/pictures.py", "inkgate ocr PICTURES"])
def test_other_words_and_permitted_lines_are_not_found(line: str) -> None:
    assert scan(line) == []


def test_an_identifier_matches_exactly_and_once() -> None:
    assert scan("name = put_right(name)") == ["put_right"]
    assert scan("the name is put right") == ["put right"]
    assert scan("input_right_side") == []


def test_a_word_may_be_retired_below_some_paths_only() -> None:
    assert scan("for sign in text:", "engines/text/a.py") == ["sign"]
    assert scan("for sign in text:", "tools/a.py") == ["sign"]
    assert scan("inkgate sign body.json", "service/cli/sign.py") == []


def test_a_finding_names_file_line_and_term() -> None:
    scanner = checker.Scanner(checker.parse_glossary(PAGE))
    (finding,) = scanner.scan("docs/a.md", "one\ntwo pictures\n")
    assert str(finding) == "docs/a.md:2: picture → image"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="line 3: 1 cells instead of 2"):
        checker.parse_glossary("| a | b |\n|---|---|\n| c |\n")


def test_subjects_are_short_and_without_retired_words() -> None:
    scanner = checker.Scanner(checker.parse_glossary(PAGE))
    assert checker.judge_subjects(scanner, ["Read an image", "x" * 60]) == []
    assert checker.judge_subjects(scanner, ["Read a picture"]) == ["'Read a picture': picture → image"]
    assert checker.judge_subjects(scanner, ["x" * 61]) == [f"'{'x' * 61}': 61 characters, at most 60"]


def test_the_glossary_can_be_read_and_permits_only_retired_words() -> None:
    glossary = checker.parse_glossary(checker.GLOSSARY.read_text(encoding="utf-8"))
    words = {word.text for word in glossary.words}
    assert {"picture", "put_right", "lawful", "heed"} <= words
    assert set(glossary.permitted) <= words
    for word in glossary.words:
        assert word.term, word


def test_the_repository_has_no_retired_words() -> None:
    scanner = checker.Scanner(checker.parse_glossary(checker.GLOSSARY.read_text(encoding="utf-8")))
    found = checker.scan_files(scanner, checker.ROOT, checker.tracked_files(checker.ROOT))
    assert [str(finding) for finding in found] == []


def test_links_are_not_read_twice(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("a picture\n", encoding="utf-8")
    (tmp_path / "b.md").symlink_to("a.md")
    scanner = checker.Scanner(checker.parse_glossary(PAGE))
    assert [f.path for f in checker.scan_files(scanner, tmp_path, ["a.md", "b.md", "gone.md"])] == ["a.md"]
