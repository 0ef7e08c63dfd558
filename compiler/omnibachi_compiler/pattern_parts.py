"""What a piece of a pattern can begin with, and how many ways a search may have to try.

Python's `re` searches by trying: where a repetition may end at several places because what follows could begin there
too, it tries them all before it gives up. Each such repetition multiplies the ways by the places where it may end; one
whose end is forced (`[a-z]+-`) costs its length once. A search without `^` begins anew at every character. The estimate
is an upper bound, kept as a decimal logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log10

Loose = tuple[frozenset[int], float]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a pattern: the characters that it can begin with, and whether it can match nothing.

    `varies` tells that it holds a repetition of varying length, `clash` that it holds alternatives that may begin
    alike, `fails` that it matches no character and may still fail (`$`), `anchored` that it begins with `^`. `tries` is
    the logarithm of the ways to try, `run` of the longest repetition whose end is forced, `loose` the repetitions at
    its end: what continues one, and the logarithm of the places where it may end.
    """

    first: frozenset[int] = frozenset()
    empty: bool = True
    varies: bool = False
    clash: bool = False
    fails: bool = False
    anchored: bool = False
    tries: float = 0.0
    run: float = 0.0
    loose: tuple[Loose, ...] = ()


def sequence(parts: Sequence[Part]) -> Part:
    """Join parts that stand one after another."""
    first: frozenset[int] = frozenset()
    for part in parts:
        first |= part.first
        if not part.empty:
            break
    tries = run = 0.0
    loose: list[Loose] = []
    for part in parts:
        kept = []
        for begins, places in loose:
            if begins & part.first:
                tries += places
            elif part.empty and not part.fails:
                kept.append((begins, places))
            else:
                run = max(run, places)
        tries += part.tries
        run = max(run, part.run)
        loose = [*kept, *part.loose]
    return Part(
        first,
        all(part.empty for part in parts),
        any(part.varies for part in parts),
        any(part.clash for part in parts),
        any(part.fails for part in parts),
        bool(parts) and parts[0].anchored,
        tries,
        run,
        tuple(loose),
    )


def alternatives(parts: Sequence[Part]) -> Part:
    """Join parts of which one is taken."""
    first: frozenset[int] = frozenset()
    alike = len(parts) > 1 and any(part.empty for part in parts)
    for part in parts:
        alike = alike or bool(first & part.first)
        first |= part.first
    most = max(part.tries for part in parts)
    return Part(
        first,
        any(part.empty for part in parts),
        any(part.varies for part in parts),
        alike or any(part.clash for part in parts),
        any(part.fails for part in parts),
        all(part.anchored for part in parts),
        most + log10(len(parts)) if alike else most,
        max(part.run for part in parts),
        tuple(loose for part in parts for loose in part.loose),
    )


def repeated(part: Part, low: int, high: int | None, longest: int) -> Part:
    """Repeat a part from `low` to `high` times (None: without limit) in a text of at most `longest` characters."""
    times = longest if high is None else min(high, longest)
    tries = part.tries
    if times > 1:
        # The next turn may begin where the end of this one could go on.
        tries = times * (tries + sum(places for begins, places in part.loose if begins & part.first))
    varies = high is None or low != high
    loose = (*part.loose, (part.first, log10(times - low + 1))) if varies and times > low else part.loose
    return replace(
        part, empty=part.empty or low == 0, varies=part.varies or varies, anchored=part.anchored and low > 0,
        tries=tries, loose=loose,
    )  # fmt: skip


def effort(part: Part, longest: int) -> float:
    """Return the decimal logarithm of the steps that a search for a whole pattern may take in such a text."""
    return part.tries + part.run + (0.0 if part.anchored else log10(max(longest, 1)))
