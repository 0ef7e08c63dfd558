"""Deciding again: a recorded INTENT and DECISION in, the decision that a pack gives of them now, and what differs.

Facts are taken from the INTENT, and of its DECISION only what the boundary had in force: provider, model and budget.
So under the pack that decided, every member comes out as it was recorded, in any process and year; under another, what
differs is what that pack changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.decisions import ANCHORS, ENVELOPE

from .evaluation import evaluate
from .facts import facts_of

Json = dict[str, Any]
Event = Mapping[str, Any]

IN_FORCE = ("provider", "model_id", "budget")


def decide_again(intent: Event, decision: Event, policy: Mapping[str, Any]) -> Json:
    """Return the payload that a DECISION about a recorded INTENT has under a pack, `{address, digest, pack}`.

    The seal of the snapshot is the one that the DECISION names.
    """
    said = dict(intent["payload"])
    envelope = said.pop(ENVELOPE)
    boundary = {name: decision["payload"].get(name) for name in IN_FORCE}
    facts = facts_of(
        {name: intent[name] for name in ANCHORS}, {**envelope, "payload": said}, envelope["identity"], boundary
    )
    named = {"snapshot": decision["payload"]["snapshot"]} if "snapshot" in decision["payload"] else {}
    return evaluate({**policy, **named}, facts, intent["normative_digest"])


def differences(intent: Event, decision: Event, policy: Mapping[str, Any]) -> list[Json]:
    """Return each member of a DECISION's payload that is otherwise now: `{correlation_id, field, old, new}`.

    Sorted by field; what one of the two does not have is null there.
    """
    old, new = decision["payload"], decide_again(intent, decision, policy)
    return [
        {"correlation_id": decision["correlation_id"], "field": field, "old": old.get(field), "new": new.get(field)}
        for field in sorted({*old, *new})
        if field not in old or field not in new or old[field] != new[field]
    ]
