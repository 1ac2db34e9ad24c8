"""Reads one image and converts the result into the element of its capability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inkgate.engines.interfaces import Reader
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.capability import Element, Options


def element(reader: Reader, name: str, image: bytes, extras: bool, options: Options) -> Element:
    """Read an image file for the capability `name` and build its element of JSON types.

    Raises ValueError for a capability that is not installed, and the errors of the reader.
    """
    if name not in CAPABILITIES:
        raise ValueError(f"no capability {name!r}")
    return CAPABILITIES[name].element(reader.read(name, image, extras=extras), extras, options)


def line_count(name: str, element: Mapping[str, Any] | None) -> int | None:
    """Number of text lines of an element; None without an element, or where the capability does not count lines."""
    capability = CAPABILITIES.get(name)
    if element is None or capability is None or not capability.lines_key:
        return None
    return element.get(capability.lines_key)
