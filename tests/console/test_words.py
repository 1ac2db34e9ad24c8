"""Every text of the console has an English translation and none is unused; vendored files match VERSIONS."""

from __future__ import annotations

import hashlib
import re
import string
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from inkgate.service.console.notices import explain
from inkgate.service.console.translations import Translator, parse, translations
from inkgate.service.errors import Misuse

ROOT = Path(str(files("inkgate.service.console")))


SAME_FOR_ONE = {
    "There are more than {n} events; use the command inkgate audit verify.",
    "{n} lines are more than a page verifies; run inkgate ledger verify.",
}
"""English texts with a number before a plural that never are about one: limits that are larger."""


def used() -> set[str]:
    """The texts used by templates and pages."""
    found: set[str] = set()
    for page in ROOT.glob("templates/*.html"):
        found |= {text for _, text in re.findall(r"""_\((["'])(.*?)\1""", page.read_text("utf-8"))}
    for source in ROOT.rglob("*.py"):
        found |= set(re.findall(r"""(?:\b_|translate)\(\s*"([^"]*)\"""", source.read_text("utf-8")))
    return {text for text in found if re.search("[\u4e00-\u9fff]", text)}


def test_every_text_is_translated_and_no_translation_is_unused() -> None:
    assert used() == set(translations())
    assert len(translations()) > 400


def test_each_text_is_translated_once() -> None:
    times = Counter(text for text, _ in parse((ROOT / "locale" / "en.po").read_text("utf-8")))
    assert [text for text, count in times.items() if count > 1] == []


def test_an_entry_needs_no_blank_line_before_it() -> None:
    source = 'msgid ""\nmsgstr "header"\n\n# one\nmsgid "甲"\nmsgstr ""\n"a"\n" b"\nmsgid "乙"\nmsgstr "c"'
    assert list(parse(source)) == [("甲", ("a b",)), ("乙", ("c",))]


def test_both_languages_have_the_same_placeholders() -> None:
    def values(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert [text for text, forms in translations().items() if values(text) != values(forms[-1])] == []
    singular = {forms[0]: values(text) - values(forms[0]) for text, forms in translations().items() if len(forms) > 1}
    assert [form for form, left_out in singular.items() if len(left_out) > 1] == [], "only the number may be left out"


def test_no_template_has_untranslated_chinese() -> None:
    for page in ROOT.glob("templates/*.html"):
        rest = re.sub(r"""_\((["']).*?\1""", "", page.read_text("utf-8"))
        assert re.findall("[\u4e00-\u9fff]+", rest) in ([], ["中文"]), page.name


def test_placeholders_are_filled_in_both_languages() -> None:
    assert Translator("en")("共 {n} 次", n=3) == "3 total"
    assert Translator("zh")("共 {n} 次", n=3) == "共 3 次"
    assert Translator("fr").language == "zh"


def test_english_has_a_singular() -> None:
    english = Translator("en")
    counted = {n: english("{n} 个应用", n=n) for n in (0, 1, 2, "1", "1,001")}
    assert counted == {0: "0 apps", 1: "1 app", 2: "2 apps", "1": "1 app", "1,001": "1,001 apps"}
    assert (english("次", n=1), english("次", n=2), english("次")) == ("call", "calls", "calls")


def test_a_text_with_a_number_and_a_noun_has_a_singular() -> None:
    """“{n} apps” would be “1 apps” for one. A text whose noun is not counted by its number is in SAME_FOR_ONE."""
    counted = re.compile(r"\{(?:n|minutes|days)\} (?!ms\b)(?:wrong )?([a-z-]+s)\b")
    found = {forms[0] for forms in translations().values() if len(forms) == 1 and counted.search(forms[0])}
    assert found == SAME_FOR_ONE


@pytest.mark.parametrize(
    ("problem", "chinese", "english"),
    [
        (
            Misuse("app.name_taken", name="portal_app"),
            "账号中已有应用“portal_app”，同一账号内名称不能重复。",
            "The account has an app 'portal_app' already; names are unique within an account.",
        ),
        (
            Misuse("refund.pack_used"),
            "资源包已被使用，不支持退订。",
            "A pack that has been used is not refunded.",
        ),
        (
            Misuse("qps.out_of_range", most=100_000.0),
            "QPS 须大于 0。",
            "Requests per second must be above 0 and at most 100000.",
        ),
    ],
)
def test_problems_are_shown_in_the_language_of_the_page(problem: Misuse, chinese: str, english: str) -> None:
    assert explain(Translator("zh"), problem) == chinese
    assert explain(Translator("en"), problem) == english


def test_vendored_files_are_those_of_the_list() -> None:
    vendor = ROOT / "static" / "vendor"
    lines = [line.split() for line in (vendor / "VERSIONS").read_text().splitlines() if not line.startswith("#")]
    assert {file for _, _, file, _ in lines} == {path.name for path in vendor.glob("*.js")}
    for name, version, file, digest in lines:
        assert hashlib.sha256((vendor / file).read_bytes()).hexdigest() == digest, (name, version)
