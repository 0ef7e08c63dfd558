"""Approvals: what people state about a run that waits for them, and whether a statement counts.

A statement is an in-toto Statement v1 in a DSSE envelope with one signature. Its subject is `RUN#PATH` with the digest
of what is approved; its predicate says the same in words, the decision, why, and when it was signed. It counts where

1. it can be read, and is an approval and nothing else that the same key may sign;
2. the trust file lists its key, and the signature is that key's;
3. the run waits, and what is named (run, node, digest) is what it waits for;
4. the key has one of the roles that are asked for, was not revoked, and is valid both when it was signed and now;
5. the key is not that of whoever asked for the run;
6. it comes before the wait is decided or over;
7. neither its key nor another of the same name counts already.

The first of these that does not hold is the verdict, kept with the statement for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.formats import parse_time, write_time
from omnibachi_model.waits import DECISIONS, decided, name_of

from .envelopes import APPROVAL, STATEMENT, Envelope, envelope_of, pae
from .keys import Unreadable
from .trust import Trust, TrustEntry

MOST_BYTES = 1 << 16
MOST_BECAUSE = 2000  # characters
Voice = tuple[str, bytes, int]


def approval_statement(waits: dict[str, Any], run: str, decision: str, because: str | None, at: str) -> dict[str, Any]:
    """State what somebody decides about a run that waits; `waits` is the body of its WAITING event."""
    path, subject = waits["path"], waits["subject"]
    return {
        "_type": STATEMENT,
        "subject": [{"name": f"{run}#{path}", "digest": {"sha256": subject.removeprefix("sha256:")}}],
        "predicateType": APPROVAL,
        "predicate": {
            "run": run, "path": path, "subject": subject, "decision": decision, "because": because, "signed_at": at,
        },
    }  # fmt: skip


def approval_of(data: bytes) -> Envelope:
    """Read an approval; raises Unreadable."""
    if len(data) > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES // 1024} KiB")
    found = envelope_of(data)
    if found.statement["predicateType"] != APPROVAL:
        raise Unreadable(f"it states something else (`{found.statement['predicateType'][:80]}`)")
    if len(found.signatures) != 1:
        raise Unreadable("an approval has one signature")
    said = found.statement["predicate"]
    texts = (said["run"], said["path"], said["subject"])
    if not all(isinstance(text, str) for text in texts) or said["decision"] not in DECISIONS:
        raise Unreadable("its predicate is not that of an approval")
    because = said["because"]
    if because is not None and not (isinstance(because, str) and 0 < len(because) <= MOST_BECAUSE):
        raise Unreadable(f"`because` is null, or a text of at most {MOST_BECAUSE} characters")
    subject = {"name": f"{said['run']}#{said['path']}", "digest": {"sha256": said["subject"].removeprefix("sha256:")}}
    if found.statement["subject"] != [subject]:
        raise Unreadable("its subject is not what its predicate says")
    return found


def judge_approval(
    data: bytes,
    run: str,
    waits: tuple[dict[str, Any], dict[str, Any]] | None,
    voices: Sequence[Voice],
    at_us: int,
    actor: str | None,
    trust: Trust,
) -> tuple[str, Diagnostic | None]:
    """Judge a statement that arrives at an instant: the id of its key, and why it does not count or None.

    `waits` are body and obs of the event at which the run waits, `voices` what counts there already. The id is empty
    where no known key signed it. Found are OB801 to OB810.
    """
    try:
        envelope = approval_of(data)
    except Unreadable as error:
        help = "make one with `omnibachi approve TRACE_ID --sign-only`"
        return "", Diagnostic("OB801", f"the statement cannot be read: {error}", help=help)
    key_id, signature = envelope.signatures[0]
    entry = trust.entry(key_id)
    if entry is None:
        return "", Diagnostic("OB803", f"the trust file does not know the key `{key_id[:120]}`",
                              help="add its public key with `omnibachi keys trust`, if it may approve")  # fmt: skip
    if not entry.key.verifies(pae(envelope.payload), signature):
        message = f"the statement is not signed by `{key_id}`: it or its signature was changed"
        return "", Diagnostic("OB802", message, help="let its author sign again")
    said = envelope.statement["predicate"]
    return key_id, _objection(said, entry, run, waits, voices, at_us, actor)


def _objection(
    said: dict[str, Any],
    entry: TrustEntry,
    run: str,
    waits: tuple[dict[str, Any], dict[str, Any]] | None,
    voices: Sequence[Voice],
    at_us: int,
    actor: str | None,
) -> Diagnostic | None:
    """Say why what a known key signed does not count."""
    if waits is None:
        return Diagnostic("OB810", f"the run `{run}` waits for nobody", help="look at it with `omnibachi examine`")
    asked, until = waits[0], waits[1].get("until_us")
    for name, there in (("run", run), ("path", asked["path"]), ("subject", asked["subject"])):
        if said[name] != there:
            message = (
                f"the statement is about another {name}: it says `{said[name][:120]}`, and here is `{there[:120]}`"
            )
            return Diagnostic("OB806", message, help="sign what is asked here: `omnibachi approve TRACE_ID --show`")
    key = entry.key
    wrong = _untrusted(entry, asked["roles"], said["signed_at"], at_us)
    if wrong is not None:
        return wrong
    if actor is not None and actor in (key.id, key.name):
        message = f"`{key.id}` is the key of `{actor[:80]}`, who asked for this run"
        return Diagnostic("OB808", message, help="let somebody else approve it")
    if decided(voices, asked["quorum"], None, at_us) is not None:
        help = f"go on with it: `omnibachi resume {run}`"
        return Diagnostic("OB810", f"the wait of `{run}` is decided already", help=help)
    if until is not None and at_us >= until:
        message = f"the statement came after {write_time(until * 1000)}, when the wait was over"
        return Diagnostic("OB807", message, help="ask again with a new run")
    names = {name_of(known): known for known, _, _ in voices}
    if key.name in names:
        message = f"`{names[key.name]}` has spoken already, and `{key.name}` counts once"
        return Diagnostic("OB809", message, help="let somebody else approve it")
    return None


def _untrusted(entry: TrustEntry, roles: Sequence[str], signed_at: str, at_us: int) -> Diagnostic | None:
    """Say why a key may not approve: its roles, its time, that it was revoked."""
    key = entry.key
    if not set(entry.roles) & set(roles):
        asked = " or ".join(f"`{role}`" for role in roles)
        message = f"the key `{key.id}` has not the role {asked}"
        return Diagnostic("OB805", message, help="let somebody approve it who has")
    if entry.revoked_at is not None:
        because = f": {entry.reason}" if entry.reason else ""
        message = f"the key `{key.id}` was revoked at {entry.revoked_at}{because}"
        return Diagnostic("OB804", message, help="approve with a key that is trusted")
    for what, at in (("signed", signed_at), ("came", write_time(at_us * 1000))):
        when = parse_time(at)
        if entry.since is not None and when < parse_time(entry.since):
            message = f"the statement {what} at {at}, and the key `{key.id}` is trusted from {entry.since}"
            return Diagnostic("OB804", message, help="approve within the key's time")
        if entry.until is not None and when > parse_time(entry.until):
            message = f"the statement {what} at {at}, and the key `{key.id}` is trusted until {entry.until}"
            return Diagnostic("OB804", message, help="approve with a key that is trusted now")
    return None
