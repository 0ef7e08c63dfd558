"""Workspaces of one loop: compiled from text in memory, and drawn at random around transforms that answer in turn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from generated import Schema, schemas, values_near
from handmade import linked, start
from omnibachi.compiling import reader
from omnibachi_compiler.catalogue import read_catalogue
from omnibachi_compiler.compile import Compilation, compile_sources
from omnibachi_compiler.phase import Implementation, Source
from omnibachi_model.checks import filler, link
from omnibachi_runtime.walk import Walk, walk

ROOT = Path(__file__).resolve().parent.parent
STD = [
    Source(f"protocols/std/{name}.yaml", "std", (ROOT / "protocols" / "std" / f"{name}.yaml").read_bytes())
    for name in ("domain", "registry", "records")
]
BEHIND = {
    address: implementation
    for address, implementation in read_catalogue(
        "omnibachi_capabilities", reader(str(ROOT / "capabilities")), lambda module: module
    ).value.items()
    if address.startswith(("std::CS_REGISTRY", "std::CS_RECORDS"))
}
ANSWERS = b"def answer(inputs):\n    return answers(inputs)\n"
OUTCOMES = ("SUCCESS", "FOUND", "LOST")
FIELDS = ("a", "b")


def compiled(text: str, *transforms: str) -> Compilation:
    """Compile the documents of a domain `shop`, which has these transforms."""
    made = Implementation("made", "answer", 1, {"made": ANSWERS})
    # Reading what a text does not use would take most of the time.
    std = "CS_" in text
    behind = {**(BEHIND if std else {}), **{f"shop::{name}": made for name in transforms}}
    source = Source("protocols/shop/test.yaml", "shop", f"domain: shop\n---\n{text}".encode())
    return compile_sources([*(STD if std else STD[:1]), source], behind, {}, lambda module: module)


def sealed(compilation: Compilation, code: str = "WF_TEST_V0") -> dict[str, Any]:
    """Return a sealed workflow; nothing may be wrong."""
    assert compilation.sealed is not None, [item.message for item in compilation.diagnostics]
    found: dict[str, Any] = orjson.loads(compilation.sealed.files[f"shop/{code}.json"])
    return found


@dataclass
class Round:
    """A drawn workspace: its documents, the schema of its payload, and what its transform answers in turn."""

    documents: list[dict[str, Any]]
    payload: Schema
    answers: list[tuple[str, dict[str, Any]]]

    @property
    def text(self) -> str:
        """The text of all documents; JSON is YAML."""
        return "\n---\n".join(json.dumps(item, ensure_ascii=False) for item in self.documents) + "\n"


@st.composite
def rounds(draw: st.DrawFn) -> Round:
    """Draw a workflow of one `each` or `repeat` around a transform, or around a contract that calls it."""
    names = draw(st.lists(st.sampled_from(OUTCOMES), min_size=2, max_size=3, unique=True))
    outcomes = {name: draw(st.dictionaries(st.sampled_from(FIELDS), schemas(1, False), max_size=2)) for name in names}
    answers = []
    shift = draw(st.integers(0, 2))
    for number in range(draw(st.integers(2, 4))):
        name = names[(number + shift) % len(names)]
        output = {field: draw(values_near(schema)) for field, schema in outcomes[name].items()}
        if all(not link(outcomes[name][field])(value) for field, value in output.items()):
            answers.append((name, output))
    documents: list[dict[str, Any]] = [
        {"transform": "CT_STEP_V0", "summary": "x", "inputs": {"x": {}}, "outcomes": outcomes}
    ]
    listed: Schema = {"type": "array", "items": draw(schemas(1, False))}
    if draw(st.booleans()):
        listed["maxItems"] = draw(st.integers(0, 4))
    payload = {"type": "object", "properties": {"list": listed}, "required": ["list"]}
    documents.append({"intent": "IN_TEST_V0", "payload": payload})
    use, given = "CT_STEP_V0", names
    if draw(st.booleans()):
        use = "CC_STEP_V0"
        documents.append(_around(names, outcomes))
    again = "SUCCESS" in names and draw(st.integers(0, 2)) == 0
    loop = draw(_repeat(outcomes["SUCCESS"]) if again else _each(given))
    routes = dict.fromkeys(("SUCCESS", *(("PARTIAL", "FAILED", "OVERFLOW") if "each" in loop else given)), "done")
    routes |= {"EXHAUSTED": "done"} if "repeat" in loop else {}
    reads = "$.each.item" if "each" in loop else "$.payload.list"
    documents.append(
        {
            "workflow": "WF_TEST_V0",
            "summary": "x",
            "intent": "IN_TEST_V0",
            "start": "loop",
            "fault": "failed",
            "nodes": {"loop": {**loop, "use": use, "with": {"x": reads}, "next": routes}},
            "exits": {"done": {"status": "COMPLETED"}, "failed": {"status": "FAILED"}},
        }
    )
    return Round(documents, payload, answers)


def _each(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    good = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)
    return st.fixed_dictionaries({"each": st.just("$.payload.list"), "max": st.integers(1, 5), "good": good})


@st.composite
def _repeat(draw: st.DrawFn, gives: dict[str, Schema]) -> dict[str, Any]:
    asked = [f"size(type({field})) > 6" for field in gives] + ["1 > 2", "2 > 1"]
    return {"repeat": {"max": draw(st.integers(1, 4)), "until": draw(st.sampled_from(asked))}}


def _around(names: list[str], outcomes: dict[str, Any]) -> dict[str, Any]:
    """Return a contract that passes on what the transform gives."""
    return {
        "contract": "CC_STEP_V0",
        "summary": "x",
        "inputs": {"x": {}},
        "start": "step",
        "nodes": {
            "step": {"use": "CT_STEP_V0", "with": {"x": "$.inputs.x"}, "next": {name: name for name in names}},
        },
        "outcomes": {name: {field: f"$.nodes.step.{field}" for field in outcomes[name]} for name in names},
    }


def played(made: Round, compilation: Compilation, payload: Any) -> Walk:
    """Run a drawn workspace on a payload."""
    turn = iter(range(10**9))

    def answer(given: Any) -> Any:
        outcome, output = made.answers[next(turn) % len(made.answers)]
        return outcome, orjson.loads(orjson.dumps(output))

    program = linked(sealed(compilation), {"shop::CT_STEP_V0": answer})
    return walk(program, start(), program.gate(payload))


@st.composite
def payloads(draw: st.DrawFn, schema: Schema) -> Any:
    """Draw a payload that the gate admits, with its defaults filled in."""
    listed = schema["properties"]["list"]
    most = min(listed.get("maxItems", 6), 6)
    items = draw(
        st.lists(values_near(listed["items"]), min_size=min(most, draw(st.sampled_from((2, 3, 0, 5)))), max_size=most)
    )
    payload = {"list": items}
    fill = filler(schema)
    return payload if fill is None else fill(payload)
