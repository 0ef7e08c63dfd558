"""Runs that wait for people: they park, are approved or rejected or expire, and go on where they were."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from omnibachi import examine, render, replay, verify
from omnibachi.results import Step
from omnibachi_model.record import read
from peopled import ASK, EACH, HOUR_NS, LATER, SOURCE, TWICE, Desk, codes


@pytest.fixture(scope="module", name="compiled")
def compiled_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Desk(tmp_path_factory.mktemp("desk") / "desk").folder


@pytest.fixture(name="desk")
def fresh_desk(compiled: Path, tmp_path: Path) -> Desk:
    shutil.copytree(compiled, tmp_path / "desk")
    return Desk(tmp_path / "desk", compiled=False)


def test_a_run_parks_and_says_for_whom(desk: Desk) -> None:
    parked = desk.run()
    assert (parked.exit, parked.status, parked.exit_code, parked.ok, parked.digest) == (None, "WAITING", 7, False, None)
    assert parked.waiting is not None
    asked = {key: parked.waiting[key] for key in ("path", "roles", "quorum", "since", "until", "approved")}
    assert asked == {
        "path": "review", "roles": ["board", "compliance"], "quorum": 2, "since": "2026-01-01T00:00:00.000Z",
        "until": "2026-01-02T00:00:00.000Z", "approved": [],
    }  # fmt: skip
    said = parked.as_json()
    assert (said["status"], said["exit"], said["waiting"]) == ("WAITING", None, parked.waiting)
    record = desk.record()
    assert verify(record, data_root=desk.workspace.data_root).verdict == "ANCHORED"
    assert not (desk.folder / "traces").exists()


def test_nobody_holds_a_parked_run_and_resuming_leaves_it(desk: Desk) -> None:
    before = desk.run()
    found = desk.workspace.recoverer(clock=desk.watch).one("T1")
    assert (found.exit_code, found.status, found.waiting) == (7, "WAITING", before.waiting)
    everything = desk.workspace.recoverer(clock=desk.watch).all()
    assert (everything.exit_code, everything.results, len(everything.held)) == (0, (), 1)
    assert everything.held[0].state == "waiting" and "2 approvals" in str(everything.held[0].asked)
    assert codes(desk.run()) == ["OB712"]
    assert len(list(read(desk.record()))) == 2


def test_a_quorum_approves_and_the_run_goes_on_at_once(desk: Desk) -> None:
    desk.run()
    first = desk.approve("first", because="the invoice is there")
    assert (first.exit_code, first.waiting and first.waiting["approved"]) == (7, [desk.keys["first"].public.id])
    assert desk.notes() == 0
    ended = desk.approve("second")
    assert (ended.exit, ended.exit_code, ended.result) == ("paid", 0, {"by": "second"})
    assert ended.path == (Step("review", None, "APPROVED"), Step("note", "std::CS_EVENTS_V0.APPEND", "SUCCESS"))
    assert desk.notes() == 1
    record = (desk.folder / "traces" / "T1" / "T1.jsonl").read_bytes()
    assert verify(record, data_root=desk.workspace.data_root).verdict == "ANCHORED"
    assert replay(record, desk.workspace.load()).same
    waited = next(event for event in read(record) if event.body["kind"] == "WAITED")
    keys = [desk.keys[name].public.id for name in ("first", "second")]
    assert [item["key"] for item in waited.body["output"]["approvals"]] == keys
    assert [item["because"] for item in waited.body["output"]["approvals"]] == ["the invoice is there", None]
    assert [item["key"] for item in waited.obs["approvals"]] == keys
    assert b"first" in (desk.folder / "traces" / "T1" / "T1.md").read_bytes()


def test_one_rejection_rejects(desk: Desk) -> None:
    desk.run()
    desk.approve("first")
    ended = desk.approve("second", decision="REJECT", because="not ours")
    assert (ended.exit, ended.status, ended.exit_code, ended.result) == (
        "refused", "DENIED", 5, {"because": "not ours"},
    )  # fmt: skip
    assert desk.notes() == 0 and verify(desk.record()).holds


def test_a_wait_expires_by_the_recorded_clock(desk: Desk) -> None:
    desk.run()
    desk.approve("first")
    desk.watch.now += 24 * HOUR_NS
    ended = desk.workspace.recoverer(clock=desk.watch).all().results
    assert [(item.exit, item.status) for item in ended] == [("late", "FAILED")]
    assert verify(desk.record()).holds and desk.kept() == [("ACCEPTED", "first")]


def test_without_an_end_it_waits_for_ever(desk: Desk) -> None:
    desk.run(ASK)
    desk.watch.now += 10_000 * HOUR_NS
    assert desk.workspace.recoverer(clock=desk.watch).all().results == ()
    assert desk.approve("second").exit == "done"


def test_two_waits_one_after_the_other(desk: Desk) -> None:
    desk.run(TWICE)
    first = desk.sign("second")
    second = desk.hand(first)
    assert (second.exit_code, second.waiting and second.waiting["path"]) == (7, "ask")
    assert codes(desk.hand(first)) == ["OB806"]
    assert desk.approve("second").exit == "done"
    assert verify(desk.record()).holds


def test_a_wait_in_each_round_of_a_loop(desk: Desk) -> None:
    asked = desk.run(EACH, also=["a", "b", "c"])
    seen = []
    for name, decision in (("second", "APPROVE"), ("third", "REJECT"), ("second", "APPROVE")):
        assert asked.waiting is not None
        seen.append(asked.waiting["path"])
        asked = desk.approve(name, decision=decision)
    assert seen == ["all[0]/ask", "all[1]/ask", "all[2]/ask"]
    assert asked.exit == "done" and asked.result is not None
    assert [item["outcome"] for item in asked.result["items"]] == ["SUCCESS", "NO", "SUCCESS"]
    assert replay(desk.record(), desk.workspace.load()).same


def test_what_came_before_is_committed_and_not_done_again(desk: Desk) -> None:
    desk.run(LATER)
    assert desk.notes() == 1
    ended = desk.approve("second")
    assert (ended.exit, desk.notes()) == ("done", 2)
    assert [step.node for step in ended.path] == ["before", "ask/ask", "after"]


def test_recompiling_under_a_parked_run_changes_nothing(desk: Desk) -> None:
    parked = desk.run()
    file = desk.folder / "protocols" / "desk" / "desk.yaml"
    file.write_text(SOURCE.replace("quorum: 2", "quorum: 3").replace("roles: [compliance, board]", "roles: [nobody]"))
    assert desk.workspace.compile().ok
    assert desk.approve("first").exit_code == 7
    ended = desk.approve("second")
    assert (ended.exit, ended.workflow_digest) == ("paid", parked.workflow_digest)


def test_without_a_snapshot_the_approval_is_kept_and_the_run_goes_on_later(desk: Desk) -> None:
    desk.run()
    desk.approve("first")
    statement = desk.sign("second")
    shutil.move(desk.folder / "protocol_snapshot", desk.folder / "away")
    stuck = desk.hand(statement)
    assert codes(stuck) == ["OB601", "OB812"] and stuck.exit_code != 0
    assert desk.kept() == [("ACCEPTED", "first"), ("ACCEPTED", "second")]
    shutil.move(desk.folder / "away", desk.folder / "protocol_snapshot")
    assert [item.exit for item in desk.workspace.recoverer().all().results] == ["paid"]


def test_scenarios_force_people_and_expect_waits(desk: Desk) -> None:
    (desk.folder / "protocols" / "desk" / "desk.test.yaml").write_text(
        """
