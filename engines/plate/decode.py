"""Grammar-constrained CTC decoding of plates.

Where the best path of all follows a pattern of GA 36-2018, it is the answer. Else the best path of every pattern is
found (Viterbi over CTC states: a position with one of its allowed characters, or the blank after it), and the patterns
compete. So the answer always follows a pattern: a province, a letter that is never I, O only in second place, digits
where only digits stand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate import patterns
from inkgate.engines.plate.alphabet import BLANK, CHARACTERS, LETTERS
from inkgate.engines.plate.syntax import pattern_of

Scores = patterns.Scores

_LONGEST = 8
_STRANGE = 0.2  # how well the background colour must suit the pattern of the best path for the others not to be asked
_TINT = 0.1  # a background colour that does not suit a pattern makes it this unlikely
_SURE_BLANK = 0.999
_FLOOR = 1e-6  # probability below which nothing is believed to be less likely


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` follows `pattern`; `char_scores` are probabilities of its characters; `agreement` in 0..1 is the ratio of
    the path's probability to that of the unconstrained best path (1 where they are equal); `spans` are the time
    steps (first, last + 1) of the characters.
    """

    text: str
    pattern: str
    char_scores: tuple[float, ...]
    agreement: float
    spans: tuple[tuple[int, int], ...] = ()


def decode(probabilities: Scores, green: float = 0.5) -> Reading:
    """The best reading of (time steps, classes) probabilities. `green` in 0..1 is how green the background colour
    looks: eight characters stand on green background colours, seven on all others.
    """
    best = lawful(probabilities)
    if best is None or _fit(best.pattern, green) < _STRANGE or (best.pattern == "green" and best.text[3] in LETTERS):
        return searched(probabilities, green)
    return best


def lawful(probabilities: Scores) -> Reading | None:
    """The greedy text when it is valid, else None. Takes 0.1 ms."""
    classes, spans = _greedy(probabilities)
    text = _text(classes)
    pattern = pattern_of(text)
    return (
        None if pattern is None else Reading(text, pattern, _scores(probabilities, classes, spans), 1.0, tuple(spans))
    )


def searched(probabilities: Scores, green: float) -> Reading:
    """The best path that follows a pattern, however unlikely. Half a millisecond to one."""
    pattern, classes, spans, agreement = _search(probabilities, green)
    return Reading(_text(classes), pattern, _scores(probabilities, classes, spans), agreement, tuple(spans))


def forced(probabilities: Scores, text: str) -> Reading | None:
    """Forced alignment: the best path that gives `text`. None where no pattern allows the text, or where
    there are fewer time steps than it needs."""
    pattern = pattern_of(text)
    if pattern is None or len(text) > len(probabilities):
        return None
    labels, leap = _states(text)
    told = _telling(probabilities)
    logs = np.log(np.maximum(probabilities[told], _FLOOR))
    barred = np.where(leap, 0, patterns.NEVER).astype(np.float32)
    now = np.full(len(labels) + 2, patterns.NEVER, np.float32)  # two states before the first that nothing reaches
    now[2:4] = logs[0, labels[:2]]
    values = [now]
    for step in logs[1:, labels]:
        before, now = now, now.copy()
        now[2:] = np.maximum(np.maximum(before[2:], before[1:-1]), before[:-2] + barred) + step
        values.append(now)
    state = len(labels) + 1 - int(now[-2] > now[-1])
    agreement = float(np.exp(min(float(now[state]) - float(logs.max(1).sum()), 0.0)))
    path = [state - 2]
    for before in reversed(values[:-1]):
        ways = (before[state], before[state - 1], before[state - 2] + barred[state - 2])
        state -= ways.index(max(ways))
        path.append(state - 2)
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
    """How well a background colour that is so green suits a pattern: eight characters stand on green, seven on all
    others.
    """
    return green if pattern in ("green", "green_yellow") else 1 - green


def _text(classes: list[int]) -> str:
    return "".join(CHARACTERS[c - 1] for c in classes)


def _scores(probabilities: Scores, classes: list[int], spans: list[tuple[int, int]]) -> tuple[float, ...]:
    return tuple(float(probabilities[a:b, c].max()) for c, (a, b) in zip(classes, spans, strict=True))


def _greedy(probabilities: Scores) -> patterns.Path:
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


def _search(probabilities: Scores, green: float) -> tuple[str, list[int], list[tuple[int, int]], float]:
    """The best path that follows a pattern: its name, classes, time steps, and its likelihood beside the greedy one."""
    told = _telling(probabilities)
    logs = np.log(np.maximum(probabilities[told], _FLOOR))
    found = patterns.Search(logs, probabilities.max(0))
    likely = [end.prior + np.log(max(_fit(end.pattern, green), _TINT)) for end in patterns.ends()]
    best = int((found.scores + likely).argmax())
    end = patterns.ends()[best]
    classes, spans = found.path(end)
    agreement = float(np.exp(min(float(found.scores[best]) - float(logs.max(1).sum()), 0.0)))
    return end.pattern, classes, _in_full(told, spans), agreement
