"""A small workspace that is edited: files with several contents each, among them broken ones, and all that depends on
one another in every way that the compiler knows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from omnibachi_compiler.compile import compile_sources
from omnibachi_compiler.incremental import Recompiled, recompile
from omnibachi_compiler.phase import Implementation, Source

GIVES = "outcomes: {SUCCESS: {sum: {type: integer}}}"
ADD = "transform: CT_ADD_V0\nsummary: Adds.\ninputs: {n: {type: integer}}\n"
LIBRARY = "domain: std\nsummary: Shipped.\n---\n"
KEEPING = """\
side_effect: CS_KEEP_V0
summary: Keeps.
keeps: records
operations:
  GET:
    effect: READ
    needs: [store]
    inputs: {key: {type: string}}
    outcomes: {SUCCESS: {value: {type: object}}, NOT_FOUND: {}}
"""
ASKING = """\
side_effect: CS_ASK_V0
summary: Asks others.
operations:
  GET:
    effect: EXTERNAL
    repeat: key
    needs: [hosts]
    inputs: {url: {type: string}}
    outcomes: {SUCCESS: {}}
"""
ONE = """\
contract: CC_ONE_V0
summary: One more.
inputs: {n: {type: integer}}
start: add
nodes:
  add: {use: CT_ADD_V0, with: {n: $.inputs.n}, next: {SUCCESS: SUCCESS}}
outcomes:
  SUCCESS: {sum: $.nodes.add.sum}
"""
TWO = """\
contract: CC_TWO_V0
summary: Two more.
inputs: {n: {type: integer}}
start: first
nodes:
  first: {use: CC_ONE_V0, with: {n: $.inputs.n}, next: {SUCCESS: second}}
  second: {use: CC_ONE_V0, with: {n: $.nodes.first.sum}, next: {SUCCESS: SUCCESS}}
outcomes:
  SUCCESS: {sum: $.nodes.second.sum}
"""


def flow(code: str, nodes: str, sum: str = "$.nodes.go.sum", start: str = "go", more: str = "") -> str:
    """Return a workflow of these nodes."""
    return f"""\
workflow: {code}
summary: Counts.
intent: IN_NUMBER_V0
start: {start}
fault: failed
{more}nodes:
{nodes}
exits:
  done: {{status: COMPLETED, result: {{sum: {sum}}}}}
  failed: {{status: FAILED}}
"""


USES_ADD = "  go: {use: CT_ADD_V0, with: {n: $.payload.n}, next: {SUCCESS: done}}"
USES_TWO = "  go: {use: CC_TWO_V0, with: {n: $.payload.n}, next: {SUCCESS: done}}"
USES_FLOW = "  go: {use: WF_ADD_V0, with: {n: $.payload.n}, next: {done: done, failed: failed, rejected: failed}}"
USES_STORE = (
    "  read: {use: CS_KEEP_V0.GET, store: ST_KEPT_V0, with: {key: one}, next: {SUCCESS: go, NOT_FOUND: failed}}\n"
    "  go: {use: CT_ADD_V0, with: {n: $.nodes.read.value.n}, next: {SUCCESS: done}}"
)
NUMBER = "intent: IN_NUMBER_V0\npayload: {type: object, properties: {n: {type: integer}}, required: [n]}\n"
RECORD = "store: ST_KEPT_V0\ngoverned_by: CS_KEEP_V0\nrecord: {properties: {n: {type: integer}}, required: [n]}\n"
SCHEMA = "schema: SC_NUMBER_V0\nis: {type: integer}\n"
LAW = """\
invariant: IV_ADDS_V0
summary: Adds first.
applies_to: {uses: CC_ONE_V0}
every_path: {passes: {use: CC_ONE_V0}, before: {exit: done}}
"""
POLICY = """\
policy: PL_ADD_V0
summary: Who may add.
gates:
  - {when: "lane == 'day'", because: add.night}
