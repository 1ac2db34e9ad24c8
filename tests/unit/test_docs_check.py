"""The checks of the documentation find what they are for, and the documentation passes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import docs_check, docs_nav, docs_pages
from tools.docs_pages import Page, parse

BOTH = """---
language: zh en
---

# 升级 · Upgrade

先备份，再迁移数据库，最后更换网关与识别进程。

Take a backup, then migrate the database, then replace gateways and workers.
"""


def faults(text: str, name: str = "a.md", **others: str) -> list[str]:
    pages = {key: parse(key, value) for key, value in {name: text, **others}.items()}
    return list(docs_check.languages(pages[name], pages))


def test_the_documentation_has_no_fault() -> None:
    assert docs_check.problems() == []


def test_a_page_in_both_languages_passes() -> None:
    assert faults(BOTH) == []


def test_a_page_without_a_marker_is_found() -> None:
    (fault,) = faults("# 升级 · Upgrade\n")
    assert "no language marker" in fault


@pytest.mark.parametrize("marker", ["fr", "both", ""])
def test_an_unknown_marker_is_found(marker: str) -> None:
    assert "no language marker" in faults(f"---\nlanguage: {marker}\n---\n# A\n")[0]


def test_a_record_needs_no_marker() -> None:
    assert faults("# 0001 Two packages\n", "adr/0001-two-packages.md") == []


def test_a_section_in_one_language_is_found() -> None:
    chinese = BOTH + "\n## 回退 · Downgrade\n\n把链接指回旧目录，然后重启服务，数据库不用回退。\n"
    assert any("'回退 · Downgrade' has no English" in fault for fault in faults(chinese))
    english = BOTH + "\n## Downgrade\n\nPoint the link to the old folder and restart the service; the database stays.\n"
    assert any("'Downgrade' has no Chinese" in fault for fault in faults(english))


def test_a_summary_in_place_of_a_translation_is_found() -> None:
    summary = "---\nlanguage: zh en\n---\n# 安全\n\n中文概要。\n\n" + "The text of this page goes on in English. " * 20
    assert any("do not say the same" in fault for fault in faults(summary))


def test_a_section_that_is_much_shorter_in_one_language_is_found() -> None:
    long = (
        BOTH
        + "\n## 回退 · Downgrade\n\n"
        + "把链接指回旧目录，然后重启服务，数据库不用回退。" * 3
        + "\n\nSee the page.\n"
    )
    assert "section '回退 · Downgrade' has 3 English words beside 63 Chinese characters" in faults(long)


def test_code_does_not_count_as_a_language() -> None:
    assert (
        faults(BOTH + "\n```bash\n# restart the service and wait for it to be ready on the port of the host\n```\n")
        == []
    )


def test_mixed_languages_need_a_note() -> None:
    assert "language_note" in faults("---\nlanguage: mixed\n---\n# A\n")[0]
    assert faults("---\nlanguage: mixed\nlanguage_note: 表格为英文。 The tables are in English.\n---\n# A\n") == []


CHINESE = (
    "---\nlanguage: zh\n---\n# 安全\n\n[English](a.en.md)\n\n## 密钥\n\n用 `keys new` 生成，见[账本](ledger.md#a)。\n"
)
ENGLISH = (
    "---\nlanguage: en\n---\n# Security\n\n[中文](a.md)\n\n## Keys\n\nCreated by `keys new`; see [ledger](ledger.md).\n"
)


def test_a_pair_that_agrees_passes() -> None:
    assert faults(ENGLISH, "a.en.md", **{"a.md": CHINESE}) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("\n## Keys\n", "\n", "sections"),
        ("## Keys", "### Keys", "level of the heading"),
        ("`keys new`", "`keys add`", "keys add"),
        ("](ledger.md)", "](architecture.md)", "architecture.md"),
        ("Created", "- Created", "list items"),
        ("## Keys\n", "## Keys\n\n| a | b |\n|---|---|\n", "table rows"),
        ("## Keys\n", "## Keys\n\n```\nx\n```\n", "code blocks"),
        ("[中文](a.md)", "", "no link to a.md"),
    ],
)
def test_a_difference_between_the_pages_of_a_pair_is_found(old: str, new: str, fault: str) -> None:
    found = faults(ENGLISH.replace(old, new), "a.en.md", **{"a.md": CHINESE})
    assert any(fault in each for each in found), found


def test_an_english_page_without_its_counterpart_is_found() -> None:
    assert "beside a.md" in faults(ENGLISH, "a.en.md")[0]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with one image and its source."""
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "queue.svg").write_text("<svg/>")
    (tmp_path / "img" / "sources.toml").write_text('["*.svg"]\nsource = "drawn by hand"\n')
    return tmp_path


def image_faults(docs: Path, text: str) -> list[str]:
    return list(docs_check.images({"a.md": parse("a.md", text)}, docs))


def test_an_image_with_text_and_source_passes(docs: Path) -> None:
    assert image_faults(docs, "![The queue](img/queue.svg)\n") == []


@pytest.mark.parametrize("alt", ["", " ", "queue.svg"])
def test_an_image_without_alternative_text_is_found(docs: Path, alt: str) -> None:
    (fault,) = image_faults(docs, f"![{alt}](img/queue.svg)\n")
    assert "no alternative text" in fault


def test_an_image_that_does_not_exist_is_found(docs: Path) -> None:
    assert "there is no image" in image_faults(docs, "![The queue](img/other.svg)\n")[0]


