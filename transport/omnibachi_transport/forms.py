"""Three bodies, one meaning: which form a body has, and the one value that it stands for.

What is equal here is the same intent, whatever form it came in; the form is kept beside it (`intent.form`). Nothing is
judged here: bodies come from `admission`, which has found them well formed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omnibachi_model.digests import digest_of

from .request_schemas import FLAT, OPTIONS, V2, V3

VERSION = "interface_version"
_DEFAULTS = {"stream_id": "default", "lane": "user_chat", "actor": "user"}
_REFS = "declared_refs"  # empty where it was admitted, so it says nothing


def form_of(body: Mapping[str, Any]) -> str | None:
    """Return the form of a body: `flat`, `v2` or `v3`; None where it names a version that is none of them."""
    if VERSION not in body:
        return FLAT
    version = body[VERSION]
    return {2: V2, 3: V3}.get(version) if type(version) is int else None


def fields_of(body: Mapping[str, Any], form: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return where the fields of a body stand, and the path to there."""
    return (body, ()) if form == FLAT else (body["payload"], ("payload",))


def normalise(
    body: Mapping[str, Any], form: str, principal: str, draw: Callable[[], str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the anchors and the intent of a body. `draw` makes a correlation where nothing names one.

    A flat body that names thread and turn, and no correlation, has one that follows from what it says, so that it is
    recognised when it is sent again.
    """
    said, _ = fields_of(body, form)
    anchors = {name: said.get(name, default) for name, default in _DEFAULTS.items()}
    anchors["intent_type"] = said["intent_type"]
    anchors["parent_turn_id"] = said.get("parent_turn_id")
    given = {name: said[name] for name in OPTIONS if name != _REFS and said.get(name) is not None}
    intent = {"payload": said["payload"], "form": form, **given}
    correlation = body.get("correlation_id")
    if correlation is None:
        named = {name: said[name] for name in ("thread_id", "turn_id") if name in said}
        correlation = derived({**anchors, **named}, intent, principal) if len(named) == 2 else draw()
    for name in ("thread_id", "turn_id"):
        anchors[name] = said.get(name, correlation)
    anchors["correlation_id"] = correlation
    return anchors, intent


def derived(anchors: Mapping[str, Any], intent: Mapping[str, Any], principal: str) -> str:
    """Return the correlation of what was sent without one: `c-` and 32 hex digits of the digest of
    `{anchors, intent, principal}`, where the anchors have no `correlation_id` and the intent has no `form`."""
    plain = {name: value for name, value in intent.items() if name != "form"}
    return "c-" + digest_of({"anchors": anchors, "intent": plain, "principal": principal}).partition(":")[2][:32]
