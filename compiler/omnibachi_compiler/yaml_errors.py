"""What the YAML parser complains about, in our words.

PyYAML speaks with two parsers (libyaml's and its own), whose wordings differ; both are recognised here by what they
have in common. The advice looks at the text, because the commonest mistake is a path or an expression that YAML needs
quoted.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_QUOTE = "quote the text"
_CHARACTER = r"write the character itself, or `\U` and eight hexadecimal digits"
_FEATURES = re.compile(r"directive|incompatible YAML|tag handle|alphabetic or numeric")
_UNPAIRED = re.compile(r"Unicode character escape")
_FLOW = re.compile(r"expected ',' or '([}\]])'")

_WORDINGS: tuple[tuple[str, str, str | None], ...] = (
    (r"mapping values are not allowed", "`:` cannot stand here", "quote the text, or mend the indentation"),
    (r"sequence entries are not allowed", "`-` cannot stand here", "put the list on lines of its own"),
    (r"mapping keys are not allowed", "a key cannot stand here", "mend the indentation"),
    (r"unexpected end of stream", "a quoted text is never closed", "close the quote"),
    (r"could not find expected ':'", "a key has no `:`", "write `key: value`, or indent the text further"),
    (r"unknown escape character", "this escape is unknown", r"write `\\` for a backslash, or use single quotes"),
    (r"hexdecimal number|hexadecimal numbers", "this escape lacks hexadecimal digits", None),
    (r"unexpected document", "a document ends inside a quoted text", "close the quote"),
    (
        r"'-' indicator",
        "a list goes on here with something that is no item",
        "begin each item with `-`, or indent less",
    ),
    (r"expected key|<block end>", "the indentation fits nothing above", "align keys of one mapping"),
    (r"node content", "a value is expected here", "write the value, or quote the text"),
    (r"<?document start>?", "a document ends above, and this belongs to none", "begin a document with `---`"),
    (r"violates indentation|indentation space", "a tab cannot indent", "indent with spaces"),
    (r"indentation indicator", "a block text has an indentation of 1 to 9", None),
    (r"comment or (a )?line break", "nothing else can stand on the line of `|` or `>`", "begin the text on a new line"),
)


_CONSTRUCTS = (
    ("flow mapping|block mapping", "the mapping"),
    ("flow sequence|block collection|block sequence", "the list"),
    ("scalar", "the text"),
    ("simple key", "the key"),
)


class Complaint(NamedTuple):
    """What the parser could not read: code, message, advice, the offsets of the place, and what it was inside of."""

    code: str
    message: str
    help: str | None
    start: int
    end: int
    construct: str | None = None


def complaint(problem: str, context: str, text: str, at: int, began: int) -> Complaint:
    """Put the parser's `problem` at the offset `at` of `text` (in a construct that began at `began`) into our words."""
    end = at if text[at : at + 1] in ("", "\n", "\r") else at + 1
    construct = next((name for pattern, name in _CONSTRUCTS if re.search(pattern, context)), None)
    if _UNPAIRED.search(problem):
        start = text.rfind("\\", 0, at)
        return Complaint("OB112", "this escape names no character", _CHARACTER, start, end, construct)
    if _FEATURES.search(problem):
        return Complaint("OB106", _feature(context), f"remove it, or {_QUOTE}", began, max(end, began + 1))
    flow = _FLOW.search(problem)
    if flow and text[at : at + 1] == "[" and (path := _path(text, at)):
        written = text[path[0] : path[1]]
        quote = "'" if '"' in written else '"'
        where = "`{…}`" if flow.group(1) == "}" else "`[…]`"
        message = f"the path `{written}` holds an index and must be quoted inside {where}"
        return Complaint("OB104", message, f"write `{quote}{written}{quote}`", *path, construct)
    message, advice = _worded(problem, flow.group(1) if flow else "", text[at : at + 1])
    return Complaint("OB104", message, advice, at, end, construct)


def _feature(context: str) -> str:
    for word, message in (
        ("alias", "an alias (`*`)"),
        ("anchor", "an anchor (`&`)"),
        ("directive", "a directive (`%`)"),
    ):
        if word in context:
            return f"{message} is refused"
    return "a tag (`!`) is refused" if "tag" in context or "node" in context else "a directive (`%`) is refused"


def _path(text: str, at: int) -> tuple[int, int] | None:
    """Return the offsets of the path whose first index begins at `at`, or None when no path stands there."""
    before = re.search(r"\$[^\s,{}\[\]:]*\Z", text[text.rfind("\n", 0, at) + 1 : at])
    rest = re.compile(r"(?:\[[^\]\n]*\]|\.\w+)+").match(text, at)
    return (at - len(before.group()), rest.end()) if before and rest else None


def _worded(problem: str, closing: str, char: str) -> tuple[str, str | None]:
    """Return message and advice for a problem that is no feature of YAML and no path."""
    if closing:
        if not char:
            return f"a {'mapping' if closing == '}' else 'list'} is never closed", f"write `{closing}` where it ends"
        return f"`,` or `{closing}` is missing before this", f"write it, or {_QUOTE}"
    if "start any token" in problem:
        if char == "\t":
            return "a tab cannot indent", "indent with spaces"
        return f"text cannot begin with {'a backtick' if char == '`' else f'`{char}`'} here", _QUOTE
    for pattern, message, advice in _WORDINGS:
        if re.search(pattern, problem):
            return message, advice
    return problem[:1].lower() + problem[1:].rstrip("."), None
