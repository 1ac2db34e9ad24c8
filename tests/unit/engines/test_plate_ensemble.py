"""The ensemble: what two readers of one strip settle on."""

from __future__ import annotations

import numpy as np
import pytest

from inkgate.engines.plate.alphabet import CHARACTERS
from inkgate.engines.plate.decode import decode
from inkgate.engines.plate.ensemble import HEIGHT, WIDTH, combine, to_tensor
from tests.unit.engines.test_plate_decode import steps


def test_strips_are_shrunk_and_brought_to_minus_one_to_one() -> None:
    strip = np.zeros((48, 160, 3), np.uint8)
    strip[:, :80] = 255
    out = to_tensor([strip, strip])
    assert out.shape == (2, 3, HEIGHT, WIDTH)
    assert out.dtype == np.float32
    assert (out[0, 0, 0, 0], out[0, 0, 0, -1]) == (1.0, -1.0)


def test_agreement_of_two_recognisers_raises_the_score() -> None:
    a, b = steps("京A12345", sure=0.7), steps("京A12345", sure=0.8)
    both = combine(a, decode(a, 0.1), b, 0.1)
    assert both.text == "京A12345"
    assert min(both.char_scores) == pytest.approx(1 - 0.3 * 0.2, abs=1e-3)
    assert both.spans == decode(a, 0.1).spans, "time steps are the first reader's: corners are set right by them"


@pytest.mark.parametrize(("first", "second", "last"), [(0.99, 0.6, "5"), (0.6, 0.99, "6")])
def test_the_text_that_both_together_find_likelier_wins(first: float, second: float, last: str) -> None:
    a, b = steps("京A12345"), steps("京A12346")
    five, six = CHARACTERS.index("5") + 1, CHARACTERS.index("6") + 1
    a[30:33, five], a[30:33, six] = first, 1 - first
    b[30:33, six], b[30:33, five] = second, 1 - second
    both = combine(a, decode(a, 0.1), b, 0.1)
    assert both.text == "京A1234" + last
    assert min(both.char_scores) < 0.85, "and is believed only as far as both allow"


def test_a_text_may_take_a_character_from_either() -> None:
    a, b = steps("京E9H55学", sure=0.6), steps("苏E9H559", sure=0.6)
    first, other = CHARACTERS.index("京") + 1, CHARACTERS.index("苏") + 1
    nine, ending = CHARACTERS.index("9") + 1, CHARACTERS.index("学") + 1
    a[:, first], a[:, other] = a[:, first] * 0.7, a[:, other] + 0.4 * a[:, first]  # the first is unsure of the province
    b[:, nine] = np.where(np.arange(len(b)) > 28, b[:, nine] * 0.7, b[:, nine])
    b[29:, ending] += 0.4 * b[29:, nine]  # and the second of the ending
    assert combine(a, decode(a, 0.0), b, 0.0).text == "苏E9H55学"
