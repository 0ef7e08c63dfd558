"""A ledger of decisions: its grammar, what it refuses, what it counts; on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import io
from typing import Any

import pytest

from deciding import AT, LEDGER, anchors, append, asked, decided, done, everything, tell, within
from omnibachi_ledger import Ledger, open_root
from omnibachi_ledger.decisions.fold import Fold
from omnibachi_ledger.decisions.verifying import verify_export
from omnibachi_model.decisions import DECISION, DENY, EXECUTION, INTENT, KINDS, ZERO, event_of, next_head
from omnibachi_model.digests import encode
from omnibachi_model.values import Outside
from performing import everywhere, ledger, root

__all__ = ["ledger", "root"]

PAYLOADS = {INTENT: asked(), DECISION: decided(), EXECUTION: done()}


@everywhere
def test_the_three_stories(ledger: Ledger) -> None:
    """Refused, failed and worked are told apart by the record alone."""
    tell(ledger, 1, "denied")
    tell(ledger, 2, "error")
    tell(ledger, 3, "ok")
    tell(ledger, 4, "asked")
    tell(ledger, 5, "allowed")
    decisions = ledger.decisions(LEDGER)
    states = {number: decisions.correlation(f"c-{number}") for number in range(1, 7)}
    assert [found and found["state"] for found in states.values()] == [
        "DENIED", "EXECUTED", "EXECUTED", "INTENTED", "ALLOWED", None,
    ]  # fmt: skip
    assert states[2] == {
        "correlation_id": "c-2", "state": "EXECUTED", "indexes": {INTENT: 2, DECISION: 3, EXECUTION: 4},
        "reason_codes": ["allow"],
    }  # fmt: skip
    status = decisions.status()
    assert status["correlations"] == {"intented": 1, "allowed": 1, "denied": 1, "executed_ok": 1, "executed_error": 1}
    assert status["phase"] == "ALLOWED" and status["ledger"]["health"] == "ok"
    assert decisions.unfinished() == ["c-4", "c-5"]
    assert [event["kind"] for event in decisions.story("c-1")] == [INTENT, DECISION]
    assert decisions.verify().reason is None
    assert ledger.stores() == {LEDGER: 11}


@everywhere
def test_nothing_comes_out_of_order(ledger: Ledger) -> None:
    """Every step that the grammar does not have is refused as a value, and changes nothing."""
    steps = {"EMPTY": (INTENT,), "INTENTED": (DECISION,), "ALLOWED": (EXECUTION,), "DENIED": (), "EXECUTED": ()}
    for number, (state, ending) in enumerate([("INTENTED", "asked"), ("ALLOWED", "allowed"), ("DENIED", "denied"),
                                              ("EXECUTED", "ok"), ("EMPTY", None)]):  # fmt: skip
        if ending is not None:
            tell(ledger, number, ending)
        before = everything(ledger)
        for kind in set(KINDS) - set(steps[state]):
            outcome, told = append(ledger, kind, anchors(number), PAYLOADS[kind])
            if kind == INTENT:
                assert outcome == "CORRELATION_CONFLICT"
            else:
                assert (outcome, told) == ("OUT_OF_ORDER", {"state": state, "because": "state"})
        assert everything(ledger) == before
    assert ledger.decisions(LEDGER).verify().reason is None


@everywhere
def test_a_refusal_leaves_an_empty_ledger_empty(ledger: Ledger) -> None:
    assert append(ledger, DECISION, anchors(1), decided())[0] == "OUT_OF_ORDER"
    assert append(ledger, INTENT, anchors(1, parent_turn_id="turn-0"), asked())[0] == "INVALID_PARENT"
    assert ledger.ledgers() == [] and ledger.decisions(LEDGER).head()["v_digest"] == ZERO
    assert ledger.decisions(LEDGER).status()["phase"] == "EMPTY"
    assert ledger.decisions(LEDGER).page()["events"] == ledger.decisions(LEDGER).tail(-1) == []
    assert ledger.decisions(LEDGER).timeline("thread") == {"thread_id": "thread", "turns": []}


@everywhere
def test_one_request_is_one_correlation(ledger: Ledger) -> None:
    first = tell(ledger, 1)[0]
    where = anchors(1)
    for payload in (asked("message 1"), asked("message 1", form="v3")):
        assert append(ledger, INTENT, where, payload) == ("ALREADY_EXISTS", first)
    for other in (asked("another"), asked("message 1", principal="somebody"), asked("message 1", tool_scope="strict")):
        assert append(ledger, INTENT, where, other) == ("CORRELATION_CONFLICT", {})
    assert append(ledger, INTENT, {**where, "lane": "night"}, asked("message 1")) == ("CORRELATION_CONFLICT", {})
    assert append(ledger, INTENT, {**where, "correlation_id": "c-2"}, asked()) == ("TURN_CONFLICT", {})
    assert append(ledger, INTENT, anchors(2, parent_turn_id="turn-9"), asked()) == ("INVALID_PARENT", {})
    assert (
        append(ledger, INTENT, anchors(2, stream_id="other", parent_turn_id="turn-1"), asked())[0] == "INVALID_PARENT"
    )
    assert append(ledger, INTENT, anchors(2, parent_turn_id="turn-1"), asked())[0] == "SUCCESS"
    assert append(ledger, INTENT, {**where, "correlation_id": "c-3", "stream_id": "other"}, asked())[0] == "SUCCESS"
    assert ledger.decisions(LEDGER).head()["length"] == 5


def test_true_is_not_one_and_no_request_is_another(ledger: Ledger) -> None:
    """In this language they are equal; as bytes they are not."""
    assert append(ledger, INTENT, anchors(1), {**asked(), "x": True})[0] == "SUCCESS"
    for other in (1, 1.0, [True], {"y": True}):
        assert append(ledger, INTENT, anchors(1), {**asked(), "x": other}) == ("CORRELATION_CONFLICT", {})
    assert append(ledger, INTENT, anchors(1), {**asked(), "x": True})[0] == "ALREADY_EXISTS"


@pytest.mark.parametrize(("depth", "fits"), [(61, True), (62, True), (63, False), (64, False)])
def test_what_is_taken_can_be_exported_and_read_again(ledger: Ledger, depth: int, fits: bool) -> None:
    """However deep it is: an event is one level more than its payload."""
    deep: Any = "x"
    for _ in range(depth):
        deep = [deep]
    if not fits:
        with pytest.raises(Outside, match="deeper"):
            append(ledger, INTENT, anchors(1), {**asked(), "x": deep})
        return
    append(ledger, INTENT, anchors(1), {**asked(), "x": deep})
    data = b"".join(encode(event) + b"\n" for event in everything(ledger))
    assert verify_export(io.BytesIO(data)).reason is None and data


@everywhere
def test_what_follows_belongs_to_its_intent(ledger: Ledger) -> None:
    intent = tell(ledger, 1, "asked")[0]
    for name in ("stream_id", "lane", "thread_id", "turn_id", "intent_type"):
        refused = append(ledger, DECISION, anchors(1, **{name: "other"}), decided())
        assert refused == ("OUT_OF_ORDER", {"state": "INTENTED", "because": "anchors"})
    wrong = {**decided(), "intent_normative_digest": ZERO}
    assert append(ledger, DECISION, anchors(1), wrong)[1] == {"state": "INTENTED", "because": "digest"}
    given = {**decided(), "intent_normative_digest": intent["normative_digest"]}
    outcome, decision = append(ledger, DECISION, anchors(1), given)
    assert outcome == "SUCCESS" and decision["actor"] == "policy" and decision["is_authoritative"] is True
    _, execution = append(ledger, EXECUTION, anchors(1), done())
    assert execution["payload"]["decision_normative_digest"] == decision["normative_digest"]
    assert execution["actor"] == "executor" and execution["prev_event_digest"] == decision["digest"]


@pytest.mark.parametrize(
    ("kind", "where", "payload"),
    [
        (INTENT, {"lane": ""}, asked()), (INTENT, {"lane": "x" * 129}, asked()), (INTENT, {"lane": 5}, asked()),
        (INTENT, {"lane": None}, asked()), (INTENT, {"parent_turn_id": "turn-1"}, asked()),
        (INTENT, {"more": "x"}, asked()), (INTENT, {}, {"message": "x"}), (INTENT, {}, {"_envelope": {}}),
        (DECISION, {}, {**decided(), "decision": DENY}), (DECISION, {}, {**decided(), "reason_codes": []}),
        (DECISION, {}, {}), (DECISION, {}, decided("MAYBE")),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(ledger: Ledger, kind: str, where: dict[str, Any], payload: Any) -> None:
    number = 1
    if kind == DECISION:
        tell(ledger, 1, "asked")
    before = everything(ledger)
    with pytest.raises(ValueError, match=r"."):
        append(ledger, kind, anchors(number, **where), payload)
    assert everything(ledger) == before


@pytest.mark.parametrize(
    "payload",
    [
        {"status": "ok"}, {**done(), "error": None}, {**done("error"), "output_text": ""}, {"status": "error"},
        {"status": "maybe", "output_text": ""}, {"status": "error", "error": {"code": 5}},
    ],
)  # fmt: skip
def test_an_execution_tells_an_output_or_an_error(ledger: Ledger, payload: dict[str, Any]) -> None:
    tell(ledger, 1, "allowed")
    with pytest.raises(ValueError, match="no EXECUTION"):
        append(ledger, EXECUTION, anchors(1), payload)


@everywhere
def test_what_was_undone_left_nothing(ledger: Ledger, root: str) -> None:
    """An append is part of its effect's transaction, and goes with it."""
    tell(ledger, 1)
    before = everything(ledger)
    held = ledger.journal(
        "undone", workflow="dbl::WF_X_V0", workflow_digest="sha256:x", seal=None, payload_digest="p",
        sealed=b'{"stores": {"dbl::ST_LEDGER_V0": {"keeps": "decisions"}}}', started_at="2026-01-31T12:00:00.000Z",
    )  # fmt: skip
    with pytest.raises(PermissionError):
        held.store(LEDGER).append_intent(anchors(2), "user", asked(), AT)
    held.begin()
    assert within(held.store(LEDGER), INTENT, anchors(2), asked())[0] == "SUCCESS"
    assert within(held.store(LEDGER), DECISION, anchors(2), decided())[0] == "SUCCESS"
    with open_root(root) as other:
        assert everything(other) == before
    held.rollback()
    assert everything(ledger) == before and ledger.decisions(LEDGER).verify().reason is None


