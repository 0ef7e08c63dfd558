"""Ledgers of decisions as `omnibachi verify` judges them: those of a data root, or an export of one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibachi_model.diagnostics import Diagnostic

from . import wiring

if TYPE_CHECKING:
    from .wiring import Verdict

Judged: TypeAlias = "tuple[str, list[Verdict], list[Diagnostic]]"  # verdict, ledgers, findings

FIRST = b'{"actor":'  # how the first line of an export begins
DATABASE = "store.db"
NOTHING = "no ledger of decisions"


def is_data_root(target: str) -> bool:
    """Tell whether a target is a data root: a server, or a folder with a database."""
    return wiring.is_address(target) or os.path.isfile(os.path.join(target, DATABASE))


def judged_root(root: str, checkpoint: bytes | None, name: str | None) -> Judged:
    """Verify every ledger of decisions of a data root: (verdict, ledgers, findings). Raises Trouble.

    `checkpoint` is the content of the file `name`, and must be of one of them.
    """
    shown = wiring.shown_root(root)
    held, found = _held(checkpoint, name)
    with wiring.open_root(root, reading=True) as ledger:
        verdicts = []
        for store in (*ledger.ledgers(), ""):
            wanted = held["length"] if held is not None and held["store"] == store else None
            verdicts.append(ledger.decisions(store).verify(wanted))
    if verdicts[-1].reason is None:
        verdicts.pop()
    if not verdicts:
        found.append(Diagnostic("OB824", f"`{shown}` holds {NOTHING}"))
    if held is not None and not any(item.store == held["store"] for item in verdicts):
        found.append(_departed(shown, name, f"it has no ledger `{held['store']}`"))
    return _judged(shown, verdicts, held, name, found)


def judged_export(data: bytes, file: str, checkpoint: bytes | None, name: str | None) -> Judged:
    """Verify an export of a ledger, one event a line: (verdict, ledgers, findings)."""
    held, found = _held(checkpoint, name)
    verdict = wiring.verify_export(data, held["length"] if held is not None else None)
    return _judged(file, [verdict], held, name, found)


def _held(data: bytes | None, name: str | None) -> tuple[dict[str, Any] | None, list[Diagnostic]]:
    held = None if data is None else wiring.read_checkpoint(data)
    if data is None or held is not None:
        return held, []
    return None, [Diagnostic("OB823", f"`{name}` is no checkpoint of a ledger of decisions")]


def _judged(
    shown: str, verdicts: list[Verdict], held: dict[str, Any] | None, name: str | None, found: list[Diagnostic]
) -> Judged:
    anchored = False
    for verdict in verdicts:
        if verdict.reason is not None:
            message = f"`{shown}` is broken at event {verdict.first_bad_index}: {verdict.reason}"
            found.append(Diagnostic("OB821", message))
        if held is not None and verdict.store in (held["store"], None):
            reason = wiring.departs(verdict, held)
            if reason is not None:
                found.append(_departed(shown, name, reason))
            anchored = reason is None
    if any(item.code in ("OB821", "OB822") for item in found):
        return "BROKEN", verdicts, found
    return ("ANCHORED" if anchored else "INTACT"), verdicts, found


def _departed(shown: str, name: str | None, reason: str) -> Diagnostic:
    return Diagnostic("OB822", f"`{shown}` is not what `{name}` says it was: {reason}")
