"""Signed statements: a DSSE envelope over an in-toto Statement v1, about a snapshot, one run, or a ledger at a length.

The subject names a file and its SHA-256, as `sha256sum` gives it: `manifest.json` (its digest is the seal) or
`<ID>.jsonl`; of a ledger of decisions it names the store, and the SHA-256 of the checkpoint's canonical bytes. The
predicate says when it was signed; that of a run also holds the run's head.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import digest, encode, pretty
from omnibachi_model.values import Outside, parse

from .heads import is_head
from .keys import PrivateKey, Unreadable, plain
from .trust import CHECKPOINT, RUN, SNAPSHOT, Trust, is_instant

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
ABOUT = {SNAPSHOT: "urn:omnibachi:snapshot:1", RUN: "urn:omnibachi:run:1", CHECKPOINT: "urn:omnibachi:ledger:1"}
APPROVAL = "urn:omnibachi:approval:1"  # what people say about a run that waits for them (`approvals`)
_MEMBERS = {
    ABOUT[RUN]: {"head", "signed_at"},
    APPROVAL: {"run", "path", "subject", "decision", "because", "signed_at"},
}
MOST_SIGNATURES = 16
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope taken apart: the payload's bytes, the statement in it, and (key id, signature) pairs."""

    payload: bytes
    statement: dict[str, Any]
    signatures: tuple[tuple[str, bytes], ...]

    @property
    def role(self) -> str | None:
        """The role that a key needs for what is stated, None for what this version does not know."""
        return next((role for role, about in ABOUT.items() if about == self.statement["predicateType"]), None)

    @property
    def signed_at(self) -> str:
        """The instant at which the signer says that it signed."""
        return str(self.statement["predicate"]["signed_at"])


def pae(payload: bytes, kind: str = PAYLOAD_TYPE) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding of a payload and its type."""
    named = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(named), named, len(payload), payload)


def snapshot_statement(manifest: bytes, at: str) -> dict[str, Any]:
    """State that a snapshot is this one."""
    return _statement(SNAPSHOT, "manifest.json", manifest, {"signed_at": at})


def run_statement(record: bytes, head: dict[str, Any], at: str) -> dict[str, Any]:
    """State that the record of a finished run is this one."""
    return _statement(RUN, f"{head['run']}.jsonl", record, {"head": head, "signed_at": at})


def ledger_statement(checkpoint: dict[str, Any], at: str) -> dict[str, Any]:
    """State that a ledger of decisions was what a checkpoint says, whose member `signed` is left out."""
    covered = encode({name: value for name, value in checkpoint.items() if name != "signed"})
    return _statement(CHECKPOINT, checkpoint["store"], covered, {"signed_at": at})


def sealed_envelope(statement: dict[str, Any], key: PrivateKey) -> bytes:
    """Sign a statement and return the envelope's bytes."""
    payload = encode(statement)
    signature = {"keyid": key.public.id, "sig": base64.b64encode(key.sign(pae(payload))).decode()}
    text = base64.b64encode(payload).decode()
    return pretty({"payloadType": PAYLOAD_TYPE, "payload": text, "signatures": [signature]})


def envelope_of(data: bytes) -> Envelope:
    """Read an envelope and the statement in it; raises Unreadable."""
    try:
        value = parse(data, limit=MOST_BYTES)
    except Outside as outside:
        raise Unreadable(outside.reason) from None
    if not isinstance(value, dict) or set(value) != {"payloadType", "payload", "signatures"}:
        raise Unreadable("it holds exactly `payloadType`, `payload` and `signatures`")
    if value["payloadType"] != PAYLOAD_TYPE:
        raise Unreadable(f"its `payloadType` is not `{PAYLOAD_TYPE}`")
    signatures = value["signatures"]
    if not isinstance(signatures, list) or not 0 < len(signatures) <= MOST_SIGNATURES:
        raise Unreadable(f"it has 1 to {MOST_SIGNATURES} signatures")
    payload = plain(value["payload"] if isinstance(value["payload"], str) else "-")
    return Envelope(payload, _read_statement(payload), tuple(_signature(item) for item in signatures))


