"""Intents as a gateway gets them, a gateway over the shipped declarations, and what its ledger then holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnibachi import Workspace
from omnibachi.governing import LEDGER, Govern, Governed, open_gateway
from omnibachi_ledger import open_root

ROOT = Path(__file__).resolve().parent.parent
IDENTITY: dict[str, Any] = {"principal": "local", "tenant": None, "verified": False, "roles": ["intent", "read"]}


def anchors(correlation: str, **more: Any) -> dict[str, Any]:
    """Return the anchors of an intent in a thread and turn of its own."""
    return {
        "stream_id": "default", "lane": "user_chat", "thread_id": correlation, "turn_id": correlation,
        "parent_turn_id": None, "correlation_id": correlation, "actor": "user", "intent_type": "chat.message", **more,
    }  # fmt: skip


def gateway(root: Path | str | None, **more: Any) -> Govern:
    """Open a gateway over what ships."""
    return open_gateway(Workspace(ROOT), root, **more)


def post(door: Govern, correlation: str, message: str = "hello", **more: Any) -> Governed:
    """Send a message; `more` are anchors, and `intent` what the intent has besides."""
    intent = {"payload": {"message": message}, "form": "flat", **more.pop("intent", {})}
    return door.govern(anchors(correlation, **more), intent, IDENTITY)


def events(root: Path | str) -> list[dict[str, Any]]:
    """Return all events of a data root's ledger, which is whole."""
    with open_root(str(root), reading=True) as ledger:
        found = ledger.decisions(LEDGER)
        assert found.verify().first_bad_index is None
        return found.page(limit=2000, after=-1)["events"]  # type: ignore[no-any-return]


def stories(root: Path | str) -> dict[str, list[str]]:
    """Return each correlation's kinds, results and errors, in order."""
    told: dict[str, list[str]] = {}
    for event in events(root):
        said = event["payload"]
        extra = {"INTENT": "", "DECISION": said.get("result"), "EXECUTION": said.get("error", {}).get("code", "ok")}
        told.setdefault(event["correlation_id"], []).append(f"{event['kind']} {extra[event['kind']]}".strip())
    return told
