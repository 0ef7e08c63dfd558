"""Did you mean: the nearest known name to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to `name` by edit distance, or None when none is near.

    Near means at most a third of the longer name's length (at least one edit, never all of the name); ties go to the
    first in sorted order.
    """
    best: tuple[int, str] | None = None
    for candidate in sorted(set(known)):
        longer = max(len(name), len(candidate))
        limit = min(max(1, longer // 3), longer - 1)
        if abs(len(name) - len(candidate)) > limit:
            continue
        cost = _distance(name.lower(), candidate.lower(), limit)
        if cost <= limit and (best is None or cost < best[0]):
            best = (cost, candidate)
    return best[1] if best else None


def nearest_address(name: str, known: Iterable[str], domain: str = "") -> str | None:
    """Return the known address that is nearest to a misspelt address or bare code, or None when none is near.

    Of several domains that have the code, the given one comes first, then `std`, then the others by name. A wrong
    domain before a right code is answered too.
    """
    addresses = sorted(set(known))
    found = nearest(name, addresses)
    if found is not None:
        return found
    code = nearest(name.rpartition("::")[2], {address.rpartition("::")[2] for address in addresses})
    first = (f"{domain}::{code}", f"std::{code}")
    fitting = [address for address in addresses if address.rpartition("::")[2] == code]
    return min(fitting, key=lambda address: first.index(address) if address in first else 2, default=None)


def _distance(a: str, b: str, limit: int) -> int:
    """Return the Damerau-Levenshtein (optimal string alignment) distance, or limit + 1 once it must exceed `limit`."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        current = [i]
        for j, right in enumerate(b, 1):
            cost = min(row[j] + 1, current[-1] + 1, row[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return limit + 1
        before, row = row, current
    return row[-1]
