"""Evaluation: a sealed pack and facts in, a decision out; whatever goes wrong is a denial.

The gates are asked in order, and the first that does not hold is the reason. A pack whose digest is not the one that
was said, or that says another address than was said, is no pack (`policy.unavailable`); whatever breaks while gates are
asked is a denial too (`policy.evaluation_error`). The same facts and pack give the same decision, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.decisions import ALLOW, DENY
from omnibachi_model.digests import digest_of
from omnibachi_model.packs import EVALUATION_ERROR, UNAVAILABLE, version_of

from .facts import OF_BUDGET
from .gates import Facts, holds, kind_of

Json = dict[str, Any]

UNTOLD = "a fact that it asks for is missing or of another type"
_SAID = {
    "require": UNTOLD,
    "absent": "a fact that it wants missing is there",
    "match": "a fact is not what it asks for",
    "one_of": "a fact is none of those it lists",
    "bound": "a fact is out of bounds",
    "when": "its condition is false",
    "any_of": "none of its gates holds",
    "not": "what it denies holds",
    "deny": "it denies everything",
}


def evaluate(policy: Mapping[str, Any], facts: Facts, intent_normative_digest: str | None = None) -> Json:
    """Return the decision about an intent: what a DECISION's payload says (docs/formats.md).

    `policy` is what is in force, `{address, digest, pack, snapshot?}`; `facts` are those of `facts_of`.
    """
    verdict, reason = _verdict(policy, facts)
    return {
        "decision": verdict,
        "result": verdict,
        "reason_codes": [reason["code"]],
        "reasons": [reason],
        "policy_id": policy.get("address"),
        "policy_version": version_of(policy.get("address")),
        "policy_digest": policy.get("digest"),
        **({"snapshot": policy["snapshot"]} if "snapshot" in policy else {}),
        "facts": dict(facts),
        "facts_digest": digest_of(dict(facts)),
        "intent_normative_digest": intent_normative_digest,
        "budget": {name: facts[name] for name in OF_BUDGET if name in facts},
        "provider": facts.get("provider"),
        "model_id": facts.get("model_id"),
    }


def _verdict(policy: Mapping[str, Any], facts: Facts) -> tuple[str, Json]:
    """Return ALLOW or DENY with its reason: `gate` is the JSON Pointer of a gate in the pack, null where none spoke."""
    try:
        pack = policy.get("pack")
        if not isinstance(pack, dict) or digest_of(pack) != policy.get("digest"):
            return DENY, _reason(UNAVAILABLE, None, "the pack is not the one whose digest is in force")
        if pack.get("policy") != policy.get("address"):
            return DENY, _reason(UNAVAILABLE, None, "the pack is not the one whose address is in force")
        for number, gate in enumerate(pack["gates"]):
            found = holds(gate, facts)
            if found is not True:
                said = UNTOLD if found is None else _SAID[kind_of(gate)]
                return DENY, _reason(gate["because"], f"/gates/{number}", said)
        return ALLOW, _reason(pack["allow"], None, "every gate holds")
    except Exception:  # whatever it is: what cannot be evaluated is denied
        return DENY, _reason(EVALUATION_ERROR, None, "the pack cannot be evaluated")


def _reason(code: str, gate: str | None, because: str) -> Json:
    return {"code": code, "gate": gate, "because": because}
