"""Query parameters by schema: the same objects that the OpenAPI document shows say what is taken and what is not.

A schema here is an `integer` with bounds, or a `string` with lengths, a pattern or an enumeration; a parameter stands
once, and none is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request

from omnibachi_model.nearest import nearest

from .answers import refused
from .reasons import Finding

Schema: TypeAlias = "Mapping[str, Any]"
Endpoint: TypeAlias = "Callable[[Request], Awaitable[Any]]"

MOST_INTEGER = 2**53 - 1
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})\Z")
_MOST_FIELDS = 32


def integer(minimum: int, maximum: int = MOST_INTEGER, description: str = "") -> dict[str, Any]:
    """Return the schema of an integer between two bounds."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "description": description}


def query_of(query: bytes, schemas: Mapping[str, Schema]) -> dict[str, Any] | list[Finding]:
    """Read a query string; return the values by name, or everything that is wrong with it."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS,
            strict_parsing=bool(query),
        )  # fmt: skip
    except ValueError:
        return [_finding("", "the query is no list of at most 32 `name=value` in UTF-8")]
    values: dict[str, Any] = {}
    found: list[Finding] = []
    for name, text in pairs:
        if name not in schemas:
            near, known = nearest(name, schemas), ", ".join(f"`{item}`" for item in schemas)
            advice = f"did you mean `{near}`?" if near else f"known: {known or 'none'}"
            found.append(_finding("", f"a parameter is unknown; {advice}"))
        elif name in values:
            found.append(_finding(name, f"`{name}` stands twice"))
        else:
            values[name] = value = _value(text, schemas[name])
            if value is None:
                found.append(_finding(name, f"`{name}` must be {_wanted(schemas[name])}"))
    return found or values


def as_served(endpoint: Endpoint, schemas: Mapping[str, Schema]) -> Endpoint:
    """Return a route that refuses parameters where it takes none; one that takes some judges them itself."""

    async def ask(request: Request) -> Any:
        found = query_of(request.scope["query_string"], schemas)
        return refused(request.scope, found) if isinstance(found, list) else await endpoint(request)

    return endpoint if schemas else ask


def _value(text: str, schema: Schema) -> int | str | None:
    if schema["type"] == "integer":
        number = int(text) if _INTEGER.match(text) else None
        return number if number is not None and schema["minimum"] <= number <= schema["maximum"] else None
    if "enum" in schema:
        return text if text in schema["enum"] else None
    fits = schema.get("minLength", 0) <= len(text) <= schema["maxLength"]
    return text if fits and re.search(schema.get("pattern", ""), text) else None


def _wanted(schema: Schema) -> str:
    if schema["type"] == "integer":
        return f"an integer from {schema['minimum']} to {schema['maximum']}"
    if "enum" in schema:
        return " or ".join(f"`{item}`" for item in schema["enum"])
    return f"a text of {schema.get('minLength', 0)} to {schema['maxLength']} printable characters"


def _finding(name: str, detail: str) -> Finding:
    return Finding("transport.invalid_query", detail, f"/{name}" if name else "")
