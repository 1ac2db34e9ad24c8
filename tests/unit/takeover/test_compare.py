"""Two answers to one call, field by field."""

from __future__ import annotations

import json
from importlib.resources.abc import Traversable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL, IDCARD, LICENCE, PLATE, Capability
from inkgate.service.takeover.compare import (
    MAX_BODY_BYTES,
    MAX_DIFFERENCES,
    MAX_IMAGES,
    OTHER_FIELD,
    Difference,
    Match,
    call_code,
    charged_units,
    compare,
)
from tests.unit.takeover.answers import JSON, answer, encoded, fault

EVERY = pytest.mark.parametrize("capability", CAPABILITIES.values(), ids=lambda each: each.name)


def example(capability: Capability) -> dict[str, Any]:
    """The recorded element of the reference."""
    assert isinstance(capability.example, Traversable)
    result = json.loads(capability.example.read_text("utf-8"))["response"]["returnObj"]
    return result if capability.single else result[0]


def page(*lines: str) -> dict[str, Any]:
    return {"text_line": len(lines), "detail": [{"name": str(i), "text": text} for i, text in enumerate(lines)]}


def plates(*numbers: str, kind: str = "蓝牌") -> dict[str, Any]:
    return {"detail": [{"platelicense": each, "plate_type": kind} for each in numbers]}


@EVERY
def test_equal_answers_agree_in_all_they_have(capability: Capability) -> None:
    body = answer(capability, example(capability))
    made = compare(capability, body, body)
    assert made.readable and made.images == 1 and not made.differences and not made.image_codes
    assert {outcome for _, outcome in made.fields} <= {Match.EQUAL, Match.EMPTY}
    assert sum(made.fields.values()) or made.texts[0].edits == 0 < made.texts[0].characters


def test_every_outcome_of_a_field() -> None:
    cloud = {"name": "林知远", "sex": "女", "addr": "西湖区 青禾路２７号", "idn": "1", "org": "", "nation": "汉"}
    local = {"name": "林知运", "sex": "女", "addr": "西湖区青禾路27号", "org": "公安局", "nation": "汉", "odd": 1}
    made = compare(IDCARD, *(answer(IDCARD, {"note": "back", "detail": each}) for each in (cloud, local)))
    assert made.fields == {
        ("note", Match.EQUAL): 1,
        ("name", Match.DIFFERS): 1,
        ("sex", Match.EQUAL): 1,
        ("nation", Match.EQUAL): 1,
        ("addr", Match.FOLDED): 1,
        ("idn", Match.ONLY_CLOUD): 1,
        ("org", Match.ONLY_LOCAL): 1,
        ("birthday", Match.EMPTY): 1,
        ("validperiod", Match.EMPTY): 1,
        (OTHER_FIELD, Match.ONLY_LOCAL): 1,
    }
    assert Difference("name", "林知远", "林知运", True) in made.differences
    assert {each.field for each in made.differences} == {"name", "addr", "idn", "org", OTHER_FIELD}


def test_only_what_may_identify_a_person_is_personal() -> None:
    personal = {
        each.name: {field.name for field in (*each.fields, *each.element_fields, *each.item_fields) if field.personal}
        for each in CAPABILITIES.values()
    }
    assert personal[IDCARD.name] == {field.name for field in IDCARD.fields}
    assert personal[LICENCE.name] == {"name", "addr", "legal_rep"}
    assert personal[PLATE.name] == {"platelicense"}
    cloud, local = ({"license_type": kind, "detail": {"type": kind}} for kind in ("A", "B"))
    made = compare(LICENCE, answer(LICENCE, cloud), answer(LICENCE, local))
    assert [each.personal for each in made.differences] == [False, False]
    assert compare(GENERAL, answer(GENERAL, page("a")), answer(GENERAL, page("b"))).differences[0].personal


def test_plates_are_paired_by_their_numbers_not_by_their_order() -> None:
    cloud, local = plates("浙A8K26P", "京N12345", "沪C00001"), plates("京N1234S", "浙A8K26P", kind="黄牌")
    made = compare(PLATE, answer(PLATE, cloud), answer(PLATE, local))
    assert made.fields == {
        ("platelicense", Match.EQUAL): 1,
        ("platelicense", Match.DIFFERS): 1,
        ("platelicense", Match.ONLY_CLOUD): 1,
        ("plate_type", Match.DIFFERS): 2,
        ("plate_type", Match.ONLY_CLOUD): 1,
    }


def test_running_text_is_measured_by_character_and_by_line() -> None:
    cloud, local = page("图书馆开放通知", "第 一 行", "ＡＢ"), page("第一行", "图书馆开放通知", "AB", "多余")
    (figures,) = compare(GENERAL, answer(GENERAL, cloud), answer(GENERAL, local)).texts
    assert (figures.cloud_lines, figures.local_lines, figures.equal_lines) == (3, 4, 1)
    assert figures.characters == max(len("图书馆开放通知\n第 一 行\nＡＢ"), len("第一行\n图书馆开放通知\nAB\n多余"))
    assert figures.folded_characters == len("第一行图书馆开放通知AB多余")
    assert figures.folded_edits == 8  # three characters moved, counted on both sides, and two more


