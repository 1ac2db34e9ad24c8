"""Recogniser cascade: a draft recogniser reads the whole line, an accurate one the spans of low confidence.

The draft network costs a fifth of the accurate one and misreads three characters in a hundred. Nine errors in ten lie
within two characters of one that scores below 0.8. The span around each such character is cropped, recognised by the
accurate network, and merged where both readings agree on the characters at its ends. If they disagree even for a wider
span, or if most of the line has low confidence, the accurate network reads the whole line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.runtimes.interface import Tensor
from inkgate.engines.text.codes import code_spans
from inkgate.engines.text.marks import with_draft_marks
from inkgate.engines.text.page_threads import PageThreads
from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS, STRIDE, Reading, Recogniser, to_tensor
from inkgate.engines.text.scripts import ScriptAwareRecogniser, ScriptCounter, has_simplified
from inkgate.engines.types import Image

_CONTEXT_CHARACTERS = 2  # characters on either side of a low-confidence one that are read again
_WIDENING_CHARACTERS = 3  # characters by which a span whose ends do not agree grows, once
_MAX_SPAN_SHARE = 0.6  # above this share of low-confidence characters the whole line is read again


@dataclass(frozen=True, slots=True)
class ConfidenceThresholds:
    """The probability below which a character is read again: higher is slower and errs less.

    Short lines (labels, amounts, numbers) have a stricter one, and are read again whole: a character weighs more in
    them, the draft network has less context, and they are a small share of the work.
    """

    long_line: float
    short_line: float
    short_line_pixels: int = 300  # pixels at the networks' height of 48: about seven Chinese characters


class Cascade:
    """A `Recogniser` at a fraction of the cost of the accurate network."""

    def __init__(
        self,
        draft: Recogniser,
        accurate: ScriptAwareRecogniser,
        thresholds: ConfidenceThresholds,
        horizontal_scale: float = 1.0,
        threads: PageThreads | None = None,
    ) -> None:
        """`horizontal_scale` is the share of its width at which a line is read that is not short."""
        self.draft = draft
        self._accurate = accurate
        self._thresholds = thresholds
        self._horizontal_scale = horizontal_scale
        self._threads = threads or PageThreads()

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8); ("", 0.0) where nothing was read.

        The crops are of one page. The draft network writes traditional script in simplified forms, so the script of the
        page is detected from the accurate readings of the first lines.
        """
        readings: list[tuple[str, float]] = []
        script_counter = ScriptCounter()
        before_script_known: list[int] = []  # places of lines that were read before the script was known

        def read(at: int) -> tuple[bool, tuple[str, float]]:
            traditional = script_counter.is_traditional  # a guess when lines before this one are still being read
            return traditional, self._read(crops[at], traditional)

        for at, (guess, reading) in enumerate(self._threads.in_order(read, len(crops))):
            traditional = script_counter.is_traditional
            readings.append(reading if guess == traditional else self._read(crops[at], traditional))
            if not traditional:
                before_script_known.append(at)
            script_counter.add(readings[at][0])
        if script_counter.is_traditional:
            for at in before_script_known:
                if has_simplified(readings[at][0]):
                    readings[at] = self._recognise_whole(self._tensor(crops[at]))
        return readings

    def _read(self, crop: Image, traditional: bool) -> tuple[str, float]:
        line = self._tensor(crop)
        return self._recognise_traditional(line) if traditional else self.read_line(line)

    def _tensor(self, crop: Image) -> Tensor:
        height, width = crop.shape[:2]
        short_line = LINE_HEIGHT_PIXELS * width < self._thresholds.short_line_pixels * height
        return to_tensor(crop, 1.0 if short_line else self._horizontal_scale)

    def read_line(self, line: Tensor) -> tuple[str, float]:
        """Text and score of one line as `recognise.to_tensor` gives it."""
        return self._refine(line, self.draft.recognise_line(line))

    def _recognise_traditional(self, line: Tensor) -> tuple[str, float]:
        draft = self.draft.recognise_line(line)
        return self._recognise_whole(line) if has_simplified(draft.text) else self._refine(line, draft)

    def _recognise_whole(self, line: Tensor) -> tuple[str, float]:
        """The accurate reading of a line on a traditional page."""
        whole = self._accurate.recognise_traditional(line)
        return whole.text, whole.score

    def _refine(self, line: Tensor, draft: Reading) -> tuple[str, float]:
        """Text and score of a line after its spans of low confidence have been read again."""
        short_line = line.shape[2] < self._thresholds.short_line_pixels
        low_confidence = _dilate(
            draft.scores < (self._thresholds.short_line if short_line else self._thresholds.long_line)
        )
        for start, end in code_spans(draft.characters):  # a code is decided as a whole
            low_confidence[start:end] |= low_confidence[start:end].any()
        low_confidence = _extend_to_word_boundaries(low_confidence, draft.characters)
        if draft.characters and not low_confidence.any():
            return draft.text, draft.score
        if not short_line and 0 < low_confidence.sum() <= _MAX_SPAN_SHARE * len(low_confidence):
            merged = _merge_spans(line, draft, low_confidence, self._accurate.recogniser)
            if merged is not None:
                return with_draft_marks(merged[0], draft.text), merged[1]
        whole = self._accurate.recogniser.recognise_line(line)
        return with_draft_marks(whole.text, draft.text), whole.score


