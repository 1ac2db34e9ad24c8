"""What a case and a kind are, and how the text of a page is compared."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from inkgate.engines.types import Page

# Characters that print alike and that no recogniser can tell apart without context.
_FOLDED = str.maketrans(
    {
        "—": "-",
        "–": "-",
        "−": "-",
        "•": "·",
        "・": "·",
        "‧": "·",
        "¥": "￥",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "～": "~",
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """One image file and what must come back.

    `fault(result)` gets what the reader of `capability` returns (`Page`, `IdCard`, `Licence`, a sequence of `Plate`),
    or the `EngineError` that it raised; it returns what differs, "" for a passed case.
    """

    capability: str
    data: bytes
    fault: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. `floor` is the share of `variants` that must pass in CI."""

    name: str
    draw: Callable[[Random], Case]
    variants: int = 8
    floor: float = 0.9


def page_case(data: bytes, check: Callable[[list[str]], str]) -> Case:
    """A case of capability general; `check` gets the texts of the lines in the order of the answer."""

    def fault(result: object) -> str:
        return check([line.text for line in result.lines]) if isinstance(result, Page) else repr(result)

    return Case("general", data, fault)


def fold(text: str) -> str:
    """The text without blanks, NFKC, characters that print alike made one."""
    return "".join(unicodedata.normalize("NFKC", text.translate(_FOLDED)).translate(_FOLDED).split())


def in_order(expected: Sequence[str]) -> Callable[[list[str]], str]:
    """Whether the joined text is the expected one, lines in this order."""
    wanted = fold("".join(expected))
    return lambda lines: "" if fold("".join(lines)) == wanted else f"{lines} instead of {list(expected)}"


def same_lines(expected: Sequence[str]) -> Callable[[list[str]], str]:
    """Whether exactly these lines were read, in any order."""
    wanted = Counter(map(fold, expected))

    def check(lines: list[str]) -> str:
        got = Counter(map(fold, lines))
        return "" if got == wanted else f"missing {[*(wanted - got)]}, extra {[*(got - wanted)]}"

    return check


def contains(expected: Sequence[str]) -> Callable[[list[str]], str]:
    """Whether each of these texts lies within the joined text of the answer: a line may come in two parts."""

    def check(lines: list[str]) -> str:
        joined = fold("".join(lines))
        missing = [text for text in expected if fold(text) not in joined]
        return f"missing {missing} in {lines}" if missing else ""

    return check
