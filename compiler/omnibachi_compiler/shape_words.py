"""Words of the shape check: what a value is, what a name should look like, and lists of choices."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnibachi_model.addresses import CODE, MOST_IN_CODE, kind_of, split

from .loader import short

if TYPE_CHECKING:
    from omnibachi_model.values import JSON


def mistyped(value: JSON) -> str:
    """Say in people's words what a value is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean `{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number `{value}`"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def reshaped(value: JSON, schema: dict[str, Any]) -> str | None:
    """Advise about a value of the wrong type."""
    if schema["type"] == "boolean" and isinstance(value, str):
        return "write `true` or `false`, without quotes; words such as `yes` and `on` are text"
    if schema["type"] == "string" and isinstance(value, bool | int | float):
        return f"quote it if text is meant: `'{json.dumps(value)}'`"
    if "examples" in schema:
        return form_of(schema)
    return None


def form_of(schema: dict[str, Any]) -> str:
    """Show how a value is written."""
    return f"write it as in {' or '.join(f'`{example}`' for example in schema['examples'])}"


def listing(choices: Sequence[str]) -> str:
    """Write choices as `a`, `b` and `c`."""
    quoted = [f"`{choice}`" for choice in choices]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def misnamed(value: str, schema: dict[str, Any]) -> tuple[str, str]:
    """Return message and advice for a name that does not have the form of its schema's pattern."""
    title = schema["title"]
    message = f"`{short(value)}` is not {title}"
    pattern = re.compile(schema["pattern"])
    code = split(value)[1]
    kind = kind_of(code)
    guess = next((text for text in _repairs(value, schema) if pattern.search(text)), None)
    if guess is not None:
        return message, f"did you mean `{guess}`?"
    if len(code.partition(".")[0]) > MOST_IN_CODE:
        return message, f"a code has at most {MOST_IN_CODE} characters"
    if kind is not None:
        return f"{message}: its prefix says {_article(kind)}", form_of(schema)
    return message, form_of(schema)


def _repairs(value: str, schema: dict[str, Any]) -> list[str]:
    """Return what the writer may have meant: without spaces or a domain, other case, with a version or a prefix."""
    bare = re.sub(r"[\s-]+", "_", value.strip())
    domain, code = split(bare)
    upper = re.sub(r"_V0+(?=[1-9])", "_V", code.upper())
    bases = [f"{domain}::{upper}" if domain else upper, upper]
    example: str = schema["examples"][0]
    if CODE.match(example):
        # A code of another kind is no slip of the pen, so nothing is guessed from it.
        other = kind_of(upper) or kind_of(f"{upper}_V0")
        if other not in (None, kind_of(example)):
            return []
        bases.append(f"{example.partition('_')[0]}_{upper}")
    versioned = re.search(r"_V[0-9]+$", upper) is not None
    return [
        bare,
        code,
        bare.lower(),
        *(name for base in bases for name in (base, *([] if versioned else [f"{base}_V0"]))),
    ]


def _article(kind: str) -> str:
    words = kind.replace("_", " ")
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
