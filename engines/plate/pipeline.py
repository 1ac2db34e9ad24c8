"""Plate reader over four networks: detect, rectify, recognise, ensemble, validate."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from inkgate.engines.boxes import as_quad
from inkgate.engines.plate.alphabet import COLOURS
from inkgate.engines.plate.candidates import (
    CERTAIN_SCORE,
    MIN_ANSWER_CONFIDENCE,
    REREAD_BELOW_CONFIDENCE,
    CandidateReader,
)
from inkgate.engines.plate.colour import decide_colour
from inkgate.engines.plate.decode import GREEN_PATTERNS
from inkgate.engines.plate.detect import Candidate, PlateDetector, suppress_overlaps
from inkgate.engines.plate.order import left_to_right
from inkgate.engines.plate.reading import (
    CandidateReading,
    any_above,
    suppress_readings,
)
from inkgate.engines.plate.rectify import rectified_strip
from inkgate.engines.plate.syntax import IN_SCOPE, plate_kind
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image, Plate

_TILT_DEGREES = (-28.0, 28.0)  # the detector finds plates that are tilted by up to about 25 degrees to either side
_TILTED_SIDE_PIXELS = 192  # longer side of the copies that are rotated by these
_MIN_TILTED_SCORE = 0.5  # detector score below which a candidate in such a copy is dropped
_MIN_FALLBACK_CONFIDENCE = 0.45  # confidence of a plate found in the rotated image or read from the whole image
_WIDE_SHARE = 0.8  # share of the image's width above which a plate is read close up too: its corners may be cut off
_WHOLE_IMAGE_SHARES = (1.0, 0.9)  # share of its width and height that is taken for the plate
_WHOLE_IMAGE_SCORE = 0.3  # detector score given to it
_PLATE_ASPECT = (1.6, 5.0)  # width over height of an image that may be one plate: two rows have 2, one row 3.1 or 3.4
_MIDDLE_SIDE_PIXELS = 384  # longer side at which an image without plates is looked at once more
_ROTATED_SIDE_PIXELS = 448  # longer side at which an image without plates is looked at once more, lying on its side


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
        self._candidates = CandidateReader(detector, strips, second, corners)
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
        reader = self._candidates
        reader.ensemble(blank, [reader.refine_and_reread(blank, reader.recognise_at(blank, corners))])

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        """Plates of a BGR uint8 image, left to right, top to bottom; those out of scope only with `extras`."""
        seen = self._candidates.read(image, self._detector(image))
        wide = any(np.ptp(entry.corners[:, 0]) > _WIDE_SHARE * image.shape[1] for entry in seen)
        if wide or not any_above(seen, REREAD_BELOW_CONFIDENCE):
            seen = suppress_readings(seen + self._read_close_up(image))
        for fallback in (self._read_whole, self._read_tilted, self._read_between, self._read_in_tiles):
            if not any_above(seen, MIN_ANSWER_CONFIDENCE):
                seen = suppress_readings(seen + fallback(image))
        if not any_above(seen, REREAD_BELOW_CONFIDENCE):
            seen = suppress_readings(seen + self._read_on_its_side(image))
        plates = [_to_plate(image, entry) for entry in seen if entry.confidence >= MIN_ANSWER_CONFIDENCE]
        return left_to_right([plate for plate in plates if extras or plate.in_scope])

    def close(self) -> None:
        """Release the networks. The reader cannot be used afterwards."""
        del self._detector, self._candidates

    def _read_close_up(self, image: Image) -> list[CandidateReading]:
        """Plates that fill most of the image, or reach its border."""
        return self._candidates.read(image, self._detector.detect_close_up(image), at_first=False)

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
        return self._candidates.read(
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
        certain_score: float = CERTAIN_SCORE,
    ) -> list[CandidateReading]:
        """The readings of candidates that the detector did not find in the upright image, if confident."""
        found = self._candidates.read(image, candidates, at_first=at_first, certain_score=certain_score)
        return [entry for entry in found if entry.confidence >= _MIN_FALLBACK_CONFIDENCE]


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
