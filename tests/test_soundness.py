"""Soundness: what compiles without listed run-time checks never meets an absent, misfitting or valueless value."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from generated import filled
from handmade import start
from loop_graphs import within_bounds
from omnibachi.compiling import reader
from omnibachi_capabilities.catalogue import CATALOGUE
from omnibachi_compiler.catalogue import read_catalogue
from omnibachi_compiler.compile import Compilation, compile_sources
from omnibachi_compiler.phase import Implementation, Source
from omnibachi_compiler.tables import MISFIT, NO_RESULT
from omnibachi_ledger import open_root
from omnibachi_model.checks import link as link_check
from omnibachi_model.digests import digest
from omnibachi_model.record import export, read
from omnibachi_runtime.link import link
from omnibachi_runtime.walk import Walk, walk
from thoroughness import THOROUGH, many
from workspaces import Workspace, fitting, workspaces

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "shop::WF_TEST_V0"
EXAMPLES = many(100, 2_500)
STD = {
    name: Source(f"protocols/std/{name}.yaml", "std", (ROOT / "protocols" / "std" / f"{name}.yaml").read_bytes())
    for name in ("domain", "registry", "records", "events", "clock", "entropy")
}
BEHIND = read_catalogue("omnibachi_capabilities", reader(str(ROOT / "capabilities")), lambda module: module).value
ANSWERS = b"def answer(inputs):\n    return answers(inputs)\n"
# What the compiler's proof rules out unless it lists the place.
PROVEN = ("missing-input", "input-misfit", "expression")


def compiled(source: bytes, transforms: Any) -> Compilation:
    """Compile one source together with what it uses of `std`."""
    used = [name for name in STD if f"CS_{name.upper()}_V0".encode() in source]
    behind = {
        address: BEHIND[address]
        for address in BEHIND
        for name in used
        if address.startswith(f"std::CS_{name.upper()}_")
    }
    made = Implementation("made", "answer", 1, {"made": ANSWERS})
    sources = [STD["domain"], *(STD[name] for name in used), Source("protocols/shop/test.yaml", "shop", source)]
    return compile_sources(sources, {**behind, **dict.fromkeys(transforms, made)}, {}, lambda module: module)


class Shop:
    """A compiled workspace that can be run: its transforms answer in turn and look at what they are given."""

    def __init__(self, made: Workspace, compilation: Compilation) -> None:
        assert compilation.sealed is not None
        data = compilation.sealed.files["shop/WF_TEST_V0.json"]
        functions: dict[str, Any] = {key: value for key, value in CATALOGUE.items() if key.startswith("std::CS")}
        for address, answers in made.answers.items():
            functions[address] = _answering(compilation.library.capabilities[address].inputs, answers)
        self.sealed = orjson.loads(data)
        self.program = link(orjson.loads(data), digest(data), data, functions)
        self.ledger = open_root(None)
        self.listed = {place.node for place in compilation.places}
        self.runs = 0

    def run(self, payload: Any) -> Walk:
        """Run the workflow."""
        self.runs += 1
        program, journal = self.program, None
        if program.journal:
            journal = self.ledger.journal(
                f"T{self.runs}", workflow=ADDRESS, workflow_digest=program.digest, sealed=program.sealed,
                seal=digest(b""), payload_digest=digest(b""), started_at="2026-01-01T00:00:00.000Z",
            )  # fmt: skip
        return walk(program, start(journal, run_id=f"T{self.runs}"), program.gate(payload))


class Unproven(Exception):
    """A transform was given what does not fit its declaration."""


def _answering(inputs: Any, answers: list[tuple[str, Any]]) -> Any:
    check = link_check(inputs)
    turn = iter(range(10**9))

    def answer(given: Any) -> Any:
        if check(given) or filled(inputs, given) != given:
            raise Unproven
        if not answers:
            raise ValueError("nothing fits")
        outcome, output = answers[next(turn) % len(answers)]
        return outcome, orjson.loads(orjson.dumps(output))

    return answer


def faults(ended: Walk) -> list[tuple[str, dict[str, Any]]]:
    """Return (node, fault) of every mishap of a run."""
    return [(mishap.node, mishap.fault) for mishap in ended.mishaps]


def holds(shop: Shop, ended: Walk) -> None:
    """Assert what the compiler has proven of a run."""
    for node, fault in faults(ended):
        assert fault.get("exception") != "Unproven", (node, fault)
        assert fault["reason"] not in PROVEN or node in shop.listed, (node, fault)
        assert fault["reason"] in (*PROVEN, "raised"), (node, fault)
    assert list(read(export((body, obs) for _, body, obs in ended.events)))
    within_bounds(shop.sealed, [(orjson.loads(body), orjson.loads(obs)) for _, body, obs in ended.events])


def test_what_compiles_without_checks_never_meets_a_missing_or_misfitting_value() -> None:
    seen: Counter[str] = Counter()

    # With the same examples each time, so that the shares below are no matter of luck.
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=not THOROUGH)
    @given(workspaces(), st.data())
    def law(made: Workspace, data: st.DataObject) -> None:
        compilation = compiled(made.source, made.answers)
        kind = "refused" if compilation.sealed is None else "listed" if compilation.places else "proven"
        event(kind)
        seen[kind] += 1
        if compilation.sealed is None:
            return
        shop = Shop(made, compilation)
        with shop.ledger:
            for _ in range(4):
                ended = shop.run(data.draw(fitting(made.payload)))
                seen[ended.exit] += 1
                seen["faulted"] += bool(ended.mishaps)
                holds(shop, ended)

    law()
    total = seen["refused"] + seen["listed"] + seen["proven"]
    assert seen["proven"] >= total / 5 and seen["listed"] >= total / 20 and seen["refused"] >= total / 5
    # The generator must come to the places that the law speaks of.
    assert seen["good"] >= total / 4 and seen["other"] >= total / 40 and seen["faulted"] >= total / 20


HEAD = """
domain: shop
---
intent: IN_TEST_V0
payload:
  type: object
  properties:
    few: {type: integer, minimum: 0, maximum: 100}
    count: {type: integer}
    part: {type: number}
    open: {}
  required: [few, count, part, open]
