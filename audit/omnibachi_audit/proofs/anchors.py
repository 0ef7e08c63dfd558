"""What anchors a record besides its journal: a trusted signature over the run's head, or a checkpoint that holds it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from omnibachi_audit.verify import ANCHORED, Verification
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import encode

from .checkpoints import inclusion_of
from .envelopes import judge_envelope, ledger_statement, run_statement, snapshot_statement
from .heads import head_of
from .keys import Unreadable
from .trust import Trust, trust_of

# What is wrong with the evidence itself; the rest says that its signer does not count here.
SPOILT = ("OB614", "OB615", "OB616", "OB621", "OB622", "OB623", "OB624")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The files that speak for a record, as bytes: an envelope, an inclusion proof, and whom to trust."""

    signature: bytes | None = None
    proof: bytes | None = None
    trust: bytes | None = None


def anchored(found: Verification, record: bytes, evidence: Evidence, now: str) -> Verification:
    """Return the verdict on a record with what its evidence adds: anchors, or findings about why it adds none.

    Evidence that is spoilt is an error; a signer that does not count is a warning. A record that is BROKEN stays so.
    """
    if not found.holds:
        return found
    trust, findings = _trust(evidence.trust)
    anchors: list[str] = []
    head = head_of(record)
    if trust is not None and isinstance(head, Diagnostic):
        findings.append(head)
    elif trust is not None and not isinstance(head, Diagnostic):
        what = f"the run `{head['run']}`"
        if evidence.signature is not None:
            by = judge_envelope(evidence.signature, run_statement(record, head, ""), what, trust)
            _note(by, "signature", anchors, findings)
        if evidence.proof is not None:
            _note(_included(evidence.proof, encode(head), what, trust, now), "checkpoint", anchors, findings)
    verdict = ANCHORED if anchors else found.verdict
    reason = None if anchors else found.reason
    return replace(
        found, verdict=verdict, reason=reason, anchors=(*found.anchors, *anchors),
        findings=(*found.findings, *_weighed(findings)),
    )  # fmt: skip


def anchored_snapshot(manifest: bytes, signature: bytes, trusted: bytes | None) -> tuple[list[str], list[Diagnostic]]:
    """Return what anchors a snapshot that holds, by the signature beside it, and what is to be said of that."""
    anchors: list[str] = []
    trust, findings = _trust(trusted)
    if trust is not None:
        by = judge_envelope(signature, snapshot_statement(manifest, ""), "the snapshot", trust)
        _note(by, "signature", anchors, findings)
    return anchors, _weighed(findings)


def anchored_ledger(
    checkpoint: dict[str, Any], envelope: bytes, trusted: bytes | None
) -> tuple[list[str], list[Diagnostic]]:
    """Return whose trusted key vouches for a checkpoint of a ledger of decisions, and what is to be said of that."""
    trust, findings = _trust(trusted)
    if trust is None:
        return [], _weighed(findings)
    what = f"the checkpoint of `{checkpoint['store']}`"
    by = judge_envelope(envelope, ledger_statement(checkpoint, ""), what, trust)
    return ([by], []) if isinstance(by, str) else ([], _weighed(by))


def _weighed(findings: list[Diagnostic]) -> list[Diagnostic]:
    return [item if item.code in SPOILT else item.as_warning() for item in findings]


def _trust(data: bytes | None) -> tuple[Trust | None, list[Diagnostic]]:
    if data is None:
        message = "a signature or proof lies beside, and there is no trust file that says whose count"
        return None, [
            Diagnostic("OB617", message, help="name one with `--trust`, or begin one with `omnibachi keys trust`")
        ]
    try:
        return trust_of(data), []
    except Unreadable as error:
        return None, [Diagnostic("OB614", f"the trust file cannot be read: {error}", help="mend or restore it")]


def _included(data: bytes, leaf: bytes, what: str, trust: Trust, now: str) -> str | list[Diagnostic]:
    try:
        return inclusion_of(data).judged(leaf, what, trust, now)
    except Unreadable as error:
        message = f"the proof of {what} cannot be read: {error}"
        return [Diagnostic("OB623", message, help="make it anew with `omnibachi checkpoint prove`")]


def _note(by: str | list[Diagnostic], kind: str, anchors: list[str], findings: list[Diagnostic]) -> None:
    if isinstance(by, str):
        anchors.append(f"{kind} {by}")
    else:
        findings += by
