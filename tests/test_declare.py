"""Declarations out of documents: every name with its place, and what wrong documents still give."""

from __future__ import annotations

from omnibachi_compiler.declarations import (
    Compute,
    Decide,
    Declaration,
    Domain,
    EventShape,
    Intent,
    Name,
    Route,
    Scenario,
    SideEffect,
    Store,
    Transform,
    Use,
    Workflow,
)
from omnibachi_compiler.declare import declare
from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.tree import plain
from omnibachi_model.diagnostics import Diagnostic

WORKFLOW = """\
workflow: WF_X_V0
summary: A workflow.
intent: IN_X_V0
start: a
fault: failed
next: {VIOLATION: failed}
nodes:
  a:
    use: CS_R_V0.PUT
    store: ST_X_V0
    event: EV_X_V0
    with: {key: $.payload.key}
    next: {SUCCESS: b}
  b:
    decide:
      - {when: "x > 1", outcome: BIG, because: it is large}
      - {outcome: SMALL}
    with: {x: 1}
    next: {BIG: c, SMALL: done}
  c: {compute: {total: 1 + x, half: x / 2}, with: {x: 2}, next: {SUCCESS: done}}
exits:
  done: {status: COMPLETED, result: {total: $.nodes.c.total}}
  failed: {status: FAILED}
"""


def declared(text: str, domain: str = "shop") -> tuple[tuple[Declaration, ...], tuple[Diagnostic, ...]]:
    source = Source(f"protocols/{domain}/a.yaml", domain, text.encode())
    phase = load(source)
    assert phase.diagnostics == ()
    result = declare(source, phase.value)
    return result.value, result.diagnostics


def sound(text: str) -> Declaration:
    (declaration,), diagnostics = declared(text)
    assert diagnostics == ()
    return declaration


def place(name: Name | None) -> tuple[str, int, int]:
    assert name is not None
    return name.text, name.span.line, name.span.column


def routes(items: tuple[Route, ...]) -> dict[str, str]:
    return {item.outcome.text: item.target.text for item in items}


def test_a_workflow_with_its_nodes_routes_and_exits() -> None:
    flow = sound(WORKFLOW)
    assert isinstance(flow, Workflow)
    assert (place(flow.name), flow.domain, flow.summary) == (("WF_X_V0", 1, 11), "shop", "A workflow.")
    assert [place(item) for item in (flow.intent, flow.start, flow.fault)] == [
        ("IN_X_V0", 3, 9),
        ("a", 4, 8),
        ("failed", 5, 8),
    ]
    assert routes(flow.routes) == {"VIOLATION": "failed"}
    call, choice, sums = flow.nodes
    assert isinstance(call, Use)
    assert [place(item) for item in (call.name, call.use, call.store, call.event)] == [
        ("a", 8, 3),
        ("CS_R_V0.PUT", 9, 10),
        ("ST_X_V0", 10, 12),
        ("EV_X_V0", 11, 12),
    ]
    assert call.bindings is not None
    assert plain(call.bindings) == {"key": "$.payload.key"}
    assert isinstance(choice, Decide)
    first, last = choice.rows
    assert place(first.when) == ("x > 1", 16, 16)
    assert (place(first.outcome), place(first.because)) == (("BIG", 16, 34), ("it is large", 16, 48))
    assert (last.when, last.because, last.outcome.text, last.span.line) == (None, None, "SMALL", 17)
    assert routes(choice.routes) == {"BIG": "c", "SMALL": "done"}
    assert isinstance(sums, Compute)
    assert [(place(name), place(text)) for name, text in sums.fields] == [
        (("total", 20, 17), ("1 + x", 20, 24)),
        (("half", 20, 31), ("x / 2", 20, 37)),
    ]
    done, failed = flow.exits
    assert (place(done.name), done.status.text) == (("done", 22, 3), "COMPLETED")
    assert done.result is not None
    assert plain(done.result) == {"total": "$.nodes.c.total"}
    assert failed.result is None
    assert (flow.span.line, flow.span.end_line) == (1, 23)


