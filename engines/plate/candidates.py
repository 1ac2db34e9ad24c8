"""Reads the candidates of a detector: which of them are plates, and by which crop each is read best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.boxes import as_quad
from inkgate.engines.plate.cuts import crop_variants
from inkgate.engines.plate.decode import Scores, decode, greedy_if_valid
from inkgate.engines.plate.detect import Candidate, Corners, PlateDetector
from inkgate.engines.plate.ensemble import to_tensor
from inkgate.engines.plate.reading import (
    CLASSES,
    CandidateReading,
    agree,
    combined,
    confidence,
    greenness,
    suppress_readings,
    to_reading,
    vote,
)
from inkgate.engines.plate.rectify import rectified_strip
from inkgate.engines.plate.refine import refine_corners
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image

_MAX_NO_PLATE_PROBABILITY = 0.2  # share of "no plate" from which on a candidate is dropped after one look
_MIN_CONFIDENCE = 1e-3  # confidence below which a reading is none: such a candidate is dropped after one look,
_KEEP_SCORE_FIRST = 0.6  # unless the detector's score is at least this; after the close look by both readers
_KEEP_SCORE_SECOND = 0.75  # unless it is at least this
_MIN_CONFIDENCE_ELSEWHERE = 0.05  # the same in the close-up and the tilted copies, whatever the detector's score
CERTAIN_SCORE = 0.8  # detector score from which on a candidate is hardly ever no plate
MIN_ANSWER_CONFIDENCE = 0.2  # confidence below which nothing is answered, by ADR 0024 more often wrong than right
REREAD_BELOW_CONFIDENCE = 0.9  # confidence below which the detector looks closely, and then other cuts are tried
_AGREED_CONFIDENCE = 0.5  # the same where both readings of the first reader give the text of the ensemble
_FIRST_READER_SUFFICES = 0.3  # confidence of the first reader from which on there is an answer, whatever the second's
_SECOND_READER_SUFFICES = 0.9  # the same of the second reader, where all looks have its text
_MAX_ENSEMBLE_CUTS = 4  # most cuts of a low-confidence plate that the second reader sees as well
_MIN_KEPT_CONFIDENCE = 0.8  # share of its confidence that a plate may lose when its corners are corrected


class CandidateReader:
    """Two readers of strips and one of corners, and the detector for closer looks. One thread at a time."""

    def __init__(self, detector: PlateDetector, strips: RunNetwork, second: RunNetwork, corners: RunNetwork) -> None:
        self._detector = detector
        self._strips = strips
        self._second = second
        self._corners = corners

    def read(
        self,
        image: Image,
        candidates: Sequence[Candidate],
        *,
        at_first: bool = True,
        certain_score: float = CERTAIN_SCORE,
    ) -> list[CandidateReading]:
        """The readings of all candidates, each by its best crop."""
        kept = self._readable(image, candidates, at_first=at_first, certain_score=certain_score)
        if not kept:
            return []
        steps = self._second_steps(image, [(refined, 1) for _, _, refined in kept])
        return suppress_readings(
            [self._best_cut(image, *entry, seen, may_vote=at_first) for entry, seen in zip(kept, steps, strict=True)]
        )

    def _readable(
        self, image: Image, candidates: Sequence[Candidate], *, at_first: bool, certain_score: float
    ) -> list[tuple[Candidate, CandidateReading, Corners]]:
        """The candidates that may be plates, how the first recogniser reads them, and their refined corners. Left out
        are those that are none, and those that it cannot read: all of them in other copies than the first, else those
        of low score. Those from `certain_score` on are read at refined corners, others before any are refined."""
        certain = [entry.score >= certain_score for entry in candidates]
        corners = [entry.corners for entry in candidates]
        self._refine_some(image, corners, certain)
        outputs = self._recognise_strips(image, [(at, 1) for at in corners])
        first: dict[int, CandidateReading] = {}
        for at, (candidate, raw) in enumerate(zip(candidates, outputs, strict=True)):
            if raw[-1, 0] >= _MAX_NO_PLATE_PROBABILITY:
                continue
            entry = to_reading(corners[at], 1, raw)
            if at_first:
                readable = entry.confidence >= _MIN_CONFIDENCE or candidate.score >= _KEEP_SCORE_FIRST
            else:
                readable = entry.confidence >= _MIN_CONFIDENCE_ELSEWHERE
            if readable:
                first[at] = entry
        self._refine_some(image, corners, [at in first and not done for at, done in enumerate(certain)])
        return [(candidates[at], entry, corners[at]) for at, entry in first.items()]

    def _refine_some(self, image: Image, corners: list[Corners], which: Sequence[bool]) -> None:
        """Replaces those of `corners` that `which` names by refined ones, in one batch."""
        places = [at for at, wanted in enumerate(which) if wanted]
        for at, better in zip(
            places, refine_corners(self._corners, image, [corners[at] for at in places]), strict=True
        ):
            corners[at] = better

    def _best_cut(
        self,
        image: Image,
        candidate: Candidate,
        first: CandidateReading,
        refined: Corners,
        steps: Scores,
        *,
        may_vote: bool,
    ) -> CandidateReading:
        """The ensemble of `first` and of `steps`, which the second recogniser read at the `refined` corners, if
        confident; else the reading after a closer detection; else the vote of several crops. Where several looks have
        one text, less confidence is needed.
        """
        both = combined(replace(first, corners=refined), steps)
        if both.confidence >= REREAD_BELOW_CONFIDENCE:
            return both
        elsewhere = candidate.corners if first.corners is refined else refined
        reread = self.recognise_at(image, elsewhere)
        looks = [both, combined(replace(reread, corners=refined), steps)]
        best = max(looks, key=_confidence_of)
        sure = _AGREED_CONFIDENCE if agree(looks) else REREAD_BELOW_CONFIDENCE
        if best.confidence >= sure or not self._worth(best, candidate):
            return best
        closer = self.recognise_at(image, self._detector.refine_candidate(image, candidate).corners)
        looks += self.ensemble(image, [self.refine_and_reread(image, closer)])
        best = max(looks, key=_confidence_of)
        sure = MIN_ANSWER_CONFIDENCE if agree(looks) else REREAD_BELOW_CONFIDENCE
        if best.confidence >= sure or not (may_vote and self._worth(best, candidate)):
            return best
        cuts = sorted([closer, *self._recognise_other_cuts(image, best)], key=_confidence_of, reverse=True)
        winner = vote([*looks[-2:], *self.ensemble(image, cuts[:_MAX_ENSEMBLE_CUTS])])
        if winner.rows == 1:
            winner = replace(winner, corners=refine_corners(self._corners, image, [winner.corners])[0])
        surest = max(first.confidence, reread.confidence, closer.confidence)
        answered = surest >= _FIRST_READER_SUFFICES or (agree([*looks, winner]) and _sure_of(steps, winner))
        least = MIN_ANSWER_CONFIDENCE if answered else 0.0
        return replace(winner, confidence=max(winner.confidence, least))

    @staticmethod
    def _worth(best: CandidateReading, candidate: Candidate) -> bool:
        """Whether a candidate that was read like this deserves another look."""
        return best.confidence >= _MIN_CONFIDENCE or candidate.score >= _KEEP_SCORE_SECOND

    def recognise_at(self, image: Image, corners: Corners) -> CandidateReading:
        """One row of characters at `corners`, as the first recogniser reads it."""
        return to_reading(corners, 1, self._recognise_strips(image, [(corners, 1)])[0])

    def refine_and_reread(self, image: Image, seen: CandidateReading) -> CandidateReading:
        """The plate recognised again at refined corners; where that costs confidence, the reading before."""
        corners = refine_corners(self._corners, image, [seen.corners])[0]
        again = self.recognise_at(image, corners)
        return again if again.confidence >= _MIN_KEPT_CONFIDENCE * seen.confidence else replace(seen, corners=corners)

    def ensemble(self, image: Image, seen: Sequence[CandidateReading]) -> list[CandidateReading]:
        """The same candidates with the readings of the ensemble."""
        steps = self._second_steps(image, [(entry.corners, entry.rows) for entry in seen])
        return [combined(entry, each) for entry, each in zip(seen, steps, strict=True)]

    def _second_steps(self, image: Image, cuts: Sequence[tuple[Corners, int]]) -> Sequence[Scores]:
        """Time steps of the second recogniser for each (corners, rows)."""
        if not cuts:
            return []
        return list(self._second(to_tensor([rectified_strip(image, as_quad(c), rows) for c, rows in cuts])))

    def _recognise_other_cuts(self, image: Image, first: CandidateReading) -> list[CandidateReading]:
        """Readings of other crops of the plate: all valid greedy ones, or, if none, the most likely one."""
        cuts = crop_variants(first.corners)
        outputs = self._recognise_strips(image, cuts)
        readings = [
            to_reading(*crop, raw)
            for crop, raw in zip(cuts, outputs, strict=True)
            if greedy_if_valid(raw[:-1, :CLASSES])
        ]
        if not readings and first.reading.path_ratio < 1:
            likeliest = int(np.argmax([raw[:-1].max(1).mean() * (1 - raw[-1, 0]) for raw in outputs]))
            readings = [to_reading(*cuts[likeliest], outputs[likeliest])]
        return readings

    def _recognise_strips(self, image: Image, cuts: Sequence[tuple[Corners, int]]) -> NDArray[np.float32]:
        """Recogniser output of each (corners, rows): time steps, then a row of background colours."""
        if not cuts:
            return np.zeros((0, 1, CLASSES), np.float32)
        strips = [rectified_strip(image, as_quad(corners), rows) for corners, rows in cuts]
        batch = (np.stack(strips).astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2)
        return self._strips(np.ascontiguousarray(batch))


def _sure_of(steps: Scores, seen: CandidateReading) -> bool:
    """Whether the second recogniser alone is confident of the same text."""
    alone = decode(steps, greenness(seen.background))
    return alone.text == seen.reading.text and confidence(alone, seen.background) >= _SECOND_READER_SUFFICES


def _confidence_of(seen: CandidateReading) -> float:
    return seen.confidence
