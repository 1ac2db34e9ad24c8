"""Plate reader over four networks: detect, rectify, recognise, ensemble, validate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.boxes import as_quad
from inkgate.engines.plate.alphabet import CHARACTERS, COLOURS
from inkgate.engines.plate.colour import decide_colour
from inkgate.engines.plate.decode import GREEN_PATTERNS, Reading, Scores, decode, greedy_if_valid
from inkgate.engines.plate.detect import Candidate, Corners, PlateDetector, suppress_overlaps, without_duplicates
from inkgate.engines.plate.ensemble import combine, to_tensor
from inkgate.engines.plate.order import left_to_right
from inkgate.engines.plate.rectify import rectified_strip
from inkgate.engines.plate.refine import refine_corners
from inkgate.engines.plate.syntax import IN_SCOPE, plate_kind
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image, Plate

_CLASSES = len(CHARACTERS) + 1
_MAX_NO_PLATE_PROBABILITY = 0.2  # share of "no plate" from which on a candidate is dropped after one look
_MIN_CONFIDENCE = 1e-3  # confidence below which a reading is none: such a candidate is dropped after one look,
_KEEP_SCORE_FIRST = (
    0.6  # unless the detector is more confident of it than this, and after the close look by both readers,
)
_KEEP_SCORE_SECOND = 0.75  # unless it is more confident than this
_MIN_ANSWER_CONFIDENCE = 0.05  # confidence below which nothing is answered
_FIRST_READER_SUFFICES = (
    0.3  # confidence of the first reader from which on something is answered, however the second contradicts
)
_REREAD_BELOW_CONFIDENCE = 0.9  # confidence below which the detector looks closely, and then other cuts are tried
_TILT_DEGREES = (-28.0, 28.0)  # the detector finds plates that are tilted by up to about 25 degrees to either side
_TILTED_SIDE_PIXELS = 256  # longer side of the image at which it is looked at rotated by these
_MIN_FALLBACK_CONFIDENCE = 0.45  # confidence of a plate found in the rotated image or read from the whole image
_WHOLE_IMAGE_SHARES = (1.0, 0.9)  # share of its width and height that is taken for the plate
_WHOLE_IMAGE_SCORE = 0.3  # detector score given to it
_PLATE_ASPECT = (1.6, 5.0)  # width over height of an image that may be one plate: two rows have 2, one row 3.1 or 3.4
_MAX_ENSEMBLE_CUTS = 4  # most cuts of a low-confidence plate that the second reader sees as well
_ROTATED_SIDE_PIXELS = 448  # longer side at which an image without plates is looked at once more, lying on its side
_MIN_KEPT_CONFIDENCE = 0.8  # share of its confidence that a plate may lose when its corners are corrected
_TWO_ROW_ASPECT = 2.7  # width over height below which a plate may have two rows: one row has 3.1 or 3.4, two rows 2


@dataclass(frozen=True, slots=True)
class _CandidateReading:
    """A recognised candidate: corners in source pixels in the order of the text, the reading, the probabilities it was
    decoded from (time steps, classes), and those of the background colours."""

    corners: Corners
    reading: Reading
    steps: Scores
    background: NDArray[np.float32]
    rows: int
    confidence: float


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
        for fallback in (self._read_whole, self._read_tilted, self._read_on_its_side):
            if _any_certain(seen):
                break
            seen = _suppress_overlaps(seen + fallback(image))
        plates = [_to_plate(image, entry) for entry in seen if entry.confidence >= _MIN_ANSWER_CONFIDENCE]
        return left_to_right([plate for plate in plates if extras or plate.in_scope])

    def close(self) -> None:
        """Release the networks. The reader cannot be used afterwards."""
        del self._detector, self._strips, self._second, self._corners

    def _read_whole(self, image: Image) -> list[_CandidateReading]:
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

    def _read_tilted(self, image: Image) -> list[_CandidateReading]:
        """Plates found only after the image is rotated to either side: hand-held at a steep angle."""
        tilted = [
            candidate
            for degrees in _TILT_DEGREES
            for candidate in self._detector.detect_rotated(image, _TILTED_SIDE_PIXELS, degrees)
        ]
        return self._read_fallback(image, suppress_overlaps(tilted))

    def _read_on_its_side(self, image: Image) -> list[_CandidateReading]:
        """Plates of an image rotated by 90 or 270 degrees: crops of low confidence are also read upside down."""
        height = image.shape[0]
        upright = np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), np.uint8)
        back = [
            Candidate(
                np.stack([entry.corners[:, 1], height - entry.corners[:, 0]], 1),
                entry.score,
                entry.detected_width,
            )
            for entry in self._detector.detect_at_scale(
                upright, min(_ROTATED_SIDE_PIXELS, max(image.shape[:2])), framed=True
            )
        ]
        return self._read_fallback(image, back)

    def _read_fallback(self, image: Image, candidates: Sequence[Candidate]) -> list[_CandidateReading]:
        """The readings of candidates that the detector did not find in the upright image, if confident."""
        found = self._read_candidates(image, candidates)
        return [entry for entry in found if entry.confidence >= _MIN_FALLBACK_CONFIDENCE]

    def _read_candidates(self, image: Image, candidates: Sequence[Candidate]) -> list[_CandidateReading]:
        """The readings of all candidates, each by its best crop; candidates that are no plates are dropped."""
        outputs = self._recognise_strips(image, [(entry.corners, 1) for entry in candidates])
        kept = []
        for candidate, raw in zip(candidates, outputs, strict=True):
            if raw[-1, 0] >= _MAX_NO_PLATE_PROBABILITY:
                continue
            first = _to_reading(candidate.corners, 1, raw)
            if first.confidence >= _MIN_CONFIDENCE or candidate.score >= _KEEP_SCORE_FIRST:
                kept.append((candidate, first))
        ensembled = self._ensemble(image, [first for _, first in kept])
        return _suppress_overlaps(
            [self._best_cut(image, *pair, both) for pair, both in zip(kept, ensembled, strict=True)]
        )

    def _best_cut(
        self, image: Image, candidate: Candidate, first: _CandidateReading, both: _CandidateReading
    ) -> _CandidateReading:
        """The candidate if the ensemble `both` of `first` is confident; else the reading after refinement; else the
        vote of several crops.
        """
        if both.confidence >= _REREAD_BELOW_CONFIDENCE:
            return self._with_refined_corners(image, both)
        closer = self._recognise_at(image, self._detector.refine_candidate(image, candidate).corners)
        surest = max(first, closer, key=lambda entry: entry.confidence)
        again = self._ensemble(image, [self._refine_and_reread(image, closer)])[0]
        best = max(both, again, key=lambda entry: entry.confidence)
        if best.confidence >= _REREAD_BELOW_CONFIDENCE or (
            best.confidence < _MIN_CONFIDENCE and candidate.score < _KEEP_SCORE_SECOND
        ):
            return self._with_refined_corners(image, best)
        others = sorted([closer, *self._recognise_other_cuts(image, best)], key=lambda entry: -entry.confidence)
        winner = self._with_refined_corners(
            image, _vote([both, again, *self._ensemble(image, others[:_MAX_ENSEMBLE_CUTS])])
        )
        least = _MIN_ANSWER_CONFIDENCE if surest.confidence >= _FIRST_READER_SUFFICES else 0.0
        return replace(winner, confidence=max(winner.confidence, least))

    def _with_refined_corners(self, image: Image, seen: _CandidateReading) -> _CandidateReading:
        """The same reading with refined corners."""
        return replace(seen, corners=refine_corners(self._corners, image, seen.corners)) if seen.rows == 1 else seen

    def _recognise_at(self, image: Image, corners: Corners) -> _CandidateReading:
        """One row of characters at `corners`, as the first reader reads it."""
        return _to_reading(corners, 1, self._recognise_strips(image, [(corners, 1)])[0])

    def _refine_and_reread(self, image: Image, seen: _CandidateReading) -> _CandidateReading:
        """The plate recognised again at refined corners; unchanged when that lowers its confidence."""
        again = self._recognise_at(image, refine_corners(self._corners, image, seen.corners))
        return again if again.confidence >= _MIN_KEPT_CONFIDENCE * seen.confidence else seen

    def _ensemble(self, image: Image, seen: Sequence[_CandidateReading]) -> list[_CandidateReading]:
        """The same candidates with the readings of the ensemble."""
        if not seen:
            return []
        ensembled = self._second(
            to_tensor([rectified_strip(image, as_quad(entry.corners), entry.rows) for entry in seen])
        )
        both = []
        for entry, steps in zip(seen, ensembled, strict=True):
            reading = combine(entry.steps, entry.reading, steps, _greenness(entry.background))
            both.append(replace(entry, reading=reading, confidence=confidence(reading, entry.background)))
        return both

    def _recognise_other_cuts(self, image: Image, first: _CandidateReading) -> list[_CandidateReading]:
        """Readings of other crops of the plate: all valid greedy ones, or, if none, the most likely one."""
        cuts = _crop_variants(first.corners)
        outputs = self._recognise_strips(image, cuts)
        readings = [
            _to_reading(*crop, raw)
            for crop, raw in zip(cuts, outputs, strict=True)
            if greedy_if_valid(raw[:-1, :_CLASSES])
        ]
        if not readings and first.reading.path_ratio < 1:
            likeliest = int(np.argmax([raw[:-1].max(1).mean() * (1 - raw[-1, 0]) for raw in outputs]))
            readings = [_to_reading(*cuts[likeliest], outputs[likeliest])]
        return readings

    def _recognise_strips(self, image: Image, cuts: Sequence[tuple[Corners, int]]) -> NDArray[np.float32]:
        """Recogniser output of each (corners, rows): time steps, then a row of background colours."""
        if not cuts:
            return np.zeros((0, 1, _CLASSES), np.float32)
        strips = [rectified_strip(image, as_quad(corners), rows) for corners, rows in cuts]
        batch = (np.stack(strips).astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2)
        return self._strips(np.ascontiguousarray(batch))


def _any_certain(seen: Sequence[_CandidateReading]) -> bool:
    return any(entry.confidence >= _REREAD_BELOW_CONFIDENCE for entry in seen)


def _vote(seen: Sequence[_CandidateReading]) -> _CandidateReading:
    """The best reading of the text with the largest sum of confidences, its confidence times its share of that sum."""
    votes: dict[str, float] = {}
    for entry in seen:
        votes[entry.reading.text] = votes.get(entry.reading.text, 0.0) + entry.confidence
    text = max(votes, key=lambda name: votes[name])
    winner = max((entry for entry in seen if entry.reading.text == text), key=lambda entry: entry.confidence)
    return replace(winner, confidence=winner.confidence * votes[text] / max(sum(votes.values()), 1e-6))


def _to_reading(corners: Corners, rows: int, raw: NDArray[np.float32]) -> _CandidateReading:
    steps, background = raw[:-1, :_CLASSES], raw[-1, : len(COLOURS)]
    reading = decode(steps, _greenness(background))
    return _CandidateReading(corners, reading, steps, background, rows, confidence(reading, background))


def _greenness(background: NDArray[np.float32]) -> float:
    return float(background[COLOURS.index("green")] + background[COLOURS.index("green_yellow")])


def confidence(reading: Reading, background: NDArray[np.float32]) -> float:
    """Confidence of the whole plate: weakest character x grammar fit x probability of being a plate; lower where seven
    characters were read on a probably green plate, which has eight."""
    agreement = 1.0
    if reading.pattern not in GREEN_PATTERNS:
        agreement = min(1.0, 2 * (1 - _greenness(background)))
    return float(min(reading.char_scores) * min(1.0, 4 * reading.path_ratio) * (1 - background[0]) * agreement)


def _crop_variants(corners: Corners) -> list[tuple[Corners, int]]:
    """The plate slightly scaled, shifted, sheared, upside down, and as two rows where its aspect allows."""
    middle = corners.mean(0)
    along, down = (
        (corners[1] + corners[2] - corners[0] - corners[3]) / 2,
        (corners[2] + corners[3] - corners[0] - corners[1]) / 2,
    )
    cuts = [(np.asarray(middle + (corners - middle) * grow, np.float32), 1) for grow in (0.94, 1.07, 1.15)]
    cuts += [
        (np.asarray(corners + shift, np.float32), 1)
        for shift in (0.03 * along, -0.03 * along, 0.08 * down, -0.08 * down)
    ]
    for shear in (0.12 * down, -0.12 * down):
        cuts.append((np.asarray(corners + np.stack([shear, -shear, -shear, shear]), np.float32), 1))
    cuts.append((corners[[2, 3, 0, 1]], 1))
    if np.hypot(*along) < _TWO_ROW_ASPECT * np.hypot(*down):
        cuts.append((corners, 2))
    return cuts


def _suppress_overlaps(seen: list[_CandidateReading]) -> list[_CandidateReading]:
    return [
        seen[at] for at in without_duplicates([entry.corners for entry in seen], [entry.confidence for entry in seen])
    ]


def _to_plate(image: Image, seen: _CandidateReading) -> Plate:
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
