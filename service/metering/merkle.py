"""The hash tree over the ends of the meters' chains (RFC 9162, section 2.1, with SM3). Pure.

A leaf is SM3(0x00 ‖ text of the head), an inner node SM3(0x01 ‖ left ‖ right), each node over the largest power of two
of leaves smaller than what is left. The root stands for all heads; a path of log₂(n) hashes proves one of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from inkgate.service.sealed import sm3

LEAF, NODE = b"\x00", b"\x01"


def head_text(account_id: str, capability: str, chain_seq: int, chain: str) -> str:
    """A head as a JSON array without blanks; `chain` is hexadecimal."""
    return json.dumps([account_id, capability, chain_seq, chain], ensure_ascii=False, separators=(",", ":"))


def leaf_hash(text: str) -> bytes:
    """The hash of a head's text, 32 bytes."""
    return sm3.digest(LEAF + text.encode())


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node, 32 bytes."""
    return sm3.digest(NODE + left + right)


class RootBuilder:
    """Takes the leaves in their order; keeps one hash for each bit of their number."""

    def __init__(self) -> None:
        self.count = 0
        self._subtrees: list[tuple[int, bytes]] = []  # height and root, the largest first

    def add(self, leaf: bytes) -> None:
        self.count += 1
        height = 0
        while self._subtrees and self._subtrees[-1][0] == height:
            leaf = node_hash(self._subtrees.pop()[1], leaf)
            height += 1
        self._subtrees.append((height, leaf))

    def root(self) -> bytes:
        """The root, 32 bytes; the hash of nothing without leaves."""
        if not self._subtrees:
            return sm3.digest(b"")
        root = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over `leaves`."""
    builder = RootBuilder()
    for leaf in leaves:
        builder.add(leaf)
    return builder.root()


def path_of(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root, from the bottom up. Raises IndexError."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*path_of(leaves[:split], index), root_of(leaves[split:])]
    return [*path_of(leaves[split:], index - split), root_of(leaves[:split])]


def root_from_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a leaf has with its path; None when the path does not fit `index` and `count`."""
    if not 0 <= index < count or count > 2**63:
        return None
    if count == 1:
        return leaf if not path else None
    if not path:
        return None
    split = _split(count)
    if index < split:
        below = root_from_path(leaf, index, split, path[:-1])
        return None if below is None else node_hash(below, path[-1])
    below = root_from_path(leaf, index - split, count - split, path[:-1])
    return None if below is None else node_hash(path[-1], below)


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return int(1 << ((count - 1).bit_length() - 1))
