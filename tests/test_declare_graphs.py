"""Contracts, loops, retries, limits and laws as they are declared: every name with its place."""

from __future__ import annotations

from omnibachi_compiler.declarations import (
    All,
    Broken,
    Contract,
    Declaration,
    Each,
    Invariant,
    Name,
    Node,
    Point,
    Repeat,
    Scope,
    Use,
    Workflow,
)
from omnibachi_compiler.declare import declare
from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.tree import Sequence, plain

CONTRACT = """\
contract: CC_X_V0
summary: A contract.
inputs: {who: {type: string}}
start: a
next: {NOT_FOUND: LOST}
nodes:
  a: {each: $.inputs.who, as: one, max: 7, good: [SUCCESS, done], use: WF_X_V0, with: {x: 1}, next: {SUCCESS: b}}
  b: {repeat: {max: 3, until: done == 1, every: 2s}, use: CC_Y_V0, with: {y: 1}, next: {EXHAUSTED: LOST}}
  c:
    all:
      z: {use: CS_R_V0.READ, store: ST_X_V0, with: {k: 1}, deadline: 5s, retry: {on: [LOST, TIMEOUT], max: 2}}
      y: {use: CS_R_V0.LIST, event: EV_X_V0}
    next: {SUCCESS: SUCCESS, FAILED: LOST}
  d: {use: CS_R_V0.READ, retry: {on: [A], max: 9, backoff: 1m, factor: 2}, next: {A: c}}
outcomes:
  SUCCESS: {tier: $.nodes.a.tier}
  LOST: {}
"""


def declared(text: str) -> tuple[Declaration, list[str]]:
    """Return the declaration of a document, and the codes of what is wrong in it."""
    source = Source("protocols/shop/a.yaml", "shop", text.encode())
    phase = declare(source, load(source).value)
    (declaration,) = phase.value
    return declaration, [item.code for item in phase.diagnostics]


def nodes() -> dict[str, Node]:
    declaration, found = declared(CONTRACT)
    assert isinstance(declaration, Contract) and found == []
    return {node.name.text: node for node in declaration.nodes}


def texts(names: tuple[Name, ...] | None) -> list[str]:
    return [name.text for name in names or ()]


def place(name: Name | None) -> tuple[str, int, int]:
    assert name is not None
    return name.text, name.span.line, name.span.column


def test_a_contract() -> None:
    found, codes = declared(CONTRACT)
    assert isinstance(found, Contract) and codes == []
    assert (place(found.name), found.domain, found.summary) == (("CC_X_V0", 1, 11), "shop", "A contract.")
    assert [(field.name.text, plain(field.schema)) for field in found.inputs] == [("who", {"type": "string"})]
    assert place(found.start) == ("a", 4, 8)
    assert [(route.outcome.text, route.target.text) for route in found.routes] == [("NOT_FOUND", "LOST")]
    assert [(end.name.text, end.status.text) for end in found.exits] == [("SUCCESS", ""), ("LOST", "")]
    assert found.exits[0].result is not None and plain(found.exits[0].result) == {"tier": "$.nodes.a.tier"}
    assert found.fault is None


def test_an_each_carries_its_call() -> None:
    each = nodes()["a"]
    assert isinstance(each, Each)
    assert (plain(each.items), place(each.item), each.most) == ("$.inputs.who", ("one", 7, 31), 7)
    assert texts(each.good) == ["SUCCESS", "done"]
    assert (each.call.name.text, each.call.use.text, each.call.routes) == ("a", "WF_X_V0", ())
    assert each.bindings is each.call.bindings and each.bindings is not None and plain(each.bindings) == {"x": 1}
    assert [route.target.text for route in each.routes] == ["b"]


def test_what_an_each_has_by_default() -> None:
    text = CONTRACT.replace("each: $.inputs.who, as: one, max: 7, good: [SUCCESS, done]", "each: [1, 2], max: 7.0")
    declaration, found = declared(text)
    assert isinstance(declaration, Contract) and found == []
    each = declaration.nodes[0]
    assert isinstance(each, Each) and isinstance(each.items, Sequence)
    assert (each.item.text, each.good, each.most, type(each.most)) == ("item", None, 7, int)


def test_a_repeat_carries_its_call() -> None:
    repeat = nodes()["b"]
    assert isinstance(repeat, Repeat)
    assert (repeat.most, place(repeat.until), place(repeat.every)) == (3, ("done == 1", 8, 31), ("2s", 8, 49))
    assert (repeat.call.use.text, repeat.call.routes) == ("CC_Y_V0", ())
    assert repeat.bindings is not None and plain(repeat.bindings) == {"y": 1}


def test_an_all_carries_its_members_in_order() -> None:
    every = nodes()["c"]
    assert isinstance(every, All)
    assert [call.name.text for call in every.calls] == ["z", "y"]
    assert (every.good, every.bindings) == (None, None)
    first, second = every.calls
    assert first.retry is not None and texts(first.retry.on) == ["LOST", "TIMEOUT"]
    assert (first.retry.most, first.retry.backoff, first.retry.factor) == (2, None, 1.0)
    assert place(first.deadline)[0] == "5s"
    assert second.event is not None and second.event.text == "EV_X_V0"
    assert [route.outcome.text for route in every.routes] == ["SUCCESS", "FAILED"]