def _signature(item: Any) -> tuple[str, bytes]:
    if not isinstance(item, dict) or set(item) != {"keyid", "sig"}:
        raise Unreadable("a signature holds exactly `keyid` and `sig`")
    if not all(isinstance(text, str) for text in item.values()):
        raise Unreadable("`keyid` and `sig` are texts")
    return item["keyid"], plain(item["sig"])


def _read_statement(payload: bytes) -> dict[str, Any]:
    try:
        value = parse(payload, limit=MOST_BYTES)
    except Outside as outside:
        raise Unreadable(f"its payload is no JSON: {outside.reason}") from None
    if not isinstance(value, dict) or set(value) != {"_type", "subject", "predicateType", "predicate"}:
        raise Unreadable("its payload is no in-toto Statement v1")
    subject, predicate = value["subject"], value["predicate"]
    named = isinstance(subject, list) and len(subject) == 1 and isinstance(subject[0], dict)
    if value["_type"] != STATEMENT or not named or not isinstance(value["predicateType"], str):
        raise Unreadable("its payload is no in-toto Statement v1 with one subject")
    if not isinstance(predicate, dict) or not is_instant(predicate.get("signed_at")):
        raise Unreadable("its predicate does not say when it was signed")
    about_run = value["predicateType"] == ABOUT[RUN]
    if set(predicate) != _MEMBERS.get(value["predicateType"], {"signed_at"}):
        raise Unreadable("its predicate is not that of its kind")
    if about_run and not is_head(predicate["head"]):
        raise Unreadable("its predicate holds no head of a run")
    return value


def judge_envelope(data: bytes, expected: dict[str, Any], what: str, trust: Trust) -> str | list[Diagnostic]:
    """Judge an envelope that lies beside a subject: return the id of a trusted key that signed it, or why none did.

    `expected` is what would be stated of the subject as it lies there (its `signed_at` does not matter), `what` names
    it in messages. Found are OB615 to OB621.
    """
    try:
        envelope = envelope_of(data)
    except Unreadable as error:
        return [Diagnostic("OB615", f"the signature of {what} cannot be read: {error}", help="sign it again")]
    objections: list[Diagnostic] = []
    for key_id, signature in envelope.signatures:
        objection = _objection(envelope, key_id, signature, what, trust)
        if objection is None:
            other = _another(envelope.statement, expected)
            if other is None:
                return key_id
            objection = Diagnostic(
                "OB621", f"the signature by `{key_id}` is not of {what}: {other}",
                help="restore what was signed, or sign what is there, if it is meant",
            )  # fmt: skip
        objections.append(objection)
    return objections


def _objection(envelope: Envelope, key_id: str, signature: bytes, what: str, trust: Trust) -> Diagnostic | None:
    entry = trust.entry(key_id)
    if entry is None:
        return trust.stranger(key_id)
    if not entry.key.verifies(pae(envelope.payload), signature):
        message = f"the signature of {what} is not one by `{key_id}`: it or what it signs was changed"
        return Diagnostic("OB616", message, help="restore the file, or sign again")
    return entry.objection(envelope.role or "unknown", envelope.signed_at)


def _another(stated: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """Say in what a statement differs from the one that was expected; None where it does not."""
    if stated["predicateType"] != expected["predicateType"]:
        return f"it states something else (`{stated['predicateType'][:80]}`)"
    if stated["subject"] != expected["subject"]:
        return f"it names {_named(stated['subject'])}, and here is {_named(expected['subject'])}"
    if stated["predicate"].get("head") != expected["predicate"].get("head"):
        return "its head is that of another run"
    return None


def _named(subject: Sequence[Any]) -> str:
    item = subject[0]
    digests = item.get("digest")
    found = digests.get("sha256") if isinstance(digests, dict) else None
    return f"`{str(item.get('name'))[:80]}` of `sha256:{str(found)[:64]}`"


def _statement(role: str, name: str, data: bytes, predicate: dict[str, Any]) -> dict[str, Any]:
    subject = [{"name": name, "digest": {"sha256": digest(data).removeprefix("sha256:")}}]
    return {"_type": STATEMENT, "subject": subject, "predicateType": ABOUT[role], "predicate": predicate}
