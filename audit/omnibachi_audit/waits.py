"""What the two events of a wait for people must say: what was to be approved, and that the answer follows from the
statements that the record carries.

Whether a statement is signed by a key that counts takes the keys, which a record does not hold; `judge_approval` and
the verifier of a bundle tell that. Here each must be an approval of this run, this node and this digest, nobody may
count twice, none may come after the end, and together they must give the outcome and the output that are recorded.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.digests import digest, encode
from omnibachi_model.record import Broken, Event
from omnibachi_model.sealed import APPROVED, EXPIRED, FAULT, REJECTED
from omnibachi_model.waits import decided, name_of

FAR = 1 << 62  # an instant after all others: what the statements do not decide has expired then


def check_waiting(event: Event) -> None:
    """Judge a WAITING by itself; raises Broken."""
    body, until = event.body, event.obs.get("until_us")
    roles, quorum = body["roles"], body["quorum"]
    listed = isinstance(roles, list) and roles and all(isinstance(role, str) and role for role in roles)
    _must(listed and roles == sorted(set(roles)), event, "`roles` are no roles")
    _must(type(quorum) is int and quorum > 0, event, "`quorum` is no number of approvals")
    _must(isinstance(body["inputs"], dict), event, "`inputs` is no object")
    _must(body["subject"] == digest(encode(body["inputs"])), event, "`subject` is not the digest of the inputs")
    _must(until is None or type(until) is int, event, "`until_us` is no instant")


def check_waited(event: Event, began: Event, run: str) -> None:
    """Judge a WAITED by the WAITING before it; raises Broken where its answer is not that of its statements."""
    body, asked = event.body, began.body
    if body["outcome"] == FAULT:
        return
    _must(body["outcome"] in (APPROVED, REJECTED, EXPIRED), event, "`outcome` is none of a wait")
    told = event.obs.get("approvals", [])
    _must(isinstance(told, list), event, "`approvals` is no list")
    until = began.obs.get("until_us")
    voices = [_voice(event, item, run, asked) for item in told]
    names = [name_of(key) for key, _, _ in voices]
    _must(len(set(names)) == len(names), event, "one of those who approved counts twice")
    in_time = until is None or all(at < until for _, _, at in voices)
    _must(in_time, event, "an approval came after the end of the wait")
    found = decided(voices, asked["quorum"], until, FAR)
    same = found is not None and encode(list(found)) == encode([body["outcome"], body["output"]])
    _must(same, event, "the answer does not follow from the approvals")


def _voice(event: Event, item: Any, run: str, asked: dict[str, Any]) -> tuple[str, bytes, int]:
    """Read one statement of a record; raises Broken where it is none about this run and node."""
    shaped = isinstance(item, dict) and set(item) == {"at_us", "key", "envelope"} and type(item["at_us"]) is int
    _must(shaped and isinstance(item["key"], str), event, "an approval holds exactly `at_us`, `key` and `envelope`")
    # Imported here: most records hold no approvals, and are judged without what reads them.
    from .proofs.approvals import approval_of
    from .proofs.keys import Unreadable

    data = encode(item["envelope"])
    try:
        envelope = approval_of(data)
    except Unreadable as error:
        raise Broken(event.line, f"an approval cannot be read: {error}") from None
    said = envelope.statement["predicate"]
    there = {"run": run, "path": asked["path"], "subject": asked["subject"]}
    _must({key: said[key] for key in there} == there, event, "an approval is about something else")
    _must(envelope.signatures[0][0] == item["key"], event, "an approval is signed by another key than it says")
    return item["key"], data, item["at_us"]


def _must(holds: Any, event: Event, reason: str) -> None:
    if not holds:
        raise Broken(event.line, reason)
