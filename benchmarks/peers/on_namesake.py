"""The distribution `omnibachi` 0.2.1 of the package index: another project of the same name.

It walks compiled artifacts, and what compiles them is not part of it, so they are written by hand here, as its loader
hands them on. Every node is a capability contract of one transform of one atom; recorded with its trace adapter: JSONL
and Markdown. Its gateway also reads all artifacts for every run and has a picture drawn by a program of the system;
both are left out, in its favour.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from omnibachi.implementation.egress.trace.trace_egress_adapter import TraceEgressAdapter
from omnibachi.implementation.execution import BASIC_POLICY, TraceEmitter, generate_execution_id
from omnibachi.implementation.execution.host import WorkflowRunner
from omnibachi.implementation.execution.machine.capability import CapabilityRouter
from work import PAYLOAD, Graph, graph

from serving import Run, serve

ATOMS = "atoms_of_the_work"


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Write the artifacts and make the runner."""
    nodes = graph(work, seen)
    module = sys.modules.setdefault(ATOMS, ModuleType(ATOMS))
    prefix = f"{work}_{'noting' if seen is not None else 'plain'}"
    for name, (function, _) in nodes.items():
        setattr(module, f"{prefix}_{name}", _atom(function))
    runner = WorkflowRunner(
        workflow_spec=_workflow(nodes),
        intent_specs={"bench::IN": {"frontmatter": {"core": {"inputs": {
            "n": {"required": True}, "name": {"required": True, "type": "string"},
        }}}}},
        capability_contracts={f"bench::CC_{name}": _contract(name) for name in nodes},
        capability_router=CapabilityRouter({}),
        ct_ir_registry={f"bench::CT_{name}": _transform(f"{prefix}_{name}") for name in nodes},
    )  # fmt: skip
    numbers, adapter = count(), TraceEgressAdapter()

    def run() -> int:
        emitter = TraceEmitter(generate_execution_id(), BASIC_POLICY)
        context = runner.execute(PAYLOAD, emitter, BASIC_POLICY)
        assert context.exit_reason_code == "COMPLETED", context.exit_reason
        if recorded:
            place = f"{next(numbers)}"
            adapter.flush(emitter.get_events(), Path(folder, place, f"{place}.jsonl"))
        *_, last = context.payload["results"].values()
        return int(last["n"])

    return run


def _atom(function: Any) -> Any:
    """Make an atom; its bindings know no alternatives, so a node with several before it is given all that are there."""

    def execute(inputs: dict[str, Any]) -> dict[str, Any]:
        n = inputs["n"]
        if isinstance(n, dict):
            (n,) = n.values()
        outcome, output = function({"n": n, "name": inputs["name"]})
        return {"n": output["n"], "outcome": outcome}

    return execute


def _workflow(nodes: Graph) -> dict[str, Any]:
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for name, (_, routes) in nodes.items():
        for to in set(routes.values()) - {None}:
            before[str(to)].append(name)
    entry = {"type": "IN", "code": "bench::IN", "next": {"ACK": next(iter(nodes)), "NACK": "refused"}}
    made: dict[str, Any] = {"entry": entry}
    for name, (_, routes) in nodes.items():
        sources = {f"from_{source}": f"$.results.{source}.n" for source in before[name]}
        n: Any = "$.payload.n" if not sources else next(iter(sources.values())) if len(sources) == 1 else sources
        made[name] = {
            "type": "CC", "code": f"bench::CC_{name}", "inputs": {"n": n, "name": "$.payload.name"},
            "next": {outcome: to or "done" for outcome, to in routes.items()},
        }  # fmt: skip
    made["done"] = {"type": "EXIT", "reason": "COMPLETED"}
    made["refused"] = {"type": "EXIT", "reason": "FAILED"}
    core = {"nodes": made, "start_node": "entry"}
    return {"namespace": "bench", "frontmatter": {"wf_code": "WF", "core": core}}


def _contract(name: str) -> dict[str, Any]:
    step = {
        "step": "call", "transform": f"bench::CT_{name}", "inputs": {"n": "$.inputs.n", "name": "$.inputs.name"},
        "outputs": {"n": "$.capability_result.n", "result_status": "$.capability_result.outcome"}, "on_result": {},
    }  # fmt: skip
    return {"frontmatter": {"core": {"pipeline": [step]}}}


def _transform(atom: str) -> dict[str, Any]:
    call = {
        "atom": atom, "handler_ref": {"module": ATOMS, "callable": atom}, "out": "made",
        "args": {"n": "$.inputs.n", "name": "$.inputs.name"},
    }  # fmt: skip
    return {"atom_stream": [call], "outputs": {"n": {"from": "made"}, "outcome": {"from": "made"}}}


if __name__ == "__main__":
    serve(build)
