"""The table of pairs behind `inkgate.engines.text.bigrams`: `python -m tools.count_pairs DICT.txt OUT.npz`.

DICT is a list of words with their counts, one "word count …" a line: `jieba/dict.txt` of jieba 0.42.1 (MIT). Each word
counts in simplified and in traditional characters (install opencc-python-reimplemented 0.1.7, Apache-2.0). Inside words
the pairs are counted; between words any end may meet any beginning.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from inkgate.engines.text.bigrams import (
    FIRST_CODE_POINT,
    LAST_CODE_POINT,
    MAX_LOG_RATIO_NEPERS,
    QUANTISATION_STEP_NEPERS,
)

LEAST = 10  # times that a pair is seen, to be kept
TELLING = 0.5  # nepers by which it must differ from what ends and beginnings say


class Counts:
    """Characters, pairs within words, and characters at the ends of words, each as often as its words are used."""

    def __init__(self, words: Iterable[tuple[str, int]]) -> None:
        self.single: Counter[str] = Counter()
        self.pairs: Counter[str] = Counter()
        self.first: Counter[str] = Counter()
        self.last: Counter[str] = Counter()
        for word, count in words:
            self.first[word[0]] += count
            self.last[word[-1]] += count
            for sign in word:
                self.single[sign] += count
            for at in range(len(word) - 1):
                self.pairs[word[at : at + 2]] += count
        self._signs, self._words = self.single.total() + 12_000, self.first.total() + 6_000

    def start(self, sign: str) -> float:
        """How much more likely a word begins with the character than any place in it is taken by it."""
        return math.log((self.first[sign] + 0.5) / self._words / self._share(sign))

    def end(self, sign: str) -> float:
        """How likely the character ends its word."""
        return math.log((self.last[sign] + 1) / (self.single[sign] + 2))

    def pair(self, pair: str) -> float:
        """How much more likely the second character is after the first than by itself."""
        after = math.exp(self.end(pair[0])) * (self.first[pair[1]] + 0.5) / self._words
        inside = self.pairs[pair] / (self.single[pair[0]] + 2)
        return math.log((inside + after) / self._share(pair[1]))

    def _share(self, sign: str) -> float:
        return (self.single[sign] + 1) / self._signs


def in_both(words: Iterable[tuple[str, int]], convert: Callable[[str], str]) -> Iterator[tuple[str, int]]:
    """Each word as it is, and once more in traditional characters where those are others."""
    for word, count in words:
        yield word, count
        other = convert(word)
        if other != word and len(other) == len(word):
            yield other, count


def read(path: Path) -> Iterator[tuple[str, int]]:
    """Words of Chinese characters alone, with their counts."""
    for line in path.read_text(encoding="utf-8").splitlines():
        word, count, *_ = line.split()
        if all(FIRST_CODE_POINT <= ord(sign) <= LAST_CODE_POINT for sign in word):
            yield word, int(count)


def table(counts: Counts) -> dict[str, np.ndarray]:
    """The arrays of the file (see `inkgate.engines.text.bigrams.Pairs`)."""
    kept = {}
    for pair, count in counts.pairs.items():
        gain = counts.pair(pair)
        if count >= LEAST and abs(gain - counts.end(pair[0]) - counts.start(pair[1])) >= TELLING:
            kept[ord(pair[0]) << 16 | ord(pair[1])] = gain
    keys = sorted(kept)
    signs = [chr(code) for code in range(FIRST_CODE_POINT, LAST_CODE_POINT + 1)]
    return {
        "pairs": np.array(keys, np.uint32),
        "gains": _steps([kept[key] for key in keys]),
        "ends": _steps([counts.end(sign) for sign in signs]),
        "starts": _steps([counts.start(sign) for sign in signs]),
    }


def _steps(nepers: list[float]) -> np.ndarray:
    return np.round(np.clip(nepers, -MAX_LOG_RATIO_NEPERS, MAX_LOG_RATIO_NEPERS) / QUANTISATION_STEP_NEPERS).astype(
        np.int8
    )


def main() -> None:
    from opencc import OpenCC  # nothing else needs it

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dictionary", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    made = table(Counts(in_both(read(given.dictionary), OpenCC("s2t").convert)))
    np.savez_compressed(given.out, **made)
    print(f"{given.out}: {len(made['pairs'])} pairs, {given.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
