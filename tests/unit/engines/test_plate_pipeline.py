"""The flow over the three networks: what is answered, what is kept back, and where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from inkgate.engines.plate.alphabet import CHARACTERS, COLOURS
from inkgate.engines.plate.detect import Candidate, PlateDetector
from inkgate.engines.plate.pipeline import NetworkPlateReader
from inkgate.engines.plate.reading import agree, to_reading

Script = dict[str, tuple[str, str]]


class Places(PlateDetector):
    """A finder that knows where plates are, as long as the image stands upright."""

    def __init__(
        self,
        candidates: list[Candidate],
        lying: list[Candidate] | None = None,
        tilted: list[Candidate] | None = None,
        near: list[Candidate] | None = None,
    ) -> None:
        self._candidates, self._on_side = candidates, lying or []
        self._tilted, self._near = tilted or [], near or []
        self.asked: list[str] = []

    def __call__(self, image: np.ndarray) -> list[Candidate]:
        return self._candidates

    def detect_at_scale(self, image: np.ndarray, longest: int, *, framed: bool = False) -> list[Candidate]:
        self.asked.append("on its side")
        return self._on_side

    def detect_close_up(self, image: np.ndarray) -> list[Candidate]:
        self.asked.append("close-up")
        return self._near

    def detect_small(self, image: np.ndarray) -> list[Candidate]:
        self.asked.append("tiles")
        return []

    def detect_rotated(self, image: np.ndarray, longest: int, degrees: float) -> list[Candidate]:
        self.asked.append(f"{degrees:+.0f}")
        return self._tilted if degrees > 0 else []

    def refine_candidate(self, image: np.ndarray, one: Candidate) -> Candidate:
        return one


def standing(text: str, sure: float) -> np.ndarray:
    """Time steps that spell the text where its characters stand on a plate that fills the strip."""
    eight = len(text) == 8
    middles = (38, 91, 183, 235, 287, 339, 391, 443) if eight else (38, 95, 174, 231, 288, 345, 402)
    classes = np.zeros(40, int)
    for character, middle in zip(text, middles, strict=True):
        at = round(40 * (0.03 + 0.94 * middle / (480 if eight else 440)) - 0.5)
        classes[at - 1 : at + 2] = CHARACTERS.index(character) + 1
    out = np.full((40, len(CHARACTERS) + 1), (1 - sure) / len(CHARACTERS), np.float32)
    out[np.arange(40), classes] = sure
    return out


def strips(by_blue: dict[int, tuple[str, str, float]]):  # type: ignore[no-untyped-def]
    """A reader that knows plates by the blue value of the strip's top left pixel."""

    def read(batch: np.ndarray) -> np.ndarray:
        out = np.zeros((len(batch), 41, len(CHARACTERS) + 1), np.float32)
        for row, strip in zip(out, batch, strict=True):
            text, colour, sure = by_blue.get(round((float(strip[0, 24, 80]) + 1) * 127.5), ("京A00000", "none", 0.2))
            row[:40] = standing(text, sure)
            row[40, COLOURS.index(colour)] = 1
        return out

    return read


def second(by_blue: dict[int, tuple[str, str, float]]):  # type: ignore[no-untyped-def]
    """A second reader that knows the same plates, by the same pixel of its smaller strip."""

    def read(batch: np.ndarray) -> np.ndarray:
        known = [by_blue.get(round((float(strip[0, 16, 52]) + 1) * 127.5)) for strip in batch]
        return np.stack([standing(*(one[::2] if one else ("京A00000", 0.2))) for one in known])

    return read


def right(batch: np.ndarray) -> np.ndarray:
    """A corner network that finds all corners where they should be."""
    return np.zeros((len(batch), 8), np.float32)


def reader(finder: PlateDetector, known: dict[int, tuple[str, str, float]], other: Any = None) -> NetworkPlateReader:
    return NetworkPlateReader(finder, strips(known), second(known if other is None else other), right, {})


def at(x: float, y: float, score: float = 0.9) -> Candidate:
    corners = np.array([(x, y), (x + 100, y), (x + 100, y + 32), (x, y + 32)], np.float32)
    return Candidate(corners, score)


