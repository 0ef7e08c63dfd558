"""Effects on a real ledger: one transaction each, FAULT undone, the end of a run in the last one where it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handmade import TEXT, bodies, call, leave, linked, observed, record_of, start, workflow
from omnibachi_ledger import Ledger, open_root
from omnibachi_model.diagnostics import Trouble
from omnibachi_model.digests import digest
from omnibachi_runtime.link import Program
from omnibachi_runtime.walk import Walk, walk

STORE = "shop::ST_ORDERS_V0"
STREAM = "shop::ST_TOLD_V0"
EVENT = "shop::EV_TOLD_V0"
ANY = {"SUCCESS": record_of({}, {"n": {"type": "integer"}}), "NOT_FOUND": record_of()}


def put(inputs: Any, store: Any, call: Any) -> Any:
    revision = store.put(inputs["key"], {"key": inputs["key"]})
    return "SUCCESS", {"n": revision}


def get(inputs: Any, store: Any, call: Any) -> Any:
    return ("SUCCESS", {}) if store.get(inputs["key"]) else ("NOT_FOUND", {})


def tell(inputs: Any, store: Any, call: Any) -> Any:
    if call.event.violations(inputs):
        return "NOT_FOUND", {}
    return "SUCCESS", {"n": store.append(call.event.address, inputs)}


def step(name: str, use: str, effect: str, to: int, fault: int, **more: Any) -> dict[str, Any]:
    more.setdefault("store", STORE)
    return call(name, use, {"key": ["ref", "payload", ["key"]]}, ANY,
                {"SUCCESS": to, "NOT_FOUND": to, "FAULT": fault}, effect, **more)  # fmt: skip


def program(nodes: list[dict[str, Any]], functions: dict[str, Callable[..., Any]], **more: Any) -> Program:
    more.setdefault("stores", {STORE: {"keeps": "records"}})
    return linked(workflow(nodes, record_of({"key": TEXT}), **more), functions)


def two_effects(second: Callable[..., Any], *, last: dict[str, Any] | None = None) -> Program:
    """Return: transform, put, read, put again, exit `done`; every FAULT leads to `failed`."""
    nodes = [
        call("shout", "shop::CT_X_V0", {"text": ["ref", "payload", ["key"]]}, {"SUCCESS": record_of()},
             {"SUCCESS": 1, "FAULT": 5}),
        step("first", "shop::CS_X_V0.PUT", "IDEMPOTENT", 2, 5),
        step("look", "shop::CS_X_V0.GET", "READ", 3, 5),
        step("second", "shop::CS_X_V0.PUT2", "MUTABLE", 4, 5),
        last or leave("done", "COMPLETED"),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    functions = {
        "shop::CT_X_V0": lambda inputs: ("SUCCESS", {}), "shop::CS_X_V0.PUT": put, "shop::CS_X_V0.GET": get,
        "shop::CS_X_V0.PUT2": second,
    }  # fmt: skip
    return program(nodes, functions)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_root(str(tmp_path / "data")) as opened:
        yield opened


def run(ledger: Ledger, found: Program, run_id: str = "T1", payload: Any = None) -> Walk:
    gate = found.gate(payload or {"key": "k"})
    journal = ledger.journal(
        run_id, workflow=found.address, workflow_digest=found.digest, sealed=found.sealed, seal=None,
        payload_digest=digest(gate[2]), started_at="2026-01-01T00:00:00.000Z",
    )  # fmt: skip
    return walk(found, start(journal, run_id), gate)


class Counted:
    """A journal that counts what is asked of it and hands everything on."""

    def __init__(self, journal: Any) -> None:
        self.journal = journal
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def ask(*arguments: Any) -> Any:
            self.calls.append(name)
            return getattr(self.journal, name)(*arguments)

        return ask


def counted(ledger: Ledger, found: Program, payload: Any = None) -> list[str]:
    gate = found.gate(payload or {"key": "k"})
    journal = Counted(ledger.journal(
        "T1", workflow=found.address, workflow_digest=found.digest, sealed=found.sealed, seal=None,
        payload_digest=digest(gate[2]), started_at="2026-01-01T00:00:00.000Z",
    ))  # fmt: skip
    walk(found, start(journal), gate)
    return journal.calls


def test_the_journal_holds_the_events_and_the_state(ledger: Ledger) -> None:
    ended = run(ledger, two_effects(put))
    assert ended.exit == "done"
    assert ledger.events("T1") == ended.events
    row = ledger.finished("T1")
    assert row is not None and (row.exit, row.status, row.digest) == ("done", "COMPLETED", ended.digest)
    assert ledger.records(STORE) == [{"key": "k", "value": {"key": "k"}}]
    receipts = [obs.get("receipt") for obs in observed(ended)]
    assert receipts == [None, None, 1, None, 2, None]


def test_the_end_joins_the_last_effect_where_its_exit_cannot_fault(ledger: Ledger) -> None:
    assert counted(ledger, two_effects(put)) == [
        "begin", "store", "receipt", "write", "commit",
        "store",
        "begin", "store", "receipt", "write", "finish", "commit",
    ]  # fmt: skip


def test_an_exit_that_may_fault_gets_a_transaction_of_its_own(ledger: Ledger) -> None:
    last = leave("done", "COMPLETED", ["map", {"n": ["ref", 3, ["n"]]}], {"FAULT": 5})
    calls = counted(ledger, two_effects(put, last=last))
    assert calls[-4:] == ["begin", "write", "finish", "commit"] and calls.count("begin") == 3


def test_rejected_is_recorded_in_one_transaction(ledger: Ledger) -> None:
    assert counted(ledger, two_effects(put), {"lock": 1}) == ["begin", "write", "finish", "commit"]
    row = ledger.finished("T1")
    assert row is not None and row.status == "REJECTED"
    assert ledger.records(STORE) == []


def spoilt(inputs: Any, store: Any, call: Any) -> Any:
    store.put("other", {"written": True})
    raise ValueError("after writing")


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (spoilt, "raised"),
        (lambda inputs, store, call: (store.put("other", {}), ("NO", {}))[1], "undeclared-outcome"),
        (lambda inputs, store, call: (store.put("other", {}), ("SUCCESS", {"n": "x"}))[1], "output-misfit"),
    ],
)
def test_an_answer_that_becomes_fault_is_undone_before_it_is_recorded(
    ledger: Ledger, second: Callable[..., Any], reason: str
) -> None:
    ended = run(ledger, two_effects(second))
    assert ended.exit == "failed"
    assert observed(ended)[4]["fault"]["reason"] == reason and "receipt" not in observed(ended)[4]
    assert ledger.records(STORE) == [{"key": "k", "value": {"key": "k"}}]
    assert ledger.events("T1") == ended.events


def test_an_interrupt_in_an_effect_undoes_it_and_leaves_what_was_committed(ledger: Ledger) -> None:
    def interrupted(inputs: Any, store: Any, call: Any) -> Any:
        store.put("other", {})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(ledger, two_effects(interrupted))
    assert ledger.records(STORE) == [{"key": "k", "value": {"key": "k"}}]
    row = ledger.finished("T1")
    assert row is not None and row.exit is None
    assert [path for path, _, _ in ledger.events("T1")] == ["", "shout", "first"]


def test_trouble_with_the_database_is_no_fault(ledger: Ledger) -> None:
    run(ledger, two_effects(put))
    with pytest.raises(Trouble) as trouble:
        run(ledger, two_effects(put))
    assert trouble.value.diagnostic.code == "OB711"


def test_a_read_leaves_the_database_alone_until_the_end(ledger: Ledger) -> None:
    nodes = [
        step("look", "shop::CS_X_V0.GET", "READ", 1, 1),
        leave("done", "COMPLETED", ["map", {"run": ["ref", "run", ["id"]]}]),
        leave("rejected", "REJECTED"),
    ]
    found = program(nodes, {"shop::CS_X_V0.GET": get}, run=["id"])
    assert counted(ledger, found) == ["store", "begin", "write", "finish", "commit"]


def test_an_event_is_judged_by_its_sealed_schema_and_the_call_is_known(ledger: Ledger) -> None:
    seen: list[Any] = []

    def told(inputs: Any, store: Any, call: Any) -> Any:
        seen.append((call.run, call.path, call.key, call.deadline, call.event.address))
        assert call.clock.now_ns() > 0 and len(call.entropy.draw(4)) == 4
        assert call.event.violations({"key": 1}) == [{"pointer": "/key", "keyword": "type"}]
        return tell(inputs, store, call)

    nodes = [
        step("tell", "shop::CS_X_V0.TELL", "APPEND_ONLY", 1, 2, store=STREAM, event=EVENT),
        leave("done", "COMPLETED", ["map", {"n": ["ref", 0, ["n"]]}]),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]
    more = {"events": {EVENT: record_of({"key": TEXT})}, "stores": {STREAM: {"keeps": "events"}}}
    found = program(nodes, {"shop::CS_X_V0.TELL": told}, **more)
    results = [run(ledger, found, run_id).result for run_id in ("T1", "T2")]
    assert results == [{"n": 1}, {"n": 2}]
    assert ledger.records(STREAM)[1] == {"sequence": 2, "event": EVENT, "record": {"key": "k"}}
    assert seen[0][:2] == ("T1", "tell") and seen[0][3:] == (None, EVENT)
    assert seen[0][2] != seen[1][2] and seen[0][2].startswith("sha256:")


def test_without_a_store_an_operation_gets_none() -> None:
    def now(inputs: Any, store: Any, call: Any) -> Any:
        return "SUCCESS", {"n": 1 if store is None and call.event is None else 0}

    nodes = [
        step("now", "shop::CS_X_V0.NOW", "READ", 1, 1, store=None),
        leave("done", "COMPLETED", ["map", {"n": ["ref", 0, ["n"]]}]),
        leave("rejected", "REJECTED"),
    ]
    with open_root(None) as memory:
        ended = run(memory, program(nodes, {"shop::CS_X_V0.NOW": now}))
        assert ended.result == {"n": 1}
        assert bodies(ended)[1]["effect"] == "READ"
        assert memory.events("T1") == ended.events


def test_a_read_that_writes_is_a_fault_and_writes_nothing(ledger: Ledger) -> None:
    """Also after an effect of the same run: the mistake is its author's, so the run goes on where `fault` leads."""
    nodes = [
        step("write", "shop::CS_X_V0.PUT", "MUTABLE", 1, 3),
        step("read", "shop::CS_X_V0.GET", "READ", 2, 3),
        leave("done", "COMPLETED"), leave("failed", "FAILED"), leave("rejected", "REJECTED"),
    ]  # fmt: skip
    found = program(nodes, {"shop::CS_X_V0.PUT": put, "shop::CS_X_V0.GET": put})
    ended = run(ledger, found)
    assert (ended.exit, ended.status) == ("failed", "FAILED")
    assert observed(ended)[2]["fault"]["exception"] == "PermissionError"
    assert ledger.store(STORE).get("k") == ({"key": "k"}, 1)
