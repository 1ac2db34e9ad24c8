"""One image into the contract's element: the capability's reader, then the capability's own form of its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inkgate.engines.interfaces import Reader
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.capability import Element, Options


def element(reader: Reader, name: str, image: bytes, extras: bool, options: Options) -> Element:
    """Read the image file for the capability `name` and make its element, plain JSON types.

    Raises ValueError for a capability that is not installed, and what the reader raises.
    """
    if name not in CAPABILITIES:
        raise ValueError(f"no capability {name!r}")
    return CAPABILITIES[name].element(reader.read(name, image, extras=extras), extras, options)


def line_count(name: str, element: Mapping[str, Any] | None) -> int | None:
    """How many text lines an element holds; None where the capability's elements do not say so, or none was read."""
    capability = CAPABILITIES.get(name)
    if element is None or capability is None or not capability.lines_key:
        return None
    return element.get(capability.lines_key)
