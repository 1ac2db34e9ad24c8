"""Builds the bigram table of `inkgate.engines.text.bigrams`: `python -m tools.build_bigram_table DICT.txt OUT.npz`.

DICT is a word list with frequencies, one "word count …" per line: `jieba/dict.txt` of jieba 0.42.1 (MIT). Each word is
counted in simplified and in traditional characters (needs opencc-python-reimplemented 0.1.7, Apache-2.0). Bigrams
within words are counted; across word boundaries, the last and the first character are assumed to be independent.
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

MIN_COUNT = 10  # rarer bigrams are left out
MIN_INFORMATION_NEPERS = 0.5  # least difference between a bigram's gain and the word boundary estimate


class BigramCounts:
    """Frequencies of characters, of bigrams within words, and of first and last characters of words."""

    def __init__(self, words: Iterable[tuple[str, int]]) -> None:
        self.single: Counter[str] = Counter()
        self.pairs: Counter[str] = Counter()
        self.first: Counter[str] = Counter()
        self.last: Counter[str] = Counter()
        for word, count in words:
            self.first[word[0]] += count
            self.last[word[-1]] += count
            for character in word:
                self.single[character] += count
            for at in range(len(word) - 1):
                self.pairs[word[at : at + 2]] += count
        # Additive smoothing of unseen characters and words.
        self._characters, self._words = self.single.total() + 12_000, self.first.total() + 6_000

    def start(self, character: str) -> float:
        """log P(character | first of a word) - log P(character), in nepers."""
        return math.log((self.first[character] + 0.5) / self._words / self._share(character))

    def end(self, character: str) -> float:
        """log P(last of a word | character), in nepers."""
        return math.log((self.last[character] + 1) / (self.single[character] + 2))

    def pair(self, pair: str) -> float:
        """log P(second | first) - log P(second) of a bigram, in nepers."""
        after = math.exp(self.end(pair[0])) * (self.first[pair[1]] + 0.5) / self._words
        inside = self.pairs[pair] / (self.single[pair[0]] + 2)
        return math.log((inside + after) / self._share(pair[1]))

    def _share(self, character: str) -> float:
        return (self.single[character] + 1) / self._characters


def in_both_scripts(words: Iterable[tuple[str, int]], convert: Callable[[str], str]) -> Iterator[tuple[str, int]]:
    """Each word, followed by its traditional form when that differs and has the same length."""
    for word, count in words:
        yield word, count
        other = convert(word)
        if other != word and len(other) == len(word):
            yield other, count


def read(path: Path) -> Iterator[tuple[str, int]]:
    """The words that consist of Chinese characters only, with their counts."""
    for line in path.read_text(encoding="utf-8").splitlines():
        word, count, *_ = line.split()
        if all(FIRST_CODE_POINT <= ord(character) <= LAST_CODE_POINT for character in word):
            yield word, int(count)


def build_table(counts: BigramCounts) -> dict[str, np.ndarray]:
    """The arrays of the file; for their dtypes and units see `inkgate.engines.text.bigrams`."""
    gains = {}
    for pair, count in counts.pairs.items():
        gain = counts.pair(pair)
        information = abs(gain - counts.end(pair[0]) - counts.start(pair[1]))
        if count >= MIN_COUNT and information >= MIN_INFORMATION_NEPERS:
            gains[ord(pair[0]) << 16 | ord(pair[1])] = gain
    keys = sorted(gains)
    characters = [chr(code) for code in range(FIRST_CODE_POINT, LAST_CODE_POINT + 1)]
    return {
        "pairs": np.array(keys, np.uint32),
        "gains": _steps([gains[key] for key in keys]),
        "ends": _steps([counts.end(character) for character in characters]),
        "starts": _steps([counts.start(character) for character in characters]),
    }


def _steps(nepers: list[float]) -> np.ndarray:
    return np.round(np.clip(nepers, -MAX_LOG_RATIO_NEPERS, MAX_LOG_RATIO_NEPERS) / QUANTISATION_STEP_NEPERS).astype(
        np.int8
    )


def main() -> None:
    from opencc import OpenCC  # not a dependency of the project

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dictionary", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    table = build_table(BigramCounts(in_both_scripts(read(args.dictionary), OpenCC("s2t").convert)))
    np.savez_compressed(args.out, **table)
    print(f"{args.out}: {len(table['pairs'])} pairs, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
