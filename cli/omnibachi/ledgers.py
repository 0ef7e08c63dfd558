"""Ledgers of decisions as `omnibachi verify` judges them: those of a data root, or an export of one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import digest, encode

from . import wiring
from .exits import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .wiring import Verdict

# Verdict, ledgers, what anchors them, findings.
Judged: TypeAlias = "tuple[str, list[Verdict], list[str], list[Diagnostic]]"
# Makes, for the ledger of a store (None: that of an export), what is shown each event that holds.
Watching: TypeAlias = "Callable[[str | None], Callable[[dict[str, Any]], object]] | None"

FIRST = b'{"actor":'  # how the first line of an export begins
DATABASE = "store.db"
ENDING = ".checkpoint.json"  # of what a gateway writes beside a data root
NOTHING = "no ledger of decisions"


class Held:
    """A checkpoint that was given: the file's name, what it says or None, who vouches for that, and findings.

    `anchor` is what it is called as an anchor, None for one that does not count.
    """

    __slots__ = ("anchor", "findings", "name", "said")

    def __init__(self, name: str, data: bytes, trust: bytes | None, *, needed: bool) -> None:
        self.name = name
        self.said = wiring.read_checkpoint(data)
        self.findings: list[Diagnostic] = []
        self.anchor: str | None = None
        if self.said is None:
            self.findings.append(not_a_checkpoint(name))
        elif "signed" in self.said:
            envelope = encode(self.said["signed"])
            by, found = wiring.anchored_ledger(self.said, envelope, trust)
            self.findings += [Diagnostic(i.code, i.message, help=i.help) for i in found] if needed else found
            # One that its giver vouches for needs nobody else; one that was changed is none.
            broken = any(item.severity == "error" for item in self.findings)
            self.anchor = None if broken else " ".join(("checkpoint", *by))
        elif needed:
            help = "give one that a gateway wrote with `--checkpoint-key`, or leave `--trust` out"
            self.findings.append(Diagnostic("OB615", f"the checkpoint `{name}` is not signed", help=help))
        else:
            self.anchor = "checkpoint"

    def length_of(self, store: str | None) -> int | None:
        """Return the length of which it tells about the ledger of a store; an export may be of any."""
        return self.said["length"] if self.said is not None and store in (self.said["store"], None) else None


def is_data_root(target: str) -> bool:
    """Tell whether a target is a data root: a server, or a folder with a database."""
    return wiring.is_address(target) or os.path.isfile(os.path.join(target, DATABASE))


def is_export(target: str) -> bool:
    """Tell whether a target is a file that begins as the export of a ledger of decisions does."""
    try:
        with open(target, "rb") as file:
            return file.read(len(FIRST)) == FIRST
    except (OSError, ValueError):
        return False


def kept_beside(root: str, mirrors: str) -> str:
    """Return where a gateway keeps the checkpoint of a data root's ledger: beside the folder, or, of a server, which
    has no beside, beside the folder `mirrors`, by the digest of its address. Raises Trouble (OB783)."""
    if not wiring.is_address(root):
        return os.path.abspath(root) + ENDING
    named = digest(wiring.shown_root(root).encode()).removeprefix("sha256:")
    return f"{mirrors}-{named[:8]}{ENDING}"


def noted(target: str, mirrors: str) -> str | None:
    """Return the checkpoint that lies beside a data root; None where none does, and for other targets."""
    path = kept_beside(target, mirrors) if is_data_root(target) else ""
    return path if path and os.path.lexists(path) else None


def judged_root(root: str, held: Held | None, watching: Watching = None) -> Judged:
    """Verify every ledger of decisions of a data root, and against a checkpoint, of one of them. Raises Trouble."""
    shown = wiring.shown_root(root)
    found: list[Diagnostic] = []
    with wiring.open_root(root, reading=True) as ledger:
        verdicts = [
            ledger.decisions(store).verify(
                held.length_of(store) if held is not None else None,
                None if watching is None or not store else lambda store=store: watching(store),  # type: ignore[misc]
            )
            for store in (*ledger.ledgers(), "")
        ]
    if verdicts[-1].reason is None:
        verdicts.pop()
    if not verdicts:
        found.append(Diagnostic("OB824", f"`{shown}` holds {NOTHING}"))
    if held is not None and held.said is not None and all(item.store != held.said["store"] for item in verdicts):
        found.append(departed(shown, held.name, f"it has no ledger `{held.said['store']}`"))
    return _judged(shown, verdicts, held, found)


def judged_export(file: str, held: Held | None, watching: Watching = None) -> Judged:
    """Verify an export of a ledger, one event a line, and against a checkpoint. Raises Refused (OB742)."""
    try:
        with open(file, "rb") as data:
            watch = None if watching is None else watching(None)
            verdict = wiring.verify_export(data, None if held is None else held.length_of(None), watch)
    except OSError as error:
        message = f"`{file}` cannot be read: {(error.strerror or str(error)).lower()}"
        help = "check that it is there and may be read"
        raise Refused([Diagnostic("OB742", message, help=help)], FINDINGS) from error
    return _judged(file, [verdict], held, [])


def _judged(shown: str, verdicts: list[Verdict], held: Held | None, found: list[Diagnostic]) -> Judged:
    anchors: list[str] = []
    for verdict in verdicts:
        if verdict.reason is not None:
            message = f"`{shown}` is broken at event {verdict.first_bad_index}: {verdict.reason}"
            found.append(Diagnostic("OB821", message))
        if held is not None and held.length_of(verdict.store) is not None:
            reason = wiring.departs(verdict, held.said or {})
            if reason is not None:
                found.append(departed(shown, held.name, reason))
            elif held.anchor is not None:
                anchors.append(held.anchor)
    broken = any(item.code in ("OB821", "OB822") for item in found)
    if held is not None:
        found += held.findings
    return ("BROKEN" if broken else "ANCHORED" if anchors else "INTACT"), verdicts, [] if broken else anchors, found


def not_a_checkpoint(name: str) -> Diagnostic:
    """Say that a file is none."""
    return Diagnostic("OB823", f"`{name}` is no checkpoint of a ledger of decisions")


def departed(shown: str, name: str | None, reason: str, help: str | None = None) -> Diagnostic:
    """Say that a ledger is not what a checkpoint says."""
    return Diagnostic("OB822", f"`{shown}` is not what `{name}` says it was: {reason}", help=help)