test: it waits
workflow: WF_PAY_V0
steps: [{payload: {to: x, amount: 1}, expect: {waiting: review, path: []}}]
---
test: it waits elsewhere
workflow: WF_PAY_V0
steps: [{payload: {to: x, amount: 1}, expect: {waiting: note}}]
---
test: it is expected to end
workflow: WF_PAY_V0
steps: [{payload: {to: x, amount: 1}, expect: {exit: paid}}]
---
test: it is rejected
workflow: WF_PAY_V0
given: {answers: {review: {outcome: REJECTED, output: {key: a+1, name: a, because: "no"}}}}
steps: [{payload: {to: x, amount: 1}, expect: {exit: refused, result: {because: "no"}}}]
---
test: nobody answers so
workflow: WF_PAY_V0
given: {answers: {review: {outcome: APPROVED, output: {approvals: []}}}}
steps: [{payload: {to: x, amount: 1}, expect: {exit: paid}}]
---
test: the third round is refused
workflow: WF_EACH_V0
given:
  answers:
    all[]/ask: {outcome: APPROVED, output: {approvals: [{key: a+1, name: a, because: null}]}}
    all[1]/ask: {outcome: REJECTED, output: {key: a+1, name: a, because: null}}
steps:
  - payload: {to: x, amount: 1, also: [a, b]}
    expect: {path: ["all[0]/ask APPROVED", "all[1]/ask REJECTED", all PARTIAL]}
