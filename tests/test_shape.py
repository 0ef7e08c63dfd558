"""The shape check: every kind of document, what is refused in it, in which words and where."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from omnibachi_compiler.declare import declare
from omnibachi_compiler.language import LATER_KINDS, SCHEMAS
from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.shape import check_shape
from omnibachi_model import addresses, codes
from omnibachi_model.diagnostics import Diagnostic, Span

SOUND = {
    "workflow": """
workflow: WF_X_V0
summary: A workflow.
intent: other::IN_X_V0
start: a
fault: failed
next: {VIOLATION: failed}
nodes:
  a: {use: CT_X_V0, with: {prefix: AC, data: $.payload.x, list: [1, {$first: [$.payload.y, null]}]}, next: {SUCCESS: b}}
  b: {use: std::CS_R_V0.PUT, store: ST_X_V0, event: EV_X_V0, with: {$literal: {a: 1}}, next: {FAULT: failed}}
  c:
    decide:
      - {when: "x > 1", outcome: SUCCESS, because: it is large}
      - {outcome: NOT_FOUND}
    with: {x: 1}
    next: {SUCCESS: done, NOT_FOUND: failed}
  d: {compute: {total: "1 + x"}, with: {x: 2}}
exits:
  done: {status: COMPLETED, result: {a: $.nodes.a.id}}
  failed: {status: FAILED}
""",
    "contract": """
contract: CC_X_V0
summary: A contract.
inputs: {who: {type: string}, many: {type: array, items: {type: string}, default: []}}
start: a
next: {VIOLATION: REFUSED}
nodes:
  a: {use: CS_R_V0.READ, store: ST_X_V0, deadline: 5s, retry: {on: [TIMEOUT], max: 3, backoff: 200ms, factor: 1.5},
      with: {key: $.inputs.who}, next: {SUCCESS: b, NOT_FOUND: NOT_FOUND, TIMEOUT: b}}
  b: {each: $.inputs.many, as: one, max: 10000, good: [SUCCESS, done], use: other::WF_X_V0, with: {x: $.each.one},
      next: {SUCCESS: c, PARTIAL: c, FAILED: c, OVERFLOW: c}}
  c: {repeat: {max: 1, until: status == 'done', every: 24h}, use: CC_Y_V0, next: {SUCCESS: d, EXHAUSTED: d}}
  d: {all: {x: {use: CS_R_V0.READ, store: ST_X_V0, with: {key: k}, deadline: 86400s}, y: {use: CS_R_V0.COUNT}},
      good: [SUCCESS], next: {SUCCESS: e, FAILED: REFUSED}}
  e: {use: WF_X_V0, with: {x: 1}, next: {done: SUCCESS, rejected: REFUSED, FAULT: REFUSED}}
outcomes: {SUCCESS: {tier: $.nodes.a.value.tier}, NOT_FOUND: {}, REFUSED: {}}
""",
    "invariant": """
invariant: IV_X_V0
summary: An invariant.
applies_to: {workflows: [WF_X_V0, other::WF_Y_V0]}
every_path:
  from: start
  passes: {use: std::CS_R_V0.READ, outcome: SUCCESS, store: ST_X_V0, event: EV_X_V0, evidence: false}
  before: {effect: MUTABLE, store: ST_X_V0}
never: true
exits: all
""",
    "transform": """
transform: CT_X_V0
summary: A transform.
inputs: {prefix: {type: string, pattern: "^[A-Z]+$"}, data: {}, length: {type: integer, default: 16, optional: true}}
outcomes: {SUCCESS: {id: {type: string}}, NOT_FOUND: {}}
examples:
  - {with: {prefix: AC, data: {secret: 1}}, gives: SUCCESS, output: {id: {$matches: "^AC"}}}
""",
    "side_effect": """
side_effect: CS_X_V0
summary: A side effect.
keeps: registry
operations:
  REGISTER: {effect: IDEMPOTENT, needs: [store, event], inputs: {key: {type: string}}, outcomes: {SUCCESS: {}}}
  READ: {effect: READ, outcomes: {SUCCESS: {value: {type: object}}}}
