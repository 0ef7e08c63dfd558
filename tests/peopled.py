"""A workspace whose runs wait for people, keys of people, and a clock that a test sets.

`WF_PAY_V0` asks two of the roles `board` and `compliance` within a day; `WF_ASK_V0` asks one of `board`, for as long as
it takes; `WF_TWICE_V0` asks two times, `WF_EACH_V0` for each item of a list; `WF_LATER_V0` uses a contract that asks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from omnibachi import RunResult, Workspace, wiring
from omnibachi.approving import signed
from omnibachi_model.formats import write_time

NOW_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
HOUR_NS = 3_600_000_000_000
PAY, ASK, TWICE, EACH, LATER = (f"desk::WF_{name}_V0" for name in ("PAY", "ASK", "TWICE", "EACH", "LATER"))
PAYLOAD: dict[str, Any] = {"to": "x", "amount": 5}
ENDS = """exits:
  done: {status: COMPLETED}
  refused: {status: DENIED, result: {because: $.nodes.ask.because}}
  failed: {status: FAILED}
"""
SOURCE = (
    """
domain: desk
summary: Payments that people approve.
---
intent: IN_PAY_V0
summary: A payment.
payload:
  type: object
  properties: {to: {type: string}, amount: {type: integer}, also: {type: array, items: {type: string}, maxItems: 5}}
  required: [to, amount]
  additionalProperties: false
---
event: EV_PAID_V0
summary: A payment was made.
record: {type: object, properties: {to: {type: string}, by: {type: string}}, required: [to, by]}
---
store: ST_PAID_V0
summary: Payments.
governed_by: CS_EVENTS_V0
---
workflow: WF_PAY_V0
summary: Pay after two people have approved.
intent: IN_PAY_V0
start: review
fault: failed
nodes:
  review:
    wait: {for: approval, roles: [compliance, board], quorum: 2, within: 24h}
    with: {subject: $.payload}
    next: {APPROVED: note, REJECTED: refused, EXPIRED: late}
  note:
    use: CS_EVENTS_V0.APPEND
    store: ST_PAID_V0
    event: EV_PAID_V0
    with: {record: {to: $.payload.to, by: "$.nodes.review.approvals[0].name"}}
    next: {SUCCESS: paid, VIOLATION: failed}
exits:
  paid: {status: COMPLETED, result: {by: "$.nodes.review.approvals[1].name"}}
  refused: {status: DENIED, result: {because: $.nodes.review.because}}
  late: {status: FAILED}
  failed: {status: FAILED}
---
workflow: WF_ASK_V0
summary: Ask one person, for as long as it takes.
intent: IN_PAY_V0
start: ask
fault: failed
nodes:
  ask: {wait: {for: approval, roles: [board]}, with: {to: $.payload.to}, next: {APPROVED: done, REJECTED: refused}}
"""
    + ENDS
    + """---
workflow: WF_TWICE_V0
summary: Ask, and ask again.
intent: IN_PAY_V0
start: first
fault: failed
nodes:
  first: {wait: {for: approval, roles: [board]}, with: {to: $.payload.to}, next: {APPROVED: ask, REJECTED: failed}}
  ask: {wait: {for: approval, roles: [board]}, with: {to: $.payload.to}, next: {APPROVED: done, REJECTED: refused}}
"""
    + ENDS
    + """---
contract: CC_ASK_V0
summary: Ask whether something is right.
inputs: {what: {type: string}}
start: ask
nodes:
  ask: {wait: {for: approval, roles: [board]}, with: {what: $.inputs.what}, next: {APPROVED: SUCCESS, REJECTED: NO}}
outcomes:
  SUCCESS: {by: "$.nodes.ask.approvals[0].name"}
  NO: {}
---
workflow: WF_EACH_V0
summary: Ask for each of several.
intent: IN_PAY_V0
start: all
fault: failed
nodes:
  all:
    each: $.payload.also
    max: 5
    use: CC_ASK_V0
    with: {what: $.each.item}
    next: {SUCCESS: done, PARTIAL: done, FAILED: failed}
exits:
  done: {status: COMPLETED, result: {items: $.nodes.all.items}}
  failed: {status: FAILED}