---
workflow: WF_TEST_V0
summary: A test.
intent: IN_TEST_V0
start: n0
fault: failed
exits: {good: {status: COMPLETED}, failed: {status: FAILED}}
nodes:
"""


def reasons(node: str) -> list[str]:
    """Return why a workflow of one node is checked when run."""
    names = ", ".join(f"{name}: $.payload.{name}" for name in ("few", "count", "part", "open"))
    compilation = compiled(f"{HEAD}  n0: {{{node}, with: {{{names}}}}}".encode(), {})
    assert compilation.sealed is not None, compilation.diagnostics
    return [place.reason.rpartition("` ")[2] for place in compilation.places]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("few + 1", None),
        ("few * few", None),
        ("few / 3 + few % 7", None),
        ("100 / (few + 1)", None),
        ("count > 0", None),
        ("part > few", None),
        ("few == 0 ? 0 : 100 / (few + 1)", None),
        ("count % 7", None),
        ("count + 1", NO_RESULT),
        ("count * few", NO_RESULT),
        ("-count", None),
        ("100 / few", NO_RESULT),
        ("100 % few", NO_RESULT),
        ("part * 2", NO_RESULT),
        ("few / 3.0", NO_RESULT),
        ("[1, 2][few]", MISFIT),
        ("open + 1", MISFIT),
        ("open.x == 1", MISFIT),
        ("type(open) == 'integer' ? open + 1 : 0", NO_RESULT),
        ("type(open) == 'integer' && open > 3", None),
    ],
)
def test_expressions_that_may_fault_are_listed(expression: str, reason: str | None) -> None:
    found = [] if reason is None else [reason]
    assert reasons(f'compute: {{x: "{expression}"}}, next: {{SUCCESS: good}}') == found
    rows = f'[{{when: "size(type({expression})) > 3", outcome: A}}, {{outcome: B}}]'
    assert reasons(f"decide: {rows}, next: {{A: good, B: good}}") == found


def test_a_row_is_judged_as_it_is_sealed() -> None:
    # Below the first row `open` is an integer, but its division is sealed as that of an open value: as a number's.
    rows = '[{when: "type(open) != \'integer\'", outcome: A}, {when: "open / 200000 > few", outcome: B}, {outcome: C}]'
    assert reasons(f"decide: {rows}, next: {{A: good, B: good, C: good}}") == [MISFIT]
