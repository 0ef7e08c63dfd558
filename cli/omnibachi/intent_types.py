"""Types of intent, as they are declared: each is an intent of the domain `dbl` that no workflow of it takes.

`dbl::IN_CHAT_MESSAGE_V0` is the type `chat.message`, and its payload what a message of that type must hold. Another
type is another declaration. Of several versions of one the highest counts.
"""

from __future__ import annotations

from omnibachi_model.addresses import split

from . import wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DOMAIN = "dbl"
GATES = frozenset({"dbl::IN_GOVERNED_INTENT_V0", "dbl::IN_LEFT_INTENT_V0"})  # of the workflows themselves


def intent_types(snapshot: wiring.Snapshot) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each type's payload, by the type's name. Raises Refused as `load_domain` does."""
    sealed = wiring.load_domain(snapshot, DOMAIN)["intents"]
    found = sorted((*_named(address), address) for address in sealed if address not in GATES)
    return {name: sealed[address] for name, _, address in found}


def _named(address: str) -> tuple[str, int]:
    """Return the name of a type, and its version: `IN_CHAT_MESSAGE_V0` is (`chat.message`, 0)."""
    name, _, version = split(address)[1].removeprefix("IN_").rpartition("_V")
    return name.lower().replace("_", ".", 1), int(version)
