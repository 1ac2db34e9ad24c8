"""Business licences: from lines to the fields of the manual (6.3.4)."""

from __future__ import annotations

from engines.interfaces import TextEngine
from engines.types import Image, Licence


def read_licence(engine: TextEngine, image: Image, *, extras: bool = False) -> Licence:
    """The licence in a picture. Nothing is recognised as a licence yet: every picture is answered as "not one"."""
    return Licence()