---
workflow: WF_LATER_V0
summary: Note something before and after somebody was asked.
intent: IN_PAY_V0
start: before
fault: failed
nodes:
  before:
    use: CS_EVENTS_V0.APPEND
    store: ST_PAID_V0
    event: EV_PAID_V0
    with: {record: {to: $.payload.to, by: nobody}}
    next: {SUCCESS: ask, VIOLATION: failed}
  ask: {use: CC_ASK_V0, with: {what: $.payload.to}, next: {SUCCESS: after, NO: failed}}
  after:
    use: CS_EVENTS_V0.APPEND
    store: ST_PAID_V0
    event: EV_PAID_V0
    with: {record: {to: $.payload.to, by: $.nodes.ask.by}}
    next: {SUCCESS: done, VIOLATION: failed}
exits:
  done: {status: COMPLETED}
  failed: {status: FAILED}
"""
)
PEOPLE = {"first": ("compliance",), "second": ("board",), "third": ("board", "compliance"), "clerk": ("board",)}


class Watch:
    """A clock that stands still until it is set."""

    def __init__(self, now_ns: int = NOW_NS) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        """Return the instant at which it stands."""
        return self.now


class Desk:
    """The workspace in a folder, with keys of its people and a watch."""

    def __init__(self, folder: Path, *, compiled: bool = True) -> None:
        self.folder = folder
        self.watch = Watch()
        self.workspace = Workspace(str(folder))
        self.keys = {name: key_of(name) for name in PEOPLE}
        self.data: str | None = None
        if compiled:
            (folder / "protocols" / "desk").mkdir(parents=True)
            (folder / "protocols" / "desk" / "desk.yaml").write_text(SOURCE, "utf-8")
            found = self.workspace.compile()
            assert found.ok, found.diagnostics
            self.trust()

    def trust(self, **changed: dict[str, Any]) -> None:
        """Write the trust file: everybody with their roles, and what is changed of entries by name."""
        entries = [
            {"key": key.public.text, "roles": list(PEOPLE[name]), **changed.get(name, {})}
            for name, key in self.keys.items()
        ]
        (self.folder / "trust.json").write_text(json.dumps({"schema": "omnibachi.trust/1", "keys": entries}), "utf-8")

    def run(self, workflow: str = PAY, *, actor: str | None = "clerk", run: str = "T1", **more: Any) -> RunResult:
        """Run a workflow up to where it waits."""
        root = self.data or self.workspace.data_root
        with self.workspace.engine(root, clock=self.watch) as engine:
            return engine.run(workflow, {**PAYLOAD, **more}, trace_id=run, actor=actor)

    def record(self, run: str = "T1") -> bytes:
        """Return the record of a run as it is."""
        with self.workspace.engine(self.data or self.workspace.data_root) as engine:
            return engine.record(run)

    def sign(self, name: str, decision: str = "APPROVE", because: str | None = None, run: str = "T1") -> bytes:
        """Sign what a run waits for with somebody's key."""
        return signed(self.record(run), self.keys[name], decision, because, write_time(self.watch.now))

    def hand(self, statement: bytes, run: str = "T1") -> RunResult:
        """Hand a statement in."""
        return self.workspace.approve(run, statement, data_root=self.data, clock=self.watch, picture=False)

    def approve(self, name: str, run: str = "T1", **more: Any) -> RunResult:
        """Sign with somebody's key, and hand that in."""
        return self.hand(self.sign(name, run=run, **more), run)

    def kept(self, run: str = "T1") -> list[tuple[str, str]]:
        """Return (verdict, key name) of everything that was handed in."""
        with wiring.open_root(self.data or self.workspace.data_root, reading=True) as ledger:
            return [(item.verdict, item.key.partition("+")[0]) for item in ledger.people.kept(run)]

    def notes(self) -> int:
        """Return how many payments were noted."""
        return len(self.workspace.records("desk::ST_PAID_V0", data_root=self.data))


def key_of(name: str, number: int = 0) -> Any:
    """Return a key under a name, always the same one; another number is another key of that name."""
    return wiring.PrivateKey(name, (name + str(number)).encode().ljust(32, b"."))


def codes(result: RunResult) -> list[str]:
    """Return the codes of a result's diagnostics."""
    return [item.code for item in result.diagnostics]