@pytest.fixture
def street() -> np.ndarray:
    """Three plates and a character, distinguished by their shade."""
    image = np.zeros((400, 600, 3), np.uint8)
    for (x, y), shade in {(300, 50): 50, (50, 60): 100, (60, 300): 150, (400, 300): 200}.items():
        image[y : y + 32, x : x + 100] = shade
    return image


KNOWN = {
    50: ("粤B12345", "blue", 0.98),
    100: ("沪AD12345", "green", 0.98),
    150: ("京A1234警", "white", 0.97),
    200: ("京A00000", "none", 0.98),
}
PLACES = [at(400, 300), at(300, 50), at(50, 60), at(60, 300)]


def test_in_scope_only_and_in_order(street: np.ndarray) -> None:
    plates = reader(Places(PLACES), KNOWN).read(street)
    assert [(p.text, p.kind, p.in_scope, p.rows) for p in plates] == [
        ("沪AD12345", "green", True, 1),
        ("粤B12345", "blue", True, 1),
    ]
    assert np.allclose(plates[0].quad, ((50, 60), (150, 60), (150, 92), (50, 92)), atol=3)
    assert all(p.confidence > 0.9 and len(p.char_scores) == len(p.text) for p in plates)


def test_extras_bring_the_other_kinds(street: np.ndarray) -> None:
    plates = reader(Places(PLACES), KNOWN).read(street, extras=True)
    assert [(p.text, p.kind, p.in_scope) for p in plates][2] == ("京A1234警", "white", False)


def test_one_weak_character_makes_the_whole_answer_weak(street: np.ndarray) -> None:
    known = {50: ("粤B12345", "blue", 0.4)}
    plates = reader(Places([at(300, 50)]), known).read(street)
    assert plates[0].confidence == pytest.approx(1 - 0.6 * 0.6, abs=0.01), "two who agree err only together"


def test_two_readers_who_differ_are_answered_with_the_least_confidence(street: np.ndarray) -> None:
    (plate,) = reader(Places([at(300, 50)]), KNOWN, {50: ("粤B12346", "blue", 0.97)}).read(street)
    assert plate.text == "粤B12346", "the second errs less"
    assert plate.confidence == pytest.approx(0.2)


def test_below_the_least_confidence_nothing_is_answered(street: np.ndarray) -> None:
    first, other = {50: ("粤B12345", "blue", 0.25)}, {50: ("粤B12346", "blue", 0.8)}
    assert reader(Places([at(300, 50)]), first, other).read(street, extras=True) == []


def test_the_second_reader_may_decide_alone_where_all_looks_have_its_text(street: np.ndarray) -> None:
    first, other = {50: ("粤B12345", "blue", 0.25)}, {50: ("粤B12346", "blue", 0.97)}
    (plate,) = reader(Places([at(300, 50)]), first, other).read(street)
    assert (plate.text, plate.confidence) == ("粤B12346", pytest.approx(0.2))


