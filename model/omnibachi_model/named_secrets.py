"""Named secrets: what a side effect is given by name alone, where they stand, and whether a value shows one.

A sealed template `["secret", NAME]` stands for a text that is looked up when the call is made. Wherever a record, a
page or a message would hold it there stands `{"$secret": NAME}`. A value that came back shows a secret where one of its
texts holds it, as it is or in an encoding that servers commonly echo in (docs/formats.md, "Named secrets").
"""

from __future__ import annotations

import re

from .sealed import CALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

NAMED = "$secret"
SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
SHORTEST = 6  # of a secret that is looked for in answers: shorter ones stand in texts by chance
_PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_TAGGED = re.compile(r"[A-Za-z][A-Za-z0-9-]* +(\S+)\Z")  # as in `Bearer TOKEN`


def named_in(template: Any) -> Iterator[str]:
    """Yield the names of all secrets in a sealed template."""
    if template[0] == "secret":
        yield template[1]
    elif template[0] in ("map", "list"):
        for part in template[1].values() if template[0] == "map" else template[1]:
            yield from named_in(part)


def named_by(node: Mapping[str, Any]) -> list[str]:
    """Return the names of all secrets that a sealed node may receive, sorted: those of its programs too."""
    if node["kind"] != CALL:
        return []
    found = set(named_in(node["with"]))
    for program in node.get("programs", {}).values():
        found.update(name for part in program.get("environment", {}).values() for name in named_in(part))
    return sorted(found)


def needed(workflow: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of all secrets that a sealed workflow may need, sorted, each with the nodes that get it."""
    found: dict[str, list[str]] = {}
    for node in workflow["nodes"]:
        for name in named_by(node):
            found.setdefault(name, []).append(node["name"])
    return dict(sorted(found.items()))


def shown(value: Any, secrets: Iterable[str]) -> bool:
    """Tell whether one of these secrets stands in a text of a value, keys of records included."""
    wanted = frozenset(form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret))
    return bool(wanted) and any(form in text for text in _texts(value) for form in wanted)


def _texts(value: Any) -> Iterator[str]:
    waiting, seen = [value], 0
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            waiting += part
        elif isinstance(part, bytes):
            yield part.decode("utf-8", "replace")
        elif part is not None and not isinstance(part, bool | int | float):
            yield repr(part)
        seen += 1
        if seen > 10_000_000:
            raise ValueError("what was answered has no end")


def _forms(secret: str) -> Iterator[str]:
    """Yield the ways in which a secret, the same without the space around it, or the token behind its scheme, is
    looked for."""
    import base64
    import json

    bare = secret.strip()
    tagged = _TAGGED.match(bare)
    for text in dict.fromkeys((secret, bare, tagged[1] if tagged else "")):
        if len(text) < SHORTEST:
            continue
        data = text.encode("utf-8", "surrogatepass")
        yield from (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        yield from (_percent(data, "/"), _percent(data, ""), data.hex(), data.hex().upper())
        for before in range(3):  # base64 of a longer text that holds it, at each place where it may begin
            found = base64.b64encode(bytes(before) + data).decode()
            exact = (before + len(data)) % 3
            found = found.rstrip("=")[(before * 8 + 5) // 6 : None if exact == 0 else -1]
            yield from (found, found.translate({43: "-", 47: "_"}))


def _percent(data: bytes, also: str) -> str:
    """Write bytes as a URL does (RFC 3986): what is not reserved, and `also`, stays as it is."""
    return "".join([chr(byte) if chr(byte) in _PLAIN + also else f"%{byte:02X}" for byte in data])
