"""The message catalogue: every code is raised with its parameters, which are the same in both languages."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

from inkgate.service.errors import Misuse
from inkgate.service.messages import CHINESE, ENGLISH, MESSAGES, PARTS, Kind, render
from inkgate.service.messages.message import fields

SERVICE = Path(str(files("inkgate.service")))


@cache
def raised() -> tuple[tuple[str, ast.Call], ...]:
    """(file:line, call) of every Misuse that the service makes."""
    return tuple(_calls())


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(SERVICE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name == "Misuse":
                    yield f"{path.relative_to(SERVICE)}:{node.lineno}", node


def code_of(call: ast.Call) -> str | None:
    """The code that a call names; None when it is anything but one literal."""
    (code,) = call.args if len(call.args) == 1 else (None,)
    return code.value if isinstance(code, ast.Constant) and isinstance(code.value, str) else None


def test_every_problem_that_is_raised_has_a_code_of_the_catalogue() -> None:
    assert len(raised()) > 80
    assert [where for where, call in raised() if code_of(call) not in MESSAGES] == []


def test_every_code_of_the_catalogue_is_raised() -> None:
    assert {code_of(call) for _, call in raised()} == set(MESSAGES)


def test_every_problem_is_raised_with_the_parameters_of_its_message() -> None:
    for where, call in raised():
        given = {each.arg for each in call.keywords}
        assert given == MESSAGES[code_of(call) or ""].params, where


def test_no_parameter_is_text_of_ours() -> None:
    """A sentence in a parameter would stand in one language only."""
    for where, call in raised():
        texts = [each.arg for each in call.keywords if isinstance(each.value, ast.Constant | ast.JoinedStr)]
        assert texts == [], where


@pytest.mark.parametrize("code", MESSAGES)
def test_both_languages_take_the_same_parameters(code: str) -> None:
    message = MESSAGES[code]
    left_out = set(message.english_only)
    assert set(fields(message.chinese)) == message.params - left_out
    assert left_out <= message.params


def test_parameters_have_names() -> None:
    names = {name for each in MESSAGES.values() for name in fields(each.english)}
    assert all(re.fullmatch("[a-z][a-z_]*", name) for name in names)


def test_codes_are_words_and_stand_once() -> None:
    counted = Counter(code for part in PARTS for code in part.MESSAGES)
    assert [code for code, times in counted.items() if times > 1] == []
    assert [code for code in counted if re.fullmatch(r"[a-z]+\.[a-z0-9_]+", code) is None] == []


def test_the_chinese_texts_are_chinese_and_the_english_ones_are_not() -> None:
    foreign = {"worker.cannot_start"}  # the worker's own words alone
    han = re.compile("[\u4e00-\u9fff]")
    assert {code for code, each in MESSAGES.items() if not han.search(each.chinese)} == foreign
    assert [code for code, each in MESSAGES.items() if han.search(each.english)] == []


def test_every_kind_is_used() -> None:
    assert {each.kind for each in MESSAGES.values()} == set(Kind)


def test_a_problem_is_its_english_text_with_code_kind_and_parameters() -> None:
    problem = Misuse("capability.unknown", capability="x'y", choices=("general", "plate"))
    assert str(problem) == 'no capability "x\'y"; choose from general, plate'
    assert (problem.code, problem.kind) == ("capability.unknown", Kind.INVALID)
    assert problem.params == {"capability": "x'y", "choices": ("general", "plate")}
    assert render(problem.code, problem.params, CHINESE) == "没有能力“x'y”，可选：general, plate。"
    assert render(problem.code, problem.params, ENGLISH) == str(problem)


def test_a_value_is_shown_as_it_is() -> None:
    """A parameter that looks like a template is no template."""
    assert str(Misuse("app.not_found", app_id="{0}{code}")) == "no app {0}{code}"


def test_a_message_without_its_parameters_or_its_code_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        Misuse("app.not_found")
    with pytest.raises(KeyError):
        Misuse("app.nonsense")
