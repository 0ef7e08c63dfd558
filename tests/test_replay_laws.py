"""Replay as a law: every run is the same again, and every change to what it recomputed is found.

Over every run of the shipped scenarios, and over runs of random workflows: the transforms of the generated workspaces
answer by what they are given, as transforms do; some raise.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import omnibachi
import post_office
from forging import observed, planted
from generated import values_near
from handmade import start
from omnibachi import Refused, RunResult
from omnibachi import Workspace as Folder
from omnibachi.compiling import compile_workspace, reader
from omnibachi.scenarios.playing import play, workflow_of
from omnibachi.scenarios.stage import Stage
from omnibachi.wiring import plain
from omnibachi_capabilities.catalogue import CATALOGUE
from omnibachi_compiler.catalogue import read_catalogue
from omnibachi_compiler.compile import compile_sources
from omnibachi_compiler.phase import Implementation, Source
from omnibachi_ledger import open_root
from omnibachi_model.digests import decode, digest, encode
from omnibachi_model.record import COMPUTED, Event, export, read
from omnibachi_model.sealed import sealed_name
from omnibachi_runtime.link import Program, link
from omnibachi_runtime.recorded import Difference
from omnibachi_runtime.replay import replay
from omnibachi_runtime.walk import walk
from thoroughness import THOROUGH, many, some
from workspaces import Workspace, workspaces

ROOT = Path(__file__).resolve().parent.parent
STD = {
    name: Source(f"protocols/std/{name}.yaml", "std", (ROOT / f"protocols/std/{name}.yaml").read_bytes())
    for name in ("domain", "registry", "records", "events", "clock", "entropy")
}
BEHIND = read_catalogue("omnibachi_capabilities", reader(str(ROOT / "capabilities")), lambda module: module).value
EXAMPLES = many(10, 500)
MADE = Implementation("made", "answer", 1, {"made": b"def answer(inputs):\n    return answers(inputs)\n"})


@pytest.fixture(scope="module")
def shipped() -> list[tuple[RunResult, set[str]]]:
    """The runs of shipped scenarios, as many as expect every exit once, one for each way through a workflow; and the
    nodes whose answers were forced."""
    runs: dict[Any, tuple[RunResult, set[str]]] = {}

    def note(result: RunResult, forced: Any) -> None:
        runs.setdefault((result.workflow, result.path, *sorted(forced)), (result, set(forced)))

    found = compile_workspace(str(ROOT), shipped=str(ROOT))
    stage = Stage(found, Folder(ROOT).capabilities)
    expected: set[Any] = set()
    for scenario in found.scenarios:
        steps = [step for step in scenario.steps if not step.entry("load")]
        ends = {(workflow_of(stage, scenario, step), plain(step.get("expect")).get("exit"))
                for step in steps if step.entry("expect")}  # fmt: skip
        if THOROUGH or not ends <= expected:
            expected |= ends
            assert not list(play(stage, scenario, note))
    return list(runs.values())


def test_every_run_of_shipped_scenarios_is_the_same_again(shipped: list[tuple[RunResult, set[str]]]) -> None:
    snapshot = Folder(ROOT).load()
    reached = {(result.workflow, result.exit) for result, _ in shipped}
    for address in snapshot.workflows:
        sealed = json.loads((ROOT / "protocol_snapshot" / snapshot.manifest["workflows"][address]["file"]).read_bytes())
        assert {(address, node["name"]) for node in sealed["nodes"] if node["kind"] == "EXIT"} <= reached
    for result, forced in shipped:
        found = omnibachi.replay(result.record, snapshot)
        assert (found.finished, found.workflow, found.events) == (True, result.workflow, len(result.events))
        # A forced answer of a transform is none that the transform gives, so only there a replay may differ.
        place = found.divergence.path if found.divergence else ""
        assert found.same or {place, sealed_name(place)} & forced


def test_every_change_to_what_a_shipped_run_recomputes_is_found(shipped: list[tuple[RunResult, set[str]]]) -> None:
    snapshot = Folder(ROOT).load()
    for result, forced in some(shipped, 4):
        if forced:
            continue
        events = list(enumerate(read(result.record)))
        for line, event in events[:: 1 if THOROUGH else 1 + len(events) // 8]:  # of long runs some lines
            member = next((name for name in ("outcome", "exit") if name in event.body), None)
            if member is None:
                continue
            other: dict[str, Any] = {member: "NO_SUCH"}
            if event.body["kind"] == COMPUTED:  # where it is known which outcomes there are
                other = {"output": {"other": 1}}
            changed = planted(result.record, line + 1, **other)
            assert omnibachi.verify(changed).verdict == "INTACT"
            found = omnibachi.replay(changed, snapshot)
            if event.body.get("path") not in found.withheld:  # else it is told that nobody can say
                assert (found.same, found.line) == (False, line + 1), (result.workflow, event.body)


def sealed(made: Workspace) -> bytes | None:
    """Compile a generated workspace with what it uses of `std`; None where the compiler refuses it."""
    used = [name for name in STD if f"CS_{name.upper()}_V0".encode() in made.source]
    known = tuple(f"std::CS_{name.upper()}_" for name in used)
    behind = {address: item for address, item in BEHIND.items() if address.startswith(known)}
    sources = [STD["domain"], *(STD[name] for name in used), Source("protocols/shop/test.yaml", "shop", made.source)]
    found = compile_sources(sources, {**behind, **dict.fromkeys(made.answers, MADE)}, {}, lambda module: module).sealed
    return None if found is None else found.files["shop/WF_TEST_V0.json"]


def answering(answers: list[tuple[str, Any]]) -> Any:
    """Return a transform that chooses its answer by what it is given."""

    def answer(inputs: Any) -> Any:
        chosen = int(digest(encode(inputs))[-4:], 16) % (len(answers) + 1)
        if chosen == len(answers):
            raise LookupError("none of them")
        outcome, output = answers[chosen]
        return outcome, decode(encode(output))

    return answer


def untouchable(*_: Any) -> Any:
    pytest.fail("a replay called a side effect")


def ran(data: bytes, functions: dict[str, Any], payload: Any) -> tuple[list[Event], Program]:
    """Run a sealed workflow; return its events, and the program to replay it with."""
    workflow, address = decode(data), digest(data)
    program = link(workflow, address, data, functions)
    with open_root(None) as ledger:
        journal = None
        if program.journal:
            journal = ledger.journal(
                "T1", workflow=program.address, workflow_digest=address, sealed=data, seal=address,
                payload_digest=address, started_at="2026-01-01T00:00:00.000Z",
            )  # fmt: skip
        ended = walk(program, start(journal), program.gate(payload))
    pure = {name: item if "::CT_" in name else untouchable for name, item in functions.items()}
    return list(read(export((body, obs) for _, body, obs in ended.events))), link(workflow, address, data, pure)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(workspaces(), st.data())
def test_a_replay_equals_the_run_and_finds_every_change(made: Workspace, data: st.DataObject) -> None:
    found = sealed(made)
    assume(found is not None)
    assert found is not None
    functions: dict[str, Any] = {name: item for name, item in CATALOGUE.items() if name.startswith("std::CS")}
    functions |= {address: answering(answers) for address, answers in made.answers.items()}
    payload = data.draw(values_near(made.payload))
    assume(isinstance(payload, dict))
    events, program = ran(found, functions, payload)
    whole = replay(program, events)
    assert (whole.difference, whole.stops_at) == (None, None), whole
    for count in range(1, len(events)):
        early = replay(program, events[:count])
        assert early.difference is None and early.stops_at is not None
        follower = events[count].body
        assert early.stops_at == follower.get("path", follower.get("exit"))
    at = data.draw(st.integers(1, len(events) - 1))
    body = events[at].body
    answered = body.get("effect") not in (None, "PURE")
    names = [name for name in body if name != "kind" and not (answered and name in ("outcome", "output"))]
    name = data.draw(st.sampled_from(names))
    kept = events[at]
    changed = Event(kept.line, {**body, name: {"changed": body[name]}}, kept.obs, kept.prev, kept.hash)
    differs = replay(program, [*events[:at], changed, *events[at + 1 :]])
    assert isinstance(differs.difference, Difference)
    assert (differs.line, differs.difference.field) == (kept.line, name)


ODD: tuple[Any, ...] = (None, True, 0, -1, 1.5, "", "x", [], [[]], {}, {"x": {}}, 2**53 - 1)


def test_no_forged_record_makes_a_replay_or_an_examination_crash(tmp_path: Path) -> None:
    office = post_office.build(tmp_path)
    assert office.run(post_office.WF, post_office.PARCEL, trace_id="T1", picture=False).ok
    record, snapshot = office.traces.read("T1") or b"", office.load()
    ended: Counter[str] = Counter()
    for event in read(record):
        places = [(planted, name) for name in event.body] + [(observed, name) for name in event.obs]
        for (plant, name), value in product(places, ODD):
            changed = plant(record, event.line, **{name: value})
            assert omnibachi.examine(changed, snapshot=snapshot).as_text()
            try:
                ended["same" if omnibachi.replay(changed, snapshot).same else "differs"] += 1
            except Refused as refused:
                ended[refused.diagnostics[0].code] += 1
    assert set(ended) == {"same", "differs", "OB740"}, ended
