"""Bigram frequencies decide characters of low contrast; clear ones stay as the network scores them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inkgate.engines.manifest import find_model_file
from inkgate.engines.text.bigrams import RESCORE_BELOW_SCORE, BigramModel, is_low_confidence
from inkgate.engines.text.recognise import Recogniser
from tools.build_bigram_table import BigramCounts, build_table, in_both_scripts

CHARSET = ["", *"营业执照热昭人1，", " "]
LINE = np.zeros((3, 48, 160), np.float32)


def network(*columns: dict[str, float]):
    """One column for each {character: score}, a blank one after it."""
    scores = np.zeros((1, 2 * len(columns), len(CHARSET)), np.float32)
    scores[:, 1::2, 0] = 1
    for at, column in enumerate(columns):
        for sign, score in column.items():
            scores[0, 2 * at, CHARSET.index(sign)] = score
    return lambda batch: scores.copy()


def counted(tmp_path: Path, *words: tuple[str, int]) -> BigramModel:
    path = tmp_path / "pairs.npz"
    np.savez_compressed(path, **build_table(BigramCounts(words)))
    return BigramModel(path)


@pytest.fixture
def bigrams(tmp_path: Path) -> BigramModel:
    return counted(tmp_path, ("营业", 500), ("执照", 300), ("热", 900), ("昭", 50), ("人", 900))


def read(bigrams: BigramModel | None, *columns: dict[str, float]) -> str:
    return Recogniser(network(*columns), CHARSET, bigrams=bigrams).recognise_line(LINE).text


def test_a_low_confidence_character_is_rescored_by_bigrams(bigrams: BigramModel) -> None:
    line = ({"营": 0.9}, {"业": 0.8}, {"热": 0.4, "执": 0.3}, {"昭": 0.5, "照": 0.3})
    assert read(None, *line) == "营业热昭"
    assert read(bigrams, *line) == "营业执照"


def test_what_the_network_does_not_see_is_never_read(bigrams: BigramModel) -> None:
    assert read(bigrams, {"营": 0.9}, {"业": 0.8}, {"热": 0.4}, {"昭": 0.5}) == "营业热昭"


def test_clear_and_short_lines_are_left_to_the_network(bigrams: BigramModel) -> None:
    clear = ({"营": 0.99}, {"业": 0.99}, {"热": 0.98, "执": 0.02}, {"昭": 0.97, "照": 0.02})
    assert read(bigrams, *clear) == "营业热昭"
    assert read(bigrams, {"热": 0.4, "执": 0.3}, {"昭": 0.5, "照": 0.3}) == "热昭"
    assert is_low_confidence(np.full(4, RESCORE_BELOW_SCORE - 0.01, np.float32))
    assert not is_low_confidence(np.full(3, 0.1, np.float32))
    assert not is_low_confidence(np.full(4, RESCORE_BELOW_SCORE + 0.01, np.float32))


def test_digits_and_punctuation_are_not_rescored(bigrams: BigramModel) -> None:
    line = ({"1": 0.5, "，": 0.4}, {"，": 0.5, "1": 0.4}, {"1": 0.5}, {"1": 0.5})
    assert read(bigrams, *line) == "1，11"


def test_scores_stay_those_of_the_network(bigrams: BigramModel) -> None:
    line = ({"营": 0.9}, {"业": 0.8}, {"热": 0.4, "执": 0.3}, {"昭": 0.5, "照": 0.3})
    reading = Recogniser(network(*line), CHARSET, bigrams=bigrams).recognise_line(LINE)
    assert reading.score == pytest.approx((0.9 + 0.8 + 0.4 + 0.5) / 4)


def test_gains_are_those_that_were_counted(tmp_path: Path) -> None:
    counts = BigramCounts([("营业", 500), ("业人", 20), ("热", 900)])
    pairs = counted(tmp_path, ("营业", 500), ("业人", 20), ("热", 900))
    codes = {sign: np.array([ord(sign)], np.int64) for sign in "营业人热"}
    for pair in ("营业", "业人", "热热"):
        assert pairs.gain(codes[pair[0]], codes[pair[1]])[0] == pytest.approx(counts.pair(pair), abs=0.06)


def test_words_count_in_both_scripts() -> None:
    table_ = str.maketrans("营业执", "營業執")
    words = list(in_both_scripts([("营业", 5), ("人", 2)], lambda word: word.translate(table_)))
    assert words == [("营业", 5), ("營業", 5), ("人", 2)]


@pytest.mark.parametrize(("right", "wrong"), [("执照", "热照"), ("公司", "公可"), ("營業", "營葉"), ("注册", "汪册")])
def test_the_carried_table_knows_the_language(right: str, wrong: str) -> None:
    pairs = BigramModel(find_model_file("chinese-pairs"))
    chosen, other = (pairs.gain(*(np.array([ord(sign)], np.int64) for sign in word))[0] for word in (right, wrong))
    assert chosen > other + 1
