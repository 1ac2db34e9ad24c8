"""Two readers for one line: a quick network reads all of it, a careful one only where the quick one is in doubt.

The quick network costs a fifth of the careful one and errs on three characters in a hundred, and it knows where:
nine errors in ten lie within two characters of one that scores below 0.8. So the stretch around each doubtful
character is cut out between characters, read again, and put back where both readings agree on the characters at its
ends. Where they do not agree even for a wider stretch, or where most of the line is in doubt, the careful network reads
the whole line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.runtimes.interface import Tensor
from inkgate.engines.text.recognise import HEIGHT, STRIDE, Reading, Recogniser, tensor
from inkgate.engines.text.scripts import Scripts, Signs, strange
from inkgate.engines.types import Image

_REACH = 2  # characters on either side of a doubtful one that are read again
_WIDER = 3  # characters by which a stretch whose ends do not agree grows, once
_MOST = 0.6  # a larger share of the line in doubt: read all of it


@dataclass(frozen=True, slots=True)
class Doubt:
    """The probability below which a character is read again: higher is slower and errs less.

    Short lines (labels, amounts, numbers) have a stricter one, and are read again whole: a character weighs more in
    them, the quick network has less to go by, and their share of the work is small.
    """

    prose: float
    short: float
    short_width: int = 300  # pixels at the networks' height of 48: about seven Chinese characters


class Cascade:
    """Reads as `Recogniser` does, at a fraction of the careful network's cost."""

    def __init__(self, quick: Recogniser, careful: Scripts, doubt: Doubt, squeeze: float = 1.0) -> None:
        """`squeeze` is the share of its width at which a line is read that is not short."""
        self.quick = quick
        self._careful = careful
        self._doubt = doubt
        self._squeeze = squeeze

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8); ("", 0.0) where nothing was read.

        The crops are of one page. The quick network writes traditional script in simplified forms, so what the careful
        one has made of the first lines tells the page's script.
        """
        readings: list[tuple[str, float]] = []
        signs = Signs()
        too_early: list[int] = []  # places of lines that were read before the script was known
        for at, crop in enumerate(crops):
            line = self._tensor(crop)
            if signs.traditional:
                readings.append(self._in_traditional(line))
            else:
                readings.append(self.read_line(line))
                too_early.append(at)
            signs.add(readings[at][0])
        if signs.traditional:
            for at in too_early:
                if strange(readings[at][0]):
                    readings[at] = self._whole(self._tensor(crops[at]))
        return readings

    def _tensor(self, crop: Image) -> Tensor:
        height, width = crop.shape[:2]
        short = HEIGHT * width < self._doubt.short_width * height
        return tensor(crop, 1.0 if short else self._squeeze)

    def read_line(self, line: Tensor) -> tuple[str, float]:
        """Text and score of one line as `recognise.tensor` gives it."""
        return self._checked(line, self.quick.spell(line))

    def _in_traditional(self, line: Tensor) -> tuple[str, float]:
        quick = self.quick.spell(line)
        return self._whole(line) if strange(quick.text) else self._checked(line, quick)

    def _whole(self, line: Tensor) -> tuple[str, float]:
        """The careful reading of a line on a traditional page."""
        whole = self._careful.in_traditional(line)
        return whole.text, whole.score

    def _checked(self, line: Tensor, quick: Reading) -> tuple[str, float]:
        """Text and score of a line once what is doubtful in its quick reading has been read again."""
        short = line.shape[2] < self._doubt.short_width
        doubtful = _near(quick.scores < (self._doubt.short if short else self._doubt.prose))
        doubtful = _inside_words(doubtful, quick.characters)
        if quick.characters and not doubtful.any():
            return quick.text, quick.score
        if not short and 0 < doubtful.sum() <= _MOST * len(doubtful):
            mended = _mend(line, quick, doubtful, self._careful.plain)
            if mended is not None:
                return mended
        whole = self._careful.plain.spell(line)
        return whole.text, whole.score


def _mend(line: Tensor, quick: Reading, doubtful: NDArray[np.bool_], careful: Recogniser) -> tuple[str, float] | None:
    """Text and score with every doubtful stretch read again, or None when one does not fit back in."""
    characters: list[str] = []
    scores: list[float] = []
    done, end = 0, len(quick.characters)
    stretches = _stretches(doubtful)
    for (first, last), (following, _) in zip(stretches, [*stretches[1:], (end, end)], strict=True):
        found = _again(line, quick, first, last, careful)
        if found is None:
            first, last = _widened(quick.characters, first, last, done, following)
            found = _again(line, quick, first, last, careful)
        if found is None:
            return None
        characters += quick.characters[done:first] + found.characters
        scores += [*quick.scores[done:first].tolist(), *found.scores.tolist()]
        done = last + 1
    characters += quick.characters[done:]
    scores += quick.scores[done:].tolist()
    return "".join(characters), float(np.mean(scores)) if scores else 0.0


def _again(line: Tensor, quick: Reading, first: int, last: int, careful: Recogniser) -> Reading | None:
    """The careful reading of the stretch from character `first` to `last`, or None when it does not fit back in."""
    end = len(quick.characters) - 1
    left = 0 if first == 0 else _between(quick, first - 1)
    right = line.shape[2] if last == end else _between(quick, last)
    again = careful.spell(line[:, :, left:right])
    expected = quick.columns[[first, last]] - left / STRIDE
    ends = quick.characters[first], quick.characters[last]
    start = _end_of(again, (0, 1), ends[0], expected[0]) if first > 0 else 0
    stop = _end_of(again, (-1, -2), ends[1], expected[1]) if last < end else len(again.characters) - 1
    if start is None or stop is None or stop < start:
        return None
    span = slice(start, stop + 1)
    return Reading(again.characters[span], again.scores[span], again.columns[span])


def _end_of(again: Reading, places: tuple[int, int], character: str, column: float) -> int | None:
    """The place of a stretch's end in its second reading, or None when that reads something else there.

    At a cut the remains of the neighbour may have been read as well, even as the same character: of the two outermost
    places the one counts that holds `character`, nearest to `column`.
    """
    size = len(again.characters)
    same = [at % size for at in places[:size] if again.characters[at] == character]
    return min(same, key=lambda at: abs(float(again.columns[at]) - column), default=None)


def _near(doubtful: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each character, whether it lies within reach of a doubtful one."""
    near = np.zeros(len(doubtful), bool)
    for at in np.flatnonzero(doubtful):
        near[max(at - _REACH, 0) : at + _REACH + 1] = True
    return near