@everywhere
def test_two_fresh_ledgers_have_equal_normative_heads(
    ledger: Ledger, root: str, tmp_path: Any, request: pytest.FixtureRequest
) -> None:
    """Whatever was executed, whenever, by whichever runs: what was asked and decided is equal to the last byte."""
    for number, ending in enumerate(("ok", "denied", "error", "ok")):
        tell(ledger, number, ending)
    with open_root(str(tmp_path / "other")) as other:
        for number, ending in enumerate(("error", "denied", "ok", "allowed")):
            tell(other, number, ending)
        mine, others = (found.decisions(LEDGER).head() for found in (ledger, other))
        assert mine["normative_head"] == others["normative_head"] != ZERO
        assert mine["v_digest"] != others["v_digest"]
        tell(other, 9, "denied")
        assert other.decisions(LEDGER).head()["normative_head"] != mine["normative_head"]
    head = ZERO
    for intent, decision in zip(*[iter([e for e in everything(ledger) if e["kind"] != EXECUTION])] * 2, strict=True):
        head = next_head(head, intent["normative_digest"], decision["normative_digest"])
    assert head == mine["normative_head"]


@everywhere
def test_two_stores_are_two_ledgers(ledger: Ledger) -> None:
    tell(ledger, 1)
    assert ledger.decisions("shop::ST_OTHER_V0").page()["events"] == []
    assert ledger.ledgers() == [LEDGER]