def test_differing_lines_are_paired_and_the_equal_ones_left_out() -> None:
    cloud, local = page("一样", "电话 0571", "只在云端"), page("电话 0S71", "一样")
    made = compare(GENERAL, answer(GENERAL, cloud), answer(GENERAL, local))
    assert made.differences == (
        Difference("text", "电话 0571", "电话 0S71", True),
        Difference("text", "只在云端", "", True),
    )


def test_failed_images_and_missing_ones_are_counted_by_code() -> None:
    card = example(IDCARD)
    made = compare(IDCARD, answer(IDCARD, card, "format", "size", card), answer(IDCARD, "decode", card, "size"))
    # format and decode share a code on this table
    assert made.image_codes == {("0", "4009"): 1, ("4009", "0"): 1, ("4010", "4010"): 1, ("0", "none"): 1}
    assert made.images == 0 and not made.fields


def test_answers_that_are_no_success_are_not_compared() -> None:
    card = answer(IDCARD, example(IDCARD))
    assert compare(IDCARD, card, fault(IDCARD, "json")) == compare(IDCARD, fault(IDCARD, "json"), card)
    assert compare(IDCARD, card, fault(IDCARD, "json")).readable


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"\xff\xfe", b"{" * 9, b'{"a":"\\ud800"}'])
def test_what_is_not_the_contracts_json_is_unreadable(body: bytes) -> None:
    assert not compare(IDCARD, body, answer(IDCARD, example(IDCARD))).readable
    assert charged_units(IDCARD, 200, "", body) == 0


def test_too_long_answers_are_unreadable_and_deep_ones_compared() -> None:
    card = answer(IDCARD, example(IDCARD))
    assert not compare(IDCARD, b" " * MAX_BODY_BYTES + card, card).readable
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    made = compare(IDCARD, answer(IDCARD, {"detail": {"name": deep}}), card)
    assert made.fields["name", Match.DIFFERS] == 1


def test_counts_are_bounded() -> None:
    many = [{"detail": {str(number): "x" for number in range(1000)}}] * 80
    made = compare(IDCARD, answer(IDCARD, *many), answer(IDCARD, *([{}] * 80)))
    assert made.images == MAX_IMAGES and len(made.differences) == MAX_DIFFERENCES
    assert {name for name, _ in made.fields} <= {*(each.name for each in IDCARD.fields), "note", OTHER_FIELD}


@EVERY
@given(cloud=JSON, local=JSON, wrapped=st.booleans())
def test_nothing_that_a_service_may_send_raises(capability: Capability, cloud: object, local: object, wrapped: bool):
    bodies = [encoded({"statusCode": 0, "returnObj": each} if wrapped else each) for each in (cloud, local)]
    made = compare(capability, *bodies)
    assert sum(made.fields.values()) >= len(made.fields)
    assert charged_units(capability, 200, "0", bodies[0]) >= 0


@EVERY
@given(body=st.binary(max_size=64))
def test_no_bytes_raise(capability: Capability, body: bytes) -> None:
    assert compare(capability, body, body) is not None


@EVERY
@given(detail=JSON)
def test_an_answer_agrees_with_itself_whatever_it_holds(capability: Capability, detail: object) -> None:
    body = encoded({"statusCode": 0, "returnObj": [{"detail": detail}]})
    made = compare(capability, body, body)
    assert not made.differences and {outcome for _, outcome in made.fields} <= {Match.EQUAL, Match.EMPTY}
    assert all(each.edits == 0 and each.cloud_lines == each.equal_lines for each in made.texts)


@EVERY
def test_units_of_the_cloud_follow_the_manual(capability: Capability) -> None:
    element = example(capability)
    internal, wrong = (str(capability.faults[name].code) for name in ("internal", "json"))
    assert charged_units(capability, 200, "0", answer(capability, element)) == 1
    assert charged_units(capability, 200, "0", None) == 1  # how many images is unknown
    assert charged_units(capability, 200, wrong, fault(capability, "json")) == 1
    assert charged_units(capability, 200, internal, fault(capability, "internal")) == 0
    assert charged_units(capability, 502, "0", answer(capability, element)) == 0
    assert charged_units(capability, 200, "51003", encoded({"statusCode": 51003})) == 0
    if not capability.single:
        assert charged_units(capability, 200, "0", answer(capability, element, "size", "internal")) == 2


@pytest.mark.parametrize(
    ("status", "code", "counted"),
    [
        (200, "0", "0"),
        (200, "4011", "4011"),
        (401, "CTAPI_10020", "10020"),
        (403, "51003", "51003"),
        (200, "40019", "40019"),
        (502, "", "http_502"),
        (200, "", "other"),
        (200, "1234567", "other"),
        (999, "", "other"),
    ],
)
def test_codes_are_counted_under_names_of_a_fixed_set(status: int, code: str, counted: str) -> None:
    assert call_code(IDCARD, status, code) == counted
