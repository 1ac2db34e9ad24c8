"""One request and its answer for each capability, as the reference shows them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from inkgate.service.contract.answers import batch_answer, single_answer
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.contract.json_schema import example_of

SHOWN_CHARACTERS = 24  # of the Base64 text of an image


def examples() -> Mapping[str, Mapping[str, Any]]:
    """Name → {"request": …, "response": …} for every capability."""
    return {name: example(capability) for name, capability in CAPABILITIES.items()}


def example(capability: Capability) -> Mapping[str, Any]:
    """The recorded example of a capability; without one the sample's request, and an answer made of the schema."""
    if capability.example is not None:
        recorded: dict[str, Any] = json.loads(capability.example.read_text("utf-8"))
        return recorded
    element = example_of(capability.schema)
    if capability.single:
        response = single_answer(capability, element, superset=False)
    else:
        response = batch_answer(capability, [element], superset=False)
    text = base64.urlsafe_b64encode(capability.sample.read_bytes()).decode()
    return {"request": capability.request([shortened(text)]), "response": response}


def shortened(text: str) -> str:
    """The beginning of a Base64 text, as examples show it."""
    return text[:SHOWN_CHARACTERS] + "…"
