"""Verify an export of a ledger of decisions, with Python and docs/formats.md alone: EXPORT.jsonl [CHECKPOINT.json]"""

import hashlib
import json
import sys
from decimal import Decimal
from pathlib import Path

ZERO = "sha256:" + "0" * 64
ANCHORS = ("stream_id", "lane", "thread_id", "turn_id", "parent_turn_id", "correlation_id", "intent_type")
DERIVED = ("digest", "canon_len", "is_authoritative")
STEPS = {
    ("", "INTENT", None): "INTENTED", ("INTENTED", "DECISION", "ALLOW"): "ALLOWED",
    ("INTENTED", "DECISION", "DENY"): "DENIED", ("ALLOWED", "EXECUTION", None): "EXECUTED",
}  # fmt: skip


def canonical(value):
    """Write a value as RFC 8785 says; keys hold no character above U+FFFF, so code points sort them."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return f"{Decimal(repr(value)).normalize():f}" if type(value) is float else json.dumps(value, ensure_ascii=False)


def digest(value):
    """Return the digest of a value, and how many bytes it covers."""
    data = canonical(value).encode()
    return "sha256:" + hashlib.sha256(data).hexdigest(), len(data)


def verify(lines):
    """Return (v_digest, normative_head) of each length from 0; ends the program where an event does not hold."""
    heads, stories, turns = [(ZERO, ZERO)], {}, set()
    for index, event in enumerate(map(json.loads, lines)):
        kind, result = event["kind"], event["payload"].get("result") if event["kind"] == "DECISION" else None
        normative, _ = digest({name: event[name] for name in ("kind", *ANCHORS, "actor", "payload")})
        whole = digest({name: value for name, value in event.items() if name not in DERIVED})
        anchors, turn = [event[name] for name in ANCHORS], (event["stream_id"], event["thread_id"], event["turn_id"])
        state, begun, before = stories.get(event["correlation_id"], ("", anchors, None))
        state, fresh = STEPS.get((state, kind, result)), kind != "INTENT" or turn not in turns
        derived = (*whole, kind == "DECISION") == tuple(event[name] for name in DERIVED)
        linked = (event["index"], event["prev_event_digest"]) == (index, heads[-1][0])
        same = canonical(event) == lines[index] and normative == event["normative_digest"] and anchors == begun
        if not (derived and linked and same and fresh and state):
            sys.exit(f"event {index} is bad")
        turns.add(turn)
        stories[event["correlation_id"]] = (state, anchors, normative)
        heads.append((event["digest"], digest([heads[-1][1], before, normative])[0] if result else heads[-1][1]))
    return heads


if __name__ == "__main__":
    found, *rest = (Path(name).read_text("utf-8") for name in sys.argv[1:3])
    heads = verify(found.split("\n")[:-1])
    for then in map(json.loads, rest):
        if (then["v_digest"], then["normative_head"]) not in heads[then["length"] : then["length"] + 1]:
            sys.exit(f"it is not what the checkpoint says: it had {then['length']} events")
    print(len(heads) - 1, *heads[-1])
