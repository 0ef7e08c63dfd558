"""Recorded runs on another snapshot: which end differently, which the same, of which nobody can tell, and where they
part."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import post_office
from forging import observed, planted
from front_door import Call, call
from generated import values_near
from omnibachi import Refused, Workspace
from omnibachi.foretelling import Foreteller, Foretold
from omnibachi_capabilities.catalogue import CATALOGUE
from omnibachi_model.digests import decode, digest
from omnibachi_model.record import read
from omnibachi_runtime.link import link
from omnibachi_runtime.rerun import Answers, rerun
from post_office import PARCEL, WF, edit
from test_replay_laws import answering, ran, sealed
from thoroughness import many
from workspaces import Workspace as Generated
from workspaces import workspaces

__all__ = ["call"]

SEND = "protocols/post/send.yaml"
LABELS = "capabilities/post_office/labels.py"
RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "sent": ({}, "sent"),
    "known": ({}, "known"),
    "heavy": ({"weight": 30, "to": "Oslo"}, "sent"),
    "refused": ({"weight": 31}, "refused"),
    "rejected": ({"weight": "seven"}, "rejected"),
    "raised": ({"to": "raise"}, "failed"),
    "expression": ({"parts": 0}, "failed"),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a run for each end, and with one whose effect crashed."""
    workspace = post_office.build(tmp_path_factory.mktemp("compat") / "office")
    for name, (payload, exit) in RUNS.items():
        ended = workspace.run(WF, {**PARCEL, **payload}, trace_id=name, picture=False)
        assert ended.exit == exit, ended.diagnostics
    with workspace.engine(forced={"keep": ("FAULT", {})}) as engine:
        crashed = engine.run(WF, {**PARCEL, "to": "Bonn"}, trace_id="crashed")
        assert crashed.exit == "failed"
        workspace.traces.write("crashed", "jsonl", crashed.record)
    return workspace


@pytest.fixture
def new(recorded: Workspace, tmp_path: Path) -> Path:
    """A copy of the workspace's declarations and snapshot, to be changed."""
    for name in ("protocols", "capabilities", "protocol_snapshot"):
        shutil.copytree(Path(recorded.root) / name, tmp_path / "new" / name)
    return tmp_path / "new"


def judged(recorded: Workspace, new: Path) -> dict[str, Foretold]:
    """Compile the new workspace and judge every trace by it."""
    foreteller = Foreteller(post_office.compiled(new).load())
    names = (*RUNS, "crashed")
    return {name: foreteller.judge(name, record_of(recorded, name)) for name in names}


def record_of(workspace: Workspace, name: str) -> bytes:
    found = workspace.traces.read(name)
    assert found is not None
    return found


def verdicts(found: dict[str, Foretold], *, but: str) -> dict[str, str]:
    return {name: one.verdict for name, one in found.items() if one.verdict != but}


def part(found: Foretold) -> tuple[Any, ...]:
    assert found.part is not None
    return tuple(found.part[name] for name in ("node", "field", "recorded", "recomputed"))


def test_on_its_own_snapshot_every_run_is_the_same(recorded: Workspace, new: Path) -> None:
    found = judged(recorded, new)
    assert verdicts(found, but="same") == {}
    assert all(one.part is None and one.now == one.recorded for one in found.values())


def test_a_changed_row_ends_the_runs_on_its_edge_differently(recorded: Workspace, new: Path) -> None:
    edit(new, SEND, "weight <= limit", "weight < limit")
    found = judged(recorded, new)
    assert verdicts(found, but="same") == {"heavy": "different"}
    heavy = found["heavy"]
    assert heavy.now == {"exit": "refused", "status": "DENIED", "result": {"because": "the parcel is too heavy"}}
    assert heavy.recorded is not None and heavy.recorded["exit"] == "sent"
    assert part(heavy) == ("allowed", "row", 0, 1)


def test_another_way_to_the_same_end_is_the_same_and_the_parting_is_told(recorded: Workspace, new: Path) -> None:
    edit(new, SEND, '      - {when: "weight <= limit", outcome: YES}\n',
         '      - {when: "weight == 7", outcome: YES}\n      - {when: "weight <= limit", outcome: YES}\n')  # fmt: skip
    found = judged(recorded, new)
    assert verdicts(found, but="same") == {}
    assert part(found["heavy"]) == ("allowed", "row", 0, 1) and found["sent"].part is None


def test_a_changed_transform_asks_what_the_record_cannot_answer(recorded: Workspace, new: Path) -> None:
    edit(new, LABELS, '"P-"', '"Q-"')
    found = judged(recorded, new)
    assert found["sent"].verdict == "unjudged" and found["sent"].now is None
    assert found["sent"].reason == "`keep` asks `std::CS_REGISTRY_V0.REGISTER` with other inputs than the recorded ones"
    assert part(found["sent"]) == ("label", "output", {"code": "P-ROME"}, {"code": "Q-ROME"})
    assert found["refused"].verdict == "same" and found["refused"].part is not None