def _inside_words(doubtful: NDArray[np.bool_], characters: Sequence[str]) -> NDArray[np.bool_]:
    """The flags with each run extended until no cut at its ends touches a blank.

    A recogniser drops blanks at the ends of what it reads. Next to such a cut a word of one character would be taken
    for the remains of its neighbour and lost.
    """
    blank = np.array([character.isspace() for character in characters], bool)
    beside = blank[:-1] | blank[1:]  # a cut between characters `at` and `at + 1` would touch a blank
    grown = doubtful.copy()
    for at in range(1, len(grown)):
        grown[at] |= grown[at - 1] & beside[at - 1]
    for at in range(len(grown) - 2, -1, -1):
        grown[at] |= grown[at + 1] & beside[at]
    return grown


def _widened(characters: Sequence[str], first: int, last: int, start: int, stop: int) -> tuple[int, int]:
    """The stretch from `first` to `last` grown by `_WIDER` characters and to cuts inside words, within start..stop."""
    flags = np.zeros(stop - start, bool)
    flags[max(first - _WIDER - start, 0) : last + _WIDER + 1 - start] = True
    inside = np.flatnonzero(_inside_words(flags, characters[start:stop]))
    return start + int(inside[0]), start + int(inside[-1])


def _stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.view(np.int8), [0]))))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _between(reading: Reading, at: int) -> int:
    """The pixel half-way between character `at` and the next one."""
    return round(STRIDE * (float(reading.columns[at] + reading.columns[at + 1]) + 1) / 2)
