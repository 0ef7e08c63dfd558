"""Sorting graphs: names in an order in which every edge leads forward, the same whatever order the text has.

`networkx` has this too; here it is the inner loop of compiling, and plain dictionaries are several times as fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush


def sorted_topologically(edges: Mapping[str, Iterable[str]], last: Iterable[str] = ()) -> list[str]:
    """Return the keys of `edges` so that each comes before its targets; of those that may come next the least by name,
    one of `last` only where no other may.

    Every target must be a key. Names on a circle, and what only they lead to, are left out.
    """
    late = frozenset(last)
    targets = {name: set(following) for name, following in edges.items()}
    waits = dict.fromkeys(targets, 0)
    for following in targets.values():
        for target in following:
            waits[target] += 1
    ready = [(name in late, name) for name, count in waits.items() if not count]
    heapify(ready)
    order: list[str] = []
    while ready:
        _, name = heappop(ready)
        order.append(name)
        for target in targets[name]:
            waits[target] -= 1
            if not waits[target]:
                heappush(ready, (target in late, target))
    return order
