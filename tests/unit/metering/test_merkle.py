"""The hash tree over heads: the root of the definition, and a path for every leaf that fits no other leaf."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.metering import merkle
from tests.audit_verifier import root_of_heads, tree

LEAVES = [merkle.leaf_hash(f"head {number}") for number in range(70)]


@pytest.mark.parametrize("count", [*range(1, 18), 31, 32, 33, 64, 70])
def test_the_root_is_that_of_the_definition_and_each_path_leads_to_it(count: int) -> None:
    leaves = LEAVES[:count]
    root = merkle.root_of(leaves)
    assert root == tree(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle.path_of(leaves, index)
        assert len(path) <= (count - 1).bit_length()
        assert merkle.root_from_path(leaf, index, count, path) == root
        assert merkle.root_from_path(LEAVES[69 - index], index, count, path) != root or leaf == LEAVES[69 - index]


@given(st.integers(2, 70), st.data())
def test_a_path_with_one_bit_changed_leads_elsewhere(count: int, data: st.DataObject) -> None:
    leaves = LEAVES[:count]
    index = data.draw(st.integers(0, count - 1))
    path = merkle.path_of(leaves, index)
    step = data.draw(st.integers(0, len(path) - 1))
    bit = data.draw(st.integers(0, 255))
    changed = (int.from_bytes(path[step], "big") ^ (1 << bit)).to_bytes(32, "big")
    altered = [*path[:step], changed, *path[step + 1 :]]
    assert merkle.root_from_path(leaves[index], index, count, altered) != merkle.root_of(leaves)


def test_a_path_that_does_not_fit_gives_no_root() -> None:
    path = merkle.path_of(LEAVES[:5], 1)
    for index, count, steps in ((5, 5, path), (-1, 5, path), (1, 5, path[:-1]), (1, 5, [*path, path[0]]), (0, 1, path)):
        assert merkle.root_from_path(LEAVES[1], index, count, steps) is None
    with pytest.raises(IndexError):
        merkle.path_of(LEAVES[:5], 5)


def test_the_text_of_a_head_is_that_of_the_documentation() -> None:
    head = ["0196-名", "general", 7, "ab" * 32]
    assert merkle.head_text(*head) == f'["0196-名","general",7,"{"ab" * 32}"]'  # type: ignore[arg-type]
    leaf = merkle.leaf_hash(merkle.head_text(*head))  # type: ignore[arg-type]
    assert root_of_heads([head]) == f"sm3:{leaf.hex()}"
