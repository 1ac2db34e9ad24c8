"""Answers as the two services give them, and JSON of every kind, for the tests of the comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from inkgate.service.contract.answers import batch_answer, fault_answer, single_answer
from inkgate.service.contract.capabilities import Capability

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def answer(capability: Capability, *elements: Mapping[str, Any] | str) -> bytes:
    """A successful answer; a string is the fault of an image."""
    if capability.single:
        assert not isinstance(elements[0], str)
        return encoded(single_answer(capability, elements[0], superset=False))
    return encoded(batch_answer(capability, elements, superset=False))


def fault(capability: Capability, name: str) -> bytes:
    """The answer to a request with a fault."""
    return encoded(fault_answer(capability, name))


def encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
