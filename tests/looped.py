"""Sealed graphs with loops and doors, written by hand: nodes name one another, and `numbered` puts indices there.

A list of nodes stands in the order of the sealed form. `next`, `of`, `body` and `bodies` name nodes, and so do the
references of templates, which `ref` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from handmade import TEXT, call, leave, linked, record_of, run, workflow
from omnibachi_model.digests import digest
from omnibachi_runtime.link import Program
from omnibachi_runtime.walk import Walk

Node = dict[str, Any]
NUMBER = {"type": "integer"}
ANY: dict[str, Any] = {}
TRANSFORM, READ, PUT = "shop::CT_STEP_V0", "shop::CS_X_V0.GET", "shop::CS_X_V0.PUT"
STORE = "shop::ST_THINGS_V0"
ENDS = [leave("done", "COMPLETED"), leave("failed", "FAILED"), leave("rejected", "REJECTED")]


def ref(scope: str, *segments: str | int) -> list[Any]:
    """Return a reference to a node's output by its name, or to `payload` or `run`."""
    return ["ref", scope, list(segments)]


def each(name: str, items: Any, body: str, next: Mapping[str, str], **more: Any) -> Node:
    """Return an EACH whose item is called `one`."""
    return {"kind": "EACH", "name": name, "items": items, "as": "one", "max": 10, "good": ["SUCCESS"], "body": body,
            "next": dict(next), **more}  # fmt: skip


def repeat(name: str, body: str, until: Any, next: Mapping[str, str], **more: Any) -> Node:
    """Return a REPEAT of at most three iterations."""
    return {"kind": "REPEAT", "name": name, "max": 3, "until": until, "every_ms": 0, "body": body,
            "next": dict(next), **more}  # fmt: skip


def both(name: str, members: Sequence[str], next: Mapping[str, str], **more: Any) -> Node:
    """Return an ALL whose bodies are the calls that are called `name/member`."""
    return {"kind": "ALL", "name": name, "good": ["SUCCESS"], "members": list(members),
            "bodies": [f"{name}/{member}" for member in members], "next": dict(next), **more}  # fmt: skip


def end(name: str, of: str, outcome: str, output: Any = None) -> Node:
    """Return the END of an iteration."""
    return {"kind": "END", "name": name, "of": of, "outcome": outcome, "output": output or ["lit", {}], "next": {}}


def door(name: str, template: Any, next: Mapping[str, str], **more: Any) -> Node:
    """Return a PASS."""
    return {"kind": "PASS", "name": name, "gate": False, "with": template, "check": None, "next": dict(next), **more}


def step(
    name: str, inputs: Mapping[str, Any], outcomes: Mapping[str, Any], next: Mapping[str, str], **more: Any
) -> Node:
    """Return a CALL of the transform."""
    return call(name, TRANSFORM, inputs, outcomes, next, **more)  # type: ignore[arg-type]


def called(loop: str, node: Node, outcomes: Sequence[str]) -> list[Node]:
    """Return the body of a loop that is one call, with an END for each of its outcomes and FAULT."""
    name = node["name"]
    ends = {outcome: f"{name}/{outcome}" for outcome in (*outcomes, "FAULT")}
    made = [end(f"{name}/{outcome}", loop, outcome, ref(name)) for outcome in outcomes]
    return [{**node, "of": loop, "next": ends}, *made, end(f"{name}/FAULT", loop, "FAULT")]


def numbered(nodes: Sequence[Node]) -> list[Node]:
    """Put indices where names of nodes stand."""
    at = {node["name"]: index for index, node in enumerate(nodes)}

    def resolved(template: Any) -> Any:
        kind = template[0]
        if kind == "ref":
            return ["ref", at.get(template[1], template[1]), template[2]]
        if kind == "map":
            return ["map", {key: resolved(item) for key, item in template[1].items()}]
        if kind in ("list", "first"):
            return [kind, [resolved(item) for item in template[1]]]
        return template

    made = []
    for node in nodes:
        found = {**node, "next": {outcome: at[name] for outcome, name in node["next"].items()}}
        for member in ("of", "body"):
            if member in node:
                found[member] = at[node[member]]
        if "bodies" in node:
            found["bodies"] = [at[name] for name in node["bodies"]]
        for member in ("items", "output", "result", "with"):
            if member in node:
                mapped = node["kind"] in ("DECIDE", "COMPUTE")
                found[member] = {k: resolved(t) for k, t in node[member].items()} if mapped else resolved(node[member])
        made.append(found)
    return made


def sealed(nodes: Sequence[Node], **more: Any) -> dict[str, Any]:
    """Return a sealed workflow of nodes that name one another; the usual exits come last."""
    names = {node["name"] for node in nodes}
    whole = [*nodes, *(item for item in ENDS if item["name"] not in names)]
    more.setdefault("payload", {"type": "object"})
    return workflow(numbered(whole), **more)


def program(nodes: Sequence[Node], functions: Mapping[str, Callable[..., Any]], **more: Any) -> Program:
    """Link a workflow of nodes that name one another."""
    return linked(sealed(nodes, **more), functions)