""",
    "intent": "intent: IN_X_V0\nsummary: An intent.\npayload: {type: object, properties: {secret: {type: string}}}\n",
    "event": "event: EV_X_V0\nrecord: {type: object, required: [a]}\n",
    "store": "store: ST_X_V0\ngoverned_by: std::CS_REGISTRY_V0\nrecord: {type: object}\nseed: true\nevidence: false\n",
    "domain": "domain: shop\nsummary: A shop.\nhosts: []\n",
    "schema": "schema: SC_X_V0\nis: {type: integer}\n",
    "policy": """
policy: PL_X_V0
summary: A policy.
gates:
  - {any_of: [{not: {require: lane}}, {when: size(lane) == 3}, {match: {lane: day}}], because: x.lane}
  - {bound: {input_chars: {max: 280}}, because: x.long}
allow: x.granted
""",
    "test": """
test: it works
workflow: WF_X_V0
given:
  clock: "2026-01-01T00:00:00.5Z"
  entropy: 7
  stores: {ST_X_V0: {key: {a: 1}}}
  answers: {a: {outcome: SUCCESS, output: {id: x}}}
steps:
  - payload: {a: {b: [1, null]}}
    expect: {exit: done, status: COMPLETED, path: [a SUCCESS, b NOT_FOUND], result: {a: {$any: true}}}
  - {payload_of: 1, workflow: shop::WF_Y_V0, expect: {stores: {ST_X_V0: {count: 1, records: [{a: 1}]}}}}
  - {load: {stores: {shop::ST_X_V0: {k: {a: 1}}}}}
