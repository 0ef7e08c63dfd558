"""The lexer of expressions: text to tokens, with the lexical rules of CEL cut down to what the language has.

- Integers are decimal without leading zeros; numbers have a point with digits on both sides, an exponent, or both.
- Text stands in `'…'` or `"…"` on one line, with CEL's escapes: `\\\\ \\' \\" \\` \\? \\a \\b \\f \\n \\r \\t \\v`,
  `\\xHH`, `\\uHHHH`, `\\UHHHHHHHH` and three octal digits `\\000` to `\\377`.
- Names are ASCII letters, digits and `_`. What CEL reserves is no name.

Hexadecimal and unsigned integers, raw, triple-quoted and byte strings, and comments are CEL too; they are refused by
name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from omnibachi_model.values import LIMIT, Outside, admit

RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"),
        *("package", "namespace", "return", "var", "void", "while"),
    )
)
WORDS = {"true": True, "false": False, "null": None}

_SPACE = re.compile(r"[ \t\n\f\r]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_OPERATOR = re.compile(r"==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}]")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPES.update({char: char for char in "\\'\"`?"})
_CODES = {"x": re.compile(r"[0-9A-Fa-f]{2}"), "u": re.compile(r"[0-9A-Fa-f]{4}"), "U": re.compile(r"[0-9A-Fa-f]{8}")}
_MEANT = {
    "=": "equality is `==`",
    "&": "and is `&&`",
    "|": "or is `||`",
    "$": "bind the path to a name in `with`, and use the name here",
    **dict.fromkeys("\u201c\u201d\u2018\u2019", "text stands in `'` or `\"`"),
}
_OCTAL = re.compile(r"[0-3][0-7]{2}")


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (`value`, `name`, `operator` or `end`), its text or value, and where it stands."""

    kind: str
    value: bool | int | float | str | None
    start: int
    end: int


class Wrong(Exception):
    """What cannot be read: where (offset in characters), why, what to do, and the code of such a mistake."""

    def __init__(self, offset: int, message: str, help: str | None = None, code: str = "OB215") -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.help = help
        self.code = code


def tokens(text: str) -> list[Token]:
    """Return the tokens of an expression, the last of kind `end`; raises Wrong."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        space = _SPACE.match(text, at)
        if space:
            at = space.end()
            continue
        token = _token(text, at)
        found.append(token)
        at = token.end
    found.append(Token("end", None, len(text), len(text)))
    return found


def _token(text: str, at: int) -> Token:
    char = text[at]
    if char in "'\"":
        return _string(text, at)
    if char.isascii() and char.isdigit():
        return _number(text, at)
    name = _NAME.match(text, at)
    if name:
        word = name.group()
        if word.lower() in ("r", "b", "rb", "br") and text[name.end() : name.end() + 1] in ("'", '"'):
            raise Wrong(at, f"text with the prefix `{word}` is not part of the language")
        if word in WORDS:
            return Token("value", WORDS[word], at, name.end())
        return Token("name", word, at, name.end())
    if text.startswith("//", at):
        raise Wrong(at, "an expression holds no comments", "write the comment in YAML, with `#`")
    operator = _OPERATOR.match(text, at)
    if operator:
        return Token("operator", operator.group(), at, operator.end())
    raise Wrong(at, f"`{char}` cannot stand here", _MEANT.get(char))


def _number(text: str, at: int) -> Token:
    found = _NUMBER.match(text, at)
    assert found is not None
    end = found.end()
    written = found.group()
    tail = text[end : end + 1]
    if tail and (tail.isalnum() or tail == "_"):
        raise Wrong(at, f"`{written}{tail}…` is no number", "integers are decimal and have no suffix")
    if tail == "." and not _NAME.match(text, end + 1):
        raise Wrong(end, "digits are missing after the point")
    if len(written) > 1 and written[0] == "0" and written[1].isdigit():
        raise Wrong(at, f"`{written}` has a leading zero")
    if found.group(1) is None and found.group(2) is None:
        if len(written) > 16 or int(written) >= LIMIT:
            raise Wrong(at, "an integer must be smaller than 2^53")
        return Token("value", int(written), at, end)
    value = float(written)
    try:
        admit(value)
    except Outside as outside:
        raise Wrong(at, f"`{written}` lies outside the canonical range: {outside.reason.partition(';')[0]}") from None
    return Token("value", value, at, end)


def _string(text: str, at: int) -> Token:
    quote = text[at]
    if text.startswith(quote * 3, at):
        raise Wrong(at, "triple-quoted text is not part of the language")
    out: list[str] = []
    place = at + 1
    while place < len(text):
        char = text[place]
        if char == quote:
            return Token("value", "".join(out), at, place + 1)
        if char == "\\":
            piece, place = _escape(text, place)
            out.append(piece)
            continue
        if char in "\r\n":
            raise Wrong(place, "text ends on the line where it begins", "write `\\n` for a line break")
        out.append(char)
        place += 1
    raise Wrong(at, f"the text that begins here has no closing {quote}")


def _escape(text: str, at: int) -> tuple[str, int]:
    char = text[at + 1 : at + 2]
    if char and char in _ESCAPES:
        return _ESCAPES[char], at + 2
    octal = _OCTAL.match(text, at + 1)
    if octal:
        return chr(int(octal.group(), 8)), at + 4
    if char and char.lower() == "x":
        char = "x"
    found = _CODES[char].match(text, at + 2) if char in _CODES else None
    if found is None:
        raise Wrong(at, f"`{text[at : at + 2]}` is no escape")
    code = int(found.group(), 16)
    if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        raise Wrong(at, f"`{text[at : found.end()]}` is no character")
    return chr(code), found.end()
