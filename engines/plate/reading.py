"""A candidate as it was read: the text, what it was decoded from, its confidence, and the vote of several readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.alphabet import CHARACTERS, COLOURS
from inkgate.engines.plate.decode import GREEN_PATTERNS, Reading, Scores, decode
from inkgate.engines.plate.detect import Corners, without_duplicates
from inkgate.engines.plate.ensemble import combine

CLASSES = len(CHARACTERS) + 1
_MAX_GREEN_OF_SEVEN = 0.25  # probability of a green plate above which seven characters may lack one


@dataclass(frozen=True, slots=True)
class CandidateReading:
    """A recognised candidate: corners in source pixels in the order of the text, the reading, the probabilities it was
    decoded from (time steps, classes), and those of the background colours."""

    corners: Corners
    reading: Reading
    steps: Scores
    background: NDArray[np.float32]
    rows: int
    confidence: float


def to_reading(corners: Corners, rows: int, raw: NDArray[np.float32]) -> CandidateReading:
    """The reading of the first recogniser's output: time steps, then a row of background colours."""
    steps, background = raw[:-1, :CLASSES], raw[-1, : len(COLOURS)]
    reading = decode(steps, greenness(background))
    return CandidateReading(corners, reading, steps, background, rows, confidence(reading, background))


def combined(first: CandidateReading, second: Scores) -> CandidateReading:
    """The candidate with the ensemble's reading. `second` are the second recogniser's time steps of the same plate."""
    reading = combine(first.steps, first.reading, second, greenness(first.background))
    return replace(first, reading=reading, confidence=confidence(reading, first.background))


def greenness(background: NDArray[np.float32]) -> float:
    """The probability of a green plate, small or large."""
    return float(background[COLOURS.index("green")] + background[COLOURS.index("green_yellow")])


def confidence(reading: Reading, background: NDArray[np.float32]) -> float:
    """Confidence of the whole plate: weakest character x grammar fit x probability of being a plate; lower where seven
    characters were read on a probably green plate, which has eight."""
    agreement = 1.0
    if reading.pattern not in GREEN_PATTERNS:
        agreement = min(1.0, 2 * (1 - greenness(background)))
    return float(min(reading.char_scores) * min(1.0, 4 * reading.path_ratio) * (1 - background[0]) * agreement)


def vote(seen: Sequence[CandidateReading]) -> CandidateReading:
    """The best reading of the text with the largest sum of confidences, its confidence times its share of that sum."""
    votes: dict[str, float] = {}
    for entry in seen:
        votes[entry.reading.text] = votes.get(entry.reading.text, 0.0) + entry.confidence
    text = max(votes, key=lambda name: votes[name])
    winner = max((entry for entry in seen if entry.reading.text == text), key=lambda entry: entry.confidence)
    return replace(winner, confidence=winner.confidence * votes[text] / max(sum(votes.values()), 1e-6))


def agree(seen: Sequence[CandidateReading]) -> bool:
    """Whether all readings have the same text, and it has as many characters as plates of their colour have."""
    texts = {entry.reading.text for entry in seen}
    return len(texts) == 1 and not any(
        entry.reading.pattern not in GREEN_PATTERNS and greenness(entry.background) > _MAX_GREEN_OF_SEVEN
        for entry in seen
    )


def any_above(seen: Sequence[CandidateReading], least: float) -> bool:
    """Whether one of the readings has at least this confidence."""
    return any(entry.confidence >= least for entry in seen)


def suppress_readings(seen: list[CandidateReading]) -> list[CandidateReading]:
    """Non-maximum suppression of readings, the most confident first."""
    return [
        seen[at] for at in without_duplicates([entry.corners for entry in seen], [entry.confidence for entry in seen])
    ]
