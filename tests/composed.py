"""Bodies out of small plans, written twice: with contracts that are used, and with everything laid in by hand.

A plan is a list of operations on one whole number: `("add", k)`, `("test", k, OUTCOME)`, which leaves the plan with
that outcome where the number is greater than k, and `("use", plan, joined)`, which does another plan and goes on after
all of its outcomes, or (not `joined`) after SUCCESS alone.
"""

from __future__ import annotations

from typing import Any

import orjson

from omnibachi_compiler.compile import Compilation, compile_sources
from omnibachi_compiler.phase import Source
from omnibachi_model.digests import digest
from omnibachi_runtime.link import Program, link

Plan = list[tuple[Any, ...]]
DOMAIN = """
domain: shop
summary: A shop.
---
intent: IN_NUMBER_V0
payload: {type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}
"""


def compiled(*texts: str) -> Compilation:
    """Compile texts that need no capability as files of the domain `shop`."""
    sources = [Source(f"protocols/shop/f{number}.yaml", "shop", text.encode()) for number, text in enumerate(texts)]
    return compile_sources(sources, {}, {}, str)


def program(compilation: Compilation, code: str) -> Program:
    """Link a workflow of `shop` that calls nothing."""
    data = sealed_bytes(compilation, code)
    return link(parsed(data), digest(data), data, {})


def sealed_bytes(compilation: Compilation, code: str, part: str = "") -> bytes:
    """Return a sealed file of `shop`."""
    assert compilation.sealed is not None, compilation.diagnostics
    return compilation.sealed.files[f"shop/{code}{part}.json"]


def parsed(data: bytes) -> Any:
    """Read JSON."""
    return orjson.loads(data)


def outcomes(plan: Plan) -> list[str]:
    """Return the outcomes of a plan in the order in which they are come to, SUCCESS last."""
    found: dict[str, None] = {}
    for operation in plan:
        if operation[0] == "test":
            found[operation[2]] = None
        if operation[0] == "use" and not operation[2]:
            found.update(dict.fromkeys(outcomes(operation[1])[:-1]))
    return [*found, "SUCCESS"]


def used(plan: Plan, name: str) -> list[str]:
    """Return the contracts of a plan as texts, itself under this name, each value named `n` in every outcome."""
    texts: list[str] = []
    nodes: list[str] = []
    ends: dict[str, list[str]] = {}
    value = "$.inputs.n"
    for number, operation in enumerate(plan):
        last = number == len(plan) - 1
        following = "SUCCESS" if last else f"s{number + 1}"
        node, giving = f"s{number}", value
        if operation[0] == "add":
            giving = f"$.nodes.{node}.m"
            body = f"compute: {{m: n + {operation[1]}}}, with: {{n: {value}}}, next: {{SUCCESS: {following}}}"
        elif operation[0] == "test":
            rows = f"[{{when: n > {operation[1]}, outcome: OUT}}, {{outcome: ON}}]"
            body = f"decide: {rows}, with: {{n: {value}}}, next: {{OUT: {operation[2]}, ON: {following}}}"
            ends.setdefault(operation[2], []).append(value)
        else:
            inner = f"{name}X{number}"
            texts += used(operation[1], inner)
            giving = f"$.nodes.{node}.n"
            ways = {way: following if operation[2] else way for way in outcomes(operation[1])}
            ways["SUCCESS"] = following
            for way in [way for way, to in ways.items() if to == way and way != "SUCCESS"]:
                ends.setdefault(way, []).append(giving)
            routes = ", ".join(f"{way}: {to}" for way, to in ways.items())
            body = f"use: CC_{inner}_V0, with: {{n: {value}}}, next: {{{routes}}}"
        nodes.append(f"  {node}: {{{body}}}")
        value = giving
    ends["SUCCESS"] = [*ends.pop("SUCCESS", []), value]
    head = f"contract: CC_{name}_V0\nsummary: A plan.\ninputs: {{n: {{type: integer}}}}\nstart: s0\nnodes:\n"
    tail = "".join(f"  {way}: {{n: {first(values)}}}\n" for way, values in ends.items())
    return [*texts, head + "\n".join(nodes) + "\noutcomes:\n" + tail]


def first(values: list[str]) -> str:
    """Return the template of the latest of these values, which were come to in this order."""
    once = list(dict.fromkeys(reversed(values)))
    return once[0] if len(once) == 1 else "{$first: [" + ", ".join(once) + "]}"


