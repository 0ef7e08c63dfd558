"""Programs: what a domain lets its workflows run, and how a command line is made of what they give.

A program is declared with its whole command: literal texts, and places for arguments. Each argument has a schema, and
is one text of the command line, never more: no shell reads it. One that is free text must not begin with `-`, so that
it cannot become an option by accident, unless its schema says so: an `enum` that lists it, a `pattern` that begins with
`^-`, a `minimum` below zero, or a `prefix` before it in the command. Whether a `--` stands before it is the author's.
"""

from __future__ import annotations

from .checks import link, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MOST_TEXT = 100_000  # characters of one argument, and of a whole command line
OPTION = "-"


class Unfit(Exception):
    """The arguments are none of this program; the reason in a few words."""


def written(program: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """Return the command line of a sealed program; raises Unfit."""
    schemas: dict[str, Any] = program["arguments"]
    unknown = sorted(arguments.keys() - schemas.keys())
    if unknown:
        raise Unfit(f"the program declares no argument {unknown[0][:80]}")
    texts = {}
    for name, schema in sorted(schemas.items()):
        if name not in arguments:
            raise Unfit(f"the argument {name} is missing")
        texts[name] = _text(name, schema, arguments[name])
    made = []
    for part in program["command"]:
        if isinstance(part, str):
            made.append(part)
            continue
        prefix, name = part["prefix"], part["argument"]
        text = texts[name]
        if not prefix and text.startswith(OPTION) and not may_be_option(schemas[name], text):
            raise Unfit(f"the argument {name} would be an option")
        made.append(prefix + text)
    if sum(map(len, made)) > MOST_TEXT:
        raise Unfit("the command line is too long")
    return made


def _text(name: str, schema: Mapping[str, Any], value: Any) -> str:
    found = link(dict(schema))(value)
    if found or type(value) not in (str, int):
        keyword = listed(found)[0]["keyword"] if found else "type"
        raise Unfit(f"the argument {name} does not fit ({keyword})")
    text = str(value)
    if "\0" in text:
        raise Unfit(f"the argument {name} holds what no command line can hold")
    return text


def may_be_option(schema: Mapping[str, Any], text: str) -> bool:
    """Tell whether a schema says that its argument, which begins with `-`, may."""
    if schema.get("type") == "integer":
        return bool(schema.get("minimum", 0) < 0)
    return text in schema.get("enum", ()) or str(schema.get("pattern", "")).startswith("^-")
