"""The language's own JSON Schemas (2020-12), one for each kind of document.

They use standard keywords only, so any validator reads them. Annotations carry the words of messages: `title` says what
a value is, `examples` how it is written. A key that is reserved for a later version has the schema `{"not": {}}`.
"""

from __future__ import annotations

from typing import Any

from .capabilities import SIDE_EFFECT, TRANSFORM
from .laws import INVARIANT
from .policies import POLICY
from .scenarios import TEST
from .state import DOMAIN, EVENT, INTENT, SCHEMA, STORE
from .words import LATER
from .workflows import CONTRACT, WORKFLOW

SCHEMAS: dict[str, dict[str, Any]] = {
    "workflow": WORKFLOW,
    "contract": CONTRACT,
    "transform": TRANSFORM,
    "side_effect": SIDE_EFFECT,
    "intent": INTENT,
    "event": EVENT,
    "schema": SCHEMA,
    "store": STORE,
    "invariant": INVARIANT,
    "policy": POLICY,
    "test": TEST,
    "domain": DOMAIN,
}

LATER_KINDS = ("overlay", "actor")

__all__ = ["LATER", "LATER_KINDS", "SCHEMAS"]