def ran(nodes: Sequence[Node], functions: Mapping[str, Callable[..., Any]], payload: Any, **more: Any) -> Walk:
    """Run such a workflow that has no journal."""
    more.setdefault("journal", False)
    return run(program(nodes, functions, **more), payload)


def journalled(ledger: Any, found: Program, payload: Any, run_id: str = "T1") -> Any:
    """Return a ledger's journal of a run of a program."""
    return ledger.journal(
        run_id, workflow=found.address, workflow_digest=found.digest, sealed=found.sealed, seal=found.digest,
        payload_digest=digest(found.gate(payload)[2]), started_at="2026-01-01T00:00:00.000Z",
    )  # fmt: skip


def walked(ended: Walk) -> list[str]:
    """Return the paths of a run's events and its exit."""
    return [*[path for path, _, _ in ended.events if path], ended.exit]


# A transform that does what it is told


def answer(inputs: Any) -> Any:
    """Answer by the item: 13 crashes, an odd number is ODD, all else SUCCESS with its double."""
    n = inputs["n"]
    if n == 13:
        raise ValueError("thirteen")
    if n % 2:
        return "ODD", {"n": n}
    return "SUCCESS", {"double": n * 2}


ANSWERS = {"SUCCESS": record_of({"double": NUMBER}), "ODD": record_of({"n": NUMBER})}
FUNCTIONS: dict[str, Callable[..., Any]] = {TRANSFORM: answer}
ROUTES = {"SUCCESS": "done", "PARTIAL": "done", "FAILED": "done", "OVERFLOW": "done", "FAULT": "failed"}
ALL_ITEMS = record_of({"items": {"type": "array", "items": NUMBER}}, {"text": TEXT})


def doubling(items: Any = None, **more: Any) -> list[Node]:
    """Return a loop over the payload's `items` and an exit that gives what came of it."""
    node = each("go", items or ref("payload", "items"), "go[]", ROUTES, **more)
    inner = step("go[]", {"n": ref("go", "one")}, ANSWERS, {})
    result = ["map", {"items": ["first", [ref("go", "items"), ["lit", None]]]}]
    return [node, *called("go", inner, ("SUCCESS", "ODD")), leave("done", "COMPLETED", result)]


def nested() -> list[Node]:
    """Return a loop over lists whose body is a contract that loops over each list and counts what is even."""
    size = {"n": ["size", ["name", "items"]]}
    routes = {"SUCCESS": "done", "PARTIAL": "done", "FAILED": "done", "FAULT": "failed"}
    return [
        each("out", ref("payload", "lists"), "out[]", routes),
        door("out[]", ["map", {"list": ref("out", "one")}], {"SUCCESS": "out[]/in", "FAULT": "out[]/FAULT"}, of="out"),
        each("out[]/in", ref("out[]", "list"), "out[]/in[]", {"SUCCESS": "out[]/size", "PARTIAL": "out[]/ODD",
             "FAILED": "out[]/ODD", "OVERFLOW": "out[]/ODD", "FAULT": "out[]/FAULT"}, of="out", max=3),
        *called("out[]/in", step("out[]/in[]", {"n": ref("out[]/in", "one")}, ANSWERS, {}), ("SUCCESS", "ODD")),
        {"kind": "COMPUTE", "name": "out[]/size", "with": {"items": ref("out[]/in", "items")}, "fields": size,
         "of": "out", "next": {"SUCCESS": "out[]/SUCCESS", "FAULT": "out[]/FAULT"}},
        door("out[]/SUCCESS", ["map", {"even": ref("out[]/size", "n")}],
             {"SUCCESS": "out[]/SUCCESS.", "FAULT": "out[]/FAULT"}, of="out"),
        door("out[]/ODD", ["map", {"seen": ["first", [ref("out[]/in", "items"), ["lit", "too many"]]]}],
             {"SUCCESS": "out[]/ODD.", "FAULT": "out[]/FAULT"}, of="out"),
        end("out[]/SUCCESS.", "out", "SUCCESS", ref("out[]/SUCCESS")),
        end("out[]/ODD.", "out", "ODD", ref("out[]/ODD")),
        end("out[]/FAULT", "out", "FAULT"),
        leave("done", "COMPLETED", ["map", {"items": ref("out", "items")}]),
    ]  # fmt: skip


def checks(good: list[str] | None = None) -> list[Node]:
    """Return an ALL of two reads, and an exit that gives what both gave."""
    answers = {"SUCCESS": record_of({"n": NUMBER}), "NOT_FOUND": record_of()}
    calls = [call(f"look/{name}", READ, {"key": ["lit", name]}, answers, {}, "READ") for name in ("b", "a")]
    inner = [node for one in calls for node in called("look", one, ("SUCCESS", "NOT_FOUND"))]
    routes = {"SUCCESS": "done", "FAILED": "done", "FAULT": "failed"}
    whole = both("look", ["b", "a"], routes, good=good or ["SUCCESS"])
    return [whole, *inner, leave("done", "COMPLETED", ["map", {"a": ref("look", "a"), "b": ref("look", "b")}])]
