"""Grammar-constrained CTC decoding of plates.

If the greedy path gives a text of the plate grammar (GA 36-2018), that is the result. Otherwise a Viterbi search over
CTC states finds the best path of each pattern, and the best of these is the result. A result is therefore always valid
under the grammar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate import grammar
from inkgate.engines.plate.alphabet import BLANK, CHARACTERS, LETTERS
from inkgate.engines.plate.syntax import pattern_of

Scores = grammar.Scores
GREEN_PATTERNS = ("green", "green_yellow")
"""Patterns with eight characters; all others have seven."""

_MAX_CHARACTERS = 8
_MIN_COLOUR_FIT = 0.2  # minimum colour prior at which the greedy text is accepted without a search
_COLOUR_MISMATCH_FACTOR = 0.1  # factor for a pattern whose colour does not match
_BLANK_THRESHOLD = 0.999
_FLOOR = 1e-6  # lower bound of probabilities before taking logarithms


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` follows `pattern`; `char_scores` are probabilities of its characters; `path_ratio` in 0..1 is the ratio of
    the path's probability to that of the unconstrained best path (1 where they are equal); `spans` are the time
    steps (first, last + 1) of the characters.
    """

    text: str
    pattern: str
    char_scores: tuple[float, ...]
    path_ratio: float
    spans: tuple[tuple[int, int], ...] = ()


def decode(probabilities: Scores, green: float = 0.5) -> Reading:
    """The best reading of (time steps, classes) probabilities. `green` in 0..1 is the
    probability of a green plate: green plates have eight characters, all others seven.
    """
    best = greedy_if_valid(probabilities)
    if (
        best is None
        or _colour_prior(best.pattern, green) < _MIN_COLOUR_FIT
        or (best.pattern == "green" and best.text[3] in LETTERS)
    ):
        return constrained_decode(probabilities, green)
    return best


def greedy_if_valid(probabilities: Scores) -> Reading | None:
    """The greedy text when it is valid, else None. Takes 0.1 ms."""
    classes, spans = _greedy_path(probabilities)
    text = _text(classes)
    pattern = pattern_of(text)
    return (
        None if pattern is None else Reading(text, pattern, _scores(probabilities, classes, spans), 1.0, tuple(spans))
    )


def constrained_decode(probabilities: Scores, green: float) -> Reading:
    """The best path of the grammar, however unlikely. Takes 0.5 to 1 ms."""
    pattern, classes, spans, path_ratio = _constrained_search(probabilities, green)
    return Reading(_text(classes), pattern, _scores(probabilities, classes, spans), path_ratio, tuple(spans))


def forced_alignment(probabilities: Scores, text: str) -> Reading | None:
    """Forced alignment: the best path that gives `text`. None where no pattern allows the text, or where
    there are fewer time steps than it needs."""
    pattern = pattern_of(text)
    if pattern is None or len(text) > len(probabilities):
        return None
    labels, can_skip_blank = _ctc_states(text)
    informative = _informative_steps(probabilities)
    logs = np.log(np.maximum(probabilities[informative], _FLOOR))
    blocked = np.where(can_skip_blank, 0, grammar.LOG_ZERO).astype(np.float32)
    now = np.full(len(labels) + 2, grammar.LOG_ZERO, np.float32)  # two states before the first that nothing reaches
    now[2:4] = logs[0, labels[:2]]
    values = [now]
    for step in logs[1:, labels]:
        before, now = now, now.copy()
        now[2:] = np.maximum(np.maximum(before[2:], before[1:-1]), before[:-2] + blocked) + step
        values.append(now)
    state = len(labels) + 1 - int(now[-2] > now[-1])
    path_ratio = float(np.exp(min(float(now[state]) - float(logs.max(1).sum()), 0.0)))
    path = [state - 2]
    for before in reversed(values[:-1]):
        transitions = (before[state], before[state - 1], before[state - 2] + blocked[state - 2])
        state -= transitions.index(max(transitions))
        path.append(state - 2)
    path.reverse()
    places = [path.index(k) for k in range(1, len(labels), 2)]
    spans = _expand_spans(informative, [(at, at + path.count(path[at])) for at in places])
    return Reading(
        text, pattern, _scores(probabilities, [int(c) for c in labels[1::2]], spans), path_ratio, tuple(spans)
    )


