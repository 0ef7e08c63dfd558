"""Secrecy: the marks that schemas carry, and what stands in a record in the place of a secret value.

A secret value is replaced by `{"$withheld": "hmac-sha256:<64 hex digits>"}`: HMAC-SHA-256 over its canonical bytes
under a key of the data root, a commitment. Equal secrets have equal commitments on one data root and nowhere else, so
records can be compared, and nobody without the key can try out values.
"""

from __future__ import annotations

from .digests import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Schema: TypeAlias = "dict[str, Any]"
    Commit: TypeAlias = "Callable[[Any], str]"

SECRET, PUBLIC = "secret", "public"
WITHHELD = "$withheld"
KEY_BYTES = 32
_FORM, _DIGITS = "hmac-sha256:", frozenset("0123456789abcdef")


def commitment(key: bytes, value: Any) -> str:
    """Return the commitment to a JSON value: HMAC-SHA-256 (RFC 2104) over its canonical bytes."""
    # Imported here: a run without secrets starts without it.
    import hmac

    return f"{_FORM}{hmac.digest(key, encode(value), 'sha256').hex()}"


def is_withheld(value: Any) -> bool:
    """Tell whether a value has the form of a commitment in a record."""
    if type(value) is not dict or len(value) != 1:
        return False
    said = value.get(WITHHELD)
    if type(said) is not str or not said.startswith(_FORM):
        return False
    digits = said[len(_FORM) :]
    return len(digits) == 64 and _DIGITS.issuperset(digits)


def holds_withheld(value: Any) -> bool:
    """Tell whether a recorded value, or anything in it, is a commitment."""
    if type(value) is dict:
        return is_withheld(value) or any(map(holds_withheld, value.values()))
    return type(value) is list and any(map(holds_withheld, value))


def holds_secret(schema: Any) -> bool:
    """Tell whether a schema is secret, or any schema inside of it."""
    if type(schema) is not dict:
        return False
    if schema.get(SECRET) is True:
        return True
    inside = (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties"))
    return any(map(holds_secret, inside))


def withheld(value: Any, schema: Any, replace: Callable[[Any], Any]) -> Any:
    """Return a value in which each part whose schema is secret is what `replace` makes of it; the rest is shared."""
    if not holds_secret(schema):
        return value
    if schema.get(SECRET) is True:
        return replace(value)
    if type(value) is list:
        return [withheld(item, schema.get("items"), replace) for item in value]
    if type(value) is not dict:
        return value
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    return {key: withheld(item, named.get(key, others), replace) for key, item in value.items()}


def first_secret(schema: Any, path: tuple[str | int, ...]) -> int | None:
    """Return how many segments of a path lead to its first secret schema; None where it meets none."""
    for depth in range(len(path) + 1):
        if type(schema) is not dict:
            return None
        if schema.get(SECRET) is True:
            return depth
        if depth < len(path):
            part = path[depth]
            others = schema.get("additionalProperties")
            schema = schema.get("items") if type(part) is int else schema.get("properties", {}).get(part, others)
    return None
