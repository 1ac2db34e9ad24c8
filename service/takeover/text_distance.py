"""Agreement of two texts: edit distance in reading order, and equal lines in any order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

MAX_CHARACTERS = 10_000
"""Characters of a text that are compared; the rest is left out. A page has up to 3,000; two unrelated texts of this
length take about 25 ms."""

MAX_PAIRED_CHARACTERS = 200
"""Characters of a text that decide what it is paired with."""

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}


def folded(text: str) -> str:
    """The text without blanks, full-width ASCII characters (U+FF01 to U+FF5E) as their half-width ones."""
    return "".join(text.translate(_FULL_WIDTH).split())


@dataclass(frozen=True, slots=True)
class TextFigures:
    """Sums that add up over texts.

    `characters` is the length of the longer of the two texts, lines joined by a line break; `edits` the Levenshtein
    distance, so that 1 - edits / characters is the character agreement. The folded figures are those of the texts
    without blanks, line breaks and differences of width. `equal_lines` is the number of lines of one text that the
    other has too, in whatever order; 2 * equal_lines / (cloud_lines + local_lines) is the agreement of the lines.
    """

    characters: int = 0
    edits: int = 0
    folded_characters: int = 0
    folded_edits: int = 0
    cloud_lines: int = 0
    local_lines: int = 0
    equal_lines: int = 0


def compare_lines(cloud: Sequence[str], local: Sequence[str]) -> TextFigures:
    """The figures of two texts, each as lines in reading order."""
    texts = ["\n".join(lines)[:MAX_CHARACTERS] for lines in (cloud, local)]
    plain = [folded(text) for text in texts]
    equal = Counter(cloud) & Counter(local)
    return TextFigures(
        characters=max(map(len, texts)),
        edits=Levenshtein.distance(*texts),
        folded_characters=max(map(len, plain)),
        folded_edits=Levenshtein.distance(*plain),
        cloud_lines=len(cloud),
        local_lines=len(local),
        equal_lines=equal.total(),
    )


def changed_parts(cloud: str, local: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Each of two texts in parts, with whether the part differs from the other text."""
    ones: list[tuple[str, bool]] = []
    others: list[tuple[str, bool]] = []
    for each in Levenshtein.opcodes(cloud, local):
        changed = each.tag != "equal"
        ones.append((cloud[each.src_start : each.src_end], changed))
        others.append((local[each.dest_start : each.dest_end], changed))
    return [part for part in ones if part[0]], [part for part in others if part[0]]


def closest_pairs(cloud: Sequence[str], local: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Index pairs of texts that are probably one thing read in two ways, closest first; None: only one side has it.

    Greedy by edit distance; two texts that differ in more than half of the longer one are not paired. The cost is the
    product of the two numbers: callers bound them.
    """
    short = [[text[:MAX_PAIRED_CHARACTERS] for text in texts] for texts in (cloud, local)]
    distances = (
        (Levenshtein.distance(one, other), i, j, max(len(one), len(other)))
        for i, one in enumerate(short[0])
        for j, other in enumerate(short[1])
    )
    left, right = set(range(len(cloud))), set(range(len(local)))
    pairs: list[tuple[int | None, int | None]] = []
    for _, i, j, _ in sorted(each for each in distances if 2 * each[0] <= each[3]):
        if i in left and j in right:
            left.remove(i)
            right.remove(j)
            pairs.append((i, j))
    return [*pairs, *((i, None) for i in sorted(left)), *((None, j) for j in sorted(right))]
