"""The script of a page, simplified or traditional, and what it says about its characters.

Networks for both lean towards simplified forms, of which they have seen more. A page keeps to one script: once it is
known to be traditional, simplified forms are in doubt, and weighed anew when they are read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from inkgate.engines.runtimes.interface import Tensor
from inkgate.engines.text.recognise import Reading, Recogniser, padded, tensor
from inkgate.engines.types import Image

_LEAST_SIGNS = 8  # characters that tell the script of a page
_SURPLUS = 3  # times as many traditional as simplified ones make a page traditional
_IN_PAGE = 0.02  # how likely a simplified form is on a traditional page, beside its traditional one
_IN_LINE = 0.00002  # the same in a line that has traditional forms


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


class Signs:
    """Counts, line by line, the characters of a page that tell its script."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._traditional = self._simplified = 0
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Count the characters of one more line."""
        self._traditional += sum(map(traditional, text))
        self._simplified += sum(map(simplified, text))

    @property
    def traditional(self) -> bool:
        """Whether the lines so far are of a page in traditional script."""
        return self._traditional >= max(_LEAST_SIGNS, _SURPLUS * self._simplified)


def strange(text: str) -> bool:
    """Whether a line of a traditional page holds what does not belong there."""
    return any(map(simplified, text))


class Scripts:
    """Careful readers for pages in either script, all on the network of both."""

    def __init__(self, plain: Recogniser) -> None:
        self.plain = plain
        forms = np.array([simplified(sign) for sign in plain.charset])
        self._page, self._line = (np.where(forms, prior, 1).astype(np.float32) for prior in (_IN_PAGE, _IN_LINE))

    def in_traditional(self, line: Tensor) -> Reading:
        """The reading of a line on a traditional page.

        A header may be in simplified script on such a page; within a line the two are hardly ever mixed.
        """
        scores = self.plain.network(padded(line)[None])[0]
        reading = self.plain.decode(scores * self._page)
        if any(map(traditional, reading.characters)):
            reading = self.plain.decode(scores * self._line)
        return reading


class WholeLines:
    """Reads every line whole and carefully; on a traditional page once more those that do not fit it."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8); ("", 0.0) where nothing was read."""
        readings = self._scripts.plain(crops)
        if Signs([text for text, _ in readings]).traditional:
            for at, (text, _) in enumerate(readings):
                if strange(text):
                    again = self._scripts.in_traditional(tensor(crops[at]))
                    readings[at] = again.text, again.score
        return readings
