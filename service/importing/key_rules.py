"""Form and strength of keys that another service has issued. Pure; no error holds a key."""

from __future__ import annotations

from itertools import pairwise

from inkgate.service.accounts.rules import KEY_ID
from inkgate.service.errors import Misuse

MIN_SECRET_LENGTH, MAX_SECRET_LENGTH = 16, 128  # characters
MIN_DISTINCT = 6
"""Distinct characters of a key. 16 random hex digits have fewer with a probability below 1e-4, 32 below 1e-9."""

PUBLISHED = frozenset({"fcbbcc3afe1f34ac6ba87d417fffd0fa", "0127e11c2d08452880cd57b21d3d093"})
"""Keys in the sample of the manual (6.1.1), which every reader has."""


def check_id(text: str) -> str:
    """An AK or AppKey, unchanged. Raises Misuse when it is malformed or a placeholder."""
    if KEY_ID.fullmatch(text) is None:
        raise Misuse("import.id_malformed")
    if len(set(text)) < MIN_DISTINCT or text in PUBLISHED:
        raise Misuse("import.id_placeholder")
    return text


def check_secret(text: str, identifier: str) -> str:
    """An SK or AppSecret, unchanged. Raises Misuse when it is malformed, or can be guessed; `identifier` is its AK or
    AppKey."""
    printable = all("!" <= each <= "~" for each in text)
    if not printable or not MIN_SECRET_LENGTH <= len(text) <= MAX_SECRET_LENGTH:
        raise Misuse("import.secret_malformed", least=MIN_SECRET_LENGTH, most=MAX_SECRET_LENGTH)
    if text in PUBLISHED:
        raise Misuse("import.secret_published")
    if len(set(text)) < MIN_DISTINCT or _repeats(text) or _counts(text):
        raise Misuse("import.secret_weak")
    if identifier and (text.lower() in identifier.lower() or identifier.lower() in text.lower()):
        raise Misuse("import.secret_is_id")
    return text


def _repeats(text: str) -> bool:
    """Whether a text is one block, repeated; the last one may be cut."""
    return any(all(text[at] == text[at % size] for at in range(len(text))) for size in range(1, len(text) // 2 + 1))


def _counts(text: str) -> bool:
    """Whether every character but a few is the neighbour of the one before, as in 0123456789abcdef."""
    steps = [ord(right) - ord(left) for left, right in pairwise(text)]
    return sum(step in (-1, 1) for step in steps) >= len(steps) * 3 // 4