def ctc_log_likelihoods(probabilities: Scores, texts: Sequence[str]) -> NDArray[np.float64]:
    """Log probabilities (n,) of texts of one length, each summed over all its paths (CTC forward)."""
    states = [_ctc_states(text) for text in texts]
    labels, can_skip_blank = np.stack([one[0] for one in states]), np.stack([one[1] for one in states])
    logs = np.log(np.maximum(probabilities[_informative_steps(probabilities)], _FLOOR)).astype(np.float64)[:, labels]
    blocked = np.where(can_skip_blank, 0.0, -np.inf)[:, 2:]
    ends = np.full(labels.shape, -np.inf)
    ends[:, :2] = logs[0, :, :2]
    for step in logs[1:]:
        after = ends.copy()
        after[:, 1:] = np.logaddexp(after[:, 1:], ends[:, :-1])
        after[:, 2:] = np.logaddexp(after[:, 2:], ends[:, :-2] + blocked)
        ends = after + step
    return np.asarray(np.logaddexp(ends[:, -1], ends[:, -2]), np.float64)


def _ctc_states(text: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The classes of CTC's states, blank, character, blank …, and which of them may follow the one before the last: a
    character after another one without a blank between."""
    labels = np.zeros(2 * len(text) + 1, np.int64)
    labels[1::2] = [CHARACTERS.index(c) + 1 for c in text]
    can_skip_blank = np.zeros(len(labels), bool)
    can_skip_blank[3::2] = labels[3::2] != labels[1:-2:2]
    return labels, can_skip_blank


def _informative_steps(probabilities: Scores) -> NDArray[np.int64]:
    """Indices of the time steps that are not certain blanks, with one blank kept after each run of them."""
    peaks = probabilities[:, BLANK] < _BLANK_THRESHOLD
    after = np.concatenate([[False], peaks[:-1]])
    informative = np.flatnonzero(peaks | after)
    return informative if len(informative) >= _MAX_CHARACTERS else np.arange(len(probabilities))


def _expand_spans(informative: NDArray[np.int64], spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Maps spans over the informative steps to spans over all steps."""
    return [(int(informative[a]), int(informative[b - 1]) + 1) for a, b in spans]


def _colour_prior(pattern: str, green: float) -> float:
    """Prior of a pattern given the probability of a green plate: eight characters on green, seven on others."""
    return green if pattern in GREEN_PATTERNS else 1 - green


def _text(classes: list[int]) -> str:
    return "".join(CHARACTERS[c - 1] for c in classes)


def _scores(probabilities: Scores, classes: list[int], spans: list[tuple[int, int]]) -> tuple[float, ...]:
    return tuple(float(probabilities[a:b, c].max()) for c, (a, b) in zip(classes, spans, strict=True))


def _greedy_path(probabilities: Scores) -> grammar.Path:
    """The path of the best class at every time step."""
    best = probabilities.argmax(1)
    starts = [t for t in range(len(best)) if best[t] != BLANK and (t == 0 or best[t] != best[t - 1])]
    spans = []
    for t in starts:
        end = t
        while end < len(best) and best[end] == best[t]:
            end += 1
        spans.append((t, end))
    return [int(best[t]) for t in starts], spans


def _constrained_search(probabilities: Scores, green: float) -> tuple[str, list[int], list[tuple[int, int]], float]:
    """The best path of the grammar: pattern name, classes, spans, and its ratio to the greedy path."""
    informative = _informative_steps(probabilities)
    logs = np.log(np.maximum(probabilities[informative], _FLOOR))
    found = grammar.ViterbiSearch(logs, probabilities.max(0))
    likely = [
        end.prior + np.log(max(_colour_prior(end.pattern, green), _COLOUR_MISMATCH_FACTOR))
        for end in grammar.accepting_states()
    ]
    best = int((found.scores + likely).argmax())
    end = grammar.accepting_states()[best]
    classes, spans = found.path(end)
    path_ratio = float(np.exp(min(float(found.scores[best]) - float(logs.max(1).sum()), 0.0)))
    return end.pattern, classes, _expand_spans(informative, spans), path_ratio
