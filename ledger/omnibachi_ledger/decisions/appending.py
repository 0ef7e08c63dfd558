"""A ledger of decisions as a capability sees it: three appends and a look at one correlation.

Each append reads head and state, checks grammar, anchors, turn and parent, makes the event, writes it and moves head,
counters and tallies, all inside the transaction of its effect, which nobody else's can interleave. What is refused is
an outcome and changes nothing. Before the first append of a process its ledger's head and latest events are verified;
a ledger that does not hold is not appended to (OB820).
"""

from __future__ import annotations

from omnibachi_ledger.stores import READS_ONLY
from omnibachi_model.decisions import (
    ACTORS,
    ALLOW,
    ANCHORS,
    DECISION,
    DENY,
    EMPTY,
    EXECUTION,
    GRAMMAR,
    INTENT,
    LONGEST,
    OK,
    PARENT,
    ZERO,
    event_of,
    misshapen,
    next_head,
    next_state,
    said,
)  # fmt: skip
from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import encode
from omnibachi_model.values import MAX_DEPTH, admit

from .rows import HEAD, INSERT, STORY, event_in
from .verifying import Sound, unsound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from omnibachi_ledger.seam import Database

    Answer: TypeAlias = "tuple[str, dict[str, Any]]"

_LAST = "SELECT digest FROM decisions WHERE ledger=? AND position=?"
_TURN = "SELECT 1 FROM decisions WHERE ledger=? AND stream_id=? AND thread_id=? AND turn_id=? AND kind='INTENT' LIMIT 1"
_NEW = (
    "INSERT INTO decision_heads (ledger, store, length, v_digest, normative_head, intented, allowed, denied,"
    " executed_ok, executed_error) SELECT coalesce(max(ledger), 0) + 1, ?, 0, ?, ?, 0, 0, 0, 0, 0 FROM decision_heads"
)
_MOVE = (
    "UPDATE decision_heads SET length=length+1, v_digest=?, normative_head=?, intented=intented+?, allowed=allowed+?,"
    " denied=denied+?, executed_ok=executed_ok+?, executed_error=executed_error+? WHERE ledger=?"
)
_COUNT = (
    "INSERT INTO decision_tallies (ledger, stream_id, lane, kind, n) VALUES (?, ?, ?, ?, 1)"
    " ON CONFLICT (ledger, stream_id, lane, kind) DO UPDATE SET n=decision_tallies.n+1"
)
# How many correlations there are more (and fewer) in each of the five states that are counted.
_STEPS = {
    (INTENT, ""): (1, 0, 0, 0, 0),
    (DECISION, ALLOW): (-1, 1, 0, 0, 0),
    (DECISION, DENY): (-1, 0, 1, 0, 0),
    (EXECUTION, OK): (0, -1, 0, 1, 0),
    (EXECUTION, "error"): (0, -1, 0, 0, 1),
}
_RESULTS = {INTENT: None, DECISION: "result", EXECUTION: "status"}


