"""Did you mean: the nearest known name to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable

MOST_COMPARED = 500  # names; among more only those one edit away are looked for, so that many mistakes stay cheap
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-.:"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to `name` by edit distance, or None when none is near.

    Near means at most a third of the longer name's length (at least one edit, never all of the name); ties go to the
    first in sorted order. Among more than 500 names, near means one edit at most.
    """
    names = set(known)
    if len(names) > MOST_COMPARED:
        names = _one_edit_away(name.lower(), names)
    best: str | None = None
    least = len(name)  # only what is nearer than the best so far is looked for, so that most names are soon dropped
    for candidate in sorted(names):
        longer = max(len(name), len(candidate))
        limit = min(max(1, longer // 3), longer - 1, least)
        if abs(len(name) - len(candidate)) > limit:
            continue
        cost = _distance(name.lower(), candidate.lower(), limit)
        if cost <= limit:
            best, least = candidate, cost - 1
        if least < 0:
            break
    return best


def only_nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the nearest known name where no other is as near, or None."""
    names = set(known)
    if len(names) > MOST_COMPARED:
        names = _one_edit_away(name.lower(), names)
    found = nearest(name, names)
    other = nearest(name, names - {found}) if found is not None else None
    if found is None or other is None:
        return found
    longest = max(len(name), len(found), len(other))
    cost = _distance(name.lower(), found.lower(), longest)
    return found if _distance(name.lower(), other.lower(), longest) > cost else None


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


def only_nearest_address(name: str, known: Iterable[str]) -> str | None:
    """Return the known address that a misspelt address or bare code can only mean, or None.

    A bare code means what has the nearest code, where no other code is as near and one domain alone has it.
    """
    addresses = set(known)
    if "::" in name:
        return only_nearest(name, addresses)
    codes = {address.rpartition("::")[2] for address in addresses}
    code = name if name in codes else only_nearest(name, codes)
    fitting = [address for address in addresses if address.rpartition("::")[2] == code]
    return fitting[0] if len(fitting) == 1 else None


def _one_edit_away(name: str, known: Iterable[str]) -> set[str]:
    """Return the known names that one edit, or none, makes of a name in lower case."""
    edited = {name}
    for at in range(len(name) + 1 if len(name) <= 100 else 0):
        before, after = name[:at], name[at:]
        edited.add(before + after[1:])
        edited.add(before + after[1:2] + after[:1] + after[2:])
        for letter in _LETTERS:
            edited.add(before + letter + after)
            edited.add(before + letter + after[1:])
    return {candidate for candidate in known if candidate.lower() in edited}


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