def by_hand(
    plan: Plan, prefix: str, start: list[str], targets: dict[str, str]
) -> tuple[list[str], dict[str, list[str]]]:
    """Return the nodes of a plan as lines, every plan in it laid in, and what may be the number after each outcome.

    `start` is what may be the number before, `targets` where each outcome leads.
    """
    lines: list[str] = []
    ends: dict[str, list[str]] = {}
    value = start
    for number, operation in enumerate(plan):
        last = number == len(plan) - 1
        node = f"{prefix}s{number}"
        following = targets["SUCCESS"] if last else entry(plan, number + 1, prefix)
        given = f"with: {{n: {first(value)}}}"
        if operation[0] == "add":
            lines.append(f"  {node}: {{compute: {{m: n + {operation[1]}}}, {given}, next: {{SUCCESS: {following}}}}}")
            value = [f"$.nodes.{node}.m"]
        elif operation[0] == "test":
            rows = f"[{{when: n > {operation[1]}, outcome: OUT}}, {{outcome: ON}}]"
            ways = f"{{OUT: {targets[operation[2]]}, ON: {following}}}"
            lines.append(f"  {node}: {{decide: {rows}, {given}, next: {ways}}}")
            ends.setdefault(operation[2], []).extend(value)
        else:
            ways_on = {way: following if operation[2] else targets.get(way, "") for way in outcomes(operation[1])}
            ways_on["SUCCESS"] = following
            inside, given_by = by_hand(operation[1], f"{node}_", value, ways_on)
            lines += inside
            joined = [way for way in outcomes(operation[1]) if operation[2] or way == "SUCCESS"]
            for way in set(given_by) - set(joined):
                ends.setdefault(way, []).extend(given_by[way])
            value = [item for way in joined for item in given_by[way]]
    ends["SUCCESS"] = [*ends.pop("SUCCESS", []), *value]
    return lines, ends


def entry(plan: Plan, number: int, prefix: str) -> str:
    """Return the node at which the walk is when it comes to an operation."""
    node = f"{prefix}s{number}"
    return entry(plan[number][1], 0, f"{node}_") if plan[number][0] == "use" else node


def workflow(code: str, start: str, nodes: list[str], results: dict[str, list[str]]) -> str:
    """Return the text of a workflow over these nodes, with an exit for each outcome."""
    head = f"workflow: {code}\nsummary: A plan.\nintent: IN_NUMBER_V0\nstart: {start}\nfault: failed\nnodes:\n"
    exits = "".join(
        f"  out_{way.lower()}: {{status: COMPLETED, result: {{n: {first(values)}}}}}\n"
        for way, values in results.items()
    )
    return f"{head}{chr(10).join(nodes)}\nexits:\n{exits}  failed: {{status: FAILED}}\n"


def three(plan: Plan) -> tuple[Program, Program, Program]:
    """Return a plan as three workflows: one that uses contracts, one with everything laid in by hand, and one that
    uses that workflow."""
    ways = {way: f"out_{way.lower()}" for way in outcomes(plan)}
    lines, ends = by_hand(plan, "plan_", ["$.payload.n"], ways)
    read = {way: ["$.nodes.plan.n"] for way in ways}
    exits = ", ".join(f"{to}: {to}" for to in (*ways.values(), "failed"))
    texts = (
        workflow("WF_USING_V0", "plan", [using("CC_P_V0", mapped(ways))], read),
        workflow("WF_HAND_V0", entry(plan, 0, "plan_"), lines, {way: ends[way] for way in ways}),
        workflow(
            "WF_AROUND_V0",
            "plan",
            [using("WF_HAND_V0", f"{exits}, rejected: failed")],
            read,
        ),
    )
    found = compiled(DOMAIN, *used(plan, "P"), *texts)
    return program(found, "WF_USING_V0"), program(found, "WF_HAND_V0"), program(found, "WF_AROUND_V0")


def mapped(ways: dict[str, str]) -> str:
    """Return the inside of a flow mapping."""
    return ", ".join(f"{way}: {to}" for way, to in ways.items())


def using(address: str, routes: str) -> str:
    """Return the node `plan` that uses a body."""
    return f"  plan: {{use: {address}, with: {{n: $.payload.n}}, next: {{{routes}}}}}"


def steps(walk_bodies: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Return what a run did at each node, with names as they are when laid in by hand."""
    return [
        (str(body["path"]).replace("/", "_"), (body["outcome"], body["inputs"], body["output"]))
        for body in walk_bodies
        if "path" in body
    ]