def test_capabilities() -> None:
    transform = sound(
        "transform: CT_X_V0\nsummary: x\ninputs: {a: {type: string}, b: {}}\n"
        "outcomes: {SUCCESS: {id: {type: string}}, NOT_FOUND: {}}\nexamples: [{with: {a: b}, gives: NOT_FOUND}]\n"
    )
    assert isinstance(transform, Transform)
    assert [(item.name.text, plain(item.schema)) for item in transform.inputs] == [("a", {"type": "string"}), ("b", {})]
    assert [(item.name.text, [field.name.text for field in item.fields]) for item in transform.outcomes] == [
        ("SUCCESS", ["id"]),
        ("NOT_FOUND", []),
    ]
    assert [plain(item) for item in transform.examples] == [{"with": {"a": "b"}, "gives": "NOT_FOUND"}]
    effect = sound(
        "side_effect: CS_X_V0\nsummary: x\noperations:\n"
        "  PUT: {effect: MUTABLE, needs: [store], inputs: {key: {type: string}}, outcomes: {SUCCESS: {}}}\n"
        "  NOW: {effect: READ, outcomes: {SUCCESS: {at: {type: string}}}}\n"
    )
    assert isinstance(effect, SideEffect)
    assert effect.keeps == "records"
    put, now = effect.operations
    assert (place(put.name), put.effect.text, [item.text for item in put.needs]) == (
        ("PUT", 4, 3),
        "MUTABLE",
        ["store"],
    )
    assert [item.name.text for item in put.inputs] == ["key"]
    assert (now.needs, now.inputs) == ((), ())


def test_state_and_shapes() -> None:
    store = sound("store: ST_X_V0\ngoverned_by: std::CS_REGISTRY_V0\nrecord: {type: object}\nseed: true\n")
    assert isinstance(store, Store)
    assert (place(store.governed_by), store.seed, store.evidence) == (("std::CS_REGISTRY_V0", 2, 14), True, False)
    bare = sound("store: ST_Y_V0\ngoverned_by: CS_X_V0\n")
    assert isinstance(bare, Store)
    assert (bare.record, bare.seed, bare.summary) == (None, False, "")
    intent = sound("intent: IN_X_V0\nsummary: x\npayload: {type: object}\n")
    assert isinstance(intent, Intent)
    assert (plain(intent.payload), intent.summary) == ({"type": "object"}, "x")
    event = sound("event: EV_X_V0\nrecord: {}\n")
    assert isinstance(event, EventShape)
    assert plain(event.record) == {}


def test_a_scenario_keeps_its_steps_as_trees() -> None:
    scenario = sound(
        "test: it works\nworkflow: WF_X_V0\ngiven: {entropy: 7}\nsteps: [{payload: {}}, {payload_of: 1}]\n"
    )
    assert isinstance(scenario, Scenario)
    assert (scenario.name.text, place(scenario.workflow), scenario.domain) == (
        "it works",
        ("WF_X_V0", 2, 11),
        "shop",
    )
    assert scenario.given is not None
    assert plain(scenario.given) == {"entropy": 7}
    assert [plain(item) for item in scenario.steps] == [{"payload": {}}, {"payload_of": 1}]


def test_a_domain_has_the_name_of_its_folder() -> None:
    domain = sound("domain: shop\nsummary: A shop.\nhosts: [example.org]\n")
    assert isinstance(domain, Domain)
    assert (domain.name.text, [item.text for item in domain.hosts]) == ("shop", ["example.org"])
    (misplaced,), (item,) = declared("domain: shop\n", "bank")
    assert isinstance(misplaced, Domain)
    assert misplaced.name.text == "bank"
    assert (item.code, item.help) == ("OB308", "write `domain: bank`")


def test_many_documents_in_one_source_keep_their_order() -> None:
    kinds, diagnostics = declared("event: EV_X_V0\nrecord: {}\n---\nintent: IN_X_V0\npayload: {}\n---\ndomain: shop\n")
    assert diagnostics == ()
    assert [type(item) for item in kinds] == [EventShape, Intent, Domain]


def test_a_finding_that_changes_no_meaning_keeps_the_declaration() -> None:
    for text in (
        WORKFLOW.replace("summary: A workflow.\n", ""),
        WORKFLOW.replace("summary: A workflow.", "sumary: A workflow."),
        WORKFLOW.replace("fault: failed\n", "fault: failed\ncolour: red\n"),
        WORKFLOW.replace("fault: failed\n", "fault: failed\nlimits: {visits: many}\n"),
    ):
        (flow,), diagnostics = declared(text)
        assert isinstance(flow, Workflow)
        assert len(flow.nodes) == 3
        assert len(diagnostics) == 1


def test_a_document_of_wrong_shape_gives_no_declaration_and_its_neighbours_theirs() -> None:
    for broken in ("event: EV_X_V0\n", "event: X\nrecord: {}\n", "event: EV_X_V0\nrecrod: {}\n", "wrong: 1\n"):
        (event,), diagnostics = declared(f"event: EV_A_V0\nrecord: {{}}\n---\n{broken}")
        assert isinstance(event, EventShape)
        assert event.name.text == "EV_A_V0"
        assert len(diagnostics) == 1