def _merge_spans(
    line: Tensor, draft: Reading, low_confidence: NDArray[np.bool_], accurate: Recogniser
) -> tuple[str, float] | None:
    """Text and score with every span of low confidence read again, None when the ends of one do not match."""
    characters: list[str] = []
    scores: list[float] = []
    done, end = 0, len(draft.characters)
    spans = _runs(low_confidence)
    for (first, last), (following, _) in zip(spans, [*spans[1:], (end, end)], strict=True):
        found = _recognise_span(line, draft, first, last, accurate)
        if found is None:
            first, last = _widen_span(draft.characters, first, last, done, following)
            found = _recognise_span(line, draft, first, last, accurate)
        if found is None:
            return None
        characters += draft.characters[done:first] + found.characters
        scores += [*draft.scores[done:first].tolist(), *found.scores.tolist()]
        done = last + 1
    characters += draft.characters[done:]
    scores += draft.scores[done:].tolist()
    return "".join(characters), float(np.mean(scores)) if scores else 0.0


def _recognise_span(line: Tensor, draft: Reading, first: int, last: int, accurate: Recogniser) -> Reading | None:
    """The accurate reading of the span from character `first` to `last`, None when its ends do not match."""
    end = len(draft.characters) - 1
    left = 0 if first == 0 else _cut_position(draft, first - 1)
    right = line.shape[2] if last == end else _cut_position(draft, last)
    again = accurate.recognise_line(line[:, :, left:right])
    expected = draft.columns[[first, last]] - left / STRIDE
    ends = draft.characters[first], draft.characters[last]
    start = _match_span_end(again, (0, 1), ends[0], expected[0]) if first > 0 else 0
    stop = _match_span_end(again, (-1, -2), ends[1], expected[1]) if last < end else len(again.characters) - 1
    if start is None or stop is None or stop < start:
        return None
    span = slice(start, stop + 1)
    characters = again.characters[span]
    if draft.characters[last].endswith(" ") and not characters[-1].endswith(" "):
        characters[-1] += " "  # a blank behind it, which only the draft has seen
    return Reading(characters, again.scores[span], again.columns[span])


def _match_span_end(again: Reading, places: tuple[int, int], character: str, column: float) -> int | None:
    """The index of a span's end character in its accurate reading, None when that has another character there.

    At a cut the remains of the neighbour may have been read as well, even as the same character: of the two outermost
    places the one counts that holds `character`, nearest to `column`.
    """
    size = len(again.characters)
    same = [at % size for at in places[:size] if again.characters[at].rstrip() == character.rstrip()]
    return min(same, key=lambda at: abs(float(again.columns[at]) - column), default=None)


def _dilate(low_confidence: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each character, whether it lies within reach of a low-confidence one."""
    near = np.zeros(len(low_confidence), bool)
    for at in np.flatnonzero(low_confidence):
        near[max(at - _CONTEXT_CHARACTERS, 0) : at + _CONTEXT_CHARACTERS + 1] = True
    return near


def _extend_to_word_boundaries(low_confidence: NDArray[np.bool_], characters: Sequence[str]) -> NDArray[np.bool_]:
    """The flags with each run extended until no cut at its ends touches a blank.

    A recogniser drops blanks at the ends of what it reads. Next to such a cut a word of one character would be taken
    for the remains of its neighbour and lost.
    """
    blank = np.array([character.isspace() for character in characters], bool)
    beside = blank[:-1] | blank[1:]  # a cut between characters `at` and `at + 1` would touch a blank
    grown = low_confidence.copy()
    for at in range(1, len(grown)):
        grown[at] |= grown[at - 1] & beside[at - 1]
    for at in range(len(grown) - 2, -1, -1):
        grown[at] |= grown[at + 1] & beside[at]
    return grown


def _widen_span(characters: Sequence[str], first: int, last: int, start: int, stop: int) -> tuple[int, int]:
    """The span first..last widened by `_WIDENING_CHARACTERS` and to cuts inside words, within start..stop."""
    flags = np.zeros(stop - start, bool)
    flags[max(first - _WIDENING_CHARACTERS - start, 0) : last + _WIDENING_CHARACTERS + 1 - start] = True
    inside = np.flatnonzero(_extend_to_word_boundaries(flags, characters[start:stop]))
    return start + int(inside[0]), start + int(inside[-1])


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.view(np.int8), [0]))))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _cut_position(reading: Reading, at: int) -> int:
    """The pixel half-way between character `at` and the next one."""
    return round(STRIDE * (float(reading.columns[at] + reading.columns[at + 1]) + 1) / 2)