CHANGES: dict[str, tuple[str, str, str, str, tuple[Any, ...]]] = {
    "status": ("sent: {status: COMPLETED,", "sent: {status: DENIED,", "sent", "different",
               ("sent", "status", "COMPLETED", "DENIED")),
    "result": ("cents: $.nodes.price.cents}}", "cents: 1}}", "sent", "different",
               ("sent", "result", {"cents": 2100, "code": "P-ROME"}, {"cents": 1, "code": "P-ROME"})),
    "route": ("ALREADY_EXISTS: known}", "ALREADY_EXISTS: sent}", "known", "different",
              ("sent", "exit", "known", "sent")),
    "payload": ("to: {type: string, maxLength: 40}", "to: {type: string, maxLength: 3}", "sent", "different",
                ("rejected", "path", "label", "rejected")),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_run_that_ends_differently_is_told_with_its_place(name: str, recorded: Workspace, new: Path) -> None:
    old, edited, run, verdict, place = CHANGES[name]
    text = (new / SEND).read_text("utf-8")
    (new / SEND).write_text(text.replace(old, edited), "utf-8")
    found = judged(recorded, new)[run]
    assert (found.verdict, part(found)) == (verdict, place)


def test_a_new_name_asks_anew(recorded: Workspace, new: Path) -> None:
    text = (new / SEND).read_text("utf-8")
    for old, name in (("  now:\n", "  hour:\n"), ("SUCCESS: now", "SUCCESS: hour"), ("nodes.now", "nodes.hour")):
        text = text.replace(old, name)
    (new / SEND).write_text(text, "utf-8")
    found = judged(recorded, new)
    assert found["sent"].reason == "`hour` asks `std::CS_CLOCK_V0.NOW`, and the record has no answer of it"
    assert part(found["sent"]) == ("hour", "path", None, "hour")
    assert found["refused"].verdict == "same"


def test_another_store_has_no_recorded_answer(recorded: Workspace, new: Path, call: Call) -> None:
    text = (new / SEND).read_text("utf-8")
    (new / SEND).write_text(text.replace("ST_PARCELS_V0", "ST_CRATES_V0"), "utf-8")
    post_office.compiled(new)
    said = call("compat", str(new), "--workspace", recorded.root)
    reason = "`keep` asks the store `post::ST_CRATES_V0`, and the record has an answer of `post::ST_PARCELS_V0`"
    lines = f"UNJUDGED  sent/sent.jsonl  {WF}\n  {reason}\n  parts at keep, store: recorded"
    assert said.status == 1 and lines in said.out


def test_a_workflow_that_is_gone(recorded: Workspace, new: Path) -> None:
    edit(new, SEND, "workflow: WF_SEND_V0", "workflow: WF_SEND_V1")
    found = judged(recorded, new)["sent"]
    assert (found.verdict, found.reason) == ("unjudged", f"the new snapshot has no workflow `{WF}`")


def test_what_was_never_asked_has_no_answer(recorded: Workspace, new: Path) -> None:
    """A FAULT that came before the call says nothing of what the capability would have answered."""
    record = observed(record_of(recorded, "crashed"), 6, fault={"reason": "input-misfit"})
    found = Foreteller(post_office.compiled(new).load()).judge("crashed", record)
    assert found.verdict == "unjudged" and "did not come to ask" in str(found.reason)


def test_transforms_are_those_that_were_sealed(recorded: Workspace, new: Path) -> None:
    edit(new, LABELS, '"P-"', '"Q-"')
    with pytest.raises(Refused) as refused:
        Foreteller(Workspace(new).load()).judge("sent", record_of(recorded, "sent"))
    assert [item.code for item in refused.value.diagnostics] == ["OB604"]


def test_nothing_is_touched(recorded: Workspace, new: Path, call: Call) -> None:
    edit(new, SEND, "weight <= limit", "weight < limit")
    post_office.compiled(new)

    def contents() -> dict[str, bytes]:
        roots = (Path(recorded.root), new)
        return {str(path): path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file()}

    shutil.rmtree(new / "capabilities/post_office/__pycache__", ignore_errors=True)
    before = contents()
    assert call("compat", str(new), "--workspace", recorded.root).status == 1
    assert contents() == before


def test_the_command_lists_who_parts_where(recorded: Workspace, new: Path, call: Call) -> None:
    at = ("--workspace", recorded.root)
    same = call("compat", recorded.root, *at)
    assert (same.status, same.out, same.err) == (0, "0 broken, 0 different, 0 unjudged, 8 same\n", "")
    edit(new, SEND, "weight <= limit", "weight < limit")
    post_office.compiled(new)
    said = call("compat", str(new), *at)
    assert said.status == 1
    assert "DIFFERENT  heavy/heavy.jsonl  post::WF_SEND_V0\n  ended sent (COMPLETED) `" in said.out
    assert "\n  parts at allowed, row: recorded `0`, recomputed `1`\n0 broken, 1 different" in said.out
    value = call("compat", str(new / "protocol_snapshot"), *at, "--traces", f"{recorded.root}/traces/heavy", "--json")
    found = value.json()
    assert (value.status, found["schema"], found["ok"], found["exit_code"]) == (1, "omnibachi.compat/1", False, 1)
    assert [one["trace"] for one in found["different"]] == ["heavy.jsonl"] and found["same"] == []
    assert found["different"][0]["part"] == {"node": "allowed", "field": "row", "recorded": 0, "recomputed": 1}


def test_runs_of_the_journal_count_too(recorded: Workspace, tmp_path: Path, call: Call) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(recorded.root, bare, ignore=shutil.ignore_patterns("traces"))
    said = call("compat", str(bare), "--workspace", str(bare))
    assert (said.status, said.out) == (0, "0 broken, 0 different, 0 unjudged, 7 same\n")


def broken(record: bytes) -> bytes:
    return record.replace(b"P-ROME", b"P-OSLO", 1)


def cut(record: bytes) -> bytes:
    return b"".join(record.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize(
    ("spoil", "status", "counts"),
    [
        (broken, 4, "1 broken, 0 different, 0 unjudged, 0 same"),
        (cut, 0, "0 broken, 0 different, 1 unjudged, 0 same"),
    ],
)
def test_spoiled_records(
    spoil: Callable[[bytes], bytes], status: int, counts: str, recorded: Workspace, tmp_path: Path, call: Call
) -> None:
    """A broken one is told and proves nothing; one without an end can be judged by no snapshot, so it fails nothing."""
    (tmp_path / "T.jsonl").write_bytes(spoil(record_of(recorded, "sent")))
    said = call("compat", recorded.root, "--workspace", recorded.root, "--traces", str(tmp_path))
    assert (said.status, said.out.splitlines()[-1]) == (status, counts)
    assert ("OB740" in said.err) is (status == 4)


def test_what_cannot_be_read_does_not_hide_the_rest(recorded: Workspace, tmp_path: Path, call: Call) -> None:
    (tmp_path / "A.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "B.jsonl")
    (tmp_path / "C.jsonl").write_bytes(record_of(recorded, "sent"))
    (tmp_path / "D.jsonl").write_bytes(b"")
    os.truncate(tmp_path / "D.jsonl", 257 * 2**20)  # a hole, so it takes no space
    said = call("compat", recorded.root, "--workspace", recorded.root, "--traces", str(tmp_path), "--json").json()
    assert (said["exit_code"], [one["trace"] for one in said["same"]]) == (4, ["C.jsonl"])
    assert [(one["trace"], one["reason"][:10]) for one in said["broken"]] == [
        ("A.jsonl", "no file"),
        ("B.jsonl", "no file"),
        ("D.jsonl", "unreadable"),
    ]


def test_no_traces(recorded: Workspace, tmp_path: Path, call: Call) -> None:
    at = ("--workspace", recorded.root)
    (tmp_path / "empty").mkdir()
    said = call("compat", recorded.root, *at, "--traces", str(tmp_path / "empty"))
    assert said.status == 0 and "warning[OB781]" in said.err
    said = call("compat", recorded.root, *at, "--traces", str(tmp_path / "nowhere"))
    assert said.status == 3 and "error[OB781]" in said.err
    said = call("compat", str(tmp_path / "empty"), *at)
    assert said.status == 3 and f"`{tmp_path / 'empty'}` holds neither `manifest.json` nor" in said.err


@pytest.mark.parametrize(
    ("line", "member", "value", "reason"),
    [
        (6, "outcome", "LOST", "`keep` cannot end in LOST any more, which is what the record has"),
        (6, "output", {"a": 1}, "the recorded output of `keep` does not fit what is declared now"),
        (5, "output", {}, "the recorded output of `now` does not fit what is declared now"),
        (5, "capability", "std::CS_ENTROPY_V0.DRAW", "and the record has an answer of `std::CS_ENTROPY_V0.DRAW` there"),
        (6, "path", "odd", "and the record has no answer of it"),
    ],
)
def test_an_answer_that_is_none_today_answers_nothing(
    line: int, member: str, value: Any, reason: str, recorded: Workspace, new: Path
) -> None:
    """Whoever makes every hash anew can claim any answer; what no capability could say now decides nothing."""
    record = planted(record_of(recorded, "sent"), line, **{member: value})
    found = Foreteller(post_office.compiled(new).load()).judge("sent", record)
    assert found.verdict == "unjudged" and str(found.reason).endswith(reason), found


@settings(max_examples=many(4, 60), deadline=None, suppress_health_check=list(HealthCheck))
@given(workspaces(), st.data())
def test_a_run_walked_again_on_its_own_workflow_is_that_run(made: Generated, data: st.DataObject) -> None:
    """Of any workflow and any payload, with no side effect called."""
    found = sealed(made)
    assume(found is not None)
    assert found is not None
    functions: dict[str, Any] = {name: item for name, item in CATALOGUE.items() if name.startswith("std::CS")}
    functions |= {address: answering(answers) for address, answers in made.answers.items()}
    payload = data.draw(values_near(made.payload))
    assume(isinstance(payload, dict))
    events, _ = ran(found, functions, payload)
    workflow = decode(found)
    answers = Answers(workflow, events)
    pure = {name: item for name, item in functions.items() if "::CT_" in name}
    asked = {use: answers.function(use) for use in workflow["capabilities"]}
    again = rerun(link(workflow, digest(found), found, {**asked, **pure}), events, answers)
    last = events[-1].body
    assert (again.unanswered, again.part) == (None, None)
    assert (again.exit, again.status, again.result) == (last["exit"], last["status"], last["result"])


def test_no_forged_record_makes_the_judge_crash(recorded: Workspace, new: Path) -> None:
    foreteller = Foreteller(post_office.compiled(new).load())
    for name in ("sent", "crashed", "rejected"):
        record = record_of(recorded, name)
        for event in read(record):
            places = [(planted, member) for member in event.body] + [(observed, member) for member in event.obs]
            for (plant, member), value in product(places, (None, -1, "x", [[]], {"x": {}})):
                judged = foreteller.judge(name, plant(record, event.line, **{member: value}))
                assert judged.verdict in ("same", "different", "unjudged", "broken")


def test_an_edited_snapshot_judges_nothing(recorded: Workspace, new: Path, call: Call) -> None:
    edit(new, "protocol_snapshot/post/WF_SEND_V0.json", '"DENIED"', '"FAILED"')
    said = call("compat", str(new), "--workspace", recorded.root)
    assert said.status == 4 and "OB602" in said.err
    said = call("compat", str(new / "protocols"), "--workspace", recorded.root)
    assert said.status == 3 and "OB601" in said.err


MANY = """\
---
intent: IN_MANY_V0
summary: Parcels are to be kept.
payload:
  type: object
  properties: {codes: {type: array, maxItems: 5, items: {type: string}}}
  required: [codes]
  additionalProperties: false
---
workflow: WF_MANY_V0
summary: Keep parcels, and wait for none for long.
intent: IN_MANY_V0
start: many
fault: failed
nodes:
  many:
    each: $.payload.codes
    max: 5
    use: CS_REGISTRY_V0.REGISTER
    store: ST_PARCELS_V0
    good: [SUCCESS, ALREADY_EXISTS]
    deadline: 1s
    with: {key: $.each.item, value: {to: Rome, cents: 1, at: noon}}
    next: {SUCCESS: sent, PARTIAL: some, FAILED: none}
exits:
  sent: {status: COMPLETED, result: {items: $.nodes.many.items}}
  some: {status: COMPLETED}
  none: {status: FAILED}
  failed: {status: FAILED}
"""


class Leaping:
    """A clock on which an hour passes whenever somebody looks, once it has begun to leap."""

    def __init__(self) -> None:
        self.now, self.leaps = 1_800_000_000_000_000_000, False

    def now_ns(self) -> int:
        self.now += 3_600_000_000_000 if self.leaps else 1000
        return self.now


def test_iterations_and_deadlines_answer_as_they_did(tmp_path: Path) -> None:
    root = tmp_path / "office"
    post_office.build(root)
    (root / SEND).write_text((root / SEND).read_text("utf-8") + MANY, "utf-8")
    workspace, clock = post_office.compiled(root), Leaping()
    with workspace.engine(clock=clock) as engine:
        twice = engine.run("post::WF_MANY_V0", {"codes": ["a", "b", "a"]}, trace_id="twice")
        clock.leaps = True
        late = engine.run("post::WF_MANY_V0", {"codes": ["c", "d"]}, trace_id="late")
    assert (twice.exit, late.exit) == ("sent", "none"), late.diagnostics
    found = Foreteller(workspace.load())
    for run in (twice, late):
        again = found.judge("run", run.record)
        assert (again.verdict, again.part) == ("same", None), again
    edit(root, SEND, "good: [SUCCESS, ALREADY_EXISTS]", "good: [SUCCESS]")
    stricter = Foreteller(post_office.compiled(root).load()).judge("twice", twice.record)
    assert (stricter.verdict, part(stricter)) == ("different", ("many", "outcome", "SUCCESS", "PARTIAL"))
