"""A toy domain for laws: its declarations, and nodes and workflows of one line each."""

from __future__ import annotations

from looping import ROOT
from omnibachi.compiling import reader
from omnibachi_compiler.catalogue import read_catalogue
from omnibachi_compiler.compile import Compilation, compile_sources
from omnibachi_compiler.phase import Implementation, Source

STD = [
    Source(f"protocols/std/{name}.yaml", "std", (ROOT / "protocols" / "std" / f"{name}.yaml").read_bytes())
    for name in ("domain", "registry", "records", "events", "http", "accounts")
]
USED = ("std::CS_REGISTRY", "std::CS_RECORDS", "std::CS_EVENTS", "std::CS_HTTP", "std::CS_ACCOUNTS")
BEHIND = {
    address: found
    for address, found in read_catalogue(
        "omnibachi_capabilities", reader(str(ROOT / "capabilities")), lambda module: module
    ).value.items()
    if address.startswith(USED)
}
MADE = Implementation("made", "post", 3, {"made": b"def post(inputs, store, call):\n    return answers(inputs)\n"})
BASE = """\
domain: toy
hosts: [toy.example]
---
side_effect: CS_ACCOUNTS_V0
summary: Balances.
operations:
  POST: {effect: IDEMPOTENT, needs: [store], inputs: {key: {type: string}}, outcomes: {SUCCESS: {}, INSUFFICIENT: {}}}
---
store: ST_ACCOUNTS_V0
governed_by: CS_ACCOUNTS_V0
---
store: ST_KEPT_V0
governed_by: std::CS_RECORDS_V0
---
store: ST_VERIFICATIONS_V0
governed_by: std::CS_REGISTRY_V0
evidence: true
---
store: ST_TOLD_V0
governed_by: std::CS_EVENTS_V0
evidence: true
---
event: EV_DONE_V0
record: {type: object}
---
event: EV_DENIED_V0
record: {type: object}
---
event: EV_VERIFIED_V0
record: {type: object}
---
intent: IN_TOY_V0
payload: {type: object, properties: {n: {type: integer}}, required: [n]}
---
intent: IN_MANY_V0
payload: {type: object, properties: {list: {type: array, items: {type: integer}}}, required: [list]}
---
contract: CC_OWNED_V0
summary: Is this the owner?
inputs: {n: {type: integer}}
start: found
nodes:
  found:
    use: std::CS_EVENTS_V0.FIND
    store: ST_TOLD_V0
    event: EV_VERIFIED_V0
    with: {match: {}}
    next: {SUCCESS: same, NOT_FOUND: UNKNOWN}
  same:
    decide: [{when: n > 0, outcome: SAME}, {outcome: OTHER}]
    with: {n: $.inputs.n}
    next: {SAME: OWNED, OTHER: OTHERS}
outcomes: {OWNED: {}, OTHERS: {}, UNKNOWN: {}}
"""
EXITS = """\
exits:
  done: {status: COMPLETED}
  not_admitted: {status: DENIED}
  denied: {status: DENIED}
  busy: {status: REJECTED}
  failed: {status: FAILED}
"""


def flow(nodes: str, code: str = "WF_TOY_V0", intent: str = "IN_TOY_V0") -> str:
    """Return a workflow of these nodes; it starts with the first."""
    first = nodes.strip().partition(":")[0]
    head = f"workflow: {code}\nsummary: A toy.\nintent: {intent}\nstart: {first}\nfault: failed\nnodes:\n"
    lines = "".join(f"  {line.strip()}\n" for line in nodes.strip().splitlines())
    return head + lines + "".join(f"{line}\n" for line in EXITS.splitlines() if _led_to(line, nodes))


def _led_to(line: str, nodes: str) -> bool:
    name = line.strip().partition(":")[0]
    return name in ("exits", "failed") or f" {name}" in nodes


def put(name: str, goes: str) -> str:
    """Return a node that writes (MUTABLE)."""
    return _use(name, "std::CS_RECORDS_V0.PUT", "ST_KEPT_V0", "key: k, value: {}", f"SUCCESS: {goes}")


