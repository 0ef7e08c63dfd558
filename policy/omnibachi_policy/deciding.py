"""The transforms of a decision: facts out of an intent, a verdict out of facts."""

from __future__ import annotations

from typing import Any

from .evaluation import evaluate
from .facts import facts_of

Answer = tuple[str, dict[str, Any]]


def authoritative_facts(inputs: dict[str, Any]) -> Answer:
    """Return the facts of an intent."""
    return "SUCCESS", {"facts": facts_of(*(inputs[name] for name in ("anchors", "intent", "identity", "boundary")))}


def policy_evaluate(inputs: dict[str, Any]) -> Answer:
    """Return the decision of the pack in force about facts."""
    decision = evaluate(inputs["policy"], inputs["facts"], inputs.get("intent_normative_digest"))
    return decision["result"], {"decision": decision}
