"""The quick reading stands where it is sure; the careful one replaces the rest, and only the rest."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.engines.text.cascade import Cascade, Doubt
from inkgate.engines.text.recognise import HEIGHT, STRIDE, Reading, Recogniser
from inkgate.engines.text.scripts import Scripts

PER_CHARACTER = 5  # columns of scores


class Fake(Recogniser):
    """Reads a line whose pixels hold character codes; `doubts` are positions of the line scored 0.1."""

    def __init__(self, doubts: Sequence[int] = (), wrong: dict[int, str] | None = None) -> None:
        self.doubts = set(doubts)
        self.wrong = wrong or {}
        self.widths: list[int] = []
        self.charset = []

    def spell(self, line: np.ndarray) -> Reading:
        self.widths.append(line.shape[2])
        columns = np.arange(PER_CHARACTER // 2, line.shape[2] // STRIDE, PER_CHARACTER)
        places = [round(float(line[0, 0, column * STRIDE])) for column in columns]
        characters = [self.wrong.get(place, chr(0x4E00 + place)) for place in places]
        scores = np.array([0.1 if place in self.doubts else 0.99 for place in places], np.float32)
        return Reading(characters, scores, columns)


def line(characters: int) -> np.ndarray:
    """A tensor whose every pixel tells the place of its character."""
    places = np.repeat(np.arange(characters, dtype=np.float32), PER_CHARACTER * STRIDE)
    return np.broadcast_to(places, (3, HEIGHT, len(places)))


def text(characters: int) -> str:
    return "".join(chr(0x4E00 + place) for place in range(characters))


DOUBT = Doubt(prose=0.8, short=0.98)


def test_a_sure_reading_stands_alone() -> None:
    quick, careful = Fake(), Fake()
    assert Cascade(quick, Scripts(careful), DOUBT).read_line(line(30)) == (text(30), pytest.approx(0.99))
    assert careful.widths == []


@pytest.mark.parametrize("place", [0, 1, 7, 15, 28, 29])
def test_only_the_stretch_around_a_doubt_is_read_again(place: int) -> None:
    quick, careful = Fake([place], {place: "错"}), Fake()
    assert Cascade(quick, Scripts(careful), DOUBT).read_line(line(30)) == (text(30), pytest.approx(0.99))
    (width,) = careful.widths
    assert width <= 5 * PER_CHARACTER * STRIDE


def test_neighbouring_doubts_are_one_stretch() -> None:
    quick, careful = Fake([7, 10], {7: "错", 10: "误"}), Fake()
    assert Cascade(quick, Scripts(careful), DOUBT).read_line(line(30))[0] == text(30)
    assert careful.widths == [8 * PER_CHARACTER * STRIDE]


def test_readings_that_do_not_meet_are_tried_over_a_wider_stretch() -> None:
    quick, careful = Fake([15], {15: "错", 13: "邻"}), Fake()
    assert Cascade(quick, Scripts(careful), DOUBT).read_line(line(30))[0] == text(30)
    assert careful.widths == [5 * PER_CHARACTER * STRIDE, 11 * PER_CHARACTER * STRIDE]


def test_readings_that_never_meet_give_the_whole_line_to_the_careful_one() -> None:
    quick, careful = Fake([15], {15: "错", 13: "邻", 10: "居"}), Fake()
    assert Cascade(quick, Scripts(careful), DOUBT).read_line(line(30))[0] == text(30)
    assert careful.widths[-1] == 30 * PER_CHARACTER * STRIDE


def test_a_line_mostly_in_doubt_is_read_once_more_whole() -> None:
    quick, careful = Fake(range(0, 30, 3)), Fake()
    assert Cascade(quick, Scripts(careful), DOUBT).read_line(line(30))[0] == text(30)
    assert careful.widths == [30 * PER_CHARACTER * STRIDE]


def test_a_short_line_is_read_again_whole() -> None:
    quick, careful = Fake([3], {3: "错"}), Fake()
    assert Cascade(quick, Scripts(careful), DOUBT).read_line(line(8))[0] == text(8)
    assert careful.widths == [8 * PER_CHARACTER * STRIDE]


class Remains(Fake):
    """Reads the remains of a neighbour at both edges as further characters, which may repeat the outermost ones."""

    def __init__(self, left: str = "", right: str = "") -> None:
        super().__init__()
        self.left, self.right = left, right

    def spell(self, line: np.ndarray) -> Reading:
        whole = super().spell(line)
        characters = [self.left or whole.characters[0], *whole.characters, self.right or whole.characters[-1]]
        columns = np.concatenate(([0], whole.columns, [line.shape[2] // STRIDE - 1]))
        return Reading(characters, np.full(len(characters), 0.5, np.float32), columns)


@pytest.mark.parametrize(("left", "right"), [("丨", "丶"), ("", "丶"), ("丨", ""), ("", "")])
def test_the_remains_of_a_neighbour_at_a_cut_are_dropped(left: str, right: str) -> None:
    quick = Fake([15], {15: "错"})
    assert Cascade(quick, Scripts(Remains(left, right)), DOUBT).read_line(line(30))[0] == text(30)


class Words(Fake):
    """Reads the characters of `text`; an accurate one drops blanks at the ends of what it is given, as networks do."""

    def __init__(self, text: str, doubts: Sequence[int] = (), *, accurate: bool) -> None:
        super().__init__(doubts)
        self.text, self.accurate = text, accurate

    def spell(self, line: np.ndarray) -> Reading:
        reading = super().spell(line)
        characters = [self.text[ord(character) - 0x4E00] for character in reading.characters]
        kept = slice(0, len(characters))
        if self.accurate:
            inked = [at for at, character in enumerate(characters) if character != " "]
            kept = slice(inked[0], inked[-1] + 1) if inked else slice(0, 0)
        return Reading(characters[kept], reading.scores[kept], reading.columns[kept])


@given(
    words=st.lists(st.text("aab1", min_size=1, max_size=6), min_size=4, max_size=14),
    doubts=st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_what_both_readings_agree_on_is_neither_lost_nor_doubled(words: list[str], doubts: list[int]) -> None:
    told = " ".join(words)
    draft, accurate = Words(told, doubts, accurate=False), Words(told, accurate=True)
    assert Cascade(draft, Scripts(accurate), DOUBT).read_line(line(len(told)))[0] == told


def test_nothing_read_is_asked_of_the_careful_one() -> None:
    class Blind(Fake):
        def spell(self, line: np.ndarray) -> Reading:
            return Reading([], np.zeros(0, np.float32), np.zeros(0, np.intp))

    assert Cascade(Blind(), Scripts(Fake()), DOUBT).read_line(line(30))[0] == text(30)
    assert Cascade(Blind(), Scripts(Blind()), DOUBT).read_line(line(30)) == ("", 0.0)


class Told(Recogniser):
    """Reads what it was told, line by line; the first pixel says which line it is."""

    def __init__(self, *texts: str, score: float = 0.99) -> None:
        self.charset, self._texts, self._score = [], texts, score
        self.read: list[int] = []

    def spell(self, line: np.ndarray) -> Reading:
        at = round((float(line[0, 0, 0]) + 1) * 127.5)
        self.read.append(at)
        signs = list(self._texts[at])
        return Reading(signs, np.full(len(signs), self._score, np.float32), np.arange(len(signs)))


class Both(Scripts):
    def __init__(self, plain: Told, weighed: Told) -> None:
        self.plain, self.in_traditional = plain, weighed.spell  # type: ignore[method-assign]


def test_once_a_page_is_known_to_be_traditional_simplified_lines_are_read_anew() -> None:
    quick = Told("人户", "", "户", "人", "户")
    plain, weighed = Told("", "戶裝軟來參級預宮"), Told("人戶", "", "戶", "", "页")
    crops = [np.full((HEIGHT, 400, 3), at, np.uint8) for at in range(5)]
    texts = [text for text, _ in Cascade(quick, Both(plain, weighed), DOUBT)(crops)]
    assert texts == ["人戶", "戶裝軟來參級預宮", "戶", "人", "页"]
    assert plain.read == [1] and sorted(weighed.read) == [0, 2, 4]  # none twice
