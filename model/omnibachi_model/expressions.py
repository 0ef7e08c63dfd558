"""What every reader of sealed expressions must know of their form (docs/formats.md): parts, and names that are read.

A macro is `[sign, list, variable, body]`; its variable is a name inside the body alone, where nothing else has it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MACROS = ("all", "exists", "exists_one", "filter", "map")


def parts(expression: Any) -> Sequence[Any]:
    """Return the expressions that a sealed expression is made of, in the order in which they are written."""
    head = expression[0]
    if head == "lit":
        return ()
    if head == "list":
        return expression[1]  # type: ignore[no-any-return]
    if head == "record":
        return tuple(expression[1].values())
    return [part for part in expression[1:] if isinstance(part, list)]


def names(expression: Any) -> tuple[str, ...]:
    """Return the names that a sealed expression reads, each once, in the order in which they are written.

    The variables of its macros are not among them.
    """
    found: dict[str, None] = {}
    _gather(expression, (), found)
    return tuple(found)


def _gather(expression: Any, own: tuple[str, ...], found: dict[str, None]) -> None:
    if expression[0] == "name":
        if expression[1] not in own:
            found[expression[1]] = None
        return
    if expression[0] in MACROS:
        own = (*own, expression[2])
    for part in parts(expression):
        _gather(part, own, found)
