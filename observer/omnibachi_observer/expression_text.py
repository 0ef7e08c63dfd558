"""Sealed expressions and templates written back as the text that an author would write.

The snapshot holds trees (docs/formats.md); people read text. Operators get the fewest parentheses that keep the tree,
by the precedence of CEL: `?:`, `||`, `&&`, comparisons and `in`, `+ -`, `* / %`, `! -`, then members and calls. A tree
of a form that this version does not know is shown as JSON, because a reader helps nobody by refusing to read.
"""

from __future__ import annotations

import re

from omnibachi_model.digests import encode
from omnibachi_model.expressions import MACROS
from omnibachi_model.expressions import names as _names
from omnibachi_model.secrecy import is_withheld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

TERNARY, OR, AND, RELATION, SUM, PRODUCT, UNARY, MEMBER = range(1, 9)

BINARY = {
    "or": ("||", OR),
    "and": ("&&", AND),
    "eq": ("==", RELATION),
    "ne": ("!=", RELATION),
    "lt": ("<", RELATION),
    "le": ("<=", RELATION),
    "gt": (">", RELATION),
    "ge": (">=", RELATION),
    "in": ("in", RELATION),
    "add": ("+", SUM),
    "sub": ("-", SUM),
    "mul": ("*", PRODUCT),
    "div": ("/", PRODUCT),
    "quo": ("/", PRODUCT),
    "mod": ("%", PRODUCT),
}
UNARIES = {"not": "!", "neg": "-"}
FUNCTIONS = ("size", "type", "string")
METHODS = ("startsWith", "endsWith", "contains")

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"


def expression(tree: Any) -> str:
    """Write a sealed expression as text, with the fewest parentheses that keep its shape."""
    return _write(tree)[0]


def _write(tree: Any) -> tuple[str, int]:
    """Return the text of a tree and how tightly its outermost operator binds."""
    try:
        return _known(tree)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return json(tree), MEMBER


def _known(tree: Any) -> tuple[str, int]:
    head = tree[0]
    if head == "lit":
        return literal(tree[1]), UNARY if _negative(tree[1]) else MEMBER
    if head == "name":
        return str(tree[1]), MEMBER
    if head == "list":
        return "[" + ", ".join(expression(item) for item in tree[1]) + "]", MEMBER
    if head == "record":
        return "{" + ", ".join(f"{literal(key)}: {expression(item)}" for key, item in tree[1].items()) + "}", MEMBER
    if head == "get":
        return _at_least(tree[1], MEMBER) + _field(tree[2]), MEMBER
    if head == "at":
        return f"{_at_least(tree[1], MEMBER)}[{expression(tree[2])}]", MEMBER
    if head == "has":
        return f"has({_at_least(tree[1], MEMBER)}{_field(tree[2])})", MEMBER
    if head in FUNCTIONS:
        return f"{head}({expression(tree[1])})", MEMBER
    if head in METHODS:
        return f"{_at_least(tree[1], MEMBER)}.{head}({expression(tree[2])})", MEMBER
    if head in MACROS:
        return f"{_at_least(tree[1], MEMBER)}.{head}({tree[2]}, {expression(tree[3])})", MEMBER
    if head in UNARIES:
        repeated = tree[1][0] == head
        return UNARIES[head] + _at_least(tree[1], UNARY if repeated else MEMBER), UNARY
    if head == "if":
        parts = (_at_least(tree[1], OR), _at_least(tree[2], OR), _at_least(tree[3], TERNARY))
        return "{} ? {} : {}".format(*parts), TERNARY
    sign, level = BINARY[head]
    # `&&` and `||` are associative, and their chains are sealed as balanced trees; the others lean to the left.
    right = level if head in ("and", "or") else level + 1
    return f"{_at_least(tree[1], level)} {sign} {_at_least(tree[2], right)}", level


def _at_least(tree: Any, level: int) -> str:
    text, binds = _write(tree)
    return text if binds >= level else f"({text})"


def _field(name: str) -> str:
    return f".{name}" if re.fullmatch(_IDENTIFIER, name) else f"[{literal(name)}]"


def _negative(value: Any) -> bool:
    return type(value) in (int, float) and value < 0


def literal(value: Any) -> str:
    """Write a literal as an expression does: text in single quotes, everything else as JSON."""
    if isinstance(value, str):
        return "'" + json(value)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
    return json(value)


def json(value: Any) -> str:
    """Write a value as JSON on one line; what is no JSON (a reader may be handed anything) by its Python form.

    What a record withholds is said to be so: its commitment tells a reader nothing.
    """
    if is_withheld(value):
        return "withheld"
    try:
        return encode(value).decode()
    except TypeError:
        return repr(value)


def names(tree: Any) -> tuple[str, ...]:
    """Return the names that an expression reads, in order of first appearance, without the variables of macros."""
    try:
        return _names(tree)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return ()


def template(tree: Any, nodes: Sequence[str]) -> str:
    """Write a sealed template as text; `nodes` are the names of the workflow's nodes by index."""
    try:
        return _template(tree, nodes)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return json(tree)


def _template(tree: Any, nodes: Sequence[str]) -> str:
    head, value = tree[0], tree[1]
    if head == "lit":
        return json(value)
    if head == "secret":
        return f"$secret: {value}"
    if head == "ref":
        return reference(value, tree[2], nodes)
    if head == "optional":
        return f"$optional: {_template(value, nodes)}"
    if head == "map":
        return "{" + ", ".join(f"{key}: {_template(item, nodes)}" for key, item in sorted(value.items())) + "}"
    items = ", ".join(_template(item, nodes) for item in value)
    return f"${head}: [{items}]" if head in ("first", "merge") else f"[{items}]"


def reference(scope: Any, segments: Sequence[str | int], nodes: Sequence[str]) -> str:
    """Write a sealed reference as the path that an author writes, for instance `$.nodes.read.value.items[0]`."""
    start = f"$.nodes.{nodes[scope]}" if isinstance(scope, int) else f"$.{scope}"
    return start + "".join(f"[{part}]" if isinstance(part, int) else _field(part) for part in segments)


def references(tree: Any) -> tuple[tuple[Any, tuple[Any, ...]], ...]:
    """Return every (scope, segments) that a template reads, in order of appearance."""
    found: list[tuple[Any, tuple[Any, ...]]] = []

    def walk(part: Any) -> None:
        if not isinstance(part, list) or len(part) < 2:
            return
        if part[0] == "ref" and len(part) == 3:
            found.append((part[1], tuple(part[2])))
        elif part[0] == "map" and isinstance(part[1], dict):
            for item in part[1].values():
                walk(item)
        elif part[0] == "optional":
            walk(part[1])
        elif part[0] in ("list", "first", "merge") and isinstance(part[1], list):
            for item in part[1]:
                walk(item)

    walk(tree)
    return tuple(found)