class DecisionStore:
    """Implements `ports.DecisionTxn`. `number` raises PermissionError where no transaction is open that may write.

    Anchors and actors that are no texts of 1 to 128 characters raise ValueError, as do payloads that are none of their
    kind.
    """

    __slots__ = ("_db", "_number", "_sound", "address")

    def __init__(self, db: Database, address: str, number: Callable[[], int], sound: Sound) -> None:
        self._db = db
        self._number = number
        self._sound = sound
        self.address = address

    def append_intent(
        self, anchors: Mapping[str, Any], actor: str, payload: Mapping[str, Any], obs: Mapping[str, Any]
    ) -> Answer:
        """Begin a correlation: SUCCESS with its event, or, with the INTENT that is there, ALREADY_EXISTS.

        The same correlation with another request is CORRELATION_CONFLICT, a turn that another has TURN_CONFLICT, and a
        parent that is no turn of the thread INVALID_PARENT.
        """
        head = self._opened()
        event = self._made(head, INTENT, anchors, actor, payload, obs)
        ledger, place = head[0], (event["stream_id"], event["thread_id"])
        there = self._story(ledger, event["correlation_id"])
        if there:
            same = encode(said(there[0])) == encode(said(event))  # bytes: true is not 1
            return ("ALREADY_EXISTS", there[0]) if same else ("CORRELATION_CONFLICT", {})
        if self._db.row(_TURN, (ledger, *place, event["turn_id"])) is not None:
            return "TURN_CONFLICT", {}
        parent = event[PARENT]
        if parent is not None and self._db.row(_TURN, (ledger, *place, parent)) is None:
            return "INVALID_PARENT", {}
        return self._append(head, event, head[3])

    def append_decision(self, anchors: Mapping[str, Any], payload: Mapping[str, Any], obs: Mapping[str, Any]) -> Answer:
        """Decide an INTENT: SUCCESS with the event, or OUT_OF_ORDER with the `state` and `because`.

        The payload's `intent_normative_digest` is put there where it is null or missing.
        """
        return self._follow(DECISION, "intent_normative_digest", anchors, payload, obs)

    def append_execution(
        self, anchors: Mapping[str, Any], payload: Mapping[str, Any], obs: Mapping[str, Any]
    ) -> Answer:
        """Tell what came of what was allowed: SUCCESS with the event, or OUT_OF_ORDER with `state` and `because`.

        The payload's `decision_normative_digest` is put there where it is null or missing.
        """
        return self._follow(EXECUTION, "decision_normative_digest", anchors, payload, obs)

    def read(self, correlation_id: str) -> tuple[str, list[dict[str, Any]]]:
        """Return the state of a correlation and its events; EMPTY where there is none."""
        head = self._db.row(HEAD, (self.address,))
        story = self._story(head[0], correlation_id) if head is not None else []
        return state_of(story), story

    def _follow(
        self, kind: str, names: str, anchors: Mapping[str, Any], payload: Mapping[str, Any], obs: Mapping[str, Any]
    ) -> Answer:
        head = self._opened()
        story = self._story(head[0], _text("correlation_id", anchors.get("correlation_id")))
        state = state_of(story)
        if not any((state, kind, result) in GRAMMAR for result in (None, ALLOW, DENY)):
            return "OUT_OF_ORDER", {"state": state, "because": "state"}
        before = story[-1]["normative_digest"]
        payload = {**payload, names: payload.get(names) or before}
        event = self._made(head, kind, anchors, ACTORS[kind], payload, obs)
        if any(event[name] != story[0][name] for name in ANCHORS):
            return "OUT_OF_ORDER", {"state": state, "because": "anchors"}
        if payload[names] != before:
            return "OUT_OF_ORDER", {"state": state, "because": "digest"}
        decided = next_head(head[3], before, event["normative_digest"]) if kind == DECISION else head[3]
        return self._append(head, event, decided)

    def _opened(self) -> tuple[Any, ...]:
        """Return the head in the open transaction, numbered None where there is none. Raises Trouble (OB820)."""
        self._number()
        db = self._db
        if not db.in_transaction:
            raise PermissionError(READS_ONLY)
        found = self._sound.of(db, self.address)
        if found is not None:
            raise Trouble(_suspect(self.address, *found))
        head = db.row(HEAD, (self.address,))
        if head is None:
            return None, 0, ZERO, ZERO
        # What is appended hangs on the last event, so that is looked at each time.
        last = db.row(_LAST, (head[0], head[1] - 1)) if head[1] else (ZERO,)
        if last is None or last[0] != head[2]:
            raise Trouble(_suspect(self.address, head[1] - 1, "it is not the one that the head names"))
        return head

    def _story(self, ledger: int | None, correlation_id: str) -> list[dict[str, Any]]:
        return [event_in(row) for row in self._db.rows(STORY, (ledger, correlation_id))]

    def _made(
        self, head: tuple[Any, ...], kind: str, anchors: Mapping[str, Any], actor: str, payload: Mapping[str, Any],
        obs: Mapping[str, Any],
    ) -> dict[str, Any]:  # fmt: skip
        if set(anchors) != set(ANCHORS):
            raise ValueError(f"anchors are exactly {', '.join(ANCHORS)}")
        for name in ANCHORS:
            if not (name == PARENT and anchors[name] is None):
                _text(name, anchors[name])
        _text("actor", actor)
        # One level less than a value may have: the event is one itself.
        plain: Any = admit(dict(payload), depth=MAX_DEPTH - 1)
        seen: Any = admit(dict(obs), depth=MAX_DEPTH - 1)
        event = event_of(head[1], kind, anchors, actor, plain, seen, head[2])
        wrong = misshapen(event)
        if wrong is not None:
            raise ValueError(f"no {kind}: {wrong}")
        return event

    def _append(self, head: tuple[Any, ...], event: dict[str, Any], normative_head: str) -> Answer:
        ledger, kind, db = head[0], event["kind"], self._db
        if ledger is None:
            db.run(_NEW, (self.address, ZERO, ZERO))
            made = db.row(HEAD, (self.address,))
            assert made is not None
            ledger = made[0]
        named = _RESULTS[kind]
        db.run(INSERT, (ledger, *values_of(event)))
        steps = _STEPS[kind, event["payload"][named] if named else ""]
        db.run(_MOVE, (event["digest"], normative_head, *steps, ledger))
        db.run(_COUNT, (ledger, event["stream_id"], event["lane"], kind))
        return "SUCCESS", event


def values_of(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what an event's row holds, the ledger's number left out."""
    return (
        event["index"], event["kind"], *(event[name] for name in ANCHORS), event["actor"], encode(event["payload"]),
        encode(event["obs"]), event["normative_digest"], event["prev_event_digest"], event["digest"],
        event["canon_len"],
    )  # fmt: skip


def state_of(story: list[dict[str, Any]]) -> str:
    """Return the state of a correlation with these events, EMPTY where they are none."""
    state = EMPTY
    for event in story:
        state = next_state(state, event["kind"], event["payload"]) or state
    return state


def _text(name: str, value: Any) -> str:
    if type(value) is not str or not 0 < len(value) <= LONGEST:
        raise ValueError(f"`{name}` is a text of 1 to {LONGEST} characters")
    return value


def _suspect(address: str, index: int, reason: str) -> Diagnostic:
    return unsound("OB820", f"the ledger `{address}` takes nothing more", index, reason)
