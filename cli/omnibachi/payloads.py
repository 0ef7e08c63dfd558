"""The payload of `omnibachi run`: a file or standard input, and `--set` on top of it."""

from __future__ import annotations

import sys

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.values import MAX_PAYLOAD_BYTES, Outside, parse, read

from .exits import FINDINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from omnibachi_model.values import JSON


def payload_of(file: str | None, sets: Sequence[str]) -> dict[str, JSON]:
    """Read the payload and apply `--set` in order; no file is `{}`. Raises Refused (OB120, OB121, OB123, OB124).

    The values in it are admitted by the workflow (OB122), which knows what of it is secret and may not be told.
    """
    payload = _read(file) if file is not None else {}
    if type(payload) is not dict:
        kind = {list: "list", str: "text", bool: "boolean", type(None): "null"}.get(type(payload), "number")
        raise _refusal("OB123", f"the payload is a {kind} and not an object", "send a JSON object")
    for text in sets:
        _set(payload, text)
    return payload


def _read(file: str) -> Any:
    name = "standard input" if file == "-" else f"`{file}`"
    try:
        data = _bytes(file)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise _refusal("OB120", f"{name} cannot be read: {reason}", "check the path") from None
    if len(data) > MAX_PAYLOAD_BYTES:
        raise _refusal("OB120", f"{name} is larger than {MAX_PAYLOAD_BYTES >> 20} MiB", "send less")
    try:
        return read(data)
    except Outside as outside:
        raise _refusal("OB121", f"{name}: {outside.reason}", "send strict JSON in UTF-8") from None


def _bytes(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(MAX_PAYLOAD_BYTES + 1)
    with open(file, "rb") as opened:
        return opened.read(MAX_PAYLOAD_BYTES + 1)


def _set(payload: dict[str, Any], text: str) -> None:
    """Apply one `a.b=text` or `a.b:=JSON`; messages show the key alone, since the value may be secret."""
    key, equals, raw = text.partition("=")
    is_json = key.endswith(":")
    parts = (key[:-1] if is_json else key).split(".")
    shown = f"`--set {key[:120]}=…`" if equals else "a `--set`"
    if not equals or not all(parts):
        raise _refusal("OB124", f"{shown} names no key and value", "write `--set a.b=text` or `a.b:=JSON`")
    value: JSON = raw
    if is_json:
        try:
            value = parse(raw.encode("utf-8", "surrogateescape"))
        except Outside as outside:
            help = "write text with `=` and JSON with `:=`"
            raise _refusal("OB124", f"{shown}: {outside.reason}", help) from None
    place = payload
    for number, part in enumerate(parts[:-1], 1):
        place = place.setdefault(part, {})
        if type(place) is not dict:
            owner = ".".join(parts[:number])
            raise _refusal("OB124", f"{shown}: `{owner}` is no object", "set the whole value with `:=`")
    place[parts[-1]] = value


def _refusal(code: str, message: str, help: str | None) -> Refused:
    return Refused([Diagnostic(code, message, help=help)], FINDINGS)
