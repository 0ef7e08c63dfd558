"""Deciding again: recorded INTENTs and DECISIONs in, the decisions that packs give of them now, and what differs.

Facts are taken from the INTENT, and of its DECISION only what the boundary had in force: provider, model and budget.
So under the pack that decided, every member comes out as it was recorded, in any process and year; under another, what
differs is what that pack changes. Three things cannot be computed again and are told, never guessed:

- A DECISION that the boundary made itself, because no verdict was reached. It is a denial in one form, and is taken as
  it was recorded where it has that form.
- One for `policy.unavailable`: the pack at hand was not the one in force. Its facts are computed again.
- One by a pack that nobody has here. Its facts are computed again, its verdict stays untold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from omnibachi_model.decisions import ANCHORS, DECISION, ENVELOPE, INTENT
from omnibachi_model.digests import encode
from omnibachi_model.packs import UNAVAILABLE, is_reserved, undecided

from .evaluation import evaluate
from .facts import facts_of

Json: TypeAlias = dict[str, Any]
Event: TypeAlias = Mapping[str, Any]
# Gives the pack of a digest, for a DECISION and its INTENT; None where nobody has it.
Find: TypeAlias = Callable[[str, Event], Json | None]

IN_FORCE = ("provider", "model_id", "budget")
VERDICT = ("decision", "result", "reason_codes", "reasons")
_AS_RECORDED = (*IN_FORCE, "intent_normative_digest")


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
    named = _of(policy, ("address", "digest", "pack")) | _of(decision["payload"], ("snapshot",))
    return evaluate(named, facts, intent["normative_digest"])


def differences(intent: Event, decision: Event, policy: Mapping[str, Any]) -> list[Json]:
    """Return each member of a DECISION's payload that is otherwise now: `{correlation_id, field, old, new}`.

    Sorted by field; what one of the two does not have is null there.
    """
    return _between(decision, decide_again(intent, decision, policy))


class Again:
    """The DECISIONs of one ledger, decided again event after event: under `policy`, else each under its own pack.

    `decisions` counts them, `differing` those that come out otherwise, `turned` those with another verdict; `kept`
    counts by reason those that are taken as they were recorded, `untold` by digest those whose pack nobody has. INTENTs
    are held until they are decided.
    """

    __slots__ = ("_find", "_intents", "_policy", "decisions", "differing", "kept", "turned", "untold")

    def __init__(self, find: Find, policy: Mapping[str, Any] | None = None) -> None:
        self._find = find
        self._policy = policy
        self._intents: dict[str, Event] = {}
        self.decisions = 0
        self.differing = 0
        self.turned = 0
        self.kept: dict[str, int] = {}
        self.untold: dict[str, int] = {}

    def take(self, event: Event) -> list[Json]:
        """Take the next event of a ledger that holds; return what differs, nothing for other events than DECISIONs."""
        if event["kind"] == INTENT:
            self._intents[event["correlation_id"]] = event
        if event["kind"] != DECISION:
            return []
        found = self._decided(self._intents.pop(event["correlation_id"]), event)
        self.decisions += 1
        self.differing += bool(found)
        self.turned += any(item["field"] == "result" for item in found)
        return found

    def _decided(self, intent: Event, decision: Event) -> list[Json]:
        said = decision["payload"]
        code, policy = said["reason_codes"][0], _named(said)
        if is_reserved(code) and _same(said, {**undecided(code, policy), **_of(said, _AS_RECORDED)}):
            self.kept[code] = self.kept.get(code, 0) + 1
            return []
        if self._policy is not None:
            return differences(intent, decision, self._policy)
        if code == UNAVAILABLE and not differences(intent, decision, {**policy, "pack": None}):
            self.kept[code] = self.kept.get(code, 0) + 1
            return []
        pack = self._find(policy["digest"], intent) if isinstance(policy["digest"], str) else None
        found = differences(intent, decision, {**policy, "pack": pack})
        if pack is None:
            named = str(policy["digest"])
            self.untold[named] = self.untold.get(named, 0) + 1
            return [item for item in found if item["field"] not in VERDICT]
        return found


def _between(decision: Event, new: Json) -> list[Json]:
    old = decision["payload"]
    return [
        {"correlation_id": decision["correlation_id"], "field": field, "old": old.get(field), "new": new.get(field)}
        for field in sorted({*old, *new})
        if field not in old or field not in new or not _same(old[field], new[field])
    ]


def _named(said: Mapping[str, Any]) -> Json:
    return {"address": said.get("policy_id"), "digest": said.get("policy_digest"), "snapshot": said.get("snapshot")}


def _of(said: Mapping[str, Any], names: tuple[str, ...]) -> Json:
    return {name: said[name] for name in names if name in said}


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values have the same bytes: true is not 1."""
    return encode(one) == encode(other)
