"""The capability registry: accepted and refused capabilities, and that no other module names a capability."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from inkgate.service.contract import registry
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT, GENERAL, IDCARD, LICENCE, PLATE
from inkgate.service.contract.capability import PREFIX, AnswerField, Capability, PackPrice
from inkgate.service.contract.code_tables import Fault
from inkgate.service.contract.examples import example
from inkgate.service.contract.json_schema import example_of
from inkgate.service.contract.schemas import request_schema
from inkgate.service.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[3]
BUILT_IN = (GENERAL, IDCARD, PLATE, LICENCE)
ANOTHER = replace(GENERAL, name="another", paths=(PREFIX + "another00001/x.json",))

made: Any = None
"""The object that the entry point of a test loads."""


def entry(capability: object, name: str = "another") -> EntryPoint:
    global made
    made = capability
    return EntryPoint(name, f"{__name__}:made", registry.GROUP)


def test_built_in_ones_first_then_those_of_other_distributions() -> None:
    loaded = registry.load(BUILT_IN, [entry(ANOTHER)])
    assert list(loaded) == ["general", "idcard", "plate", "licence", "another"]
    assert loaded["another"] is ANOTHER and DEFAULT == "general" and list(CAPABILITIES) == list(loaded)[:4]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "Another"}, "must have the capability's name"),
        ({"title_en": ""}, "title"),
        ({"paths": ()}, "no path"),
        ({"paths": ("/v2/another00001/x.json",)}, "is not /v1/aiop/api/ followed by"),
        ({"paths": (PREFIX + "another00001",)}, "is not /v1/aiop/api/ followed by"),
        ({"paths": (PREFIX + "another00001/x?y=1",)}, "is not /v1/aiop/api/ followed by"),
        ({"paths": (PREFIX + "a0001/x.json", PREFIX + "a0001/X.json")}, "lists a path twice"),
        ({"paths": GENERAL.paths}, "one of its paths is taken by 'general'"),
        ({"paths": (GENERAL.paths[0] + "x",)}, "service id of its paths .* is taken by 'general'"),
        ({"case_insensitive_segments": frozenset({"IdentityCard"})}, "case_insensitive_segments"),
        ({"faults": {k: v for k, v in GENERAL.faults.items() if k not in ("many", "size")}}, "lacks many, size"),
        ({"faults": {**GENERAL.faults, "odd": Fault(1, "x", "x")}}, "rows that nothing raises: odd"),
        ({"faults": {**GENERAL.faults, "many": Fault(50300, "x", "x")}}, "50300 .* gateway's own"),
        ({"faults": {**GENERAL.faults, "many": Fault(0, "x", "x")}}, "not a positive number"),
        ({"faults": {**GENERAL.faults, "many": Fault(7, "", "")}}, "has no text"),
        ({"action": "Read"}, "lacks action, unknown"),
        ({"action": "Read", "faults": LICENCE.faults}, "max_images must be 1"),
        ({"min_side": 0}, "min_side"),
        ({"min_side": 100, "max_side": 99}, "min_side"),
        ({"max_image_bytes": 0}, "max_image_bytes"),
        ({"schema": {"type": "array"}}, "schema of its element"),
        ({"stub": None}, "must be functions"),
        ({"fields": (AnswerField("a", "甲", "A"), AnswerField("a", "乙", "B"))}, "labels a field twice"),
        ({"sample": Path("/nowhere.jpg")}, "sample image .* does not exist"),
        ({"example": Path("/nowhere.json")}, "example .* does not exist"),
        ({"commercial": False}, "free, and has prices"),
        ({"packs": (PackPrice("s", 1, 1), PackPrice("s", 2, 2))}, "two prices for one size"),
        ({"packs": (PackPrice("s", 0, 1),)}, "needs units"),
        ({"packs": (PackPrice("s", 1, -1),)}, "a price of 0 or more"),
        ({"packs": (PackPrice("s" * 25, 1, 1),)}, "a short size"),
    ],
)
def test_the_error_of_an_invalid_capability_names_its_distribution(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        registry.load(BUILT_IN, [entry(replace(ANOTHER, **change))])
    assert f"distribution {__name__!r}" in str(caught.value) and "uninstall" in str(caught.value)


@pytest.mark.parametrize("name", ["", "9a", "a-b", "a" * 17, "Ab", "none", "名"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="its name must be"):
        registry.load((), [entry(replace(ANOTHER, name=name), name)])


def test_a_duplicate_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="its name is taken"):
        registry.load(BUILT_IN, [entry(replace(ANOTHER, name="general"), "general")])


@pytest.mark.parametrize("value", [f"{__name__}:NOT_THERE", "no_such_module:X"])
def test_an_entry_point_that_cannot_be_imported_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        registry.load(BUILT_IN, [EntryPoint("another", value, registry.GROUP)])


def test_an_entry_point_of_another_type_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is not a Capability"):
        registry.load(BUILT_IN, [entry("general")])


def test_a_request_has_the_form_of_its_schema() -> None:
    for capability in CAPABILITIES.values():
        request, schema = capability.request(["QUJD"]), request_schema(capability)
        assert list(request) == schema["required"]
    assert LICENCE.request(["QUJD"]) == {"Action": "BusinessCardOCR", "ImageData": "QUJD"}
    assert PLATE.request(["QUJD", "REVG"]) == {"data": ["QUJD", "REVG"]}


def test_without_a_recorded_example_one_is_derived_from_the_schema() -> None:
    made_up = example(replace(GENERAL, example=None))
    assert made_up["response"]["message"] == {"success": 1, "fail": 0}
    (element,) = made_up["response"]["returnObj"]
    assert element == {"text_line": 0, "detail": [{"name": "", "text": "", "box": [0] * 8}]}
    assert list(made_up["request"]) == ["data"] and made_up["request"]["data"][0].endswith("…")
    alone = example(replace(LICENCE, example=None))
    assert alone["response"]["message"] == "success" and alone["request"]["Action"] == LICENCE.action
    assert example_of({"anyOf": [{"enum": ["b", "a"]}, {}]}) == "b" and example_of({"type": "boolean"}) is False


@pytest.mark.parametrize("capability", BUILT_IN, ids=lambda each: each.name)
def test_the_view_shows_the_stub_result(capability: Capability) -> None:
    view = capability.view(capability.element(capability.stub("甲乙"), False, {}))
    assert any("甲乙" in line for line in view.lines())
    assert [key for key, _ in view.fields if capability.label(key, "zh") == key] == []


def test_the_lines_of_a_view() -> None:
    plate = PLATE.view(
        {"detail": [{"box": [[0, 0]] * 4, "platelicense": "甲", "plate_type": "蓝牌", "confidence": 0.9876}]}
    )
    assert (
        list(plate.lines()) == ["甲  蓝牌  0.99"] and plate.marks[0].line("") == "甲  蓝牌  0.9876" and plate.show_crops
    )
    card = IDCARD.view({"note": "", "detail": {"name": "林", "sex": ""}})
    assert list(card.lines()) == ["no card found", "name: 林"]
    assert (IDCARD.label("idn", "en"), IDCARD.label("idn", "zh"), IDCARD.label("x", "zh")) == (
        "Citizen number",
        "公民身份号码",
        "x",
    )


# --- one home for each capability

NAMES = frozenset(each.name for each in BUILT_IN)
HOMES = {
    *(f"service/contract/capabilities/{name}.py" for name in NAMES),
    "service/db/migrations/versions/0002_orders.py",  # history: the catalogue as it was when the table was made
    "engines/reader.py",  # the engines' side: each name once, with the factory of its reader
    "service/demo/customers.py",  # what the example customers of `inkgate demo` bought and opened
    "service/demo/seed.py",
    "service/demo/traffic.py",
    "tools/draw_call.py",  # the call that is drawn
    "tools/draw_samples.py",  # one function for each image
    "tools/results_page.py",  # the benchmarks of the built-in readers, as they were measured
    "tools/sizing.py",  # the same
}
OTHER_MEANINGS = {  # the licence of a model, of a package
    "service/cli/models.py",
    "service/cli/attest.py",
    "engines/manifest.py",
    "tools/third_party_notices.py",
}


def _sources() -> list[Path]:
    folders = (ROOT / "service", ROOT / "tools", ROOT / "engines")
    found = [path for folder in folders for path in folder.rglob("*.py")]
    return [path for path in found if path.relative_to(ROOT).as_posix() not in HOMES | OTHER_MEANINGS]


def test_no_other_module_names_a_built_in_capability() -> None:
    named = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in NAMES
    ]
    assert named == []


def test_no_template_or_script_names_a_built_in_capability() -> None:
    quoted = re.compile(rf"(==|!=|\bin)\s*\(?['\"]({'|'.join(NAMES)})['\"]")
    files = [path for suffix in ("html", "js", "lua", "sh") for path in (ROOT / "service").rglob(f"*.{suffix}")]
    assert (
        files and [str(path) for path in files if "vendor" not in path.parts and quoted.search(path.read_text())] == []
    )
