"""Replay as a law: on random workflows every run is the same again, and every change to what it recomputed is found.

The transforms of the generated workspaces answer by what they are given, as transforms do; some raise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from generated import values_near
from handmade import start
from omnibachi.compiling import reader
from omnibachi_capabilities.catalogue import CATALOGUE
from omnibachi_compiler.catalogue import read_catalogue
from omnibachi_compiler.compile import compile_sources
from omnibachi_compiler.phase import Implementation, Source
from omnibachi_ledger import open_root
from omnibachi_model.digests import decode, digest, encode
from omnibachi_model.record import Event, export, read
from omnibachi_runtime.link import Program, link
from omnibachi_runtime.recorded import Difference
from omnibachi_runtime.replay import replay
from omnibachi_runtime.walk import walk
from workspaces import Workspace, workspaces

ROOT = Path(__file__).resolve().parent.parent
STD = {
    name: Source(f"protocols/std/{name}.yaml", "std", (ROOT / f"protocols/std/{name}.yaml").read_bytes())
    for name in ("domain", "registry", "records", "events", "clock", "entropy")
}
BEHIND = read_catalogue("omnibachi_capabilities", reader(str(ROOT / "capabilities")), lambda module: module).value
MADE = Implementation("made", "answer", 1, {"made": b"def answer(inputs):\n    return answers(inputs)\n"})


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


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
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