def test_looks_that_agree_are_not_put_to_the_vote(street: np.ndarray) -> None:
    asked: list[int] = []
    weak = reader(Places([at(300, 50)]), {50: ("粤B12345", "blue", 0.4)})
    ask = weak._candidates._strips

    def counted(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return ask(batch)

    weak._candidates._strips = counted
    assert [plate.text for plate in weak.read(street)] == ["粤B12345"]
    assert sum(asked) == 2, "at the refined corners and at the candidate's own"


def test_ten_plates_are_read_in_one_batch_by_each_network() -> None:
    image = np.full((500, 700, 3), 50, np.uint8)
    places = [at(40 + 130 * (k % 5), 60 + 200 * (k // 5)) for k in range(10)]
    street = reader(Places(places), KNOWN)
    shapes: list[tuple[str, int]] = []

    def counting(name: str, network: Any) -> Any:
        def run(batch: np.ndarray) -> np.ndarray:
            shapes.append((name, len(batch)))
            return network(batch)

        return run

    street._candidates._strips, street._candidates._second = (
        counting("first", street._candidates._strips),
        counting("second", street._candidates._second),
    )
    street._candidates._corners = counting("corners", street._candidates._corners)
    assert len(street.read(image)) == 10
    assert shapes == [("corners", 10), ("first", 10), ("second", 10)]


def test_seven_characters_on_a_green_plate_are_not_agreed_upon(street: np.ndarray) -> None:
    raw = np.zeros((41, len(CHARACTERS) + 1), np.float32)
    raw[:40] = standing("粤B12345", 0.9)
    raw[40, COLOURS.index("green")], raw[40, COLOURS.index("blue")] = 0.4, 0.6
    green = to_reading(at(300, 50).corners, 1, raw)
    assert not agree([green, green]), "one character may be missing"
    raw[40, COLOURS.index("green")], raw[40, COLOURS.index("blue")] = 0.1, 0.9
    blue = to_reading(at(300, 50).corners, 1, raw)
    assert agree([blue, blue])


def test_what_is_no_plate_costs_one_look(street: np.ndarray) -> None:
    asked = []

    def never(batch: np.ndarray) -> np.ndarray:
        asked.append(batch)
        return batch

    plates = NetworkPlateReader(Places([at(400, 300)]), strips(KNOWN), never, right, {}).read(street)
    assert (plates, asked) == ([], []), "the second reader is not asked"


def test_unreadable_candidates_are_not_cropped_again(street: np.ndarray) -> None:
    asked: list[int] = []
    dull = reader(Places([at(300, 50, score=0.7)]), {50: ("00000000", "blue", 0.98)})
    ask = dull._candidates._strips

    def counted(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return ask(batch)

    dull._candidates._strips = counted
    assert dull.read(street) == []
    assert sum(asked) <= 3


def test_an_image_on_its_side_is_read_and_answered_in_its_own_pixels(street: np.ndarray) -> None:
    turned = np.ascontiguousarray(np.rot90(street))  # 600 high, 400 wide
    # where the plate at (300, 50) of the upright image is after the image is set upright again
    plates = reader(Places([], [at(300, 50)]), KNOWN).read(turned)
    assert [p.text for p in plates] == ["粤B12345"]
    xs, ys = zip(*plates[0].quad, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == pytest.approx((50, 82, 200, 300), abs=10)


def test_a_tilted_plate_is_found_in_the_rotated_copies(street: np.ndarray) -> None:
    finder = Places([], tilted=[at(300, 50)])
    assert [p.text for p in reader(finder, KNOWN).read(street)] == ["粤B12345"]
    assert finder.asked == ["close-up", "-28", "+28"], "and the image is not laid on its side any more"


def test_a_plate_that_fills_the_image_is_found_close_up(street: np.ndarray) -> None:
    finder = Places([], near=[at(300, 50)])
    assert [p.text for p in reader(finder, KNOWN).read(street)] == ["粤B12345"]
    assert finder.asked == ["close-up"]


def test_a_confident_plate_needs_no_other_copy(street: np.ndarray) -> None:
    finder = Places([at(300, 50)])
    assert len(reader(finder, KNOWN).read(street)) == 1
    assert finder.asked == []


@pytest.mark.parametrize(("size", "read"), [((48, 160), True), ((48, 60), False), ((24, 160), False)])
def test_the_whole_image_may_be_a_plate(size: tuple[int, int], read: bool) -> None:
    image = np.full((*size, 3), 50, np.uint8)
    plates = reader(Places([]), KNOWN).read(image)
    assert [p.text for p in plates] == (["粤B12345"] if read else [])


def test_an_unlikely_plate_of_the_whole_image_is_not_answered() -> None:
    image = np.full((48, 160, 3), 50, np.uint8)
    assert reader(Places([]), {50: ("粤B12345", "blue", 0.2)}).read(image) == []


def test_an_empty_image_has_no_plates() -> None:
    assert reader(Places([]), {}).read(np.zeros((33, 33, 3), np.uint8)) == []


def test_the_pixels_decide_between_two_likely_grounds(street: np.ndarray) -> None:
    street[50:82, 300:400] = (180, 60, 20)  # blue

    def ambiguous(batch: np.ndarray) -> np.ndarray:
        out = strips({})(batch)
        out[:, :40] = standing("粤B12345", 0.98)
        out[:, 40] = 0
        out[:, 40, COLOURS.index("yellow")], out[:, 40, COLOURS.index("blue")] = 0.5, 0.3
        return out

    def sure(_: np.ndarray) -> np.ndarray:
        return standing("粤B12345", 0.98)[None]

    (plate,) = NetworkPlateReader(Places([at(300, 50)]), ambiguous, sure, right, {}).read(street)
    assert (plate.text, plate.kind) == ("粤B12345", "blue")
