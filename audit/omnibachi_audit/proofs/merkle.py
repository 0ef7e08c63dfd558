"""The tree of RFC 6962 (section 2.1; RFC 9162 has the same): a root over a list, and two short proofs about it.

A leaf's hash is SHA-256 of the byte 0 and the leaf, a node's that of the byte 1 and its two children; a list of n is
split at the largest power of two below n. An inclusion proof shows that a leaf stands at a place of a tree; a
consistency proof that one tree is the beginning of another. Everything here takes and gives hashes of leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()
SIZE = 32


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over hashes of leaves; that of none is the SHA-256 of nothing."""
    whole: list[tuple[int, bytes]] = []  # subtrees that are full, by falling size
    for leaf in leaves:
        size, found = 1, leaf
        while whole and whole[-1][0] == size:
            found = node_hash(whole.pop()[1], found)
            size *= 2
        whole.append((size, found))
    if not whole:
        return EMPTY
    found = whole.pop()[1]
    while whole:
        found = node_hash(whole.pop()[1], found)
    return found


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the proof that the leaf at `index` stands there, from the leaf up (RFC 6962, 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_path(leaves[:split], index), tree_root(leaves[split:])]
    return [*inclusion_path(leaves[split:], index - split), tree_root(leaves[:split])]


def consistency_path(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """Return the proof that the tree of the first `first` leaves is the beginning of this one (RFC 6962, 2.1.2)."""
    if not 0 < first <= len(leaves):
        raise IndexError(first)
    return _subproof(leaves, first, True)


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], top: bytes) -> bool:
    """Tell whether `path` leads from a leaf at `index` of `size` to the root `top` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == top


def consistent(first: int, second: int, old: bytes, new: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether `path` shows that the tree (`second`, `new`) begins with (`first`, `old`) (RFC 9162, 2.1.4.2).

    A tree is the beginning of itself, by an empty path alone; what an empty tree begins needs no proof, and gets none.
    """
    if first == second:
        return old == new and not path
    if first == 0:
        return old == EMPTY and not path
    if not 0 < first < second or not path:
        return False
    steps = list(path) if first & (first - 1) else [old, *path]
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    was = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            was, now = node_hash(step, was), node_hash(step, now)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            now = node_hash(now, step)
        place, last = place >> 1, last >> 1
    return last == 0 and was == old and now == new


def _subproof(leaves: Sequence[bytes], first: int, known: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if known else [tree_root(leaves)]
    split = _split(len(leaves))
    if first <= split:
        return [*_subproof(leaves[:split], first, known), tree_root(leaves[split:])]
    return [*_subproof(leaves[split:], first - split, False), tree_root(leaves[:split])]


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1