def swap(name: str, goes: str, lost: str) -> str:
    """Return a node that writes unless somebody was faster."""
    routes = f"SUCCESS: {goes}, CONFLICT: {lost}, NOT_FOUND: {lost}"
    return _use(name, "std::CS_RECORDS_V0.SWAP", "ST_KEPT_V0", "key: k, value: {}, revision: 1", routes)


def register(name: str, goes: str, store: str) -> str:
    """Return a node that registers (IDEMPOTENT)."""
    routes = f"SUCCESS: {goes}, ALREADY_EXISTS: {goes}"
    return _use(name, "std::CS_REGISTRY_V0.REGISTER", store, "key: k, value: {}", routes)


def tell(name: str, goes: str, event: str = "EV_DONE_V0") -> str:
    """Return a node that appends an event."""
    store = f"ST_TOLD_V0, event: {event}"
    return _use(name, "std::CS_EVENTS_V0.APPEND", store, "record: {}", f"SUCCESS: {goes}, VIOLATION: failed")


def find(name: str, goes: str, lost: str) -> str:
    """Return a node that looks for a verification."""
    store = "ST_TOLD_V0, event: EV_VERIFIED_V0"
    return _use(name, "std::CS_EVENTS_V0.FIND", store, "match: {}", f"SUCCESS: {goes}, NOT_FOUND: {lost}")


def post(name: str, goes: str, lost: str = "busy") -> str:
    """Return a node that moves value."""
    return _use(name, "CS_ACCOUNTS_V0.POST", "ST_ACCOUNTS_V0", "key: k", f"SUCCESS: {goes}, INSUFFICIENT: {lost}")


def _use(name: str, use: str, store: str, inputs: str, routes: str) -> str:
    return f"{name}: {{use: {use}, store: {store}, with: {{{inputs}}}, next: {{{routes}}}}}"


def ask(name: str, goes: str, unknown: str, refused: str = "busy") -> str:
    """Return a node that asks the outside for something (EXTERNAL)."""
    known = f"SUCCESS: {goes}, VIOLATION: {refused}, BACKEND_ERROR: {refused}, OUTCOME_UNKNOWN: {unknown}"
    return f"{name}: {{use: std::CS_HTTP_V0.PUT, with: {{url: 'https://toy.example/'}}, next: {{{known}}}}}"


def decide(name: str, goes: str, lost: str) -> str:
    """Return a node that decides YES or NO."""
    rows = "[{when: n > 0, outcome: YES}, {outcome: NO}]"
    return f"{name}: {{decide: {rows}, with: {{n: $.payload.n}}, next: {{YES: {goes}, NO: {lost}}}}}"


def owned(name: str, goes: str, lost: str) -> str:
    """Return a node that asks a contract whose it is."""
    routes = f"OWNED: {goes}, OTHERS: {lost}, UNKNOWN: {lost}"
    return f"{name}: {{use: CC_OWNED_V0, with: {{n: $.payload.n}}, next: {{{routes}}}}}"


def loop(name: str, use: str, good: str, goes: str) -> str:
    """Return a loop over a contract; what did not go well for all is busy."""
    routes = f"SUCCESS: {goes}, PARTIAL: busy, FAILED: busy, OVERFLOW: busy"
    said = f"each: $.payload.list, max: 9, good: [{good}], use: {use}, with: {{n: $.each.item}}"
    return f"{name}: {{{said}, next: {{{routes}}}}}"


def nodes(*written: str) -> str:
    """Return nodes, one a line."""
    return "\n".join(written)


def compiled(workflows: list[str], law: str) -> Compilation:
    """Compile the toy domain with workflows and one law."""
    text = "---\n".join([BASE, *(f"{item}\n" for item in workflows), f"invariant: IV_TOY_V0\nsummary: A law.\n{law}"])
    source = Source("protocols/toy/toy.yaml", "toy", text.encode())
    return compile_sources([*STD, source], {**BEHIND, "toy::CS_ACCOUNTS_V0.POST": MADE}, {}, lambda module: module)
