"""How long a search may take: the estimate is above what `re` does, and what it calls quick is quick."""

from __future__ import annotations

import re
from math import log10

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.pattern_parts import effort
from omnibachi_compiler.patterns import MOST_STEPS, _scan, quick_up_to, refusal


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        ("^[A-Z]{2}[0-9]+$", 10_000),
        ("^[^@]+@[^@.]+[.][^@.]+$", 10_000),
        ("^[a-z]+-[a-z]+-[a-z]+$", 10_000),
        (".+@.+", 10_000),
        (r"^.+@.+\..+$", 1258),
        ("a*a*b", 1258),
        ("a*a*a*b", 210),
    ],
)
def test_how_long_a_text_may_be(pattern: str, longest: int) -> None:
    assert refusal(pattern) is None
    assert quick_up_to(pattern, 10_000) == longest
    assert quick_up_to(pattern, 64) == 64


@pytest.mark.parametrize("pattern", ["(?:a?){30}", "(a*){1,100}b", "^(a|ab|abc){1,100}$", "a*a*a*a*a*b"])
def test_what_is_slow_in_a_short_text_is_refused(pattern: str) -> None:
    assert "characters already" in str(refusal(pattern))


Piece = tuple[str, int, int]  # a set of characters, and how often one of them: at least, at most


def _steps(pieces: list[Piece], text: str, *, anchored: bool) -> int:
    """Count what a search that tries the longest first does before it gives up: every piece at every place."""
    count = 0

    def fits(index: int, at: int) -> bool:
        nonlocal count
        count += 1
        if index == len(pieces):
            return False  # Whatever stands at the end cannot be met.
        chars, low, high = pieces[index]
        end = at
        while end < len(text) and end - at < high and text[end] in chars:
            end += 1
        return any(fits(index + 1, place) for place in range(end, at + low - 1, -1))

    for start in range(1 if anchored else len(text) + 1):
        fits(0, start)
    return count


SETS = {"a": "a", "b": "b", "[ab]": "ab", ".": "abc"}
COUNTS = {"": (1, 1), "*": (0, 99), "+": (1, 99), "?": (0, 1), "{0,3}": (0, 3), "{2}": (2, 2)}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(SETS)), st.sampled_from(sorted(COUNTS))), min_size=1, max_size=5),
    st.booleans(),
    st.text("ab", min_size=1, max_size=14),
)
def test_the_estimate_is_no_less_than_what_backtracking_does(
    written: list[tuple[str, str]], anchored: bool, text: str
) -> None:
    """The end of the pattern is a `c`, which no text has; a piece without a count costs a step at each try."""
    pattern = ("^" if anchored else "") + "".join(f"{chars}{count}" for chars, count in written) + "c"
    part = _scan(pattern, len(text))
    pieces = [(SETS[chars], *COUNTS[count]) for chars, count in written]
    pieces.append(("c", 1, 1))
    steps = _steps(pieces, text, anchored=anchored)
    assert re.search(pattern, text) is None
    assert steps <= 10 ** effort(part, len(text)) * len(pieces) * 2 + 2


def test_the_bound_is_about_two_seconds() -> None:
    assert 1e9 < 10**MOST_STEPS < 1e10 and log10(1e9) < MOST_STEPS
