"""Facts: what a pack may know of an intent, built by one pure function from a whitelist.

No text of a message, nothing of an execution and nothing that was observed is among them. A fact that nobody gave is
missing, and so is one that was given as null; one of another type than the whitelist says is kept as it was said, and
fails every gate that asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.packs import CLAIMED, CLAIMS

OF_ANCHORS = ("intent_type", "stream_id", "lane")
OF_IDENTITY = ("principal", "tenant", "verified", "roles")
OF_BUDGET = ("max_tokens", "max_duration_ms")
OF_INTENT = ("declared_tools", "tool_scope")


def facts_of(
    anchors: Mapping[str, Any], intent: Mapping[str, Any], identity: Mapping[str, Any], boundary: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the facts of an intent, sorted by name.

    `provider` is what the boundary has in force. `model_id` is the model that the intent asks for, else the one in
    force; `max_tokens` and `max_duration_ms` likewise the intent's budget, else the boundary's, and never more than
    that. The caller's own words are named `claimed.…`; identity is the token's, and nothing in a body changes it.
    """
    found: dict[str, Any] = {}
    found.update((name, anchors.get(name)) for name in OF_ANCHORS)
    found.update((name, identity.get(name)) for name in OF_IDENTITY)
    found.update((name, intent.get(name)) for name in OF_INTENT)
    found["provider"] = boundary.get("provider")
    asked = intent.get("requested_model_id")
    found["model_id"] = boundary.get("model_id") if asked is None else asked
    wanted, most = _record(intent.get("budget")), _record(boundary.get("budget"))
    found.update((name, _lesser(wanted.get(name), most.get(name))) for name in OF_BUDGET)
    message = _record(intent.get("payload")).get("message")
    if type(message) is str:
        found["input_chars"] = len(message)
        found["input_bytes"] = len(message.encode())
    said = _record(intent.get("inputs"))
    found.update((f"{CLAIMED}.{name}", said.get(name)) for name in CLAIMS)
    return {name: value for name, value in sorted(found.items()) if value is not None}


def _record(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _lesser(asked: Any, most: Any) -> Any:
    """Return what is asked for, or the most that there may be; what is no whole number stays, and fails its gates."""
    if asked is None or most is None:
        return most if asked is None else asked
    return min(asked, most) if type(asked) is int and type(most) is int else asked
