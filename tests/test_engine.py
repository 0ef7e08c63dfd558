"""The engine and the workspace: runs, ids that are used again, trouble as results, calls of one capability, records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handmade import TEXT, Counting, Ticking, call, lay, leave, record_of, workflow
from omnibachi import Engine, Refused, RunResult, Step, Workspace, examine, replay, verify
from omnibachi_ledger import open_root
from omnibachi_model.digests import digest_of
from omnibachi_model.record import read

KEEP, SAY = "shop::WF_KEEP_V0", "shop::WF_SAY_V0"
STORE = "shop::ST_ORDERS_V0"
SHOUT = "shop::CT_SHOUT_V0"
REGISTER, RESOLVE = "shop::CS_REGISTRY_V0.REGISTER", "shop::CS_REGISTRY_V0.RESOLVE"
CAPS = """
calls = []

def shout(inputs):
    calls.append(1)
    if inputs["text"] == "stop":
        raise KeyboardInterrupt
    if inputs["text"] == "crash":
        raise ValueError("no crashing")
    return "SUCCESS", {"text": inputs["text"].upper()}
"""
ORDER = record_of({"text": TEXT})
KEPT = {
    "SUCCESS": record_of({"address": TEXT}),
    "ALREADY_EXISTS": record_of({"value": {"type": "object"}}),
}
REGISTER_INPUTS = record_of({"key": TEXT, "value": {"type": "object"}})


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """Return a workspace with a workflow that keeps a record and one that has no side effect."""
    register = call(
        "keep", REGISTER, {"key": ["ref", "payload", ["text"]], "value": ["ref", "payload", []]}, KEPT,
        {"SUCCESS": 1, "ALREADY_EXISTS": 1, "FAULT": 3}, "IDEMPOTENT", store=STORE,
    )  # fmt: skip
    shout = call("shout", SHOUT, {"text": ["ref", "payload", ["text"]]}, {"SUCCESS": ORDER}, {"SUCCESS": 2, "FAULT": 3})
    ends = [
        leave("done", "COMPLETED", ["map", {"said": ["ref", 1, ["text"]]}]),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]
    say = [{**shout, "next": {"SUCCESS": 1, "FAULT": 2}}, leave("done", "COMPLETED", ["ref", 0, []]), *ends[1:]]
    domain = {
        "stores": {STORE: {"governed_by": "shop::CS_REGISTRY_V0", "keeps": "registry", "record": ORDER,
                           "seed": False, "evidence": False}},
        "transforms": {SHOUT: {"inputs": ORDER, "outcomes": {"SUCCESS": ORDER}}},
        "operations": {
            REGISTER: {"effect": "IDEMPOTENT", "needs": ["store"], "inputs": REGISTER_INPUTS, "outcomes": KEPT},
            RESOLVE: {"effect": "READ", "needs": ["store"], "inputs": record_of({"key": TEXT}),
                      "outcomes": {"SUCCESS": KEPT["ALREADY_EXISTS"], "NOT_FOUND": record_of()}},
        },
    }  # fmt: skip
    lay(
        tmp_path,
        [workflow([register, shout, *ends], ORDER, address=KEEP), workflow(say, ORDER, address=SAY)],
        {SHOUT: "shop_engine.shout:shout", REGISTER: "omnibachi_capabilities.registry:register",
         RESOLVE: "omnibachi_capabilities.registry:resolve"},
        {"shop_engine.shout": CAPS}, domain,
    )  # fmt: skip
    return Workspace(tmp_path)


def refused(result: RunResult, exit_code: int) -> str:
    assert (result.exit, result.status, result.digest, result.exit_code) == (None, None, None, exit_code)
    assert not result.ok
    (found,) = result.diagnostics
    return found.code


def test_an_engine_runs_many_and_keeps_their_records(shop: Workspace) -> None:
    with shop.engine(clock=Ticking(), entropy=Counting()) as engine:
        results = [engine.run(KEEP, {"text": text}) for text in ("a", "b", "a")]
        assert [result.exit for result in results] == ["done"] * 3
        assert results[2].path == (
            Step("keep", REGISTER, "ALREADY_EXISTS"), Step("shout", SHOUT, "SUCCESS"),
        )  # fmt: skip
        ids = [str(result.trace_id) for result in results]
        assert ids == sorted(ids) and len(set(ids)) == 3
        for result in results:
            assert engine.record(str(result.trace_id)) == result.record
        assert results[0].digest != results[2].digest
        with pytest.raises(Refused) as unknown:
            engine.record("nobody")
        assert unknown.value.diagnostics[0].code == "OB316"


def test_the_same_clock_entropy_and_payload_give_the_same_bytes(shop: Workspace) -> None:
    records = []
    for _ in range(2):
        with shop.engine(clock=Ticking(), entropy=Counting()) as engine:
            records.append(engine.run(KEEP, {"text": "a"}).record)
    assert records[0] == records[1]
    events = list(read(records[0]))
    assert events[0].obs["capabilities"].keys() == {REGISTER, SHOUT}
    assert events[0].body["workflow"] == KEEP


def test_engines_whose_clock_and_chance_stand_still_draw_ids_of_their_own(shop: Workspace, tmp_path: Path) -> None:
    ids, outcomes = [], []
    for text in ("a", "a", "b"):
        with shop.engine(tmp_path / "state", clock=Ticking(), entropy=Counting()) as engine:
            result = engine.run(KEEP, {"text": text})
        ids.append(result.trace_id)
        outcomes.append(result.path[0].outcome)
    assert len(set(ids)) == 3 and outcomes == ["SUCCESS", "ALREADY_EXISTS", "SUCCESS"]


def test_state_lies_in_the_data_root_and_records_reads_it(shop: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "state"
    assert shop.records(STORE, data_root=root) == [] and not root.exists()
    with shop.engine(root) as engine:
        engine.run(KEEP, {"text": "a"})
    assert shop.records(STORE, data_root=root) == [{"key": "a", "value": {"text": "a"}}]
    with pytest.raises(Refused) as unknown:
        shop.records("shop::ST_ORDER_V0", data_root=root)
    assert unknown.value.diagnostics[0].code == "OB303"


def test_a_workflow_without_effects_opens_no_data_root(shop: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "state"
    with shop.engine(root) as engine:
        assert engine.run(SAY, {"text": "a"}).result == {"text": "A"}
    assert not root.exists()


def calls() -> int:
    import sys

    return len(sys.modules["shop_engine.shout"].calls)


@pytest.mark.parametrize("address", [KEEP, SAY])
def test_the_id_of_a_finished_run_gives_its_result_and_runs_nothing(shop: Workspace, address: str) -> None:
    first = shop.run(address, {"text": "a"}, trace_id="T1", picture=False)
    before = calls()
    again = shop.run(address, {"text": "a"}, trace_id="T1", picture=False)
    assert calls() == before
    assert again.repeated and not first.repeated
    assert (again.exit, again.result, again.digest, again.path) == (first.exit, first.result, first.digest, first.path)
    assert again.record == first.record
    other = shop.run(address, {"text": "b"}, trace_id="T1", picture=False)
    assert refused(other, 3) == "OB711" and calls() == before
    assert refused(shop.run(SAY if address == KEEP else KEEP, {"text": "a"}, trace_id="T1"), 3) == "OB711"


@pytest.mark.parametrize("text", ["crash", 1])
def test_a_repeated_run_says_again_what_went_wrong(shop: Workspace, text: Any) -> None:
    first = shop.run(KEEP, {"text": text}, trace_id="T1", picture=False)
    again = shop.run(KEEP, {"text": text}, trace_id="T1", picture=False)
    assert again.repeated and again.exit_code == first.exit_code == 1
    assert [item.code for item in again.diagnostics] == [item.code for item in first.diagnostics] != []


def test_the_id_of_an_unfinished_run_is_refused_and_names_resume(shop: Workspace) -> None:
    root = Path(shop.data_root)
    with pytest.raises(KeyboardInterrupt):
        shop.run(KEEP, {"text": "stop"}, trace_id="T1")
    assert not (root.parent / "traces").exists()
    result = shop.run(KEEP, {"text": "stop"}, trace_id="T1")
    assert refused(result, 3) == "OB712" and "omnibachi resume T1" in str(result.diagnostics[0].help)


def test_a_broken_trace_does_not_answer(shop: Workspace) -> None:
    shop.run(SAY, {"text": "a"}, trace_id="T1", picture=False)
    path = Path(shop.traces.path("T1", "jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"A"', b'"B"', 1))
    assert refused(shop.run(SAY, {"text": "a"}, trace_id="T1"), 4) == "OB740"


@pytest.mark.parametrize("trace_id", ["", "a b", "../x", "é", "x" * 65, "a\n"])
def test_a_malformed_trace_id_is_refused(shop: Workspace, trace_id: str) -> None:
    assert refused(shop.run(SAY, {"text": "a"}, trace_id=trace_id), 3) == "OB710"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ([], "OB123"),
        (None, "OB123"),
        ({"text": float("nan")}, "OB122"),
        ({"text": 2**53}, "OB122"),
        ({"text": "\ud800"}, "OB122"),
        ({"text": {1: 2}}, "OB122"),
        ({"text": b"bytes"}, "OB122"),
        ({"text": ("tuple",)}, "OB122"),
    ],
)
def test_what_is_no_canonical_payload_is_refused(shop: Workspace, payload: Any, code: str) -> None:
    assert refused(shop.run(SAY, payload), 3) == code
    assert not Path(shop.traces.folder).exists()


@pytest.mark.parametrize("actor", ["\ud800", 5, b"me", ["me"]])
def test_what_is_no_actor_is_refused_as_such(shop: Workspace, actor: Any) -> None:
    with shop.engine() as engine:
        result = engine.run(KEEP, {"text": "a"}, actor=actor)
    (found,) = result.diagnostics
    assert (result.exit_code, found.code, found.message.split(":")[0]) == (3, "OB122", "the actor")


def test_a_whole_float_in_a_payload_is_an_integer(shop: Workspace) -> None:
    result = shop.run(SAY, {"text": 2.0}, picture=False)  # type: ignore[dict-item]
    assert result.status == "REJECTED"
    assert next(read(result.record)).body["payload"] == {"text": 2}


def test_a_rejection_lists_its_pointers(shop: Workspace) -> None:
    result = shop.run(KEEP, {"text": 1, "more": 2}, picture=False)
    assert (result.exit, result.exit_code) == ("rejected", 1)
    (found,) = result.diagnostics
    assert found.code == "OB701" and "`/more` (additionalProperties), `/text` (type)" in found.message


def test_a_crash_is_said_with_its_text_that_no_file_holds(shop: Workspace, tmp_path: Path) -> None:
    result = shop.run(KEEP, {"text": "crash"}, picture=False)
    assert (result.exit, result.status, result.exit_code) == ("failed", "FAILED", 1)
    (found,) = result.diagnostics
    assert found.code == "OB702"
    assert "`ValueError`: no crashing, at `shop_engine/shout.py:9 shout`" in found.message
    for path in [*tmp_path.glob("traces/**/*"), *tmp_path.glob("data/**/*")]:
        assert path.is_dir() or b"no crashing" not in path.read_bytes()


def test_a_run_leaves_trace_page_and_mirror(shop: Workspace, tmp_path: Path) -> None:
    result = shop.run(KEEP, {"text": "a"}, trace_id="T1", actor="AC_1", picture=False)
    trace = tmp_path / "traces/T1"
    assert sorted(path.name for path in trace.iterdir()) == ["T1.jsonl", "T1.md"]
    assert (trace / "T1.jsonl").read_bytes() == result.record
    assert (trace / "T1.md").read_text("utf-8").startswith("#")
    mirror = tmp_path / "data/registry/shop/ST_ORDERS_V0.jsonl"
    assert json.loads(mirror.read_text()) == {"key": "a", "number": 1, "value": {"text": "a"}}
    assert next(read(result.record)).obs["actor"] == "AC_1"
    with open_root(str(tmp_path / "data")) as ledger:
        assert ledger.record("T1") == result.record


def test_an_id_of_the_journal_is_used_also_where_its_trace_is_gone(shop: Workspace, tmp_path: Path) -> None:
    assert shop.run(KEEP, {"text": "a"}, trace_id="T1", picture=False).ok
    (tmp_path / "traces/T1/T1.jsonl").unlink()
    assert refused(shop.run(SAY, {"text": "a"}, trace_id="T1", picture=False), 3) == "OB711"
    assert not (tmp_path / "traces/T1/T1.jsonl").exists()
    assert shop.run(SAY, {"text": "a"}, trace_id="T2", picture=False).ok
    (tmp_path / "data/store.db").write_bytes(b"no database")
    assert shop.run(SAY, {"text": "a"}, trace_id="T3", picture=False).ok


def test_a_picture_is_drawn_unless_it_is_not_wanted(shop: Workspace, tmp_path: Path) -> None:
    result = shop.run(SAY, {"text": "a"}, trace_id="T1")
    assert result.diagnostics == () and set(result.trace) == {"jsonl", "md", "png"}
    assert (tmp_path / "traces/T1/T1.png").read_bytes().startswith(b"\x89PNG")
    assert "T1.png" in (tmp_path / "traces/T1/T1.md").read_text("utf-8")


def test_a_trace_that_cannot_be_written_is_trouble_and_the_run_is_recorded(shop: Workspace, tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("a file in the way")
    result = shop.run(KEEP, {"text": "a"}, trace_id="T1", picture=False)
    assert (result.exit, result.exit_code, result.trace) == ("done", 6, {})
    assert [item.code for item in result.diagnostics] == ["OB726"]
    assert shop.records(STORE) == [{"key": "a", "value": {"text": "a"}}]
    (tmp_path / "traces").unlink()
    again = shop.run(KEEP, {"text": "a"}, trace_id="T1", picture=False)
    assert again.repeated and again.ok and (tmp_path / "traces/T1/T1.jsonl").exists()


def test_a_data_root_that_cannot_be_opened_is_trouble(shop: Workspace, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    assert refused(shop.run(KEEP, {"text": "a"}), 6) == "OB720"
    assert not (tmp_path / "traces").exists()


def test_a_mirror_that_cannot_be_written_is_a_warning(shop: Workspace, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/registry").write_text("a file in the way")
    result = shop.run(KEEP, {"text": "a"}, picture=False)
    assert result.ok and [(item.code, item.severity) for item in result.diagnostics] == [("OB731", "warning")]


def test_forced_answers_are_checked_and_recorded(shop: Workspace) -> None:
    forced = {"keep": ("ALREADY_EXISTS", {"value": {}}), "shout": ("FAULT", {})}
    with shop.engine(forced=forced) as engine:
        result = engine.run(KEEP, {"text": "a"})
        assert [step.outcome for step in result.path] == ["ALREADY_EXISTS", "FAULT"]
        assert engine.ledger.records(STORE) == []
    with shop.engine(forced={"keep": ("ALREADY_EXISTS", {})}) as engine:
        assert engine.run(KEEP, {"text": "a"}).path[0].outcome == "FAULT"


def test_a_result_as_json_has_the_shape_of_the_command(shop: Workspace) -> None:
    with shop.engine() as engine:
        found = engine.run(SAY, {"text": "a"}, trace_id="T1").as_json()
    assert found["schema"] == "omnibachi.run/1" and found["ok"] is True
    assert found["path"] == [{"node": "shout", "capability": SHOUT, "outcome": "SUCCESS"}]
    assert found["diagnostics"] == [] and found["origin"] == "unpinned"


def test_call_tries_one_transform(shop: Workspace) -> None:
    answer = shop.call(SHOUT, {"text": "a"})
    assert (answer.outcome, answer.output, answer.diagnostics, answer.trace_id) == ("SUCCESS", {"text": "A"}, (), None)
    crashed = shop.call(SHOUT, {"text": "crash"})
    assert crashed.outcome == "FAULT" and crashed.diagnostics[0].code == "OB702"
    assert not Path(shop.data_root).exists()


def test_call_checks_inputs_against_the_declaration_and_the_store(shop: Workspace) -> None:
    for capability, inputs, store in (
        (SHOUT, {"text": 1}, None),
        (SHOUT, {}, None),
        (REGISTER, {"key": "a", "value": {"text": 1}}, STORE),
    ):
        answer = shop.call(capability, inputs, store=store)
        assert (answer.outcome, answer.output) == (None, {})
        assert answer.diagnostics[0].code == "OB744"
    assert not Path(shop.data_root).exists() or shop.records(STORE) == []


def test_call_journals_what_writes_and_leaves_no_trace(shop: Workspace, tmp_path: Path) -> None:
    answer = shop.call(REGISTER, {"key": "a", "value": {"text": "x"}}, store=STORE)
    assert answer.outcome == "SUCCESS" and answer.output == {"address": f"{STORE}/a"}
    with open_root(str(tmp_path / "data")) as ledger:
        record = ledger.record(str(answer.trace_id))
        assert record is not None
        assert [event.body["kind"] for event in read(record)] == ["RUN_STARTED", "CALLED", "RUN_FINISHED"]
        assert {"capabilities", "host", "program", "seal"} <= next(read(record)).obs.keys()
    assert verify(record, data_root=tmp_path / "data", trace_id=answer.trace_id).verdict == "ANCHORED"
    assert replay(record, shop.load(), data_root=tmp_path / "data").same
    told = examine(record, snapshot=shop.load(), data_root=tmp_path / "data")
    assert (told.verdict, told.exit, len(told.changed), told.diagnostics) == ("ANCHORED", "SUCCESS", 1, [])
    again = shop.call(REGISTER, {"key": "a", "value": {"text": "y"}}, store=STORE)
    assert (again.outcome, again.output) == ("ALREADY_EXISTS", {"value": {"text": "x"}})
    found = shop.call(RESOLVE, {"key": "a"}, store=STORE)
    assert (found.outcome, found.output, found.trace_id) == ("SUCCESS", {"value": {"text": "x"}}, None)
    assert shop.call(RESOLVE, {"key": "b"}, store=STORE).outcome == "NOT_FOUND"
    assert not (tmp_path / "traces").exists()


@pytest.mark.parametrize(
    ("capability", "more", "code"),
    [
        ("shop::CT_SHOU_V0", {}, "OB301"),
        ("CT_SHOUT_V0", {}, "OB301"),
        (RESOLVE, {}, "OB402"),
        (RESOLVE, {"store": "shop::ST_ORDER_V0"}, "OB303"),
        (SHOUT, {"store": STORE}, "OB404"),
        (SHOUT, {"event": "shop::EV_X_V0"}, "OB404"),
    ],
)
def test_call_refuses_what_does_not_fit_together(
    shop: Workspace, capability: str, more: dict[str, str], code: str
) -> None:
    answer = shop.call(capability, {"key": "a"}, **more)
    assert answer.outcome is None and [item.code for item in answer.diagnostics] == [code]


def test_reading_changes_nothing(shop: Workspace, tmp_path: Path) -> None:
    assert shop.call(RESOLVE, {"key": "a"}, store=STORE).outcome == "NOT_FOUND"
    assert not (tmp_path / "data").exists()


def test_the_payload_digest_is_that_of_the_canonical_bytes(shop: Workspace, tmp_path: Path) -> None:
    shop.run(KEEP, {"text": "a"}, trace_id="T1", picture=False)
    with open_root(str(tmp_path / "data")) as ledger:
        row = ledger.finished("T1")
        assert row is not None and row.payload_digest == digest_of({"text": "a"})


def test_an_engine_is_an_engine(shop: Workspace) -> None:
    assert isinstance(shop.engine(), Engine)
    assert repr(shop.engine()) == "Engine(in memory)"