allow: add.day
"""
# Each file with what it may hold; None: it is not there. The first of each makes a workspace that compiles.
FILES: Mapping[str, tuple[str | None, ...]] = {
    "protocols/std/domain.yaml": (LIBRARY + ADD + GIVES, LIBRARY + "# moved\n" + ADD + GIVES, LIBRARY + KEEPING),
    "protocols/std/keep.yaml": (KEEPING, "# moved\n" + KEEPING, KEEPING.replace("NOT_FOUND", "GONE"), None),
    "protocols/shop/domain.yaml": (
        "domain: shop\nsummary: Sells.\n",
        "domain: shop\nsummary: Sells more.\n",
        "domain: shop\nsummary: Sells.\nhosts: [a.example]\n",
        "domain: shop\nsumary: Sells.\n",
        None,
    ),
    "protocols/shop/number.yaml": (
        NUMBER,
        "\n" + NUMBER,
        NUMBER.replace("integer", "string"),
        NUMBER.replace("{type: integer}", "{$ref: SC_NUMBER_V0}"),
        None,
    ),
    "protocols/shop/schemas.yaml": (
        None,
        SCHEMA,
        SCHEMA.replace("integer", "string"),
        SCHEMA + "---\n" + SCHEMA.replace("NUMBER", "OTHER").replace("{type: integer}", "{$ref: SC_NUMBER_V0}"),
        SCHEMA.replace("{type: integer}", "{$ref: SC_NUMBER_V0}"),
    ),
    "protocols/std/schemas.yaml": (None, SCHEMA, SCHEMA.replace("is:", "summary: A number.\nis:")),
    "protocols/shop/add.yaml": (
        None,
        ADD + GIVES,
        ADD + GIVES.replace("sum", "total"),
        ADD + "outcomes: {SUCCESS: {sum: {type: integer}}, TOO_MUCH: {}}",
        "transform: CT_ADD_V0\nsummary: [",
    ),
    "protocols/shop/kept.yaml": (RECORD, RECORD.replace("ST_KEPT", "ST_OTHER"), RECORD + "evidence: true\n", None),
    "protocols/shop/one.yaml": (
        ONE,
        ONE + "  NEVER: {}\n",  # a warning: nothing reaches it
        ONE.replace("sum: $", "more: $"),
        ONE + "---\n" + flow("WF_BESIDE_V0", USES_ADD),
        None,
    ),
    "protocols/shop/two.yaml": (TWO, TWO.replace("CC_ONE", "CC_TWO"), TWO.replace("summary: Two", "summary: 2"), None),
    "protocols/shop/flows/add.yaml": (
        flow("WF_ADD_V0", USES_ADD),
        flow("WF_ADD_V0", USES_ADD.replace("go:", "come:"), "$.nodes.come.sum", "come"),
        flow("WF_ADD_V0", USES_ADD) + "  unreached: {status: FAILED}\n",
        flow("WF_ADD_V0", USES_ADD, more="limits: {visits: 1}\n"),
        flow("WF_ADD_V0", USES_ADD.replace("done", "dnoe")),
        flow("WF_ADD_V0", USES_ADD.replace("CT_ADD", "shop::CT_ADD")),
        None,
    ),
    "protocols/shop/flows/two.yaml": (
        flow("WF_TWO_V0", USES_TWO),
        flow("WF_TWO_V0", USES_TWO + "\n  go: {}"),
        flow("WF_RENAMED_V0", USES_TWO),
    ),
    "protocols/shop/flows/nested.yaml": (flow("WF_NESTED_V0", USES_FLOW), flow("WF_ADD_V0", USES_ADD), None),
    "protocols/shop/flows/kept.yaml": (
        flow("WF_KEPT_V0", USES_STORE, start="read"),
        NUMBER.replace("IN_NUMBER", "IN_KEPT")
        + "---\n"
        + flow("WF_KEPT_V0", USES_STORE, start="read").replace("IN_NUMBER", "IN_KEPT"),
        None,
    ),
    "protocols/shop/flows/ask.yaml": (
        None,
        ASKING
        + "---\n"
        + flow(
            "WF_ASK_V0",
            "  ask: {use: CS_ASK_V0.GET, with: {url: $.run.id}, next: {SUCCESS: go, OUTCOME_UNKNOWN: failed}}\n"
            + USES_ADD,
            start="ask",
        ),
    ),
    "protocols/shop/policy.yaml": (
        None,
        POLICY,
        POLICY.replace("add.night", "add.late"),
        POLICY.replace("lane ==", "lan =="),
        POLICY.replace("add.day", "policy.unavailable"),
    ),
    "protocols/shop/laws.yaml": (
        None,
        LAW,
        LAW.replace("{uses: CC_ONE_V0}", "all").replace("passes: {use: CC_ONE_V0}", "passes: {node: go}"),
        LAW.replace("{uses: CC_ONE_V0}", "{workflows: [WF_ADD_V0, WF_TWO_V0]}"),
        LAW.replace("uses: CC_ONE", "uses: CC_TWO"),
        LAW.replace("uses: CC_ONE_V0", "uses: CT_ADD_V0").replace("{exit: done}", "{status: DENIED}"),
    ),
    "protocols/shop/said.yaml": (
        None,
        "test: adds\nworkflow: WF_ADD_V0\nsteps:\n  - {run: {n: 1}, expect: {exit: done}}\n",
        "event: EV_SAID_V0\nrecord: {properties: {n: {type: integer}}}\n",
        "event: EV_SAID_V0\nsummary: |\n  ---\n  intent: IN_NUMBER_V0\nrecord: {properties: {n: {type: integer}}}\n",
    ),
}
PYTHON = (
    b'def answer(inputs):\n    return "SUCCESS", {"sum": inputs["n"] + 1}\n',
    b'def answer(inputs):\n    return "SUCCESS", {"sum": inputs["n"] + 2}\n',
    b'def answer(inputs):\n    return "NONE", {}\n',
)


@dataclasses.dataclass
class Edited:
    """The workspace as it stands, with the last snapshot that was sealed and what was remembered then."""

    chosen: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(FILES, 0))
    python: int = 0
    snapshot: dict[str, bytes] = dataclasses.field(default_factory=dict)
    entries: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def given(self) -> tuple[list[Source], dict[str, Implementation]]:
        """What a compile is given."""
        texts = {path: FILES[path][number] for path, number in self.chosen.items()}
        sources = [Source(path, path.split("/")[1], text.encode()) for path, text in texts.items() if text is not None]
        code = PYTHON[self.python]
        transform = Implementation("made", "answer", 1, {"made": code})
        keeping = Implementation("kept", "get", 3, {"kept": b"def get(inputs, store, call):\n    return ask(inputs)\n"})
        behind = dict.fromkeys(("std::CT_ADD_V0", "shop::CT_ADD_V0"), transform) | {
            "std::CS_KEEP_V0.GET": keeping,
            "shop::CS_ASK_V0.GET": keeping,
        }
        return sources, behind

    def compiled(self) -> Recompiled | None:
        """Compile with what is remembered, and from nothing, and hold the two to be one; return the former.

        Where a snapshot is sealed, it and what is remembered are kept.
        """
        sources, behind = self.given
        whole = compile_sources(sources, behind, {"a": "1"}, str)
        again = recompile(sources, behind, {"a": "1"}, str, self.entries, self.snapshot.get)
        assert (again is None) == (whole.sealed is None), whole.diagnostics
        if again is None or whole.sealed is None:
            return None
        assert again.sealed.files == whole.sealed.files
        assert again.sealed.seal == whole.sealed.seal
        assert [item.as_json() for item in again.diagnostics] == [item.as_json() for item in whole.diagnostics]
        assert again.places == whole.places
        assert again.addresses == whole.addresses
        self.snapshot, self.entries = dict(again.sealed.files), again.entries
        return again