def test_an_image_without_a_source_is_found(docs: Path) -> None:
    (docs / "img" / "new.webp").write_bytes(b"")
    (fault,) = image_faults(docs, "")
    assert fault == "img/new.webp: 0 entries in docs/img/sources.toml, one is needed"


def test_a_source_without_an_image_is_found(docs: Path) -> None:
    (docs / "img" / "queue.svg").unlink()
    (fault,) = image_faults(docs, "")
    assert "no image matches '*.svg'" in fault


TABLE = "# A\n\n## Load\n\n{}\n\n| load | p99 ms |\n|---|---|\n| 70 % | 920 |\n"


@pytest.mark.parametrize("source", ["`benchmarks/results/load.json`", "`python -m benchmarks.broker`", "`make chaos`"])
def test_figures_with_their_source_pass(source: str) -> None:
    assert list(docs_check.figures(parse("a.md", TABLE.format(source)))) == []


def test_figures_without_a_source_are_found() -> None:
    (fault,) = docs_check.figures(parse("a.md", TABLE.format("")))
    assert fault == "the table in section 'Load' has figures without their source"


KNOWN = docs_check.Known(
    settings=frozenset({"SERVER__PORT"}),
    metrics=frozenset({"inkgate_queue_depth", "inkgate_settle_duration_seconds"}),
    commands=frozenset({"app", "app open", "serve"}),
    targets=frozenset({"chaos"}),
)


def test_names_of_files_results_and_settings_that_do_not_exist_are_found(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "a.py").write_text("")
    text = "`tools/a.py` `tools/b.py` INKGATE_SERVER__PORT INKGATE_SERVER__HARBOUR INKGATE_GROUP__NAME"
    page = parse("a.md", text + " benchmarks/results/none.json")
    assert list(docs_check.names(page, tmp_path, KNOWN)) == [
        "there is no tools/b.py",
        "there is no benchmarks/results/none.json",
        "there is no setting INKGATE_SERVER__HARBOUR",
    ]


def test_a_generated_file_may_be_named_as_long_as_the_script_that_writes_it_exists(tmp_path: Path) -> None:
    page = parse("a.md", "`deploy/.env`")
    assert list(docs_check.names(page, tmp_path, KNOWN)) == ["there is no deploy/.env"]
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "init.sh").write_text("")
    assert list(docs_check.names(page, tmp_path, KNOWN)) == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`inkgate_queue_depth` `inkgate_settle_duration_seconds_bucket`", None),
        ("`rate(inkgate_queue_length[5m])`", "metric inkgate_queue_length"),
        ("`inkgate app open` `inkgate serve --port 1` `/opt/bin/inkgate app`", None),
        ("```bash\ninkgate app close\n```", "command inkgate app close"),
        ("```bash\nURL=x inkgate start\n```", "command inkgate start"),
        ("`install -g inkgate deploy/a.env`, and inkgate on in prose", None),
        ("`make chaos`", None),
        ("```bash\nmake order\n```", "make target order"),
    ],
)
def test_metrics_commands_and_targets_that_do_not_exist_are_found(
    tmp_path: Path, text: str, missing: str | None
) -> None:
    found = list(docs_check.names(parse("a.md", text), tmp_path, KNOWN))
    assert found == ([f"there is no {missing}"] if missing else [])


@pytest.mark.parametrize(
    "text",
    [
        "时间：待定",
        "Hours: to be defined",
        "write to security@inkgate.example",
        "[docs](https://docs.inkgate.example/a)",
    ],
)
def test_placeholders_are_found(text: str) -> None:
    (fault,) = docs_check.unfinished(parse("a.md", f"{BOTH}\n{text}\n"))
    assert "placeholder" in fault


def test_an_example_domain_in_a_command_is_no_placeholder() -> None:
    page = parse("a.md", f"{BOTH}\n`sed -i 's#https://docs.inkgate.example#https://docs.internal#' rules.yml`\n")
    assert list(docs_check.unfinished(page)) == []


def test_headings_in_code_blocks_are_no_sections() -> None:
    page = Page("a.md", {}, "# A\n\n```bash\n# a comment\n```\n\n## B\n")
    assert [(section.level, section.title) for section in page.sections] == [(0, ""), (1, "A"), (2, "B")]
    assert "# a comment" in page.sections[1].text


def listed(nav: list[object]) -> list[str]:
    """All pages of a navigation, in order."""
    found: list[str] = []
    for entry in nav:
        if isinstance(entry, str):
            found.append(entry)
        elif isinstance(entry, dict):
            for value in entry.values():
                found += listed(value if isinstance(value, list) else [value])
    return found


def test_every_page_is_in_the_navigation_once() -> None:
    found = listed(list(docs_nav.navigation(docs_pages.DOCS)))
    assert sorted(found) == sorted(name for name in docs_pages.load() if not name.endswith(".en.md"))


def test_a_listed_page_that_does_not_exist_is_found(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pages that do not exist"):
        docs_nav.navigation(tmp_path)


def test_wrapped_chinese_is_joined_outside_of_code() -> None:
    text = "先备份，\n再迁移。\n\n- 一\n  二\n\n```text\n甲\n乙\n```\n\nEnglish\ntext\n"
    joined = docs_nav.join_chinese(text)
    assert "先备份，再迁移。\n\n- 一二\n\n" in joined
    assert "甲\n乙" in joined and "English\ntext" in joined