""",
}


def check(text: str) -> list[Diagnostic]:
    phase = load(Source("protocols/shop/a.yaml", "shop", text.encode()))
    return [item for tree in phase.value for item in check_shape(tree).diagnostics]


def one(text: str) -> tuple[str, str, int, int]:
    """Return (code, message, line, column) of the only finding."""
    (item,) = check(text)
    assert item.span is not None
    return item.code, item.message, item.span.line, item.span.column


def marked(text: str) -> tuple[str, Span]:
    """Take the marks «…» out of a text and return the span that they enclose."""
    before, rest = text.split("«")
    inside, after = rest.split("»")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return before + inside + after, Span("protocols/shop/a.yaml", line, column, line, column + len(inside))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schemas_are_json_schemas(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_sound_document_of_each_kind(kind: str) -> None:
    (tree,) = load(Source("protocols/shop/a.yaml", "shop", SOUND[kind].encode())).value
    shape = check_shape(tree)
    assert (shape.kind, shape.sound, shape.diagnostics) == (kind, True, ())


@pytest.mark.parametrize("prefix", addresses.PREFIXES)
def test_codes_have_the_form_that_addresses_have(prefix: str) -> None:
    every = f"({'|'.join(addresses.PREFIXES)})"
    assert addresses.code_form(prefix) == addresses.CODE.pattern.removesuffix(r"\Z").replace(every, prefix)


MARKED = [
    ("OB201", "«workflw»: WF_X_V0", "did you mean `workflow:`?"),
    ("OB201", "«colour»: red", "begin with one of"),
    ("OB201", "«summary»: x\nintent: IN_X_V0\npayload: {}", "put `intent:` first"),
    ("OB201", "«workflw»: WF_X_V0\nintent: IN_X_V0\nstart: a", "did you mean `workflow:`?"),
    ("OB201", "«start»: a\nworkflow: WF_X_V0\nsummary: x\nintent: IN_X_V0\nexits: {a: {status: FAILED}}\n"
     "nodes: {a: {use: CT_X_V0}}", "put `workflow:` first"),
    ("OB202", "event: EV_X_V0\n«recrod»: {}", "did you mean `record`?"),
    ("OB202", "event: EV_X_V0\nrecord: {}\n«colour»: 1", "known here: `event`, `summary` and `record`"),
    ("OB203", "event: «EV_X_V0»", "add `record:`, a schema"),
    ("OB203", "store: «ST_X_V0»", "add `governed_by:`"),
    ("OB204", "event: EV_X_V0\nrecord: «[1]»", "write it as in `{type: string}`"),
    ("OB204", "event: EV_X_V0\nsummary: «5»\nrecord: {}", "quote it if text is meant: `'5'`"),
    ("OB204", "event: EV_X_V0\nsummary: «''»\nrecord: {}", None),
    ("OB204", "store: ST_X_V0\ngoverned_by: CS_X_V0\nseed: «yes»", "write `true` or `false`"),
    ("OB204", "«- a»", "begin it with one of"),
    ("OB204", "«just text»", "begin it with one of"),
    ("OB205", "side_effect: CS_X_V0\nsummary: x\nkeeps: «registri»\noperations: {A: {effect: READ, outcomes: {A: {}}}}",
     "did you mean `registry`?"),
    ("OB206", "event: «EV_X»\nrecord: {}", "did you mean `EV_X_V0`?"),
    ("OB206", "event: «ev_x_v0»\nrecord: {}", "did you mean `EV_X_V0`?"),
    ("OB206", "event: «X_V0»\nrecord: {}", "did you mean `EV_X_V0`?"),
    ("OB206", "event: «shop::EV_X_V0»\nrecord: {}", "did you mean `EV_X_V0`?"),
    ("OB206", "event: «WF_X_V0»\nrecord: {}", "write it as in `EV_ACTOR_REGISTERED_V0`"),
    ("OB206", "event: «\"EV_X_V0\\n\"»\nrecord: {}", "did you mean `EV_X_V0`?"),
    ("OB206", "domain: «Shop»", "did you mean `shop`?"),
    ("OB206", "store: ST_X_V0\ngoverned_by: «ST_Y_V0»", "write it as in `CS_REGISTRY_V0`"),
    ("OB212", "«actor»: AC_X_V0", "leave the document out"),
    ("OB204", "store: ST_X_V0\ngoverned_by: CS_X_V0\noverdraft: «SUPPLY»", None),
    ("OB204", "store: ST_X_V0\ngoverned_by: CS_X_V0\nopened: «[]»", None),
    ("OB204", "store: ST_X_V0\ngoverned_by: CS_X_V0\nopen_on_receipt: «always»", "write `true` or `false`"),
    ("OB204", "event: EV_X_V0\nrecord: {properties: {a: {items: {secret: «1»}}}}", None),
    ("OB204", "intent: IN_X_V0\npayload: {$defs: {a: {public: «7»}}}", None),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "help"), MARKED)
def test_documents_that_are_refused(code: str, text: str, help: str | None) -> None:
    text, span = marked(text)
    (item,) = check(text)
    assert (item.code, item.span) == (code, span)
    assert (item.help or "").startswith(help) if help else item.help is None


@pytest.mark.parametrize("kind", LATER_KINDS)
def test_kinds_of_later_versions_are_named_as_such(kind: str) -> None:
    assert one(f"{kind}: X") == ("OB212", f"`{kind}:` is reserved for a later version", 1, 1)


WORKFLOW = (
    "workflow: WF_X_V0\nsummary: x\nintent: IN_X_V0\nstart: a\nnodes:\n{}exits: {{done: {{status: COMPLETED}}}}\n"
)

NODES = [
    ("OB211", "  «a»: {with: {}}\n"),
    ("OB211", "  a: {use: CT_X_V0, «compute»: {x: y}}\n"),
    ("OB211", "  a: {decide: [{outcome: OK}], «use»: CT_X_V0}\n"),
    ("OB203", "  a: {«wait»: {for: approval}, with: {}}\n"),
    ("OB203", "  a: {«wait»: {for: approval, roles: [board]}}\n"),
    ("OB205", "  a: {wait: {for: «weather», roles: [board]}, with: {}}\n"),
    ("OB204", "  a: {wait: {for: approval, roles: «[]»}, with: {}}\n"),
    ("OB204", "  a: {wait: {for: approval, roles: «[board, board]»}, with: {}}\n"),
    ("OB206", "  a: {wait: {for: approval, roles: [«Board»]}, with: {}}\n"),
    ("OB205", "  a: {wait: {for: approval, roles: [board], quorum: «0»}, with: {}}\n"),
    ("OB220", "  a: {wait: {for: approval, roles: [board], within: «367d»}, with: {}}\n"),
    ("OB202", "  a: {«usee»: CT_X_V0}\n"),
    ("OB202", "  a: {decide: [{outcome: OK}], «store»: ST_X_V0}\n"),
    ("OB202", "  a: {compute: {x: y}, «event»: EV_X_V0}\n"),
    ("OB206", "  a: {use: «CT_X_V0.RUN»}\n"),
    ("OB206", "  a: {use: CT_X_V0, store: «EV_X_V0»}\n"),
    ("OB206", "  «A»: {use: CT_X_V0}\n"),
    ("OB206", "  a: {use: CT_X_V0, next: {«ok»: done}}\n"),
    ("OB206", "  a: {use: CT_X_V0, next: {OK: «Done»}}\n"),
    ("OB206", "  a: {compute: {«X»: y}}\n"),
    ("OB204", "  a: {compute: {x: «5»}}\n"),
    ("OB204", "  a: {compute: «{}»}\n"),
    ("OB204", "  a: {decide: «[]»}\n"),
    ("OB204", "  a: {decide: [{when: «true», outcome: OK}]}\n"),
    ("OB203", "  a: {decide: [{«when»: 'true'}]}\n"),
    ("OB204", "  a: {use: CT_X_V0, with: «[1]»}\n"),
    ("OB204", "  a: «CT_X_V0»\n"),
]


@pytest.mark.parametrize(("code", "nodes"), NODES)
def test_nodes_that_are_refused(code: str, nodes: str) -> None:
    text, span = marked(WORKFLOW.format(nodes))
    (item,) = check(text)
    assert (item.code, item.span) == (code, span)


CAPABILITIES = [
    ("OB314", "outcomes: {«FAULT»: {}}"),
    ("OB314", "outcomes: {OK: {}, «TIMEOUT»: {}}"),
    ("OB206", "outcomes: {«ok»: {}}"),
    ("OB204", "outcomes: «{}»"),
    ("OB204", "outcomes: {OK: «[]»}"),
    ("OB206", "outcomes: {OK: {«Id»: {}}}"),
    ("OB204", "outcomes: {OK: {id: «string»}}"),
    ("OB204", "outcomes: {OK: {id: {secret: «very»}}}"),
    ("OB203", "outcomes: {OK: {}}\nexamples: [{«gives»: OK}]"),
    ("OB202", "outcomes: {OK: {}}\nexamples: [{with: {}, gives: OK, «takes»: 1}]"),
]


@pytest.mark.parametrize(("code", "text"), CAPABILITIES)
def test_capabilities_that_are_refused(code: str, text: str) -> None:
    text, span = marked(f"transform: CT_X_V0\nsummary: x\ninputs: {{}}\n{text}\n")
    (item,) = check(text)
    assert (item.code, item.span) == (code, span)


OPERATIONS = [
    ("OB205", "{effect: «PURE», outcomes: {OK: {}}}"),
    ("OB205", "{effect: «EXTERNEL», outcomes: {OK: {}}}"),
    ("OB205", "{effect: EXTERNAL, repeat: «often», outcomes: {OK: {}}}"),
    ("OB205", "{effect: READ, needs: [«stor»], outcomes: {OK: {}}}"),
    ("OB204", "{effect: READ, needs: «[store, store]», outcomes: {OK: {}}}"),
]


@pytest.mark.parametrize(("code", "text"), OPERATIONS)
def test_operations_that_are_refused(code: str, text: str) -> None:
    text, span = marked(f"side_effect: CS_X_V0\nsummary: x\noperations:\n  A: {text}\n")
    (item,) = check(text)
    assert (item.code, item.span) == (code, span)


STEPS = [
    ("OB203", "test: x\nsteps: [{«payload»: {}}]"),
    ("OB204", "test: x\nworkflow: WF_X_V0\nsteps: «[]»"),
    ("OB204", "test: x\nworkflow: WF_X_V0\nsteps: [{«expect»: {}}]"),
    ("OB204", "test: x\nworkflow: WF_X_V0\nsteps: [{payload: {}, «payload_of»: 1}, {payload: {}}]"),
    ("OB205", "test: x\nworkflow: WF_X_V0\nsteps: [{payload: {}}, {payload_of: «2»}]"),
    ("OB205", "test: x\nworkflow: WF_X_V0\nsteps: [{load: {stores: {}}}, {payload_of: «1»}]"),
    ("OB205", "test: x\nworkflow: WF_X_V0\nsteps: [{payload: {}}, {payload_of: «0»}]"),
    ("OB204", "test: x\nworkflow: WF_X_V0\nsteps: [{payload: «[]»}]"),
    ("OB206", "test: x\nworkflow: WF_X_V0\nsteps: [{payload: {}, expect: {path: [«a b»]}}]"),
    ("OB202", "test: x\nworkflow: WF_X_V0\nsteps: [{payload: {}, expect: {«exits»: done}}]"),
    ("OB205", "test: x\nworkflow: WF_X_V0\nsteps: [{payload: {}, expect: {stores: {ST_X_V0: {count: «-1»}}}}]"),
    ("OB205", "test: x\nworkflow: WF_X_V0\ngiven: {clock: «yesterday»}\nsteps: [{payload: {}}]"),
]


@pytest.mark.parametrize(("code", "text"), STEPS)
def test_scenarios_that_are_refused(code: str, text: str) -> None:
    text, span = marked(text)
    codes_found = [(item.code, item.span) for item in check(text)]
    assert (code, span) in codes_found
    assert len(codes_found) == 1 + text.count("payload_of: 1}, {payload: {}}")


def test_everything_wrong_in_every_document_is_reported_at_once() -> None:
    text = (
        "workflow: CT_X_V0\nsumary: x\nintent: IN_Y\nstart: [a]\nlimits: {visits: 0}\nnext: {success: failed}\n"
        "nodes:\n  B: {use: ST_R_V0}\n  d: {}\nexits: {failed: FAILED, x: {}}\n---\nevent: EV_X_V0\n---\nnothing: 1\n"
    )
    findings = [(item.code, item.span.line, item.span.column) for item in check(text) if item.span]
    assert findings == [
        ("OB206", 1, 11),
        ("OB202", 2, 1),
        ("OB206", 3, 9),
        ("OB204", 4, 8),
        ("OB205", 5, 18),
        ("OB206", 8, 3),
        ("OB206", 8, 12),
        ("OB211", 9, 3),
        ("OB204", 10, 17),
        ("OB203", 10, 25),
        ("OB203", 12, 8),
        ("OB201", 14, 1),
    ]


def test_what_the_loader_reported_as_left_out_is_not_reported_again() -> None:
    source = Source("protocols/shop/a.yaml", "shop", b"event: EV_X_V0\nsummary:\nrecord:\n")
    phase = load(source)
    assert [item.code for item in phase.diagnostics] == ["OB109", "OB109"]
    assert declare(source, phase.value).diagnostics == ()


@pytest.mark.parametrize(
    "code",
    [
        "OB104",
        "OB105",
        "OB106",
        "OB107",
        "OB108",
        "OB109",
        "OB110",
        "OB111",
        "OB112",
        "OB201",
        "OB202",
        "OB203",
        "OB204",
        "OB205",
        "OB206",
        "OB211",
        "OB212",
        "OB220",
        "OB221",
    ],
)
def test_the_example_of_each_code_provokes_it(code: str) -> None:
    source = Source("protocols/shop/a.yaml", "shop", codes.table()[code].example.encode())
    phase = load(source)
    found = [*phase.diagnostics, *declare(source, phase.value).diagnostics]
    assert code in [item.code for item in found]