def test_a_call_with_a_retry() -> None:
    call = nodes()["d"]
    assert isinstance(call, Use) and call.retry is not None
    assert (call.retry.most, place(call.retry.backoff)[0], call.retry.factor) == (9, "1m", 2.0)
    assert call.deadline is None


def test_nodes_of_a_contract_that_are_broken_leave_the_others() -> None:
    found, codes = declared(CONTRACT.replace("max: 3, ", "").replace("max: 7, ", "max: 0, "))
    assert isinstance(found, Contract)
    assert sorted(codes) == ["OB203", "OB205"]
    assert [type(node) for node in found.nodes] == [Broken, Broken, All, Use]
    assert isinstance(found.nodes[1], Broken)
    assert [route.target.text for route in found.nodes[1].ways] == ["LOST"]


FLOW = """\
workflow: WF_X_V0
summary: A workflow.
intent: IN_X_V0
start: a
limits: {limits}
nodes: {{a: {{use: CT_X_V0}}}}
exits: {{done: {{status: COMPLETED}}}}
"""


def test_limits() -> None:
    found, codes = declared(FLOW.format(limits="{visits: 9, effects: {MUTABLE: 0, READ: 3}}"))
    assert isinstance(found, Workflow) and codes == []
    assert found.limits is not None and found.limits.visits == 9
    assert [(name.text, most) for name, most in found.limits.effects] == [("MUTABLE", 0), ("READ", 3)]


def test_a_wrong_limit_leaves_the_workflow() -> None:
    for limits in ("{visits: many}", "{effects: {READ: 1.5}}", "3", "{effects: []}", "{visit: 3}"):
        found, codes = declared(FLOW.format(limits=limits))
        assert isinstance(found, Workflow) and len(found.nodes) == 1
        assert len(codes) == 1, limits
        assert found.limits is None or (found.limits.visits, found.limits.effects) == (None, ())


LAW = """\
invariant: IV_X_V0
summary: A law.
applies_to: {bound}
every_path: {path}
"""


def law(bound: str, path: str, more: str = "") -> Invariant:
    found, codes = declared(LAW.format(bound=bound, path=path) + more)
    assert isinstance(found, Invariant) and codes == []
    return found


def point(item: Point) -> tuple[str, list[str]]:
    return item.kind, [name.text for name in item.names]


def test_a_law_with_nothing_but_what_it_needs() -> None:
    found = law("all", "{passes: {node: license/read}}")
    assert (found.scope, found.never, found.failed_too) == (Scope(None, None, ()), False, False)
    (course,) = found.courses
    assert course.scope is None and course.span == found.name.span
    assert [point(item) for item in (course.source, course.passes, course.before)] == [
        ("start", ["start"]),
        ("node", ["license/read"]),
        ("exit", ["exit"]),
    ]


def test_a_law_with_everything() -> None:
    passes = "{use: CS_R_V0.READ, outcome: SUCCESS, store: ST_X_V0, event: EV_X_V0, evidence: false}"
    path = f"{{from: {{exit: done}}, passes: {passes}, before: exit}}"
    found = law("{workflows: [WF_X_V0, other::WF_Y_V0]}", path, "never: true\nexits: all\n")
    assert texts(found.scope.workflows) == ["WF_X_V0", "other::WF_Y_V0"]
    assert (found.scope.uses, found.scope.others, found.never, found.failed_too) == (None, (), True, True)
    (course,) = found.courses
    assert (point(course.source), point(course.before)) == (("exit", ["done"]), ("exit", ["exit"]))
    seen = course.passes
    assert (point(seen), seen.evidence, seen.others) == (("use", ["CS_R_V0.READ"]), False, ())
    assert [texts(names) for names in (seen.outcomes, seen.stores, seen.events)] == [
        ["SUCCESS"],
        ["ST_X_V0"],
        ["EV_X_V0"],
    ]


def test_a_law_that_binds_what_uses_something() -> None:
    found = law("{uses: CC_X_V0}", "{passes: {effect: MUTABLE, evidence: true}, before: {status: COMPLETED}}")
    assert (found.scope.workflows, texts(found.scope.uses), found.scope.others) == (None, ["CC_X_V0"], ())
    (course,) = found.courses
    assert (point(course.passes), course.passes.evidence) == (("effect", ["MUTABLE"]), True)
    assert point(course.before) == ("status", ["COMPLETED"])


def test_a_law_of_lists_and_exceptions() -> None:
    found = law(
        "{uses: [CC_X_V0, CT_Y_V0], except: [WF_X_V0]}",
        "[{passes: {node: [a, b], except: [FAULT, LOST]}, before: {status: DENIED, except: lost}},"
        " {passes: {effect: [READ, PURE], outcome: [SUCCESS, GONE]}, applies_to: {except: [WF_Y_V0]}}]",
    )
    assert [texts(names) for names in (found.scope.uses, found.scope.others)] == [["CC_X_V0", "CT_Y_V0"], ["WF_X_V0"]]
    first, second = found.courses
    assert (point(first.passes), texts(first.passes.others)) == (("node", ["a", "b"]), ["FAULT", "LOST"])
    assert (point(first.before), texts(first.before.others)) == (("status", ["DENIED"]), ["lost"])
    assert (point(second.passes), texts(second.passes.outcomes)) == (("effect", ["READ", "PURE"]), ["SUCCESS", "GONE"])
    assert second.scope is not None and texts(second.scope.others) == ["WF_Y_V0"]
    assert second.span.column > first.span.column
