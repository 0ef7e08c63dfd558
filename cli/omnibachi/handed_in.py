"""Payloads that are handed in again, for runs whose record withholds what is secret of them."""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import decode, encode
from omnibachi_model.secrecy import holds_withheld

from . import wiring
from .engine import admitted
from .exits import FINDINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .wiring import Ledger, Program, Unseen


def check_payload(program: Program, payload: Any, events: Sequence[tuple[str, bytes, bytes]], run: str) -> None:
    """Compare a payload that was handed in, if one was, with what is recorded of it; raises Refused (OB791).

    Of secrets the commitments are compared, so the program must know how to make them.
    """
    if payload is None:
        return
    if admitted(program, payload, None)[2] != encode(decode(events[0][1]).get("payload")):
        help = "hand in the very payload that it was started with; nothing was done"
        raise Refused([Diagnostic("OB791", f"this is not the payload of the run `{run}`", help=help)], FINDINGS)


def unseen_by(run: str, unseen: Unseen) -> Refused:
    """Say that a run cannot go on without its payload (OB790)."""
    message = f"the run `{run}` needs its payload again: `{unseen.path}` reads what is secret of it"
    help = f"`omnibachi resume {run} --payload FILE` goes on; what is recorded stays, and nothing is done twice"
    return Refused([Diagnostic("OB790", message, help=help)], FINDINGS)


def committing(root: str | None, needed: bool) -> Callable[[Any], str] | None:
    """Return what makes commitments under the key of a data root, None where there is no key; nothing is made there.

    Raises Refused (OB793) where it is `needed`.
    """
    from omnibachi_model.secrecy import commitment

    key = None
    if root is not None:
        with wiring.open_root(root, create=False, reading=True) as ledger:
            key = ledger.commitment_key()
    if key is not None:
        found = key
        return lambda value: commitment(found, value)
    if not needed:
        return None
    message = "there is no key to compare the payload with: it belongs to the data root in which the run was recorded"
    raise Refused([Diagnostic("OB793", message, help="name that one with `--data-root`")], FINDINGS)


def check_key(ledger: Ledger, run: str, events: Sequence[tuple[str, bytes, bytes]]) -> None:
    """See to it that a run which committed to secrets goes on under the same key; raises Refused (OB793) where that is
    lost: another would make another payload of the very same one."""
    if ledger.commitment_key() is None and any(holds_withheld(decode(body)) for _, body, _ in events):
        message = f"the key under which the run `{run}` withheld its secrets is not in the data root any more"
        raise Refused([Diagnostic("OB793", message, help="put it back from a backup; nothing was done")], FINDINGS)
