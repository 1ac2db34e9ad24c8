"""Accuracy on the bundled samples: answers against what is printed on the images (truth.toml). Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from rapidfuzz.distance import Levenshtein

from inkgate.service.attest.evidence import Part, json_file
from inkgate.service.contract.capabilities import CAPABILITIES

NAME = "accuracy"
FILE = "accuracy.json"
LEAST = 0.95  # of the characters of a text, and of the fields of a document; below it the part fails


@dataclass(frozen=True, slots=True)
class Score:
    """How much of a sample was read: `right` of `all` characters or fields."""

    capability: str
    unit: str  # "characters" or "fields"
    right: int
    all: int
    differences: tuple[dict[str, str], ...] = ()

    @property
    def rate(self) -> float:
        return self.right / self.all if self.all else 0.0


def truth() -> Mapping[str, Any]:
    """What is printed on the samples, by capability."""
    text = resources.files("inkgate.service.attest").joinpath("truth.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def sample(capability: str) -> bytes:
    """The file of a capability's sample image. Raises KeyError."""
    return CAPABILITIES[capability].sample.read_bytes()


def score(capability: str, element: Mapping[str, Any], printed: Mapping[str, Any]) -> Score:
    """Compare the element of a sample's answer with what is printed on it. Blanks do not count."""
    detail = element.get("detail")
    if "text" in printed:
        key = CAPABILITIES[capability].text_key
        listed = detail if isinstance(detail, list) else []
        return _characters(capability, printed["text"], [str(each.get(key, "")) for each in listed])
    wanted: Mapping[str, str] = printed.get("fields") or printed["item"]
    if "item" in printed:
        detail = detail[0] if isinstance(detail, list) and detail else {}
    found = detail if isinstance(detail, Mapping) else {}
    wrong = tuple(
        {"field": name, "printed": value, "read": str(found.get(name, ""))}
        for name, value in wanted.items()
        if str(found.get(name, "")) != value
    )
    return Score(capability, "fields", len(wanted) - len(wrong), len(wanted), wrong)


def _characters(capability: str, printed: list[str], read: list[str]) -> Score:
    want, have = ("".join("".join(lines).split()) for lines in (printed, read))
    distance = Levenshtein.distance(want, have)
    wrong = ({"field": "text", "printed": want, "read": have},) if distance else ()
    return Score(capability, "characters", max(0, len(want) - distance), len(want), wrong)


def part(elements: Mapping[str, Mapping[str, Any]], source: str) -> Part:
    """The part from the elements that were read; `source` says by whom. A sample without an element fails."""
    scores = [score(name, elements.get(name, {}), printed) for name, printed in truth().items()]
    listed = [
        {
            "capability": each.capability,
            "unit": each.unit,
            "right": each.right,
            "all": each.all,
            "rate": round(each.rate, 4),
            "differences": list(each.differences),
        }
        for each in scores
    ]
    low = [each.capability for each in scores if each.rate < LEAST]
    document = {"source": source, "least": LEAST, "samples": listed}
    reason = f"below {LEAST:.0%}: {', '.join(low)}" if low else ""
    facts = {
        "source": source,
        "scores": [{name: each[name] for name in each if name != "differences"} for each in listed],
    }
    return Part(NAME, "failed" if low else "passed", reason, facts, {FILE: json_file(document)})
