"""ID cards: from lines to the eight fields of the manual (6.3.2)."""

from __future__ import annotations

from engines.interfaces import TextEngine
from engines.types import IdCard, Image


def read_idcard(engine: TextEngine, image: Image, *, extras: bool = False) -> IdCard:
    """The card in a picture. Nothing is recognised as a card yet: every picture is answered as "not a card"."""
    return IdCard()
