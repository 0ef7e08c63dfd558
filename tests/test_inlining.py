"""What is used runs as if it had been written where it is used: laid in by hand, it takes the same steps."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from composed import DOMAIN, Plan, compiled, parsed, program, sealed_bytes, steps, three
from handmade import bodies, observed, run
from omnibachi_model.sealed import SILENT
from thoroughness import many

NUMBERS = st.integers(-20, 20)
OPERATION: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 9)),
    st.tuples(st.just("test"), NUMBERS, st.sampled_from(["LOW", "HIGH"])),
)


def _plans(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    use = st.tuples(st.just("use"), inner, st.booleans())
    return st.lists(st.one_of(OPERATION, use), min_size=1, max_size=4)


PLANS = st.recursive(st.lists(OPERATION, min_size=1, max_size=3), _plans, max_leaves=6)


@settings(max_examples=many(20, 300), deadline=None)
@given(PLANS, st.lists(NUMBERS, min_size=1, max_size=5))
def test_using_is_laying_in_by_hand(plan: Plan, numbers: list[int]) -> None:
    using, hand, around = three(plan)
    for number in numbers:
        one, other, third = (run(made, {"n": number}) for made in (using, hand, around))
        assert (one.exit, one.result) == (other.exit, other.result) == (third.exit, third.result)
        assert steps(bodies(one)) == steps(bodies(other))
        assert steps(bodies(third)) == [(f"plan_{name}", did) for name, did in steps(bodies(other))]


@settings(max_examples=many(10, 100), deadline=None)
@given(PLANS)
def test_every_edge_leads_forward_and_every_name_is_one(plan: Plan) -> None:
    for made in three(plan):
        nodes = parsed(made.sealed)["nodes"]
        assert len({node["name"] for node in nodes}) == len(nodes)
        for index, node in enumerate(nodes):
            assert all(index < target < len(nodes) for target in node["next"].values())
            assert "of" not in node


INNER = """
contract: CC_INNER_V0
summary: Halve a number, if it is not odd.
inputs: {n: {type: integer, minimum: 0}, by: {type: integer, default: 2}}
start: whether
nodes:
  whether:
    decide: [{when: n % by != 0, outcome: "NO", because: it does not divide}, {outcome: "YES"}]
    with: {n: $.inputs.n, by: $.inputs.by}
    next: {"YES": half, "NO": ODD}
  half:
    compute: {n: n / by}
    with: {n: $.inputs.n, by: $.inputs.by}
    next: {SUCCESS: SUCCESS}
outcomes:
  SUCCESS: {n: $.nodes.half.n}
  ODD: {n: $.inputs.n, why: $.nodes.whether.because}
"""
OUTER = """
workflow: WF_OUTER_V0
summary: Halve twice.
intent: IN_NUMBER_V0
start: one
fault: failed
nodes:
  one: {use: CC_INNER_V0, with: {n: $.payload.n}, next: {SUCCESS: two, ODD: two}}
  two: {use: CC_INNER_V0, with: {n: $.nodes.one.n, by: 3}, next: {SUCCESS: done, ODD: done}}
exits:
  done: {status: COMPLETED, result: {n: $.nodes.two.n, why: {$first: [$.nodes.two.why, $.nodes.one.why, nothing]}}}
  failed: {status: FAILED}
"""


def test_a_contract_that_is_used_twice_is_two_pieces() -> None:
    """Several outcomes that give one field from different nodes are joined before it is read."""
    outer = program(compiled(DOMAIN, INNER, OUTER), "WF_OUTER_V0")
    results = {n: run(outer, {"n": n}).result for n in (12, 9, 2, 7)}
    assert results == {
        12: {"n": 2, "why": "nothing"},
        9: {"n": 3, "why": "it does not divide"},
        2: {"n": 1, "why": "it does not divide"},
        7: {"n": 7, "why": "it does not divide"},
    }
    ended = run(outer, {"n": 9})
    assert [body.get("path") for body in bodies(ended)] == [None, "one/whether", "two/whether", "two/half", None]


def test_inputs_that_are_only_proven_when_run_are_checked_at_the_entry() -> None:
    outer = program(compiled(DOMAIN, INNER, OUTER), "WF_OUTER_V0")
    ended = run(outer, {"n": -4})
    assert ended.exit == "failed"
    body, told = bodies(ended)[1], observed(ended)[1]
    assert body == {
        "kind": "COMPUTED", "path": "one", "capability": None, "effect": None, "outcome": "FAULT",
        "inputs": {"n": -4, "by": 2}, "output": {},
    }  # fmt: skip
    assert told["fault"]["reason"] == "input-misfit"
    assert told["fault"]["violations"] == [{"pointer": "/n", "keyword": "minimum"}]


OPTIONAL = """
intent: IN_MAYBE_V0
payload: {type: object, properties: {n: {type: integer}, m: {type: integer}}, additionalProperties: false}
---
contract: CC_MAYBE_V0
summary: Give what may be there.
inputs: {n: {type: integer, optional: true}, m: {type: integer, optional: true}}
start: one
nodes:
  one: {compute: {x: "1"}, next: {SUCCESS: SUCCESS}}
outcomes: {SUCCESS: {n: $.inputs.n}}
---
contract: CC_PASSED_ON_V0
summary: Give on what may be there, in a record.
inputs: {given: {type: object, properties: {n: {type: integer}}}}
start: one
nodes:
  one: {compute: {x: "1"}, next: {SUCCESS: SUCCESS}}
