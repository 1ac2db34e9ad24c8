"""Plate reader over four networks: detect, rectify, recognise, ensemble, validate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.boxes import as_quad
from inkgate.engines.plate.alphabet import CHARACTERS, COLOURS
from inkgate.engines.plate.colour import ground_colour
from inkgate.engines.plate.decode import Reading, Scores, decode, lawful
from inkgate.engines.plate.detect import Candidate, Corners, Finder, without_duplicates
from inkgate.engines.plate.order import left_to_right
from inkgate.engines.plate.refine import refined
from inkgate.engines.plate.second import settled, shrunk
from inkgate.engines.plate.syntax import IN_SCOPE, kind_of
from inkgate.engines.plate.warp import cut
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image, Plate

_CLASSES = len(CHARACTERS) + 1
_NO_PLATE = 0.2  # share of "no plate" from which on a candidate is dropped after one look
_UNREADABLE = 1e-3  # confidence below which a reading is none: such a candidate is dropped after one look,
_STRIKING = 0.6  # unless the detector is more confident of it than this, and after the close look by both readers,
_CERTAIN = 0.75  # unless it is more confident than this
_ANSWER = 0.05  # confidence below which nothing is answered
_A_PLATE = 0.3  # confidence of the first reader from which on something is answered, however the second contradicts
_DOUBT = 0.9  # confidence below which the detector looks closely, and then other cuts are tried
_HEARD = 4  # most cuts of a low-confidence plate that the second reader sees as well
_TURNED = 448  # longer side at which an image without plates is looked at once more, lying on its side
_AS_LIKELY = 0.2  # share of the most likely background colour's probability from which on the pixels may choose another
_AS_GOOD = 0.8  # share of its confidence that a plate may lose when its corners are corrected
_TWO_ROWS = 2.7  # width over height below which a plate may have two rows: one row has 3.1 or 3.4, two rows 2


@dataclass(frozen=True, slots=True)
class _Seen:
    """A candidate as read: its corners in source pixels in the order of the text, the reading, the time steps it was
    made from, and the background colours."""

    corners: Corners
    reading: Reading
    steps: Scores
    ground: NDArray[np.float32]
    rows: int
    confidence: float


class NetworkPlateReader:
    """The `PlateReader` over a detector, two readers of strips and one of corners. One thread at a time."""

    def __init__(
        self, finder: Finder, strips: RunNetwork, second: RunNetwork, corners: RunNetwork, models: dict[str, str]
    ) -> None:
        self._finder = finder
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
        self._finder(blank)
        corners = np.array([(0, 0), (160, 0), (160, 48), (0, 48)], np.float32)
        self._confirmed(blank, [self._set_right(blank, self._seen(blank, corners))])

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        """Plates of a BGR uint8 image, left to right, top to bottom; those out of scope only with `extras`."""
        seen = self._all(image, self._finder(image))
        if not any(one.confidence >= _DOUBT for one in seen):
            seen = _without_doubles(seen + self._lying(image))
        plates = [_plate(image, one) for one in seen if one.confidence >= _ANSWER]
        return left_to_right([plate for plate in plates if extras or plate.in_scope])

    def close(self) -> None:
        """Release the networks. The reader cannot be used afterwards."""
        del self._finder, self._strips, self._second, self._corners

    def _lying(self, image: Image) -> list[_Seen]:
        """Plates of an image that lies on a side, whichever it is: low-confidence cuts are read turned over too."""
        height = image.shape[0]
        upright = np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), np.uint8)
        back = [
            Candidate(np.stack([one.corners[:, 1], height - one.corners[:, 0]], 1), one.score, one.seen)
            for one in self._finder.look(upright, min(_TURNED, max(image.shape[:2])))
        ]
        return [one for one in self._all(image, back) if one.confidence >= _DOUBT / 2]

    def _all(self, image: Image, candidates: Sequence[Candidate]) -> list[_Seen]:
        """The readings of all candidates, each by its best crop; candidates that are no plates are dropped."""
        raws = self._strip(image, [(one.corners, 1) for one in candidates])
        kept = []
        for candidate, raw in zip(candidates, raws, strict=True):
            if raw[-1, 0] >= _NO_PLATE:
                continue
            first = _seen(candidate.corners, 1, raw)
            if first.confidence >= _UNREADABLE or candidate.score >= _STRIKING:
                kept.append((candidate, first))
        heard = self._confirmed(image, [first for _, first in kept])
        return _without_doubles([self._best(image, *pair, both) for pair, both in zip(kept, heard, strict=True)])

    def _best(self, image: Image, candidate: Candidate, first: _Seen, both: _Seen) -> _Seen:
        """The candidate where both readers are sure of it; else after a close look too; in doubt what most of many cuts
        say. `both` is what they say of `first`."""
        if both.confidence >= _DOUBT:
            return self._placed(image, both)
        closer = self._seen(image, self._finder.closer(image, candidate).corners)
        surest = max(first, closer, key=lambda one: one.confidence)
        again = self._confirmed(image, [self._set_right(image, closer)])[0]
        best = max(both, again, key=lambda one: one.confidence)
        if best.confidence >= _DOUBT or (best.confidence < _UNREADABLE and candidate.score < _CERTAIN):
            return self._placed(image, best)
        others = sorted([closer, *self._other(image, best)], key=lambda one: -one.confidence)
        winner = self._placed(image, _vote([both, again, *self._confirmed(image, others[:_HEARD])]))
        least = _ANSWER if surest.confidence >= _A_PLATE else 0.0
        return replace(winner, confidence=max(winner.confidence, least))

    def _placed(self, image: Image, seen: _Seen) -> _Seen:
        """The same reading with better corners."""
        return replace(seen, corners=refined(self._corners, image, seen.corners)) if seen.rows == 1 else seen

    def _seen(self, image: Image, corners: Corners) -> _Seen:
        """One row of characters at `corners`, as the first reader reads it."""
        return _seen(corners, 1, self._strip(image, [(corners, 1)])[0])

    def _set_right(self, image: Image, seen: _Seen) -> _Seen:
        """The plate with better corners, read again there; as it was where that reads worse."""
        again = self._seen(image, refined(self._corners, image, seen.corners))
        return again if again.confidence >= _AS_GOOD * seen.confidence else seen

    def _confirmed(self, image: Image, seen: Sequence[_Seen]) -> list[_Seen]:
        """The same places with what both readers together say."""
        if not seen:
            return []
        heard = self._second(shrunk([cut(image, as_quad(one.corners), one.rows) for one in seen]))
        both = []
        for one, steps in zip(seen, heard, strict=True):
            reading = settled(one.steps, one.reading, steps, _greenness(one.ground))
            both.append(replace(one, reading=reading, confidence=confidence(reading, one.ground)))
        return both

    def _other(self, image: Image, first: _Seen) -> list[_Seen]:
        """Other cuts of the same plate, read: all lawful readings, or where there is none the most likely other one."""
        cuts = _other_cuts(first.corners)
        raws = self._strip(image, cuts)
        readings = [_seen(*cut_, raw) for cut_, raw in zip(cuts, raws, strict=True) if lawful(raw[:-1, :_CLASSES])]
        if not readings and first.reading.agreement < 1:
            likeliest = int(np.argmax([raw[:-1].max(1).mean() * (1 - raw[-1, 0]) for raw in raws]))
            readings = [_seen(*cuts[likeliest], raws[likeliest])]
        return readings

    def _strip(self, image: Image, cuts: Sequence[tuple[Corners, int]]) -> NDArray[np.float32]:
        """What the reader network says of each (corners, rows): time steps, then the row of background colours."""
        if not cuts:
            return np.zeros((0, 1, _CLASSES), np.float32)
        strips = [cut(image, as_quad(corners), rows) for corners, rows in cuts]
        batch = (np.stack(strips).astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2)
        return self._strips(np.ascontiguousarray(batch))


def _vote(seen: Sequence[_Seen]) -> _Seen:
    """The reading of highest confidence of the text with the largest sum; its confidence is limited to its share of the
    votes.
    """
    votes: dict[str, float] = {}
    for one in seen:
        votes[one.reading.text] = votes.get(one.reading.text, 0.0) + one.confidence
    text = max(votes, key=lambda name: votes[name])
    winner = max((one for one in seen if one.reading.text == text), key=lambda one: one.confidence)
    return replace(winner, confidence=winner.confidence * votes[text] / max(sum(votes.values()), 1e-6))


def _seen(corners: Corners, rows: int, raw: NDArray[np.float32]) -> _Seen:
    steps, ground = raw[:-1, :_CLASSES], raw[-1, : len(COLOURS)]
    reading = decode(steps, _greenness(ground))
    return _Seen(corners, reading, steps, ground, rows, confidence(reading, ground))


def _greenness(ground: NDArray[np.float32]) -> float:
    return float(ground[COLOURS.index("green")] + ground[COLOURS.index("green_yellow")])


def confidence(reading: Reading, ground: NDArray[np.float32]) -> float:
    """How likely the whole answer is right: the weakest character, the syntax's say, and "is a plate"."""
    return float(min(reading.char_scores) * min(1.0, 4 * reading.agreement) * (1 - ground[0]))


