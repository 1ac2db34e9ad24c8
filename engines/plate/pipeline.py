"""Plate reader over four networks: detect, rectify, recognise, ensemble, validate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.boxes import as_quad
from inkgate.engines.plate.alphabet import COLOURS
from inkgate.engines.plate.colour import decide_colour
from inkgate.engines.plate.cuts import crop_variants
from inkgate.engines.plate.decode import GREEN_PATTERNS, Scores, decode, greedy_if_valid
from inkgate.engines.plate.detect import Candidate, Corners, PlateDetector, suppress_overlaps
from inkgate.engines.plate.ensemble import to_tensor
from inkgate.engines.plate.order import left_to_right
from inkgate.engines.plate.reading import (
    CLASSES,
    CandidateReading,
    agree,
    any_above,
    combined,
    confidence,
    greenness,
    suppress_readings,
    to_reading,
    vote,
)
from inkgate.engines.plate.rectify import rectified_strip
from inkgate.engines.plate.refine import refine_corners
from inkgate.engines.plate.syntax import IN_SCOPE, plate_kind
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image, Plate

_MAX_NO_PLATE_PROBABILITY = 0.2  # share of "no plate" from which on a candidate is dropped after one look
_MIN_CONFIDENCE = 1e-3  # confidence below which a reading is none: such a candidate is dropped after one look,
_KEEP_SCORE_FIRST = (
    0.6  # unless the detector is more confident of it than this, and after the close look by both readers,
)
_CERTAIN_SCORE = 0.8  # detector score from which on a candidate is hardly ever no plate
_MIN_CONFIDENCE_ELSEWHERE = 0.05  # the same in the close-up and the tilted copies, whatever the detector's score
_KEEP_SCORE_SECOND = 0.75  # unless it is more confident than this
_MIN_ANSWER_CONFIDENCE = 0.2  # confidence below which nothing is answered, by ADR 0024 more often wrong than right
_FIRST_READER_SUFFICES = (
    0.3  # confidence of the first reader from which on something is answered, however the second contradicts
)
_SECOND_READER_SUFFICES = 0.9  # the same of the second reader, where all looks have its text
_REREAD_BELOW_CONFIDENCE = 0.9  # confidence below which the detector looks closely, and then other cuts are tried
_AGREED_CONFIDENCE = 0.5  # the same where both readings of the first reader give the text of the ensemble
_TILT_DEGREES = (-28.0, 28.0)  # the detector finds plates that are tilted by up to about 25 degrees to either side
_TILTED_SIDE_PIXELS = 192  # longer side of the copies that are rotated by these
_MIN_TILTED_SCORE = 0.5  # detector score below which a candidate in such a copy is dropped
_MIN_FALLBACK_CONFIDENCE = 0.45  # confidence of a plate found in the rotated image or read from the whole image
_WIDE_SHARE = 0.8  # share of the image's width above which a plate is read close up too: its corners may be cut off
_WHOLE_IMAGE_SHARES = (1.0, 0.9)  # share of its width and height that is taken for the plate
_WHOLE_IMAGE_SCORE = 0.3  # detector score given to it
_PLATE_ASPECT = (1.6, 5.0)  # width over height of an image that may be one plate: two rows have 2, one row 3.1 or 3.4
_MAX_ENSEMBLE_CUTS = 4  # most cuts of a low-confidence plate that the second reader sees as well
_MIDDLE_SIDE_PIXELS = 384  # longer side at which an image without plates is looked at once more
_ROTATED_SIDE_PIXELS = 448  # longer side at which an image without plates is looked at once more, lying on its side
_MIN_KEPT_CONFIDENCE = 0.8  # share of its confidence that a plate may lose when its corners are corrected


class NetworkPlateReader:
    """The `PlateReader` over a detector, two readers of strips and one of corners. One thread at a time."""

    def __init__(
        self,
        detector: PlateDetector,
        strips: RunNetwork,
        second: RunNetwork,
        corners: RunNetwork,
        models: dict[str, str],
    ) -> None:
        self._detector = detector
        self._strips = strips
        self._second = second
        self._corners = corners
        self._models = models

    @property
    def models(self) -> dict[str, str]:
        """The sha256 of each network's file by role."""
        return self._models

    def warmup(self) -> None:
        """Run the networks once on the shapes that are commonest."""
        blank = np.zeros((960, 1280, 3), np.uint8)
        self._detector(blank)
        corners = np.array([(0, 0), (160, 0), (160, 48), (0, 48)], np.float32)
        self._ensemble(blank, [self._refine_and_reread(blank, self._recognise_at(blank, corners))])

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        """Plates of a BGR uint8 image, left to right, top to bottom; those out of scope only with `extras`."""
        seen = self._read_candidates(image, self._detector(image))
        wide = any(np.ptp(entry.corners[:, 0]) > _WIDE_SHARE * image.shape[1] for entry in seen)
        if wide or not any_above(seen, _REREAD_BELOW_CONFIDENCE):
            seen = suppress_readings(seen + self._read_close_up(image))
        for fallback in (self._read_whole, self._read_tilted, self._read_between, self._read_in_tiles):
            if not any_above(seen, _MIN_ANSWER_CONFIDENCE):
                seen = suppress_readings(seen + fallback(image))
        if not any_above(seen, _REREAD_BELOW_CONFIDENCE):
            seen = suppress_readings(seen + self._read_on_its_side(image))
        plates = [_to_plate(image, entry) for entry in seen if entry.confidence >= _MIN_ANSWER_CONFIDENCE]
        return left_to_right([plate for plate in plates if extras or plate.in_scope])

    def close(self) -> None:
        """Release the networks. The reader cannot be used afterwards."""
        del self._detector, self._strips, self._second, self._corners

    def _read_close_up(self, image: Image) -> list[CandidateReading]:
        """Plates that fill most of the image, or reach its border."""
        return self._read_candidates(image, self._detector.detect_close_up(image), at_first=False)

    def _read_whole(self, image: Image) -> list[CandidateReading]:
        """The whole image, and its inner part, read as one plate where the aspect allows it: the detector does not
        find a plate of which no border is in sight."""
        height, width = image.shape[:2]
        if not _PLATE_ASPECT[0] <= width / height <= _PLATE_ASPECT[1]:
            return []
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        middle = corners.mean(0)
        whole = [
            Candidate(np.asarray(middle + (corners - middle) * share, np.float32), _WHOLE_IMAGE_SCORE)
            for share in _WHOLE_IMAGE_SHARES
        ]
        return self._read_fallback(image, whole)

    def _read_tilted(self, image: Image) -> list[CandidateReading]:
        """Plates found only after the image is rotated to either side: hand-held at a steep angle."""
        tilted = [
            candidate
            for degrees in _TILT_DEGREES
            for candidate in self._detector.detect_rotated(image, _TILTED_SIDE_PIXELS, degrees)
            if candidate.score >= _MIN_TILTED_SCORE
        ]
        return self._read_fallback(image, suppress_overlaps(tilted), at_first=False)

    def _read_between(self, image: Image) -> list[CandidateReading]:
        """Plates that the detector misses in both copies and finds in one of a size between them: dim ones."""
        return self._read_candidates(
            image, self._detector.detect_at_scale(image, min(_MIDDLE_SIDE_PIXELS, max(image.shape[:2])))
        )

    def _read_in_tiles(self, image: Image) -> list[CandidateReading]:
        """Small plates of an image that was so far seen in reduced copies only."""
        return self._read_fallback(image, self._detector.detect_small(image), certain_score=0.0)

    def _read_on_its_side(self, image: Image) -> list[CandidateReading]:
        """Plates of an image rotated by 90 or 270 degrees: crops of low confidence are also read upside down."""
        height = image.shape[0]
        upright = np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), np.uint8)
        back = [
            Candidate(
                np.stack([entry.corners[:, 1], height - entry.corners[:, 0]], 1),
                entry.score,
                entry.detected_width,
            )
            for entry in self._detector.detect_at_scale(upright, min(_ROTATED_SIDE_PIXELS, max(image.shape[:2])))
        ]
        return self._read_fallback(image, back)

    def _read_fallback(
        self,
        image: Image,
        candidates: Sequence[Candidate],
        *,
        at_first: bool = True,
        certain_score: float = _CERTAIN_SCORE,
    ) -> list[CandidateReading]:
        """The readings of candidates that the detector did not find in the upright image, if confident."""
        found = self._read_candidates(image, candidates, at_first=at_first, certain_score=certain_score)
        return [entry for entry in found if entry.confidence >= _MIN_FALLBACK_CONFIDENCE]

    def _read_candidates(
        self,
        image: Image,
        candidates: Sequence[Candidate],
        *,
        at_first: bool = True,
        certain_score: float = _CERTAIN_SCORE,
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
        if both.confidence >= _REREAD_BELOW_CONFIDENCE:
            return both
        elsewhere = candidate.corners if first.corners is refined else refined
        reread = self._recognise_at(image, elsewhere)
        looks = [both, combined(replace(reread, corners=refined), steps)]
        best = max(looks, key=_confidence_of)
        sure = _AGREED_CONFIDENCE if agree(looks) else _REREAD_BELOW_CONFIDENCE
        if best.confidence >= sure or not self._worth(best, candidate):
            return best
        closer = self._recognise_at(image, self._detector.refine_candidate(image, candidate).corners)
        looks += self._ensemble(image, [self._refine_and_reread(image, closer)])
        best = max(looks, key=_confidence_of)
        sure = _MIN_ANSWER_CONFIDENCE if agree(looks) else _REREAD_BELOW_CONFIDENCE
        if best.confidence >= sure or not (may_vote and self._worth(best, candidate)):
            return best
        cuts = sorted([closer, *self._recognise_other_cuts(image, best)], key=_confidence_of, reverse=True)
        winner = vote([*looks[-2:], *self._ensemble(image, cuts[:_MAX_ENSEMBLE_CUTS])])
        if winner.rows == 1:
            winner = replace(winner, corners=refine_corners(self._corners, image, [winner.corners])[0])
        surest = max(first.confidence, reread.confidence, closer.confidence)
        answered = surest >= _FIRST_READER_SUFFICES or (agree([*looks, winner]) and _sure_of(steps, winner))
        least = _MIN_ANSWER_CONFIDENCE if answered else 0.0
        return replace(winner, confidence=max(winner.confidence, least))

    @staticmethod
    def _worth(best: CandidateReading, candidate: Candidate) -> bool:
        """Whether a candidate that was read like this deserves another look."""
        return best.confidence >= _MIN_CONFIDENCE or candidate.score >= _KEEP_SCORE_SECOND

    def _recognise_at(self, image: Image, corners: Corners) -> CandidateReading:
        """One row of characters at `corners`, as the first recogniser reads it."""
        return to_reading(corners, 1, self._recognise_strips(image, [(corners, 1)])[0])

    def _refine_and_reread(self, image: Image, seen: CandidateReading) -> CandidateReading:
        """The plate recognised again at refined corners; where that costs confidence, the reading before."""
        corners = refine_corners(self._corners, image, [seen.corners])[0]
        again = self._recognise_at(image, corners)
        return again if again.confidence >= _MIN_KEPT_CONFIDENCE * seen.confidence else replace(seen, corners=corners)

    def _ensemble(self, image: Image, seen: Sequence[CandidateReading]) -> list[CandidateReading]:
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


def _to_plate(image: Image, seen: CandidateReading) -> Plate:
    """The resulting plate. Its colour is the most likely one that the text allows."""
    if seen.reading.pattern in GREEN_PATTERNS:
        colour = COLOURS[1 + int(seen.background[1:].argmax())]
    else:
        strip = rectified_strip(image, as_quad(seen.corners), seen.rows)
        colour = decide_colour(seen.background, seen.reading.text, strip, seen.rows)
    kind = plate_kind(seen.reading.text, colour, seen.rows)
    return Plate(
        as_quad(seen.corners),
        kind,
        seen.reading.text,
        seen.confidence,
        rows=seen.rows,
        in_scope=kind in IN_SCOPE,
        char_scores=seen.reading.char_scores,
    )
