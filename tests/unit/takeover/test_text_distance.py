"""Agreement of texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.takeover.text_distance import MAX_CHARACTERS, changed_parts, closest_pairs, compare_lines, folded

LINES = st.lists(st.text(max_size=6), max_size=5)


def distance(one: str, other: str) -> int:
    """The textbook's Levenshtein distance."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (left != right))
    return row[-1]


@given(LINES, LINES)
def test_edits_are_the_distance_of_the_joined_lines(cloud: list[str], local: list[str]) -> None:
    figures = compare_lines(cloud, local)
    assert figures.edits == distance("\n".join(cloud), "\n".join(local)) <= figures.characters
    assert figures.folded_edits == distance(folded("".join(cloud)), folded("".join(local)))
    assert figures.equal_lines <= min(figures.cloud_lines, figures.local_lines)


@given(LINES, st.randoms())
def test_lines_in_another_order_are_equal_lines(lines: list[str], random) -> None:  # type: ignore[no-untyped-def]
    mixed = list(lines)
    random.shuffle(mixed)
    assert compare_lines(lines, mixed).equal_lines == len(lines)


def test_folding_concerns_width_and_blanks_only() -> None:
    assert folded("Ａ１（ａ）\u3000 b\n") == "A1(a)b"
    assert folded("①㎡京Ａ·é") == "①㎡京A·é"


@given(st.text(max_size=12), st.text(max_size=12))
def test_parts_make_up_the_texts_and_the_equal_ones_are_common(cloud: str, local: str) -> None:
    ones, others = changed_parts(cloud, local)
    assert ("".join(text for text, _ in ones), "".join(text for text, _ in others)) == (cloud, local)
    common = [["".join(text for text, changed in parts if not changed)] for parts in (ones, others)]
    assert common[0] == common[1]


def test_the_differing_character_is_marked() -> None:
    assert changed_parts("林知远", "林知运") == (
        [("林知", False), ("远", True)],
        [("林知", False), ("运", True)],
    )


def test_long_texts_are_cut() -> None:
    figures = compare_lines(["甲" * (MAX_CHARACTERS + 9)], ["乙" * 9])
    assert figures.characters == figures.edits == MAX_CHARACTERS


@given(LINES, LINES)
def test_every_text_is_in_one_pair(cloud: list[str], local: list[str]) -> None:
    pairs = closest_pairs(cloud, local)
    assert sorted(i for i, _ in pairs if i is not None) == list(range(len(cloud)))
    assert sorted(j for _, j in pairs if j is not None) == list(range(len(local)))
    for i, j in pairs:
        if i is not None and j is not None:
            assert 2 * distance(cloud[i], local[j]) <= max(len(cloud[i]), len(local[j]))