""",
        "utf-8",
    )
    from omnibachi.compiling import compile_workspace
    from omnibachi.scenarios.runner import run_scenarios
    from omnibachi.workspace import shipped_root

    compilation = compile_workspace(str(desk.folder), shipped=shipped_root())
    report = run_scenarios(compilation, desk.workspace.capabilities, "desk.test")
    assert [(item.name, item.ok) for item in report.scenarios] == [
        ("it waits", True),
        ("it waits elsewhere", False),
        ("it is expected to end", False),
        ("it is rejected", True),
        ("nobody answers so", False),
        ("the third round is refused", True),
    ]
    assert "waits at `review`, expected to wait at `note`" in report.scenarios[1].failures[0].message
    assert "the run waits at `review`, expected the exit `paid`" in report.scenarios[2].failures[0].message
    assert {item["outcome"] for item in report.missed if item.get("node") == "review"} == {"APPROVED", "EXPIRED"}
    assert all(item["payload"] is not None for item in report.missed if item.get("node") == "review")


def test_what_readers_tell(desk: Desk) -> None:
    desk.run()
    desk.hand(b"{}")
    report = examine(desk.record(), snapshot=desk.workspace.load(), data_root=desk.workspace.data_root)
    assert "`review` waits for 2 approvals by `board` or `compliance`" in report.summary
    assert report.waiting is not None and [item["verdict"] for item in report.statements] == ["OB801"]
    # By the clock of whoever looks, it is over.
    assert report.diagnostics == [] and report.waiting["decided"] == "EXPIRED"
    assert report.advice == ["its wait is over (EXPIRED): go on with `omnibachi resume T1`"]
    desk.run(ASK, run="T2")
    report = examine(desk.record("T2"), snapshot=desk.workspace.load(), data_root=desk.workspace.data_root)
    assert report.waiting is not None and report.waiting["decided"] is None
    assert report.advice == ["see what is asked with `omnibachi approve T2 --show`, then approve it"]
    desk.approve("third", because="seen")
    desk.approve("second")
    text = examine(desk.record(), snapshot=desk.workspace.load(), data_root=desk.workspace.data_root).as_text()
    assert (
        "`third+" in text and '("seen")' in text and "refused (OB801)" in text and "the run waited at `review`" in text
    )
    for form in ("md", "dot"):
        assert b"review" in render(desk.record(), desk.workspace.load(), form)  # type: ignore[arg-type]


def test_the_same_answers_give_the_same_digest(desk: Desk) -> None:
    digests = set()
    for run in ("T1", "T2"):
        desk.run(ASK, run=run)
        desk.watch.now += HOUR_NS
        desk.hand(b"{}", run)
        digests.add(desk.approve("second", run=run).digest)
    assert len(digests) == 1
    desk.run(ASK, run="T3")
    assert desk.approve("third", run="T3").digest not in digests


def test_json_of_a_parked_run_is_one_object(desk: Desk) -> None:
    assert json.loads(json.dumps(desk.run().as_json()))["waiting"]["quorum"] == 2


def test_a_parked_run_can_be_cancelled(desk: Desk) -> None:
    from omnibachi.cancelling import cancel

    desk.run()
    statement = desk.sign("first")
    gone = cancel(desk.workspace, "T1", "clerk", "not needed any more", clock=desk.watch, picture=False)
    assert gone.result is not None and gone.result.exit == "cancelled"
    assert "png" not in (cancel(desk.workspace, "T1", "clerk", clock=desk.watch).result or gone.result).trace
    assert {file.suffix for file in (desk.folder / "traces" / "T1").iterdir()} == {".jsonl", ".md"}
    assert codes(desk.hand(statement)) == ["OB810"] and desk.notes() == 0
    assert verify(desk.record(), data_root=desk.workspace.data_root).verdict == "ANCHORED"
    assert replay(desk.record(), desk.workspace.load()).same


def test_laws_bind_waits(desk: Desk) -> None:
    law = """
---
invariant: IV_ASKED_V0
summary: Nothing is paid that nobody approved.
applies_to: {workflows: [WF_PAY_V0]}
every_path: {passes: {node: review, outcome: APPROVED}, before: {effect: APPEND_ONLY}}
"""
    file = desk.folder / "protocols" / "desk" / "desk.yaml"
    file.write_text(SOURCE + law, "utf-8")
    found = desk.workspace.compile()
    assert found.ok, found.diagnostics
    file.write_text(
        SOURCE.replace("EXPIRED: late}", "EXPIRED: note}")
        .replace("$.nodes.review.approvals[0].name", "a")
        .replace('"a"', "a")
        .replace('by: "$.nodes.review.approvals[1].name"', "by: a")
        .replace("  late: {status: FAILED}\n", "")
        + law,
        "utf-8",
    )
    assert [item.code for item in desk.workspace.compile().diagnostics] == ["OB520"]
    bounds = json.loads((desk.folder / "protocol_snapshot" / "desk" / "WF_LATER_V0.json").read_bytes())["bounds"]
    assert bounds == {"effects": {"APPEND_ONLY": 2}, "visits": 3}


def test_secrets_are_shown_to_nobody_who_is_asked(desk: Desk) -> None:
    file = desk.folder / "protocols" / "desk" / "desk.yaml"
    file.write_text(SOURCE.replace("to: {type: string}", "to: {type: string, secret: true}", 1), "utf-8")
    found = desk.workspace.compile()
    assert not found.ok and all(item.code.startswith("OB53") for item in found.diagnostics), found.diagnostics
