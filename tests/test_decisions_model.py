"""A ledger of decisions against a plain model of its grammar: any calls of the port in any order, some transactions
committed and some undone, over several stores and correlations; every answer is the model's, and so is what stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deciding import AT, LEDGER, OTHER, SEALED, anchors, asked, decided, done
from omnibachi_ledger import Ledger, open_root
from omnibachi_model.decisions import ALLOW, DECISION, DENY, EXECUTION, INTENT, ZERO, next_head
from omnibachi_model.digests import digest
from performing import everywhere, root

__all__ = ["root"]

Json = dict[str, Any]
STORES = (LEDGER, OTHER)
STATES = {
    (INTENT, None): "INTENTED",
    (DECISION, ALLOW): "ALLOWED",
    (DECISION, DENY): "DENIED",
    (EXECUTION, None): "EXECUTED",
}


class Model:
    """What one ledger is: events as (kind, correlation, result), told by lists and dicts alone."""

    def __init__(self, events: list[tuple[str, str, str | None]] | None = None) -> None:
        self.events = list(events or [])
        self.turns: dict[tuple[str, str], str] = {}
        self.said: dict[str, tuple[Json, str]] = {}

    def copy(self) -> Model:
        """Return one that goes its own way."""
        other = Model(self.events)
        other.turns, other.said = dict(self.turns), dict(self.said)
        return other

    def state(self, correlation: str) -> str:
        """Return the state of a correlation."""
        state = "EMPTY"
        for kind, of, result in self.events:
            state = STATES[kind, result] if of == correlation else state
        return state

    def append(self, kind: str, where: Json, result: str | None, message: str) -> str:
        """Return what an append is answered with, and take it in where that is SUCCESS."""
        correlation, turn = where["correlation_id"], (where["thread_id"], where["turn_id"])
        state = self.state(correlation)
        if kind == INTENT:
            if state != "EMPTY":
                return "ALREADY_EXISTS" if self.said[correlation] == (where, message) else "CORRELATION_CONFLICT"
            if turn in self.turns:
                return "TURN_CONFLICT"
            parent = where["parent_turn_id"]
            if parent is not None and (where["thread_id"], parent) not in self.turns:
                return "INVALID_PARENT"
            self.turns[turn] = correlation
            self.said[correlation] = (where, message)
        elif state != {DECISION: "INTENTED", EXECUTION: "ALLOWED"}[kind] or self.said[correlation][0] != where:
            return "OUT_OF_ORDER"
        self.events.append((kind, correlation, result))
        return "SUCCESS"


small = st.integers(0, 3)
step = st.tuples(
    st.sampled_from(STORES), st.sampled_from([INTENT, DECISION, EXECUTION]), st.integers(0, 2), small,
    st.sampled_from([None, None, None, 0, 1]), st.sampled_from([ALLOW, ALLOW, DENY]), st.sampled_from(["a", "a", "b"]),
)  # fmt: skip
# Each list of steps is one transaction, of which the flag says whether it is committed.
transactions = st.lists(st.tuples(st.lists(step, min_size=1, max_size=12), st.sampled_from([True, True, True, False])),
                        max_size=8)  # fmt: skip


def where_of(number: int, turn: int, parent: int | None) -> Json:
    """Return anchors; a turn is not its own parent."""
    others = {"turn_id": f"turn-{number if turn != 3 else 0}", "thread_id": "one" if turn < 2 else "two"}
    parents = {} if parent is None or f"turn-{parent}" == others["turn_id"] else {"parent_turn_id": f"turn-{parent}"}
    return anchors(number, **others, **parents)


def play(ledger: Ledger, given: Any, runs: Iterator[int]) -> dict[str, Model]:
    """Do all transactions, and hold every answer to the model; return the models."""
    models = {name: Model() for name in STORES}
    for steps, committed in given:
        trial = {name: model.copy() for name, model in models.items()}
        held = ledger.journal(
            f"r{next(runs)}", workflow="dbl::WF_X_V0", workflow_digest=digest(SEALED), sealed=SEALED, seal=None,
            payload_digest="p", started_at="2026-01-31T12:00:00.000Z",
        )  # fmt: skip
        held.begin()
        for store, kind, number, turn, parent, result, message in steps:
            where, port = where_of(number, turn, parent), held.store(store)
            if kind != INTENT and turn < 3:  # else it is mostly the wrong place
                where, _ = trial[store].said.get(where["correlation_id"], (where, ""))
            expected = trial[store].append(kind, where, result if kind == DECISION else None, message)
            if kind == INTENT:
                outcome, _ = port.append_intent(where, "user", asked(message), AT)
            elif kind == DECISION:
                outcome, _ = port.append_decision(where, decided(result), AT)
            else:
                outcome, _ = port.append_execution(where, done(), AT)
            assert outcome == expected, (kind, where)
            assert port.read(where["correlation_id"])[0] == trial[store].state(where["correlation_id"])
        if committed:
            held.receipt("node", "x", "SUCCESS")
            held.commit()
            models = trial
        else:
            held.rollback()
    return models


def hold(ledger: Ledger, models: dict[str, Model]) -> None:
    """Hold what stands to the models: events, heads, counters, and that each ledger is whole."""
    for store, model in models.items():
        decisions = ledger.decisions(store)
        assert decisions.verify().reason is None
        found = decisions.page(limit=2000, after=-1)["events"]
        told = [
            (e["kind"], e["correlation_id"], e["payload"]["result"] if e["kind"] == DECISION else None) for e in found
        ]
        assert told == model.events
        states = [model.state(name) for name in model.said]
        assert sum(decisions.status()["correlations"].values()) == len(states)
        assert decisions.unfinished() == [name for name in model.said if model.state(name) in ("INTENTED", "ALLOWED")]
        head, intents = ZERO, {}
        for event in found:
            intents.setdefault(event["correlation_id"], event["normative_digest"])
            if event["kind"] == DECISION:
                head = next_head(head, intents[event["correlation_id"]], event["normative_digest"])
        assert decisions.head()["normative_head"] == head
    assert sorted(ledger.ledgers()) == sorted(name for name, model in models.items() if model.events)


@settings(max_examples=120, deadline=None)
@given(given=transactions)
def test_any_calls_are_answered_as_the_grammar_says(given: Any) -> None:
    with open_root(None) as ledger:
        hold(ledger, play(ledger, given, iter(range(100))))


ROUND = [
    (STORES[number % 2], kind, number // 2, 0, None, result, "a")
    for number in range(4)
    for kind, result in ((EXECUTION, ALLOW), (INTENT, ALLOW), (DECISION, (ALLOW, DENY)[number % 2]), (DECISION, DENY),
                         (EXECUTION, ALLOW), (EXECUTION, ALLOW), (INTENT, ALLOW))
]  # fmt: skip


@everywhere
def test_two_ledgers_of_one_data_root_are_two_chains(root: str) -> None:
    """The same correlations, turns and transactions: neither knows of the other, on either database."""
    with open_root(root) as ledger:
        models = play(ledger, [(ROUND[:9], True), (ROUND[9:15], False), (ROUND[9:], True)], iter(range(100)))
        hold(ledger, models)
    with open_root(root, reading=True) as ledger:
        hold(ledger, models)
        lengths = [ledger.decisions(store).head()["length"] for store in STORES]
    assert lengths == [6, 4]