@everywhere
def test_any_text_comes_back(ledger: Ledger) -> None:
    """Names and messages in any script, with what databases dislike."""
    for number, text in enumerate(("é", "\0", "\1", "'; --", "\U0001f600", '"\\', "\u2028")):
        where = anchors(number, thread_id=text, turn_id=f"{text}{number}", lane=text)
        assert append(ledger, INTENT, where, asked(text * 10))[0] == "SUCCESS"
        assert ledger.decisions(LEDGER).page({"thread_id": text})["events"][0]["payload"]["message"] == text * 10
    assert ledger.decisions(LEDGER).verify().reason is None


def test_a_fold_takes_no_anchor_that_nobody_could_append() -> None:
    for name, value in (("lane", "x" * 129), ("actor", "x" * 129), ("turn_id", "")):
        where = anchors(1, **({} if name == "actor" else {name: value}))
        event = event_of(0, INTENT, where, value if name == "actor" else "user", asked(), AT, ZERO)
        assert Fold().take(event) == f"its {name} is no text of 1 to 128 characters"


def test_a_fold_of_nothing_is_an_empty_ledger() -> None:
    fold = Fold()
    assert (fold.length, fold.v_digest, fold.normative_head, sum(fold.counters)) == (0, ZERO, ZERO, 0)
