"""Characters of high confidence come from the draft recogniser, spans of low confidence from the accurate one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.engines.text.cascade import Cascade, ConfidenceThresholds
from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS, STRIDE, Reading, Recogniser
from inkgate.engines.text.scripts import ScriptAwareRecogniser

PER_CHARACTER = 5  # columns of scores


class Fake(Recogniser):
    """Reads a line whose pixels hold character codes; `low_scores` are positions of the line scored 0.1."""

    def __init__(self, low_scores: Sequence[int] = (), wrong: dict[int, str] | None = None) -> None:
        self.low_scores = set(low_scores)
        self.wrong = wrong or {}
        self.widths: list[int] = []
        self.charset = []

    def recognise_line(self, line: np.ndarray) -> Reading:
        self.widths.append(line.shape[2])
        columns = np.arange(PER_CHARACTER // 2, line.shape[2] // STRIDE, PER_CHARACTER)
        places = [round(float(line[0, 0, column * STRIDE])) for column in columns]
        characters = [self.wrong.get(place, chr(0x4E00 + place)) for place in places]
        scores = np.array([0.1 if place in self.low_scores else 0.99 for place in places], np.float32)
        return Reading(characters, scores, columns)


def line(characters: int) -> np.ndarray:
    """A tensor whose every pixel encodes the index of its character."""
    places = np.repeat(np.arange(characters, dtype=np.float32), PER_CHARACTER * STRIDE)
    return np.broadcast_to(places, (3, LINE_HEIGHT_PIXELS, len(places)))


def text(characters: int) -> str:
    return "".join(chr(0x4E00 + place) for place in range(characters))


THRESHOLDS = ConfidenceThresholds(long_line=0.8, short_line=0.98)


def test_a_confident_draft_is_not_read_again() -> None:
    draft, accurate = Fake(), Fake()
    assert Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(30)) == (
        text(30),
        pytest.approx(0.99),
    )
    assert accurate.widths == []


@pytest.mark.parametrize("place", [0, 1, 7, 15, 28, 29])
def test_only_the_span_around_a_low_score_is_read_again(place: int) -> None:
    draft, accurate = Fake([place], {place: "错"}), Fake()
    assert Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(30)) == (
        text(30),
        pytest.approx(0.99),
    )
    (width,) = accurate.widths
    assert width <= 5 * PER_CHARACTER * STRIDE


def test_adjacent_low_scores_form_one_span() -> None:
    draft, accurate = Fake([7, 10], {7: "错", 10: "误"}), Fake()
    assert Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(30))[0] == text(30)
    assert accurate.widths == [8 * PER_CHARACTER * STRIDE]


def test_spans_whose_ends_differ_are_widened_once() -> None:
    draft, accurate = Fake([15], {15: "错", 13: "邻"}), Fake()
    assert Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(30))[0] == text(30)
    assert accurate.widths == [5 * PER_CHARACTER * STRIDE, 11 * PER_CHARACTER * STRIDE]


def test_spans_that_never_match_are_read_as_a_whole_line() -> None:
    draft, accurate = Fake([15], {15: "错", 13: "邻", 10: "居"}), Fake()
    assert Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(30))[0] == text(30)
    assert accurate.widths[-1] == 30 * PER_CHARACTER * STRIDE


def test_a_line_of_mostly_low_scores_is_read_once_more_whole() -> None:
    draft, accurate = Fake(range(0, 30, 3)), Fake()
    assert Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(30))[0] == text(30)
    assert accurate.widths == [30 * PER_CHARACTER * STRIDE]


def test_a_short_line_is_read_again_whole() -> None:
    draft, accurate = Fake([3], {3: "错"}), Fake()
    assert Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(8))[0] == text(8)
    assert accurate.widths == [8 * PER_CHARACTER * STRIDE]


class Remains(Fake):
    """Reads the remains of a neighbour at both edges as further characters, which may repeat the outermost ones."""

    def __init__(self, left: str = "", right: str = "") -> None:
        super().__init__()
        self.left, self.right = left, right

    def recognise_line(self, line: np.ndarray) -> Reading:
        whole = super().recognise_line(line)
        characters = [self.left or whole.characters[0], *whole.characters, self.right or whole.characters[-1]]
        columns = np.concatenate(([0], whole.columns, [line.shape[2] // STRIDE - 1]))
        return Reading(characters, np.full(len(characters), 0.5, np.float32), columns)


@pytest.mark.parametrize(("left", "right"), [("丨", "丶"), ("", "丶"), ("丨", ""), ("", "")])
def test_the_remains_of_a_neighbour_at_a_cut_are_dropped(left: str, right: str) -> None:
    draft = Fake([15], {15: "错"})
    assert Cascade(draft, ScriptAwareRecogniser(Remains(left, right)), THRESHOLDS).read_line(line(30))[0] == text(30)


class Words(Fake):
    """Reads the characters of `text`; an accurate one drops blanks at the ends of what it is given, as networks do."""

    def __init__(self, text: str, low_scores: Sequence[int] = (), *, accurate: bool) -> None:
        super().__init__(low_scores)
        self.text, self.accurate = text, accurate

    def recognise_line(self, line: np.ndarray) -> Reading:
        reading = super().recognise_line(line)
        characters = [self.text[ord(character) - 0x4E00] for character in reading.characters]
        kept = slice(0, len(characters))
        if self.accurate:
            inked = [at for at, character in enumerate(characters) if character != " "]
            kept = slice(inked[0], inked[-1] + 1) if inked else slice(0, 0)
        return Reading(characters[kept], reading.scores[kept], reading.columns[kept])


@given(
    words=st.lists(st.text("aab1", min_size=1, max_size=6), min_size=4, max_size=14),
    low_scores=st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_what_both_readings_agree_on_is_neither_lost_nor_doubled(words: list[str], low_scores: list[int]) -> None:
    expected = " ".join(words)
    draft, accurate = Words(expected, low_scores, accurate=False), Words(expected, accurate=True)
    assert Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(len(expected)))[0] == expected


def test_nothing_read_is_asked_of_the_accurate_recogniser() -> None:
    class Blind(Fake):
        def recognise_line(self, line: np.ndarray) -> Reading:
            return Reading([], np.zeros(0, np.float32), np.zeros(0, np.intp))

    assert Cascade(Blind(), ScriptAwareRecogniser(Fake()), THRESHOLDS).read_line(line(30))[0] == text(30)
    assert Cascade(Blind(), ScriptAwareRecogniser(Blind()), THRESHOLDS).read_line(line(30)) == ("", 0.0)


class Scripted(Recogniser):
    """Reads what it was expected, line by line; the first pixel says which line it is."""

    def __init__(self, *texts: str, score: float = 0.99) -> None:
        self.charset, self._texts, self._score = [], texts, score
        self.read: list[int] = []

    def recognise_line(self, line: np.ndarray) -> Reading:
        at = round((float(line[0, 0, 0]) + 1) * 127.5)
        self.read.append(at)
        characters = list(self._texts[at])
        scores = np.full(len(characters), self._score, np.float32)
        return Reading(characters, scores, np.arange(len(characters)))


class Both(ScriptAwareRecogniser):
    def __init__(self, plain: Scripted, traditional: Scripted) -> None:
        self.recogniser, self.recognise_traditional = plain, traditional.recognise_line  # type: ignore[method-assign]


def test_once_a_page_is_known_to_be_traditional_simplified_lines_are_read_again() -> None:
    draft = Scripted("人户", "", "户", "人", "户")
    plain, traditional = Scripted("", "戶裝軟來參級預宮"), Scripted("人戶", "", "戶", "", "页")
    crops = [np.full((LINE_HEIGHT_PIXELS, 400, 3), at, np.uint8) for at in range(5)]
    texts = [text for text, _ in Cascade(draft, Both(plain, traditional), THRESHOLDS)(crops)]
    assert texts == ["人戶", "戶裝軟來參級預宮", "戶", "人", "页"]
    assert plain.read == [1] and sorted(traditional.read) == [0, 2, 4]  # none twice


def test_a_blank_that_only_the_draft_has_seen_behind_a_span_stays() -> None:
    blank = chr(0x4E00 + 17) + " "
    draft, accurate = Fake([15], {15: "错", 17: blank}), Fake()
    read, _ = Cascade(draft, ScriptAwareRecogniser(accurate), THRESHOLDS).read_line(line(30))
    assert read == text(30)[:17] + blank + text(30)[18:]
    assert max(accurate.widths) < line(30).shape[2]
