"""The script of a page, simplified or traditional, and what it says about its characters.

Networks for both lean towards simplified forms, of which they have seen more. A page keeps to one script: once it is
known to be traditional, the lines that hold simplified forms are read again, and the forms weighed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from engines.text.recognise import Recogniser

_LEAST_SIGNS = 8  # characters that tell the script of a page
_SURPLUS = 3  # times as many traditional as simplified ones make a page traditional
_PRIOR = 0.02  # how likely a simplified form is on a traditional page, beside its traditional one


@cache
def simplified(character: str) -> bool:
    """Whether the character is written on the mainland only: it has a place in GB 2312, and none in Big5."""
    return _in("gb2312", character) and not _in("big5", character)


@cache
def traditional(character: str) -> bool:
    """Whether the character is written in traditional script only."""
    return _in("big5", character) and not _in("gb2312", character)


def _in(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return character > "\u3400"


def is_traditional(texts: Sequence[str]) -> bool:
    """Whether the lines are of a page in traditional script."""
    characters = "".join(texts)
    signs = sum(map(traditional, characters))
    return signs >= _LEAST_SIGNS and signs >= _SURPLUS * sum(map(simplified, characters))


def strange(text: str) -> bool:
    """Whether a line of a traditional page holds what does not belong there."""
    return any(map(simplified, text))


def in_traditional(careful: Recogniser) -> Recogniser:
    """A reader of lines known to be in traditional script, on the network of both."""
    prior = np.array([_PRIOR if simplified(sign) else 1.0 for sign in careful.charset], np.float32)
    return Recogniser(lambda batch: careful.network(batch) * prior, careful.charset, prose=True)
