"""From the reader's time steps to a text that a plate may carry.

Where the best path of all follows a pattern of GA 36-2018, it is the answer. Else the best path of every pattern is
found (Viterbi over CTC states: a position with one of its allowed characters, or the blank after it), and the patterns
compete. So the answer always follows a pattern: a province, a letter that is never I, O only in second place, digits
where only digits stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engines.plate.alphabet import BLANK, CHARACTERS, DIGITS, LETTERS, PROVINCES
from engines.plate.syntax import pattern_of

Scores = NDArray[np.float32]
Path = tuple[list[int], list[tuple[int, int]]]
"""Classes, and the time steps (first, last + 1) of each."""

_NEW_ENERGY = "ABCDEFGHJK"
_HEAD = (PROVINCES, LETTERS + "O")
_ANY = LETTERS + DIGITS
_RARE = float(np.log(0.05))  # green plates may have a second letter, and hardly any has


def _serials(places: int) -> list[tuple[str, ...]]:
    """A serial's characters by place: digits, and at any two places letters too."""
    pairs = combinations(range(places), 2)
    return [tuple(_ANY if place in pair else DIGITS for place in range(places)) for pair in pairs]


Pattern = tuple[str, tuple[str, ...], float]
"""Name, the characters allowed at each place, and the logarithm of how likely the pattern is beside its like."""
_TAIL = "学挂警港澳领使"
_OTHERS: list[Pattern] = [
    ("green", (*_HEAD, _NEW_ENERGY, *[DIGITS] * 5), 0.0),
    ("green", (*_HEAD, _NEW_ENERGY, LETTERS, *[DIGITS] * 4), _RARE),
    ("green_yellow", (*_HEAD, *[DIGITS] * 5, _NEW_ENERGY), 0.0),
    ("embassy", ("使", *[DIGITS] * 6), 0.0),
]
_LOOSE: list[Pattern] = [("seven", (*_HEAD, *[_ANY] * 5), 0.0), ("seven", (*_HEAD, *[_ANY] * 4, _TAIL), 0.0), *_OTHERS]
_STRICT: list[Pattern] = [
    *[("seven", (*_HEAD, *serial), 0.0) for serial in _serials(5)],
    *[("seven", (*_HEAD, *serial, _TAIL), 0.0) for serial in _serials(4)],
    *_OTHERS,
]
"""Serials of any two places that may carry letters are many patterns. Most readings are lawful without: only where the
best path of the loose patterns has more letters are these searched."""
_MOST_LETTERS = 2
_LONGEST = 8
_STRANGE = 0.2  # how well the ground must suit the pattern of the best path for the others not to be asked
_TINT = 0.1  # a ground that does not suit a pattern makes it this unlikely
_NEVER = np.float32(-1e9)
_SURE_BLANK = 0.999
_FLOOR = 1e-6  # probability below which nothing is believed to be less likely


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` follows `pattern`; `char_scores` are probabilities of its characters; `agreement` in 0..1 is how likely
    the path is beside the best one that heeds no pattern, 1 where that one follows a pattern itself; `spans` are the
    time steps (first, last + 1) of the characters."""

    text: str
    pattern: str
    char_scores: tuple[float, ...]
    agreement: float
    spans: tuple[tuple[int, int], ...] = ()


@lru_cache(maxsize=2)
def _allowed(strict: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(patterns, positions, classes) of 0 or "never", and the length of each pattern."""
    patterns = _STRICT if strict else _LOOSE
    mask = np.full((len(patterns), _LONGEST, len(CHARACTERS) + 1), _NEVER, np.float32)
    for k, (_, sets, _) in enumerate(patterns):
        for position, characters in enumerate(sets):
            mask[k, position, [CHARACTERS.index(c) + 1 for c in characters]] = 0
    return mask, np.array([len(sets) for _, sets, _ in patterns])


def decode(probabilities: Scores, green: float = 0.5) -> Reading:
    """The best reading of (time steps, classes) probabilities. `green` in 0..1 is how green the ground looks: eight
    characters stand on green grounds, seven on all others."""
    best = lawful(probabilities)
    if best is None or _fit(best.pattern, green) < _STRANGE or (best.pattern == "green" and best.text[3] in LETTERS):
        return searched(probabilities, green)
    return best


def lawful(probabilities: Scores) -> Reading | None:
    """The best path of all where it follows a pattern, else None. Cheap: a tenth of a millisecond."""
    classes, spans = _greedy(probabilities)
    text = _text(classes)
    pattern = pattern_of(text)
    return (
        None if pattern is None else Reading(text, pattern, _scores(probabilities, classes, spans), 1.0, tuple(spans))
    )


def searched(probabilities: Scores, green: float) -> Reading:
    """The best path that follows a pattern, however unlikely. Some milliseconds."""
    pattern, classes, spans, agreement = _search(probabilities, green, strict=False)
    if sum(c in LETTERS for c in _text(classes)[2:]) > _MOST_LETTERS:
        pattern, classes, spans, agreement = _search(probabilities, green, strict=True)
    return Reading(_text(classes), pattern, _scores(probabilities, classes, spans), agreement, tuple(spans))


def forced(probabilities: Scores, text: str) -> Reading | None:
    """`text` as this reader sees it: the best path that spells it. None where no pattern allows the text, or where
    there are fewer time steps than it needs."""
    pattern = pattern_of(text)
    if pattern is None or len(text) > len(probabilities):
        return None
    labels, leap = _states(text)
    told = _telling(probabilities)
    logs = np.log(np.maximum(probabilities[told], _FLOOR))
    ends = np.full(len(labels), _NEVER, np.float32)
    ends[:2] = logs[0, labels[:2]]
    backs = []
    for step in logs[1:, labels]:
        ways = np.full((3, len(labels)), _NEVER, np.float32)
        ways[0], ways[1, 1:], ways[2, 2:] = ends, ends[:-1], np.where(leap[2:], ends[:-2], _NEVER)
        backs.append(ways.argmax(0))
        ends = ways.max(0) + step
    state = len(labels) - 1 - int(ends[-2] > ends[-1])
    agreement = float(np.exp(min(float(ends[state]) - float(logs.max(1).sum()), 0.0)))
    path = [state]
    for back in reversed(backs):
        path.append(path[-1] - int(back[path[-1]]))
    path.reverse()
    places = [path.index(k) for k in range(1, len(labels), 2)]
    spans = _in_full(told, [(at, at + path.count(path[at])) for at in places])
    return Reading(
        text, pattern, _scores(probabilities, [int(c) for c in labels[1::2]], spans), agreement, tuple(spans)
    )


def likelihood(probabilities: Scores, text: str) -> float:
    """Logarithm of the probability that this reader gives the text: all its paths together (CTC forward)."""
    labels, leap = _states(text)
    logs = np.log(np.maximum(probabilities[_telling(probabilities)][:, labels], _FLOOR)).astype(np.float64)
    ends = np.full(len(labels), -np.inf)
    ends[:2] = logs[0, :2]
    for step in logs[1:]:
        came = np.logaddexp(ends[1:], ends[:-1])
        leapt = np.where(leap[2:], ends[:-2], -np.inf)
        ends = np.concatenate([ends[:1], came[:1], np.logaddexp(came[1:], leapt)]) + step
    return float(np.logaddexp(ends[-1], ends[-2]))


def _states(text: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The classes of CTC's states, blank, character, blank …, and which of them may follow the one before the last: a
    character after another one without a blank between."""
    labels = np.zeros(2 * len(text) + 1, np.int64)
    labels[1::2] = [CHARACTERS.index(c) + 1 for c in text]
    leap = np.zeros(len(labels), bool)
    leap[3::2] = labels[3::2] != labels[1:-2:2]
    return labels, leap


def _telling(probabilities: Scores) -> NDArray[np.int64]:
    """The time steps that may say something, with one blank after each run of them: a row of sure blanks tells no more
    than one, and most of a strip is such rows."""
    loud = probabilities[:, BLANK] < _SURE_BLANK
    after = np.concatenate([[False], loud[:-1]])
    told = np.flatnonzero(loud | after)
    return told if len(told) >= _LONGEST else np.arange(len(probabilities))


def _in_full(told: NDArray[np.int64], spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans among the telling steps as spans among all."""
    return [(int(told[a]), int(told[b - 1]) + 1) for a, b in spans]


def _fit(pattern: str, green: float) -> float:
    """How well a ground that is so green suits a pattern: eight characters stand on green, seven on all others."""
    return green if pattern in ("green", "green_yellow") else 1 - green


def _text(classes: list[int]) -> str:
    return "".join(CHARACTERS[c - 1] for c in classes)


def _scores(probabilities: Scores, classes: list[int], spans: list[tuple[int, int]]) -> tuple[float, ...]:
    return tuple(float(probabilities[a:b, c].max()) for c, (a, b) in zip(classes, spans, strict=True))


def _greedy(probabilities: Scores) -> Path:
    """The path of the best class at every time step, which no other path beats."""
    best = probabilities.argmax(1)
    starts = [t for t in range(len(best)) if best[t] != BLANK and (t == 0 or best[t] != best[t - 1])]
    spans = []
    for t in starts:
        end = t
        while end < len(best) and best[end] == best[t]:
            end += 1
        spans.append((t, end))
    return [int(best[t]) for t in starts], spans


def _search(
    probabilities: Scores, green: float, *, strict: bool
) -> tuple[str, list[int], list[tuple[int, int]], float]:
    """The best path that follows a pattern: its name, classes, time steps, and its likelihood beside the greedy one."""
    patterns = _STRICT if strict else _LOOSE
    allowed, lengths = _allowed(strict)
    peak = probabilities.max(0)
    kept = np.array(sorted({BLANK, *np.argsort(peak)[-12:], *(allowed + peak).argmax(2).ravel()}))
    told = _telling(probabilities)
    logs = np.log(np.maximum(probabilities[told], _FLOOR))
    char, blank, backs = _viterbi(logs[:, kept], allowed[:, :, kept])
    ends = np.array([max(char[k, n - 1].max(), blank[k, n - 1]) for k, n in enumerate(lengths)])
    likely = [prior + np.log(max(_fit(name, green), _TINT)) for name, _, prior in patterns]
    best = int((ends + likely).argmax())
    classes, spans = _trace(best, int(lengths[best]), char, blank, backs)
    spans = _in_full(told, spans)
    agreement = float(np.exp(min(ends[best] - float(logs.max(1).sum()), 0.0)))
    return patterns[best][0], [int(kept[c]) for c in classes], spans, agreement


@dataclass(frozen=True, slots=True)
class _Back:
    """The ways back of one time step: for a character 0 stayed, 1 from the blank before, 2 from a character before
    (the best one, or the second where the best is the same class); for a blank 0 stayed, else the class before it."""

    way: NDArray[np.int8]
    blank: NDArray[np.int64]
    best: NDArray[np.int64]
    second: NDArray[np.int64]


def _viterbi(logs: Scores, mask: Scores) -> tuple[Scores, Scores, list[_Back]]:
    """Best scores of ending in (pattern, position, class) and in the blank after a position, and the ways back."""
    patterns, positions, classes = mask.shape
    char: Scores = np.full((patterns, positions, classes), _NEVER, np.float32)
    blank: Scores = np.full((patterns, positions), _NEVER, np.float32)
    lead = np.float32(0)  # score of blanks only
    backs = []
    for step in logs:
        order = np.argpartition(char, -2, 2)[..., -2:]
        pair = np.take_along_axis(char, order, 2)
        swap = pair[..., 0] > pair[..., 1]
        best, second = np.where(swap, order[..., 0], order[..., 1]), np.where(swap, order[..., 1], order[..., 0])
        high, low = pair.max(2), pair.min(2)
        other = np.repeat(high[..., None], classes, 2)
        np.put_along_axis(other, best[..., None], low[..., None], 2)
        from_blank = np.concatenate([np.full((patterns, 1), lead, np.float32), blank[:, :-1]], 1)
        from_char = np.concatenate([np.full((patterns, 1, classes), _NEVER, np.float32), other[:, :-1]], 1)
        ways = np.stack([char, np.broadcast_to(from_blank[..., None], char.shape), from_char])
        backs.append(_Back(ways.argmax(0).astype(np.int8), np.where(high > blank, best, 0), best, second))
        blank = np.maximum(np.maximum(blank, high) + step[BLANK], _NEVER)
        char = np.maximum(ways.max(0) + step + mask, _NEVER)
        lead = lead + step[BLANK]
    return char, blank, backs


def _trace(pattern: int, length: int, char: Scores, blank: Scores, backs: list[_Back]) -> Path:
    """Classes and time steps (first, last + 1) of each character of the winning path."""
    position, end = length - 1, len(backs)
    in_blank = bool(blank[pattern, position] > char[pattern, position].max())
    cls = int(char[pattern, position].argmax())
    classes, spans = [0] * length, [(0, 1)] * length
    for t in range(len(backs) - 1, -1, -1):
        back = backs[t]
        if in_blank:
            came = int(back.blank[pattern, position])
            if came:
                in_blank, cls, end = False, came, t
            continue
        classes[position], spans[position] = cls, (t, end)
        way = int(back.way[pattern, position, cls])
        if way == 0:
            continue
        position -= 1
        if position < 0:
            break
        in_blank = way == 1
        if way == 2:
            best = int(back.best[pattern, position])
            cls, end = best if best != cls else int(back.second[pattern, position]), t
    return classes, spans
