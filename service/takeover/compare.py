"""Compares what two services answered to one call, field by field. Pure; accepts whatever the cloud may send.

What is compared follows from the capability registry: the labelled keys of an element and of its `detail` (documents),
the labelled keys of the items of a list `detail` (plates), or the running text of the items (`text_key`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from inkgate.service.contract.capabilities import Capability
from inkgate.service.contract.capability import AnswerField
from inkgate.service.contract.refusals import GATEWAY_CODES
from inkgate.service.takeover.text_distance import TextFigures, closest_pairs, compare_lines, folded

MAX_BODY_BYTES = 4 * 1024 * 1024  # of an answer; 50 dense pages take about 2.5 MB
MAX_IMAGES = 50
MAX_ITEMS = 50  # items of one image that are paired, on each side
MAX_LINES = 5000  # lines of one image
MAX_DIFFERENCES = 50  # of one call that are kept
MAX_DIFFERENT_LINES = 30  # lines of one image, on each side, that are searched for pairs
MAX_VALUE_CHARACTERS = 10_000  # of a field; the rest is left out

READ, NO_ANSWER, OTHER_CODE = "0", "none", "other"
OTHER_FIELD = "*"
"""All keys of `detail` that the registry does not label."""
TOO_DEEP = "[…]"
"""Stands for a value that is nested too deeply to be written as text."""

_SUCCESS = (0, "0")
_SEAL_CODES = range(40017, 40021)  # of a sealed body that cannot be opened (manual 6.2.4)


class Match(StrEnum):
    """The outcome of one field of one image."""

    EQUAL = "equal"  # the same text, and not empty
    FOLDED = "folded"  # the same text but for blanks and full-width characters
    DIFFERS = "differs"
    ONLY_CLOUD = "only_cloud"  # empty or missing here
    ONLY_LOCAL = "only_local"  # empty or missing in the cloud's answer
    EMPTY = "empty"  # empty or missing in both; in no figure of agreement


@dataclass(frozen=True, slots=True)
class Difference:
    """Two different values of a field; "" where one side has none."""

    field: str
    cloud: str
    local: str
    personal: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures of one call.

    `fields` counts (field, outcome), `image_codes` pairs of codes of images that were not read by both ("0": read),
    `images` those that both read. `units` is what the cloud charges by the manual (7.1). With `readable` False one of
    the answers is not a JSON object of the contract, and all else is empty.
    """

    fields: Mapping[tuple[str, Match], int]
    image_codes: Mapping[tuple[str, str], int]
    images: int = 0
    texts: tuple[TextFigures, ...] = ()
    differences: tuple[Difference, ...] = ()
    readable: bool = True


UNREADABLE = Comparison({}, {}, readable=False)


def compare(capability: Capability, cloud: bytes, local: bytes) -> Comparison:
    """The comparison of two answers to one call. Never raises; of answers that are no success nothing is compared."""
    answers = [parsed(cloud), parsed(local)]
    if any(answer is None for answer in answers):
        return UNREADABLE
    if any(_code(answer) not in _SUCCESS for answer in answers):
        return Comparison({}, {})
    both = [elements(answer) for answer in answers]
    made = _Builder(capability)
    for one, other in zip(*both, strict=False):
        made.add_image(one, other)
    for index in range(min(map(len, both)), max(map(len, both))):
        made.image_codes[(READ, NO_ANSWER) if index < len(both[0]) else (NO_ANSWER, READ)] += 1
    return made.comparison()