def _other_cuts(corners: Corners) -> list[tuple[Corners, int]]:
    """The plate a little wider, narrower, shifted, leaning, turned over, and as two rows where its shape allows."""
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
    for lean in (0.12 * down, -0.12 * down):
        cuts.append((np.asarray(corners + np.stack([lean, -lean, -lean, lean]), np.float32), 1))
    cuts.append((corners[[2, 3, 0, 1]], 1))
    if np.hypot(*along) < _TWO_ROWS * np.hypot(*down):
        cuts.append((corners, 2))
    return cuts


def _without_doubles(seen: list[_Seen]) -> list[_Seen]:
    return [seen[at] for at in without_duplicates([one.corners for one in seen], [one.confidence for one in seen])]


def _plate(image: Image, seen: _Seen) -> Plate:
    """The answer. Of the background colours that the text allows the most likely is taken, or of two that are nearly as
    likely the one that the pixels show.
    """
    pattern_green = seen.reading.pattern in ("green", "green_yellow")
    grounds = seen.ground.copy()
    grounds[0] = 0
    if not pattern_green:
        grounds[[3, 4]] = 0
    colour = COLOURS[int(grounds.argmax())]
    if not pattern_green:
        shown = ground_colour(cut(image, as_quad(seen.corners), seen.rows))
        if shown in ("blue", "yellow") and grounds[COLOURS.index(shown)] > _AS_LIKELY * grounds.max():
            colour = shown
    kind = kind_of(seen.reading.text, colour, seen.rows)
    return Plate(
        as_quad(seen.corners),
        kind,
        seen.reading.text,
        seen.confidence,
        rows=seen.rows,
        in_scope=kind in IN_SCOPE,
        char_scores=seen.reading.char_scores,
    )
