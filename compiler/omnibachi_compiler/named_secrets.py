"""Named secrets in what a call is given: only side effects that keep nothing get the text behind a name.

A template `$secret: NAME` is refused by whoever reads the template where no call stands (OB223). Here it is held to
what is called: a transform is done again at every replay, a contract and a workflow hand on what they are given, and
what works on a store or an event would keep the text for ever (OB224).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnibachi_model.diagnostics import Diagnostic

from .templates import Record, secrets_in

if TYPE_CHECKING:
    from .library import Capability

KEEPING = ("store", "event")


def check_secrets(bindings: Record, capability: Capability | None, use: str) -> Iterator[Diagnostic]:
    """Refuse named secrets in what a call is given whose capability must not get one; None: a contract or a workflow
    is called. Diagnostics: OB223, OB224."""
    for secret in secrets_in(bindings):
        if capability is None:
            message = f"`{use}` cannot be given a secret: its own side effects name theirs"
            yield Diagnostic("OB223", message, secret.span, help="write `$secret` in the node inside that needs it")
        elif capability.governor is None:
            message = f"`{use}` is a transform, and only what a side effect is given may be a secret"
            yield Diagnostic("OB223", message, secret.span, help="bind the secret where it leaves the house")
        elif any(need in KEEPING for need in capability.needs):
            need = next(need for need in KEEPING if need in capability.needs)
            an = "an event" if need == "event" else "a store"
            message = f"`{use}` works on {an}, which would keep the secret"
            yield Diagnostic("OB224", message, secret.span, help="keep its name, as text, where something must be kept")
