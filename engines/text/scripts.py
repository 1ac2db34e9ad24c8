"""Detects the script of a page (simplified or traditional) and corrects characters by it.

Networks for both scripts are biased towards simplified forms, which dominate their training data. A page has one
script: once it is known to be traditional, lines with simplified forms are recognised again with a prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from inkgate.engines.runtimes.interface import Tensor
from inkgate.engines.text.recognise import Reading, Recogniser, pad_to_min_width, to_tensor
from inkgate.engines.types import Image

_MIN_CHARACTERS = 8  # of one script only, to decide the script of a page
_TRADITIONAL_RATIO = 3  # times as many traditional as simplified ones make a page traditional
_PAGE_PRIOR = 0.02  # factor on probabilities of simplified forms on a traditional page
_LINE_PRIOR = 0.00002  # the same in a line that has traditional forms


@cache
def is_simplified_only(character: str) -> bool:
    """Whether the character is encoded in GB 2312 and not in Big5."""
    return _encodes("gb2312", character) and not _encodes("big5", character)


@cache
def is_traditional_only(character: str) -> bool:
    """Whether the character is encoded in Big5 and not in GB 2312."""
    return _encodes("big5", character) and not _encodes("gb2312", character)


def _encodes(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return character > "\u3400"


class ScriptCounter:
    """Counts the characters of a page that occur in one script only."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._traditional = self._simplified = 0
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Count the characters of one more line."""
        self._traditional += sum(map(is_traditional_only, text))
        self._simplified += sum(map(is_simplified_only, text))

    @property
    def is_traditional(self) -> bool:
        """Whether the lines so far are of a page in traditional script."""
        return self._traditional >= max(_MIN_CHARACTERS, _TRADITIONAL_RATIO * self._simplified)


def has_simplified(text: str) -> bool:
    """Whether a line of a traditional page has simplified characters."""
    return any(map(is_simplified_only, text))


class ScriptAwareRecogniser:
    """Accurate recognition of pages in either script."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        forms = np.array([is_simplified_only(character) for character in recogniser.charset])
        self._page, self._line = (np.where(forms, prior, 1).astype(np.float32) for prior in (_PAGE_PRIOR, _LINE_PRIOR))

    def recognise_traditional(self, line: Tensor) -> Reading:
        """The reading of a line on a traditional page.

        A header may be in simplified script on such a page; within a line the two are hardly ever mixed.
        """
        scores = self.recogniser.network(pad_to_min_width(line)[None])[0]
        reading = self.recogniser.decode(scores * self._page, line)
        if any(map(is_traditional_only, reading.characters)):
            reading = self.recogniser.decode(scores * self._line, line)
        return reading


class WholeLineRecogniser:
    """Recognises every line with the accurate network, then again those with simplified forms on a traditional page."""

    def __init__(self, recogniser: ScriptAwareRecogniser) -> None:
        self._recogniser = recogniser

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8); ("", 0.0) where nothing was read."""
        readings = self._recogniser.recogniser(crops)
        if ScriptCounter([text for text, _ in readings]).is_traditional:
            for at, (text, _) in enumerate(readings):
                if has_simplified(text):
                    again = self._recogniser.recognise_traditional(to_tensor(crops[at]))
                    readings[at] = again.text, again.score
        return readings
