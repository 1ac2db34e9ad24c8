"""The plate grammar (GA 36-2018) as an automaton, and a Viterbi search over its CTC states.

A node is a position in a text with its allowed characters; patterns with a common prefix share nodes. Every node emits
one of its characters or the blank after it, so one step over all nodes is a few array operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.alphabet import BLANK, CHARACTERS, DIGITS, ENDINGS, LETTERS, PROVINCES

Scores = NDArray[np.float32]
Path = tuple[list[int], list[tuple[int, int]]]
"""Classes, and the time steps (first, last + 1) of each."""

_NEW_ENERGY = "ABCDEFGHJK"
_SECOND_LETTER_LOG_PRIOR = float(np.log(0.05))  # green plates with a second letter are rare
_MAX_SERIAL_LETTERS = 2  # of a serial
LOG_ZERO = np.float32(-1e9)
_BEAM_CLASSES = 12  # most likely classes searched, in addition to the best of every node


@dataclass(frozen=True, slots=True)
class AcceptingState:
    """A node in which texts of a pattern end, and the log prior of such texts."""

    pattern: str
    node: int
    prior: float


@dataclass(frozen=True, slots=True)
class _Automaton:
    """`allowed`: 0 or "never" (nodes, classes), the blank always 0; `before`: the nodes that a node follows, (2,
    nodes), twice the same where there is one. Node 0 is the start."""

    allowed: Scores
    before: NDArray[np.int64]
    accepting_states: tuple[AcceptingState, ...]


class _AutomatonBuilder:
    """Builds an automaton node by node."""

    def __init__(self) -> None:
        self.characters, self.before = [""], [(0, 0)]
        self.accepting_states: list[AcceptingState] = []

    def add(self, characters: str, *before: int | None) -> int | None:
        """A node after one or two others, those that exist; None where none does."""
        known = [node for node in before if node is not None]
        if not known:
            return None
        self.characters.append(characters)
        self.before.append((known[0], known[-1]))
        return len(self.before) - 1

    def row(self, characters: list[str], before: int | None) -> list[int | None]:
        """Nodes one after the other."""
        made = []
        for one in characters:
            before = self.add(one, before)
            made.append(before)
        return made

    def end(self, pattern: str, node: int | None, prior: float = 0.0) -> None:
        """Texts of `pattern` may end in `node`; nothing where there is no such node."""
        if node is not None:
            self.accepting_states.append(AcceptingState(pattern, node, prior))

    def serial(self, head: int | None) -> None:
        """Five digits of which at most two are letters; or four, and an ending."""
        digit: list[int | None] = [head, *[None] * _MAX_SERIAL_LETTERS]  # by how many letters came so far
        letter: list[int | None] = [None] * (_MAX_SERIAL_LETTERS + 1)
        for place in range(5):
            if place == 4:
                for pair in zip(digit, letter, strict=True):
                    self.end("seven", self.add(ENDINGS, *pair))
            after = list(zip(digit, letter, strict=True))
            digit = [self.add(DIGITS, *pair) for pair in after]
            letter = [None, *[self.add(LETTERS, *pair) for pair in after[:-1]]]
        for node in (*digit, *letter):
            self.end("seven", node)
        self.end("green_yellow", self.add(_NEW_ENERGY, digit[0]))  # the head and five digits

    def built(self) -> _Automaton:
        """The graph of all nodes added."""
        allowed = np.full((len(self.before), len(CHARACTERS) + 1), LOG_ZERO, np.float32)
        allowed[:, BLANK] = 0
        for row, characters in zip(allowed, self.characters, strict=True):
            row[[CHARACTERS.index(c) + 1 for c in characters]] = 0
        return _Automaton(allowed, np.array(self.before).T.copy(), tuple(self.accepting_states))


@lru_cache(maxsize=1)
def _automaton() -> _Automaton:
    build = _AutomatonBuilder()
    head = build.row([PROVINCES, LETTERS + "O"], 0)[-1]
    build.serial(head)
    energy = build.add(_NEW_ENERGY, head)
    build.end("green", build.row([DIGITS] * 5, energy)[-1])
    build.end("green", build.row([LETTERS, *[DIGITS] * 4], energy)[-1], _SECOND_LETTER_LOG_PRIOR)
    build.end("embassy", build.row(["使", *[DIGITS] * 6], 0)[-1])
    return build.built()


def accepting_states() -> tuple[AcceptingState, ...]:
    """All ends of patterns."""
    return _automaton().accepting_states


class ViterbiSearch:
    """The best paths through the graph that end in each of its ends. `logs`: logarithms of probabilities (time steps,
    classes), `peak`: the largest probability of each class."""

    def __init__(self, logs: Scores, peak: Scores) -> None:
        graph = _automaton()
        likeliest = (graph.allowed[1:, 1:] + peak[1:]).argmax(1) + 1
        followed = {*np.argsort(peak)[-_BEAM_CLASSES:].tolist(), *likeliest.tolist()} - {BLANK}
        self._kept = np.array([BLANK, *sorted(followed)])
        self._before = graph.before
        self._values = self._forward(logs[:, self._kept], graph.allowed[:, self._kept])
        last = self._values[-1].max(1)
        self.scores = np.array([last[end.node] for end in graph.accepting_states])

    def _forward(self, logs: Scores, allowed: Scores) -> list[Scores]:
        """After every step, and before the first: the best score of being in (node, class); class 0 is the blank."""
        now = np.full(allowed.shape, LOG_ZERO, np.float32)
        now[0, 0] = 0
        values = [now]
        first, second = self._before
        for step in logs:
            ranked = np.partition(now, -2, 1)
            best, next_best = ranked[:, -1:], ranked[:, -2:-1]
            other = np.where(now == best, next_best, best)  # equal neighbours need a blank between
            now = np.maximum(now, np.maximum(other[first], other[second]))
            now[:, 0] = best[:, 0]
            now += allowed
            now += step
            values.append(now)
        return values

    def path(self, end: AcceptingState) -> Path:
        """The best path that ends in `end`."""
        node, values = end.node, self._values
        column = int(values[-1][node].argmax())
        states = [(node, column)]
        for now in reversed(values[1:-1]):
            node, column = self._predecessor(now, node, column)
            states.append((node, column))
        classes, spans, at = [], [], 0
        for (_, column), run in groupby(reversed(states)):
            start, at = at, at + len(list(run))
            if column:
                classes.append(int(self._kept[column]))
                spans.append((start, at))
        return classes, spans

    def _predecessor(self, now: Scores, node: int, column: int) -> tuple[int, int]:
        """Where the best path to (node, column) was one step earlier."""
        if column == 0:
            return node, int(now[node].argmax())
        nodes = self._before[:, node]
        others = now[nodes]
        others[:, column] = LOG_ZERO
        row, came = divmod(int(others.argmax()), others.shape[1])
        return (node, column) if now[node, column] >= others[row, came] else (int(nodes[row]), came)
