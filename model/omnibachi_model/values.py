"""JSON values inside the canonical profile, and the door that keeps everything else out.

The profile: strings without lone surrogates; |integer| < 2^53; numbers finite, integral ones held as integers, others
with 1e-5 <= |x| < 1e15; keys are strings without characters above U+FFFF; at most 64 levels. Inside it `orjson` with
sorted keys writes exactly RFC 8785 (a property test compares the two). What is outside is refused with its JSON
Pointer (RFC 6901), never coerced.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeAlias

    JSON: TypeAlias = "None | bool | int | float | str | list[JSON] | dict[str, JSON]"
    Record: TypeAlias = "dict[str, JSON]"
    Inputs: TypeAlias = "Mapping[str, Any]"
    Answer: TypeAlias = "tuple[str, dict[str, Any]]"
    Segments: TypeAlias = "Sequence[str | int]"

LIMIT = 2**53
LEAST, MOST = 1e-5, 1e15  # of numbers that are no integers: LEAST <= |x| < MOST
MAX_DEPTH = 64
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024


class Outside(Exception):
    """A value that the canonical profile does not hold: JSON Pointer, reason, and the offset in the text if known."""

    def __init__(self, pointer: str, reason: str, offset: int | None = None) -> None:
        super().__init__(f"{pointer or '/'}: {reason}")
        self.pointer = pointer
        self.reason = reason
        self.offset = offset


def pointer(segments: Segments) -> str:
    """Write path segments as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in segments)


def admit(value: Any, *, depth: int = MAX_DEPTH) -> JSON:
    """Return `value` as a canonical JSON value; a float that is a whole number becomes an integer.

    The very same object comes back when nothing had to change. Raises Outside with the JSON Pointer of the first
    value, in document order, that does not belong.
    """
    return value if canonical(value, depth) else _admit(value, (), depth)


def canonical(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Tell quickly that a value is canonical as it is; False only means that `admit` must look."""
    kind = type(value)
    if kind is str:
        return value.isascii() or _encodes(value)
    if kind is dict and depth > 0:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return False
            # Most values are such texts, and a call costs more than the question.
            if not (type(item) is str and item.isascii()) and not canonical(item, depth - 1):
                return False
        return True
    if kind is list and depth > 0:
        for item in value:  # noqa: SIM110 - a generator costs twice as much
            if not canonical(item, depth - 1):
                return False
        return True
    if kind is int:
        return bool(-LIMIT < value < LIMIT)
    return value is None or kind is bool


def _encodes(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _admit(value: Any, at: tuple[str | int, ...], depth: int) -> JSON:
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _text(value, at)
        return value  # type: ignore[no-any-return]
    if kind is bool or value is None:
        return value  # type: ignore[no-any-return]
    if kind is int:
        if -LIMIT < value < LIMIT:
            return value  # type: ignore[no-any-return]
        raise Outside(pointer(at), "an integer must lie strictly between -2^53 and 2^53; write it as a string")
    if kind is float:
        return _number(value, at)
    if len(at) >= depth:
        raise Outside(pointer(at), f"nesting is deeper than {depth} levels")
    if kind is dict:
        return _mapping(value, at, depth)
    if kind is list:
        return _sequence(value, at, depth)
    raise Outside(pointer(at), f"`{kind.__name__}` is no JSON value")


def _mapping(value: dict[Any, Any], at: tuple[str | int, ...], depth: int) -> JSON:
    changed: dict[str, JSON] = {}
    for key, item in value.items():
        if type(key) is not str:
            raise Outside(pointer(at), f"the key {key!r} is no string")
        if not key.isascii():
            _text(key, at)
            if max(key) > "\uffff":
                raise Outside(pointer(at), "a key holds a character above U+FFFF")
        same = _admit(item, (*at, key), depth)
        if same is not item:
            changed[key] = same
    return {**value, **changed} if changed else value


def _sequence(value: list[Any], at: tuple[str | int, ...], depth: int) -> JSON:
    items = [_admit(item, (*at, index), depth) for index, item in enumerate(value)]
    return items if any(new is not old for new, old in zip(items, value, strict=True)) else value


def _number(value: float, at: tuple[str | int, ...]) -> JSON:
    if value != value or value in (float("inf"), float("-inf")):
        raise Outside(pointer(at), "a number must be finite")
    if value.is_integer():
        return _admit(int(value), at, MAX_DEPTH)
    if LEAST <= abs(value) < MOST:
        return value
    raise Outside(pointer(at), "a number must satisfy 1e-5 <= |x| < 1e15; write it as a string")


def _text(value: str, at: tuple[str | int, ...]) -> None:
    if not _encodes(value):
        raise Outside(pointer(at), "text holds a lone surrogate")


def parse(data: bytes, *, limit: int = MAX_PAYLOAD_BYTES, depth: int = MAX_DEPTH) -> JSON:
    """Read strict JSON (RFC 8259, UTF-8) into a canonical value.

    Refused besides what `admit` refuses: more than `limit` bytes, bytes that are no UTF-8, a byte order mark,
    duplicate keys, NaN and Infinity. Raises Outside; `offset` counts characters where the parser knows it.
    """
    return admit(read(data, limit=limit), depth=depth)


def read(data: bytes, *, limit: int = MAX_PAYLOAD_BYTES) -> Any:
    """Read strict JSON as `parse` does, but leave it to the caller to admit the values in it."""
    if len(data) > limit:
        raise Outside("", f"the text is {len(data)} bytes long; at most {limit} are read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Outside("", f"byte {error.start} is not UTF-8", error.start) from None
    if text.startswith("\ufeff"):
        raise Outside("", "the text begins with a byte order mark", 0)
    if not text.strip():
        raise Outside("", "the text is empty", 0)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        reason = f"{error.msg[:1].lower()}{error.msg[1:]} (line {error.lineno}, column {error.colno})"
        raise Outside("", f"no JSON: {reason}", error.pos) from None
    except RecursionError:
        raise Outside("", f"nesting is deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        # Python's own limit on the digits of an integer; what it says advises a setting of the interpreter.
        raise Outside("", "an integer has thousands of digits; write it as a string") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Outside("", f"the key {json.dumps(key)} stands twice in one object")
            seen.add(key)
    return found


def _constant(text: str) -> None:
    raise Outside("", f"`{text}` is no JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)
