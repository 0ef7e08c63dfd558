"""Patterns: the regular expressions that a schema may hold, and why others are refused.

The subset is what ECMA-262 (which JSON Schema names) and Python's `re` mean alike once `checks.compile_pattern` has
mended `$` and `.`:

- literals, `.`, `^`, `$`, `\\b`, `\\B`, alternation, `(…)` and `(?:…)`;
- classes `[a-z]` and `[^a-z]`; an empty class, and `[`, `--`, `&&`, `||`, `~~` inside one, must be escaped;
- `\\d \\D \\w \\W \\s \\S`, which are ASCII here;
- escapes `\\t \\n \\r \\f \\v \\0 \\xHH \\uHHHH` and those of punctuation;
- `*`, `+`, `?`, `{n}`, `{n,}`, `{n,m}` (to 10,000), each also lazy with `?`.

Refused besides what does not compile: look-around, back-references, named groups, inline flags, possessive and atomic
forms, property escapes, and what makes a search exponential: inside an unbounded repetition (no upper limit, or one
above 100) a repetition of varying length, an alternative that can be empty, and alternatives that may begin alike; and
whatever may take too many steps in a text of 100 characters already.
A text is a sequence of code points. White space is that of ASCII.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from omnibachi_model.checks import compile_pattern

from .pattern_parts import Part, alternatives, effort, repeated, sequence

MOST_REPEATS = 10_000
MOST_CHARACTERS = 1_000
MOST_NESTING = 30
UNBOUNDED = 100
SHORT = 100
MOST_STEPS = 9.3  # decimal logarithm; `re` takes about 10^9 of them in a second

_ANY = frozenset(range(0x80)) | {-1}  # -1 stands for everything beyond ASCII
_DIGITS = frozenset(map(ord, "0123456789"))
_WORDS = _DIGITS | frozenset(map(ord, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"))
_SPACES = frozenset(map(ord, " \t\n\r\f\v"))
_CLASSES = {
    "d": _DIGITS,
    "D": _ANY - _DIGITS,
    "w": _WORDS,
    "W": _ANY - _WORDS,
    "s": _SPACES,
    "S": _ANY - _SPACES,
}
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}
_BRACES = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_HEX = {"x": re.compile(r"[0-9A-Fa-f]{2}"), "u": re.compile(r"[0-9A-Fa-f]{4}")}


class _Refused(Exception):
    pass


@dataclass(slots=True)
class _Open:
    """A group that is being read: its finished alternatives and the parts of the present one."""

    done: list[Part] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


def refusal(pattern: str) -> str | None:
    """Say why a pattern is refused, in a few words, or return None for one inside the subset."""
    if len(pattern) > MOST_CHARACTERS:
        return f"it is longer than {MOST_CHARACTERS} characters"
    try:
        if effort(_scan(pattern, SHORT), SHORT) > MOST_STEPS:
            return f"a search may take too long, in a text of {SHORT} characters already"
        compile_pattern(pattern)
    except _Refused as refused:
        return str(refused)
    except (re.error, RecursionError, OverflowError) as error:
        return f"it cannot be read: {error}"
    return None


def quick_up_to(pattern: str, longest: int) -> int:
    """Return the length, at most `longest`, up to which a search for a pattern of the subset takes no long time."""
    low, high = SHORT, max(longest, SHORT)
    while low < high:
        middle = (low + high + 1) // 2
        if effort(_scan(pattern, middle), middle) > MOST_STEPS:
            high = middle - 1
        else:
            low = middle
    return min(low, longest)


def _scan(pattern: str, longest: int) -> Part:
    stack = [_Open()]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "(":
            at = _group(pattern, at)
            stack.append(_Open())
            if len(stack) > MOST_NESTING:
                raise _Refused(f"groups are nested deeper than {MOST_NESTING}")
            continue
        if char == "|":
            top = stack[-1]
            top.done.append(sequence(top.parts))
            top.parts = []
            at += 1
            continue
        if char == ")":
            if len(stack) == 1:
                raise _Refused("a `)` has no `(`")
            part, at = _chosen(stack.pop()), at + 1
        elif char in "^$":
            if pattern[at + 1 : at + 2] and pattern[at + 1] in "*+?{":
                raise _Refused(f"`{char}` cannot be repeated")
            part, at = Part(fails=True, anchored=char == "^"), at + 1
        else:
            part, at = _atom(pattern, at)
        part, at = _repeated(pattern, at, part, longest)
        stack[-1].parts.append(part)
    if len(stack) > 1:
        raise _Refused("a `(` has no `)`")
    return _chosen(stack[0])


def _chosen(group: _Open) -> Part:
    return alternatives([*group.done, sequence(group.parts)])


def _group(pattern: str, at: int) -> int:
    if pattern.startswith("(?:", at):
        return at + 3
    for start, name in (
        ("(?=", "look-ahead"),
        ("(?!", "look-ahead"),
        ("(?<=", "look-behind"),
        ("(?<!", "look-behind"),
        ("(?>", "an atomic group"),
        ("(?P=", "a back-reference"),
        ("(?P<", "a named group"),
        ("(?<", "a named group"),
        ("(?#", "a comment"),
        ("(?(", "a condition"),
        ("(?", "an inline flag"),
    ):
        if pattern.startswith(start, at):
            raise _Refused(f"{name} `{start}` is refused")
    return at + 1


def _repeated(pattern: str, at: int, part: Part, longest: int) -> tuple[Part, int]:
    """Read the quantifier that may stand at `at` and apply it."""
    char = pattern[at : at + 1]
    low, high = 1, 1
    unlimited = False
    if char and char in "*+?":
        low, high, unlimited, at = int(char == "+"), 1, char != "?", at + 1
    elif char == "{":
        found = _BRACES.match(pattern, at)
        if found is None:
            raise _Refused("a `{` that counts nothing must be escaped")
        low = int(found.group(1)[:9])
        unlimited = found.group(2) is not None and not found.group(3)
        high = int(found.group(3)[:9]) if found.group(3) else low
        if max(low, high) > MOST_REPEATS:
            raise _Refused(f"a repetition counts to more than {MOST_REPEATS}")
        if high < low:
            raise _Refused(f"`{found.group()}` counts downwards")
        at = found.end()
    else:
        return part, at
    if pattern.startswith("?", at):
        at += 1
    elif pattern.startswith("+", at):
        raise _Refused("a possessive repetition is refused")
    if pattern[at : at + 1] and pattern[at] in "*+?{":
        raise _Refused("a repetition of a repetition needs a group")
    if unlimited or high > UNBOUNDED:
        if part.varies:
            raise _Refused("a repetition inside an unbounded repetition is refused")
        if part.clash:
            raise _Refused("alternatives that may begin alike inside an unbounded repetition are refused")
    return repeated(part, low, None if unlimited else high, longest), at


def _atom(pattern: str, at: int) -> tuple[Part, int]:
    """Read one thing that matches one character (or a word boundary)."""
    char = pattern[at]
    if char in "*+?{":
        raise _Refused(f"`{char}` repeats nothing")
    if char in "]}":
        raise _Refused(f"`{char}` must be escaped")
    if char == ".":
        return Part(_ANY, False), at + 1
    if char == "[":
        return _class(pattern, at)
    if char == "\\":
        if pattern[at + 1 : at + 2] in ("b", "B"):
            if pattern[at + 2 : at + 3] and pattern[at + 2] in "*+?{":
                raise _Refused("a word boundary cannot be repeated")
            return Part(fails=True), at + 2
        first, at = _escape(pattern, at)
        return Part(first, False), at
    return Part(frozenset({_point(ord(char))}), False), at + 1


def _point(code: int) -> int:
    return code if code < 0x80 else -1


def _escape(pattern: str, at: int) -> tuple[frozenset[int], int]:
    """Read an escape that stands for a character or a set of them."""
    char = pattern[at + 1 : at + 2]
    if not char:
        raise _Refused("it ends with a backslash")
    if char in _CLASSES:
        return _CLASSES[char], at + 2
    if char == "0" and pattern[at + 2 : at + 3].isdigit():
        raise _Refused("an octal escape is refused")
    if char in _CONTROLS:
        return frozenset({_CONTROLS[char]}), at + 2
    if char in _HEX:
        found = _HEX[char].match(pattern, at + 2)
        if found is None:
            raise _Refused(f"`\\{char}` needs {2 if char == 'x' else 4} hex digits")
        code = int(found.group(), 16)
        if 0xD800 <= code < 0xE000:
            raise _Refused("a surrogate is no character")
        return frozenset({_point(code)}), found.end()
    if char in "123456789":
        raise _Refused(f"the back-reference `\\{char}` is refused")
    if char in "pP":
        raise _Refused(f"the property escape `\\{char}` is refused")
    if char == "k":
        raise _Refused("a back-reference by name is refused")
    if char.isalnum() or not char.isascii() or char.isspace():
        raise _Refused(f"`\\{char}` is no escape that is known everywhere")
    return frozenset({ord(char)}), at + 2


def _class(pattern: str, opened: int) -> tuple[Part, int]:
    """Read `[…]`."""
    at = opened + 1
    negated = pattern.startswith("^", at)
    at += negated
    if pattern.startswith("]", at):
        raise _Refused("an empty class is refused; a `]` in a class must be escaped")
    found: frozenset[int] = frozenset()
    while True:
        if at >= len(pattern):
            raise _Refused("a `[` has no `]`")
        if pattern[at] == "]":
            break
        low, at = _member(pattern, at)
        if pattern.startswith("-", at) and pattern[at + 1 : at + 2] not in ("]", ""):
            if pattern.startswith("-", at + 1):
                raise _Refused("a `-` at the end of a range must be escaped")
            high, at = _member(pattern, at + 1)
            found |= _range(low, high)
        else:
            found |= low
    return Part(_ANY - (found - {-1}) if negated else found, False), at + 1


def _range(low: frozenset[int], high: frozenset[int]) -> frozenset[int]:
    if len(low) != 1 or len(high) != 1:
        raise _Refused("a range in a class needs a character at both ends")
    (start,), (end,) = low, high
    if start == -1:
        return frozenset({-1})
    return frozenset(range(start, 0x80)) | {-1} if end == -1 else frozenset(range(start, end + 1))


def _member(pattern: str, at: int) -> tuple[frozenset[int], int]:
    char = pattern[at]
    if char == "\\":
        if pattern[at + 1 : at + 2] in ("b", "B"):
            raise _Refused("`\\b` in a class is refused")
        return _escape(pattern, at)
    if char == "[" or pattern[at : at + 2] in ("--", "&&", "||", "~~"):
        raise _Refused(f"`{char}` must be escaped here in a class")
    return frozenset({_point(ord(char))}), at + 1
