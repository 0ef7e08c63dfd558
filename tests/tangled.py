"""Random workflows of loops in loops: what hypothesis draws, written as a sealed graph, and what its calls do.

A plan is a list of statements: a call (one kind of which is tried again), an EACH or a REPEAT over a call or over a
contract that is a plan again, or an ALL. Each statement goes on to the next whatever it ends with, save FAULT and the
last call of a contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from handmade import call, leave, record_of
from looped import NUMBER, PUT, READ, STORE, TRANSFORM, Node, both, called, door, each, end, ref, repeat

Plan = list[tuple[Any, ...]]
OUTCOMES = {"SUCCESS": record_of({"double": NUMBER}), "ODD": record_of({"n": NUMBER})}
KINDS = {"transform": (TRANSFORM, "PURE"), "read": (READ, "READ"), "put": (PUT, "MUTABLE"), "try": (PUT, "MUTABLE")}
RETRY = {"on": ["ODD"], "max": 2, "backoff_ms": 5, "factor": 2}
CRASHING = 13
items = st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 8, 1, 2, CRASHING]), max_size=4)


def plans(effects: bool = True, depth: int = 2) -> st.SearchStrategy[Plan]:
    """Draw a plan; without effects it holds transforms and reads alone."""
    single = st.tuples(st.just("call"), st.sampled_from(["transform", "read", *(["put", "try"] * effects)]))
    if depth == 0:
        return st.lists(single, min_size=1, max_size=2)
    body = single | plans(effects, depth - 1)
    good = st.sampled_from([["SUCCESS"], ["ODD", "SUCCESS"], ["ODD"]])
    looped = st.tuples(st.just("each"), items, good, body) | st.tuples(st.just("repeat"), st.integers(1, 4), body)
    return st.lists(single | looped | looped | st.tuples(st.just("all"), good), min_size=1, max_size=3)


def written(plan: Plan) -> list[Node]:
    """Write a plan as nodes that name one another; the exit gives all that the outermost statements gave."""
    nodes = _statements(plan, "", None, ["lit", 2], "done", "failed", None)
    names = [node["name"] for node in nodes if "of" not in node]
    seen = {name: ["first", [ref(name), ["lit", None]]] for name in names}
    return [*nodes, leave("done", "COMPLETED", ["map", seen])]


def _statements(plan: Plan, within: str, of: str | None, n: Any, then: str, crash: str, odd: str | None) -> list[Node]:
    made: list[Node] = []
    for number, statement in enumerate(plan):
        name, last = f"{within}s{number}", number == len(plan) - 1
        after = then if last else f"{within}s{number + 1}"
        routes = {"SUCCESS": after, "ODD": (last and odd) or after, "FAULT": crash}
        found = _statement(statement, name, n, routes)
        if of is not None:
            found[0]["of"] = of
        made += found
    return made


def _statement(statement: tuple[Any, ...], name: str, n: Any, routes: dict[str, str]) -> list[Node]:
    kind, after, crash = statement[0], routes["SUCCESS"], routes["FAULT"]
    if kind == "call":
        return [_call(statement[1], name, n, routes)]
    if kind == "all":
        asked = [_call("read", f"{name}/{member}", ["lit", number], {}) for number, member in enumerate(("b", "a"))]
        inner = [node for one in asked for node in called(name, one, ("SUCCESS", "ODD"))]
        return [both(name, ["b", "a"], _routed(after, crash), good=statement[1]), *inner]
    if kind == "each":
        loop = each(name, ["lit", statement[1]], f"{name}[]", _routed(after, crash), good=statement[2])
        return [loop, *_body(statement[3], name, ref(name, "one"))]
    until = ["ge", ["name", "double"], ["lit", 3]]
    loop = repeat(name, f"{name}[]", until, _routed(after, crash), max=statement[1])
    return [loop, *_body(statement[2], name, n)]


def _routed(after: str, crash: str) -> dict[str, str]:
    known = ("SUCCESS", "PARTIAL", "FAILED", "OVERFLOW", "EXHAUSTED", "ODD")
    return {**dict.fromkeys(known, after), "FAULT": crash}


def _body(body: Any, loop: str, n: Any) -> list[Node]:
    name = f"{loop}[]"
    if isinstance(body, tuple):
        return called(loop, _call(body[1], name, n, {}), ("SUCCESS", "ODD"))
    first, crash = f"{name}/s0", f"{name}/FAULT"
    fault = {"FAULT": crash}
    return [
        door(name, ["map", {"n": n}], {"SUCCESS": first, **fault}, of=loop),
        *_statements(body, f"{name}/", loop, ref(name, "n"), f"{name}/SUCCESS", crash, f"{name}/ODD"),
        door(f"{name}/SUCCESS", ["map", {"double": ref(name, "n")}], {"SUCCESS": f"{name}/SUCCESS.", **fault}, of=loop),
        door(f"{name}/ODD", ["map", {"n": ref(name, "n")}], {"SUCCESS": f"{name}/ODD.", **fault}, of=loop),
        end(f"{name}/SUCCESS.", loop, "SUCCESS", ref(f"{name}/SUCCESS")),
        end(f"{name}/ODD.", loop, "ODD", ref(f"{name}/ODD")),
        end(crash, loop, "FAULT"),
    ]


def _call(kind: str, name: str, n: Any, routes: dict[str, str]) -> Node:
    use, effect = KINDS[kind]
    store, retry = None if kind == "transform" else STORE, RETRY if kind == "try" else None
    return call(name, use, {"n": n}, OUTCOMES, routes, effect, store=store, retry=retry)  # type: ignore[arg-type]


def _answer(n: int, double: int) -> Any:
    if n == CRASHING:
        raise ValueError("thirteen")
    return ("ODD", {"n": n}) if n % 2 else ("SUCCESS", {"double": double})


def _read(inputs: Any, store: Any, call: Any) -> Any:
    found = store.get(str(inputs["n"])) if store else None
    return _answer(inputs["n"], found[1] if found else 0)


def _put(inputs: Any, store: Any, call: Any) -> Any:
    revision = store.put(str(inputs["n"]), {"by": call.path})
    return _answer(inputs["n"], revision)


ACTS: dict[str, Callable[..., Any]] = {
    TRANSFORM: lambda inputs: _answer(inputs["n"], 2 * inputs["n"]),
    READ: _read,
    PUT: _put,
}