outcomes: {SUCCESS: {given: $.inputs.given}}
---
workflow: WF_MAYBE_V0
summary: Read what may be there.
intent: IN_MAYBE_V0
start: maybe
fault: failed
nodes:
  maybe: {use: CC_MAYBE_V0, with: {m: 1}, next: {SUCCESS: done, FAULT: caught}}
exits:
  done: {status: COMPLETED}
  caught: {status: DENIED}
  failed: {status: FAILED}
---
workflow: WF_PASSED_ON_V0
summary: Read a member that may be there.
intent: IN_MAYBE_V0
start: on
fault: failed
nodes:
  on: {use: CC_PASSED_ON_V0, with: {given: $.payload}, next: {SUCCESS: sum}}
  sum: {compute: {n: n + 1}, with: {n: {$first: [$.nodes.on.given.n, 41]}}, next: {SUCCESS: more}}
  more: {compute: {n: n + 1}, with: {n: $.nodes.on.given.n}, next: {SUCCESS: done}}
exits:
  done: {status: COMPLETED, result: {n: $.nodes.more.n}}
  failed: {status: FAILED, result: {n: {$first: [$.nodes.sum.n, 0]}}}
"""


def test_a_result_that_is_absent_is_a_crash_of_the_calling_node() -> None:
    found = compiled(DOMAIN, OPTIONAL)
    ended = run(program(found, "WF_MAYBE_V0"), {})
    assert ended.exit == "caught"
    assert bodies(ended)[2]["path"] == "maybe/SUCCESS"
    assert observed(ended)[2]["fault"] == {"reason": "missing-input", "reference": "$.inputs.n"}


def test_an_optional_member_stays_optional_behind_a_contract() -> None:
    passed = program(compiled(DOMAIN, OPTIONAL), "WF_PASSED_ON_V0")
    assert run(passed, {"n": 1}).result == {"n": 2}
    ended = run(passed, {})
    assert (ended.exit, ended.result) == ("failed", {"n": 42})
    assert observed(ended)[3]["fault"] == {"reason": "missing-input", "reference": "$.nodes.on.given.n"}


INSIDE = """
intent: IN_SMALL_V0
payload:
  type: object
  properties: {n: {type: integer, maximum: 9}, by: {type: integer, default: 1}}
  required: [n]
---
workflow: WF_INSIDE_V0
summary: Share out.
intent: IN_SMALL_V0
start: share
fault: broken
nodes:
  share: {compute: {n: n / by}, with: {n: $.payload.n, by: $.payload.by}, next: {SUCCESS: shared}}
exits:
  shared: {status: COMPLETED, result: {n: $.nodes.share.n}}
  broken: {status: FAILED, result: {by: $.payload.by}}
---
workflow: WF_AROUND_V0
summary: Share out by what is given.
intent: IN_NUMBER_V0
start: inside
fault: failed
nodes:
  inside:
    use: WF_INSIDE_V0
    with: {n: 8, by: $.payload.n}
    next: {shared: done, broken: caught, rejected: refused}
exits:
  done: {status: COMPLETED, result: {n: $.nodes.inside.n}}
  caught: {status: FAILED, result: {by: $.nodes.inside.by}}
  refused: {status: REJECTED}
  failed: {status: FAILED}
---
workflow: WF_REJECTED_V0
summary: Share out what is given.
intent: IN_NUMBER_V0
start: inside
fault: failed
nodes:
  inside: {use: WF_INSIDE_V0, with: {n: $.payload.n}, next: {shared: done, broken: failed, rejected: refused}}
exits:
  done: {status: COMPLETED, result: {n: $.nodes.inside.n}}
  refused: {status: DENIED}
  failed: {status: FAILED}
"""


def test_a_workflow_that_is_used_ends_in_its_exits() -> None:
    """A crash inside goes where its own `fault` says."""
    around = program(compiled(DOMAIN, INSIDE), "WF_AROUND_V0")
    assert (run(around, {"n": 2}).exit, run(around, {"n": 2}).result) == ("done", {"n": 4})
    assert (run(around, {"n": 0}).exit, run(around, {"n": 0}).result) == ("caught", {"by": 0})


def test_a_payload_that_does_not_fit_is_rejected_where_it_is_bound() -> None:
    found = compiled(DOMAIN, INSIDE)
    rejected = program(found, "WF_REJECTED_V0")
    assert run(rejected, {"n": 9}).result == {"n": 9}
    ended = run(rejected, {"n": 10})
    assert ended.exit == "refused"
    assert bodies(ended)[1] == {
        "kind": "COMPUTED", "path": "inside", "capability": None, "effect": None, "outcome": "rejected",
        "inputs": {"n": 10, "by": 1}, "output": {"violations": [{"pointer": "/n", "keyword": "maximum"}]},
    }  # fmt: skip
    gates = {node["name"]: node for node in parsed(sealed_bytes(found, "WF_AROUND_V0"))["nodes"]}
    assert "rejected" not in gates["inside"]["next"], "what is proven to fit is not asked again"


def test_silent_nodes_count_nothing() -> None:
    sealed = parsed(sealed_bytes(compiled(DOMAIN, INNER, OUTER), "WF_OUTER_V0"))
    visible = [node for node in sealed["nodes"] if node["kind"] not in SILENT and node["kind"] != "EXIT"]
    assert sealed["bounds"] == {"visits": 4, "effects": {}} and len(visible) == 4
