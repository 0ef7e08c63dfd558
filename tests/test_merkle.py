"""The tree of RFC 6962 against its known answers, against a naive tree, and against whoever forges a proof."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omnibachi_audit.proofs.merkle import (
    EMPTY,
    consistency_path,
    consistent,
    included,
    inclusion_path,
    leaf_hash,
    node_hash,
    tree_root,
)

# The leaves and roots that implementations of Certificate Transparency hold one another to.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_known_ones(size: int) -> None:
    assert tree_root(HASHES[:size]).hex() == ROOTS[size]
    assert bytes.fromhex(ROOTS[0]) == EMPTY


def test_paths_are_those_of_the_example_in_the_rfc() -> None:
    """RFC 6962, 2.1.3: seven leaves d0 to d6, with the names that the figures there give to their nodes."""
    a, b, c, d, e, f, j = HASHES[:7]
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, last = node_hash(g, h), node_hash(i, j)
    seven = HASHES[:7]
    assert tree_root(seven) == node_hash(k, last)
    assert inclusion_path(seven, 0) == [b, h, last]
    assert inclusion_path(seven, 3) == [c, g, last]
    assert inclusion_path(seven, 4) == [f, j, k]
    assert inclusion_path(seven, 6) == [i, k]
    assert consistency_path(seven, 3) == [c, d, g, last]
    assert consistency_path(seven, 4) == [last]
    assert consistency_path(seven, 6) == [i, j, k]
    assert consistency_path(seven, 7) == []


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """The definition, word for word: RFC 6962, 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def hashes(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_of_every_tree_is_included_where_it_stands_and_nowhere_else(size: int) -> None:
    leaves = hashes(size)
    root = naive_root(leaves)
    assert tree_root(leaves) == root
    for index, leaf in enumerate(leaves):
        path = inclusion_path(leaves, index)
        assert included(leaf, index, size, path, root)
        for other in (-1, *range(size + 2)):
            assert other == index or not included(leaf, other, size, path, root)
        assert not included(leaf_hash(b"another"), index, size, path, root)
        assert not included(leaf, index, size, [*path, root], root)
        assert not path or not included(leaf, index, size, path[:-1], root)
        assert not path or not included(leaf, index, size, path[1:], root)


@pytest.mark.parametrize("size", range(1, 26))
def test_every_tree_begins_with_every_smaller_one(size: int) -> None:
    leaves = hashes(size)
    new = naive_root(leaves)
    for first in range(1, size + 1):
        path, old = consistency_path(leaves, first), naive_root(leaves[:first])
        assert consistent(first, size, old, new, path)
        changed = [*leaves[: first - 1], leaf_hash(b"changed")]
        assert not consistent(first, size, naive_root(changed), new, path)
        assert not consistent(first, size, old, EMPTY, path)
        assert not consistent(first, size, old, new, [*path, old])
        assert not path or not consistent(first, size, old, new, path[:-1])
        for wrong in range(first + 1, size):
            assert not consistent(wrong, size, old, new, path)


@given(st.integers(2, 300), st.data())
def test_a_flipped_bit_in_a_proof_is_found(size: int, data: st.DataObject) -> None:
    leaves = hashes(size)
    root = tree_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(leaves, index)
    step, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
    assert included(leaves[index], index, size, path, root)
    assert not included(leaves[index], index, size, flipped(path, step, bit), root)
    first = data.draw(st.integers(1, size - 1))
    path = consistency_path(leaves, first)
    step = data.draw(st.integers(0, len(path) - 1))
    old = tree_root(leaves[:first])
    assert consistent(first, size, old, root, path)
    assert not consistent(first, size, old, root, flipped(path, step, bit))


@given(st.integers(0, 40), st.integers(0, 40), st.lists(st.binary(min_size=32, max_size=32), max_size=8))
def test_what_somebody_makes_up_is_never_consistent(first: int, second: int, path: list[bytes]) -> None:
    assume(path)
    old, new = tree_root(hashes(first)), tree_root([*hashes(second), leaf_hash(b"x")])
    assert not consistent(first, second, old, new, path)
    assert not included(leaf_hash(b"never"), first, second, path, new)


def flipped(path: Sequence[bytes], step: int, bit: int) -> list[bytes]:
    changed = bytearray(path[step])
    changed[bit // 8] ^= 1 << bit % 8
    return [*path[:step], bytes(changed), *path[step + 1 :]]


def test_an_empty_tree_begins_every_tree_without_a_proof() -> None:
    assert consistent(0, 5, EMPTY, tree_root(hashes(5)), [])
    assert not consistent(0, 5, tree_root(hashes(1)), tree_root(hashes(5)), [])
    assert not consistent(0, 5, EMPTY, tree_root(hashes(5)), [EMPTY])
    assert not consistent(5, 3, tree_root(hashes(5)), tree_root(hashes(3)), [EMPTY])
    for wrong in (-1, 5):
        with pytest.raises(IndexError):
            inclusion_path(hashes(5), wrong)
    for wrong in (0, 6):
        with pytest.raises(IndexError):
            consistency_path(hashes(5), wrong)
