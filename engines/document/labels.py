"""Printed labels: finding them at the head of a strip, inside it, and in halves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inkgate.engines.document.chars import distance, width
from inkgate.engines.document.geometry import along
from inkgate.engines.document.scan import Strip
from inkgate.engines.types import Quad


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of a strip: a label (`key` set) or a value (`key` None). Coordinates as in Strip.

    `start` and `end` are the part's shares (0..1) of the strip's length. Two pieces are equal only if they are one.
    """

    key: str | None
    text: str
    u0: float
    u1: float
    v: float
    h: float
    strip: Strip
    start: float = 0.0
    end: float = 1.0

    @property
    def quad(self) -> Quad:
        """The part's quadrilateral in pixels of the upright image."""
        return along(self.strip.quad, self.start, self.end)


class Labels:
    """The labels of a family of forms: key -> spellings, longest tried first.

    `inner` names the spellings that may also stand inside a strip (rows whose columns were detected as one line).
    """

    def __init__(self, table: Mapping[str, Sequence[str]], inner: Iterable[str] = ()) -> None:
        self._heads = sorted(((s, k) for k, all_ in table.items() for s in all_), key=lambda x: -len(x[0]))
        allowed = set(inner)
        self._inner = [(s, k) for s, k in self._heads if s in allowed]

    def parts(self) -> set[str]:
        """Every spelling, and its first and last character: spread labels come in single characters."""
        return {part for s, _ in self._heads for part in (s, s[0], s[-1])}

    def exact(self, text: str) -> tuple[str, int] | None:
        """(key, characters used) of the label that the text begins with, letter for letter."""
        return next(((key, len(s)) for s, key in self._heads if text.startswith(s)), None)

    def head(self, text: str) -> tuple[str, int] | None:
        """(key, characters used) of the label that the text begins with; labels of four and more may have a fault."""
        if found := self.exact(text):
            return found
        best: tuple[int, int, str, int] | None = None  # faults, -length, key, characters used
        for spelling, key in self._heads:
            n = len(spelling)
            if n < 4:
                continue
            allowed = 1 if n < 8 else 2
            for used in (n, n - 1, n + 1):
                if len(text) >= used:
                    faults = distance(text[:used], spelling, allowed)
                    fuzzy = (faults, -n, key, used)
                    if faults <= allowed and (best is None or fuzzy < best):
                        best = fuzzy
        return (best[2], best[3]) if best else None

    def cut(self, text: str) -> list[tuple[str | None, int, int]]:
        """The text as (key or None, start, end), labels and the values between them in order."""
        parts: list[tuple[str | None, int, int]] = []
        at = 0
        if found := self.head(text):
            parts.append((found[0], 0, found[1]))
            at = found[1]
        while at < len(text):
            hits = [(i, -len(s), s, k) for s, k in self._inner if (i := text.find(s, at)) >= 0]
            if not hits:
                parts.append((None, at, len(text)))
                break
            i, _, spelling, key = min(hits)
            if i > at:
                parts.append((None, at, i))
            parts.append((key, i, i + len(spelling)))
            at = i + len(spelling)
        return parts

    def pieces(self, strip: Strip) -> list[Piece]:
        """The strip cut at its labels; punctuation between label and value belongs to neither."""
        text = strip.text or ""
        total = width(text) or 1.0
        out = []
        for key, start, end in self.cut(text):
            while key is None and start < end and text[start] in ":;.,、·-|":
                start += 1
            if start == end:
                continue
            a, b = width(text[:start]) / total, width(text[:end]) / total
            u0, u1 = strip.u0 + a * strip.length, strip.u0 + b * strip.length
            out.append(Piece(key, text[start:end], u0, u1, strip.v, strip.h, strip, a, b))
        return out


def join_row(pieces: Sequence[Piece], gap: float) -> str:
    """The texts of one row from left to right, up to the first gap wider than `gap` heights."""
    row = sorted(pieces, key=lambda p: p.u0)
    text, right = "", None
    for piece in row:
        if right is not None and piece.u0 - right > gap * piece.h:
            break
        text += piece.text
        right = piece.u1 if right is None else max(right, piece.u1)
    return text
