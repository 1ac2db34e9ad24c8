"""Label anchors: printed labels at the beginning of a strip and inside it, and the values between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from inkgate.engines.document.chars import edit_distance, normalise, printed_width_em
from inkgate.engines.document.geometry import sub_quad
from inkgate.engines.document.scan import Strip
from inkgate.engines.types import Quad


@dataclass(frozen=True, slots=True, eq=False)
class TextSegment:
    """A part of a strip: a label (`key` set) or a value (`key` None). Coordinates as in Strip.

    `start` and `end` are the segment's shares (0..1) of the strip's length. Segments compare by identity.
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
    def spaced_text(self) -> str:
        """The text with the blanks that separate its words in print."""
        words = [normalise(word) for word in self.strip.printed.split()]
        at = "".join(words).find(self.text)
        if at < 0:
            return self.text
        out, begin = [], 0
        for word in words:
            out.append(word[max(0, at - begin) : max(0, at + len(self.text) - begin)])
            begin += len(word)
        return " ".join(part for part in out if part)

    @property
    def quad(self) -> Quad:
        """The part's quadrilateral in pixels of the upright image."""
        return sub_quad(self.strip.quad, self.start, self.end)


class LabelSet:
    """The labels of a family of forms: key -> spellings, longest tried first.

    `inner` names the spellings that may also stand inside a strip (rows whose columns were detected as one line).
    `after` restricts some of them to places where the text before them, from the beginning of the strip, matches.
    """

    def __init__(
        self,
        table: Mapping[str, Sequence[str]],
        inner: Iterable[str] = (),
        after: Mapping[str, re.Pattern[str]] | None = None,
    ) -> None:
        self._heads = sorted(((s, k) for k, all_ in table.items() for s in all_), key=lambda x: -len(x[0]))
        allowed = set(inner)
        self._inner = [(s, k) for s, k in self._heads if s in allowed]
        self._after = after or {}

    def fragments(self) -> set[str]:
        """Every spelling, and its first and last character: the characters of spread labels are detected one by one."""
        return {part for s, _ in self._heads for part in (s, s[0], s[-1])}

    def match_exact(self, text: str) -> tuple[str, int] | None:
        """(key, characters used) of the label that the text begins with, exactly."""
        return next(((key, len(s)) for s, key in self._heads if text.startswith(s)), None)

    def match_prefix(self, text: str) -> tuple[str, int] | None:
        """(key, characters used) of the label that the text begins with; in labels of four and more, one may differ."""
        if found := self.match_exact(text):
            return found
        best: tuple[int, int, str, int] | None = None  # faults, -length, key, characters used
        for spelling, key in self._heads:
            n = len(spelling)
            if n < 4:
                continue
            allowed = 1 if n < 8 else 2
            for used in (n, n - 1, n + 1):
                if len(text) >= used:
                    edits = edit_distance(text[:used], spelling, allowed)
                    fuzzy = (edits, -n, key, used)
                    if edits <= allowed and (best is None or fuzzy < best):
                        best = fuzzy
        return (best[2], best[3]) if best else None

    def cut(self, text: str) -> list[tuple[str | None, int, int]]:
        """The text as (key or None, start, end), labels and the values between them in order."""
        fragments: list[tuple[str | None, int, int]] = []
        at = 0
        if found := self.match_prefix(text):
            fragments.append((found[0], 0, found[1]))
            at = found[1]
        while at < len(text):
            hits = [(i, -len(s), s, k) for s, k in self._inner if (i := self._find_inner(text, s, at)) >= 0]
            if not hits:
                fragments.append((None, at, len(text)))
                break
            i, _, spelling, key = min(hits)
            if i > at:
                fragments.append((None, at, i))
            fragments.append((key, i, i + len(spelling)))
            at = i + len(spelling)
        return fragments

    def _find_inner(self, text: str, spelling: str, start: int) -> int:
        at = text.find(spelling, start)
        before = self._after.get(spelling)
        while at >= 0 and before and not before.fullmatch(text, 0, at):
            at = text.find(spelling, at + 1)
        return at

    def segments(self, strip: Strip) -> list[TextSegment]:
        """The strip cut at its labels; punctuation between label and value belongs to neither."""
        text = strip.text or ""
        total = printed_width_em(text) or 1.0
        out = []
        for key, start, end in self.cut(text):
            while key is None and start < end and text[start] in ":;.,、·-|":
                start += 1
            if start == end:
                continue
            a, b = printed_width_em(text[:start]) / total, printed_width_em(text[:end]) / total
            u0, u1 = strip.u0 + a * strip.length, strip.u0 + b * strip.length
            out.append(TextSegment(key, text[start:end], u0, u1, strip.v, strip.h, strip, a, b))
        return out


def join_labels(segments: Sequence[TextSegment], is_value: Callable[[TextSegment], bool]) -> list[TextSegment]:
    """The segments in which labels for which `is_value` holds are values, joined to the values beside them in the same
    strip."""
    out: list[TextSegment] = []
    for segment in segments:
        joined = bool(segment.key and is_value(segment))
        plain = replace(segment, key=None) if joined else segment
        last = out[-1] if out else None
        if last and last.strip is plain.strip and last.key is None and plain.key is None:
            out[-1] = replace(last, text=last.text + plain.text, u1=plain.u1, end=plain.end)
        else:
            out.append(plain)
    return out


def join_until_gap(segments: Sequence[TextSegment], gap: float) -> str:
    """The texts of one row from left to right, up to the first gap wider than `gap` heights."""
    row = sorted(segments, key=lambda p: p.u0)
    text, right = "", None
    for segment in row:
        if right is not None and segment.u0 - right > gap * segment.h:
            break
        text += segment.text
        right = segment.u1 if right is None else max(right, segment.u1)
    return text
