"""Marks of schemas: `secret: true` and `public: true`, where each may stand, and what a mark on a part says of a whole.

`secret` may stand anywhere in what comes in (payloads, inputs of contracts) and in what transforms take and give; what
is kept, told or sent on is no place for it, so stores, events and side effects have none. `public` stands at an output
field of a transform alone: it says that the field tells nothing of the secrets that the transform was given.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.secrecy import PUBLIC, SECRET, holds_secret

from .loader import is_hole
from .tree import Mapping, Scalar, Tree

MARKS = (SECRET, PUBLIC)
TAKEN = frozenset((SECRET,))  # marks of payloads, and of inputs of transforms and contracts
GIVEN = frozenset(MARKS)  # marks of outputs of transforms
NONE: frozenset[str] = frozenset()

_PLACES = {
    SECRET: "payloads of intents, inputs of contracts, and inputs and outputs of transforms may be secret",
    PUBLIC: "it stands at an output field of a transform, not inside of one",
}


def mark(
    key: str, tree: Tree, key_span: Span, allowed: frozenset[str], *, field: bool, found: list[Diagnostic]
) -> bool:
    """Read a mark and tell whether it is set; `allowed` are the marks of this schema, `field` its outermost level."""
    value = tree.value if isinstance(tree, Scalar) else None
    if is_hole(tree.span):
        return False
    if not isinstance(value, bool):
        # The words are those of the shape check, which finds the same: one finding is left of the two.
        found.append(Diagnostic("OB208", f"`{key}` is true or false", tree.span))
        return False
    if key not in allowed or (key == PUBLIC and not field):
        found.append(Diagnostic("OB530", f"`{key}` cannot stand here", key_span, help=_PLACES[key]))
        return False
    return value


def contradiction(schema: dict[str, Any], tree: Mapping) -> Diagnostic | None:
    """Return what is wrong with a field that is public and holds something secret (OB531)."""
    if not schema.get(PUBLIC) or not holds_secret(schema):
        return None
    entry = tree.entry(PUBLIC)
    span = entry.key_span if entry is not None else tree.span
    return Diagnostic("OB531", "a field that is `public` holds what is `secret`", span, help="leave one of them out")