def parsed(body: bytes | None) -> Mapping[str, Any] | None:
    """The JSON object of an answer; None for anything else, and above MAX_BODY_BYTES."""
    if body is None or len(body) > MAX_BODY_BYTES:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def elements(answer: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The objects of the images of a successful answer, at most MAX_IMAGES; anything else in place of one is empty."""
    result = (answer or {}).get("returnObj")
    listed = result if isinstance(result, list) else [result]
    return [each if isinstance(each, dict) else {} for each in listed[:MAX_IMAGES]]


def charged_units(capability: Capability, status: int, code: str, body: bytes | None) -> int:
    """What an answer of the cloud costs at least, by the manual (7.1): one unit per image, also for business errors;
    none for internal errors, and for answers of its gateway or without the contract's form.

    Without the body (a call that was not read here) the number of images is unknown: then it is one unit.
    """
    internal = str(capability.faults["internal"].code)
    if status != 200:
        return 0
    if code == READ:
        listed = [{}] if body is None else elements(parsed(body))
        return sum(image_code(each) != internal for each in listed)
    return int(code in {str(row.code) for row in capability.faults.values()} - {internal})


def image_code(element: Mapping[str, Any]) -> str:
    """The code of a failed image, READ for one that was read."""
    code = element.get("err_code", element.get("errorCode", READ))
    text = str(code) if isinstance(code, int | str) else OTHER_CODE
    return text if text.isascii() and text.isdigit() and len(text) <= 6 else OTHER_CODE


def call_code(capability: Capability, status: int, code: str) -> str:
    """A code from a fixed set, for counting: one of the contract, or the HTTP status of an answer without one."""
    number = code.removeprefix("CTAPI_")
    known = {READ, *(str(row.code) for row in capability.faults.values()), *map(str, (*GATEWAY_CODES, *_SEAL_CODES))}
    if number in known:
        return number
    return f"http_{status}" if status != 200 and 100 <= status <= 599 else OTHER_CODE


def _code(answer: Mapping[str, Any] | None) -> int | str | None:
    code = (answer or {}).get("statusCode")
    return code if isinstance(code, int | str) and not isinstance(code, bool) else None


class _Builder:
    """Adds up the images of one call."""

    def __init__(self, capability: Capability) -> None:
        self._capability = capability
        self.fields: Counter[tuple[str, Match]] = Counter()
        self.image_codes: Counter[tuple[str, str]] = Counter()
        self._texts: list[TextFigures] = []
        self._differences: list[Difference] = []
        self._images = 0

    def comparison(self) -> Comparison:
        return Comparison(
            self.fields, self.image_codes, self._images, tuple(self._texts), tuple(self._differences[:MAX_DIFFERENCES])
        )

    def add_image(self, cloud: Mapping[str, Any], local: Mapping[str, Any]) -> None:
        codes = image_code(cloud), image_code(local)
        if codes != (READ, READ):
            self.image_codes[codes] += 1
            return
        self._images += 1
        for field in self._capability.element_fields:
            self._add_values(field, cloud.get(field.name), local.get(field.name))
        details = cloud.get("detail"), local.get("detail")
        if self._capability.text_key:
            self._add_text(*(_lines(detail, self._capability.text_key) for detail in details))
        elif self._capability.item_fields:
            self._add_items(*(_objects(detail, MAX_ITEMS) for detail in details))
        else:
            self._add_detail(*(detail if isinstance(detail, dict) else {} for detail in details))

    def _add_detail(self, cloud: Mapping[str, Any], local: Mapping[str, Any]) -> None:
        for field in self._capability.fields:
            self._add_values(field, cloud.get(field.name), local.get(field.name))
        labelled = {field.name for field in self._capability.fields}
        for key in sorted((cloud.keys() | local.keys()) - labelled)[:MAX_ITEMS]:
            self._add_values(AnswerField(OTHER_FIELD, "", "", personal=True), cloud.get(key), local.get(key))

    def _add_items(self, cloud: Sequence[Mapping[str, Any]], local: Sequence[Mapping[str, Any]]) -> None:
        identity = self._capability.item_fields[0].name
        names = [[value_text(item.get(identity)) for item in items] for items in (cloud, local)]
        for i, j in closest_pairs(*names):
            one, other = {} if i is None else cloud[i], {} if j is None else local[j]
            for field in self._capability.item_fields:
                self._add_values(field, one.get(field.name), other.get(field.name))

    def _add_text(self, cloud: Sequence[str], local: Sequence[str]) -> None:
        self._texts.append(compare_lines(cloud, local))
        common = Counter(cloud) & Counter(local)
        rest = [_without(lines, common)[:MAX_DIFFERENT_LINES] for lines in (cloud, local)]
        for i, j in closest_pairs(*rest):
            self._note(
                self._capability.text_key, "" if i is None else rest[0][i], "" if j is None else rest[1][j], True
            )

    def _add_values(self, field: AnswerField, cloud: object, local: object) -> None:
        one, other = value_text(cloud), value_text(local)
        outcome = match(one, other)
        self.fields[field.name, outcome] += 1
        if outcome not in (Match.EQUAL, Match.EMPTY):
            self._note(field.name, one, other, field.personal)

    def _note(self, field: str, cloud: str, local: str, personal: bool) -> None:
        if len(self._differences) < MAX_DIFFERENCES:
            self._differences.append(Difference(field, cloud, local, personal))


def match(cloud: str, local: str) -> Match:
    """The outcome of two values; a missing value is ""."""
    if cloud == local:
        return Match.EQUAL if cloud else Match.EMPTY
    if not cloud or not local:
        return Match.ONLY_LOCAL if not cloud else Match.ONLY_CLOUD
    return Match.FOLDED if folded(cloud) == folded(local) else Match.DIFFERS


def value_text(value: object) -> str:
    """A value as text: strings as they are, nothing for null, other JSON in its shortest form."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:MAX_VALUE_CHARACTERS]
    try:
        return orjson.dumps(value).decode()[:MAX_VALUE_CHARACTERS]
    except orjson.JSONEncodeError:  # nested deeper than orjson writes, though it reads it
        return TOO_DEEP


def _objects(detail: object, limit: int) -> list[Mapping[str, Any]]:
    listed = detail if isinstance(detail, list) else []
    return [each for each in listed[:limit] if isinstance(each, dict)]


def _lines(detail: object, key: str) -> list[str]:
    return [value_text(item.get(key)) for item in _objects(detail, MAX_LINES)]


def _without(lines: Sequence[str], common: Counter[str]) -> list[str]:
    """The lines but for as many of each as `common` has."""
    left = common.copy()
    kept = []
    for line in lines:
        if left[line] > 0:
            left[line] -= 1
        else:
            kept.append(line)
    return kept
