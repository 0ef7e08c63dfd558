"""What `std` promises, asked of workflows that have one node each: each promise is a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from looping import ROOT
from omnibachi import Workspace, replay, verify
from omnibachi.__main__ import main
from omnibachi.catalogue import Capabilities
from omnibachi.compiling import compile_workspace
from omnibachi.scenarios.runner import Report, run_scenarios

STORES = """\
domain: single
summary: One node each.
---
store: ST_NAMES_V0
governed_by: CS_REGISTRY_V0
---
store: ST_NOTES_V0
governed_by: CS_RECORDS_V0
---
store: ST_MONEY_V0
governed_by: CS_ACCOUNTS_V0
overdraft: [SUPPLY]
open_on_receipt: true
---
store: ST_WORDS_V0
governed_by: CS_EVENTS_V0
---
event: EV_NOTED_V0
record: {type: object, properties: {key: {type: string}}, required: [key], additionalProperties: false}
---
intent: IN_ASKED_V0
payload:
  type: object
  properties:
    key: {type: string}
    value: {type: object}
    revision: {type: integer}
    entries:
      type: array
      items:
        type: object
        properties: {from: {type: string}, to: {type: string}, amount: {type: integer}}
        required: [from, to, amount]
        additionalProperties: false
    mnemonic: {type: string, secret: true}
  additionalProperties: false
"""
# Of each workflow: its one node, but for the routes, and what its outcomes are.
NODES = {
    "REGISTER": ("CS_REGISTRY_V0.REGISTER", "ST_NAMES_V0", "key value", "SUCCESS ALREADY_EXISTS"),
    "CREATE": ("CS_RECORDS_V0.CREATE", "ST_NOTES_V0", "key value", "SUCCESS ALREADY_EXISTS"),
    "SWAP": ("CS_RECORDS_V0.SWAP", "ST_NOTES_V0", "key value revision", "SUCCESS CONFLICT NOT_FOUND"),
    "POST": ("CS_ACCOUNTS_V0.POST", "ST_MONEY_V0", "entries",
             "SUCCESS ALREADY_EXISTS INSUFFICIENT NOT_FOUND CONFLICT VIOLATION"),
    "NOW": ("CS_CLOCK_V0.NOW", "", "", "SUCCESS"),
    "SEED": ("CT_MNEMONIC_TO_SEED_V0", "", "mnemonic", "SUCCESS VIOLATION"),
}  # fmt: skip
SCENARIOS = """\
test: of two registrations of one key the first stands
workflow: WF_REGISTER_V0
steps:
  - {payload: {key: a, value: {said: first}}, expect: {exit: success}}
  - payload: {key: a, value: {said: second}}
    expect:
      exit: already_exists
      stores: {ST_NAMES_V0: {records: [{key: a, value: {said: first}}]}}
  - {payload: {key: b, value: {said: second}}, expect: {exit: success, stores: {ST_NAMES_V0: {count: 2}}}}
---
test: a swap with a stale revision changes nothing
workflow: WF_SWAP_V0
steps:
  - {payload: {key: a, value: {n: 1}, revision: 1}, expect: {exit: not_found}}
  - {workflow: WF_CREATE_V0, payload: {key: a, value: {n: 1}}, expect: {exit: success}}
  - {workflow: WF_CREATE_V0, payload: {key: a, value: {n: 9}}, expect: {exit: already_exists}}
  - {payload: {key: a, value: {n: 2}, revision: 1}, expect: {exit: success}}
  - payload: {key: a, value: {n: 3}, revision: 1}
    expect: {exit: conflict, stores: {ST_NOTES_V0: {records: [{key: a, value: {n: 2}}]}}}
  - {payload: {key: a, value: {n: 3}, revision: 3}, expect: {exit: conflict}}
  - {payload: {key: a, value: {n: 3}, revision: 2}, expect: {exit: success}}
---
test: a posting whose second entry overdraws leaves the first undone
workflow: WF_POST_V0
steps:
  - {payload: {entries: [{from: SUPPLY, to: a, amount: 10}]}, expect: {exit: success}}
  - payload: {entries: [{from: a, to: b, amount: 4}, {from: a, to: b, amount: 7}]}
    expect:
      exit: insufficient
      stores: {ST_MONEY_V0: {records: [{account: SUPPLY, balance: -10}, {account: a, balance: 10}]}}
  - {payload: {entries: [{from: c, to: a, amount: 1}]}, expect: {exit: not_found}}
  - {payload: {entries: [{from: a, to: a, amount: 1}]}, expect: {exit: violation}}
  - payload: {entries: [{from: a, to: b, amount: 4}, {from: b, to: a, amount: 4}]}
    expect: {exit: success, stores: {ST_MONEY_V0: {count: 3}}}
---
test: a mnemonic with one changed word is none
workflow: WF_SEED_V0
steps:
  - payload: {mnemonic: legal winner thank year wave sausage worth useful legal winner thank yellow}
    expect: {exit: success}
  - payload: {mnemonic: legal winner thank year wave sausage worth useful legal winner thank year}
    expect: {exit: violation}
  - payload: {mnemonic: legal winner thank year wave sausage worth useful legal winner thanks yellow}
    expect: {exit: violation}
---
test: a clock says what time it is
workflow: WF_NOW_V0
given: {clock: "2026-02-03T04:05:06Z"}
steps:
  - {payload: {}, expect: {exit: success, result: {at: {$matches: "^2026-02-03T04:05:06"}}}}
"""


def workflow(name: str) -> str:
    use, store, inputs, outcomes = NODES[name]
    ends = outcomes.split()
    # What has changed is told, so behind an effect that changes something stands a word about it.
    told = name == "SWAP"
    node = [f"    use: {use}", *([f"    store: {store}"] if store else [])]
    node += [f"    with: {{{', '.join(f'{key}: $.payload.{key}' for key in inputs.split())}}}"] if inputs else []
    routes = {outcome: outcome.lower() for outcome in ends} | ({"SUCCESS": "tell"} if told else {})
    node.append(f"    next: {{{', '.join(f'{outcome}: {end}' for outcome, end in routes.items())}}}")
    tell = """\
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_WORDS_V0
    event: EV_NOTED_V0
    with: {record: {key: $.payload.key}}
    next: {SUCCESS: success, VIOLATION: failed}
"""
    result = {"success": ", result: {at: $.nodes.it.at}"} if name == "NOW" else {}
    exits = "".join(f"  {end.lower()}: {{status: COMPLETED{result.get(end.lower(), '')}}}\n" for end in ends)
    return (
        f"workflow: WF_{name}_V0\nsummary: One node.\nintent: IN_ASKED_V0\nstart: it\nfault: failed\nnodes:\n  it:\n"
        + "\n".join(node)
        + f"\n{tell if told else ''}exits:\n{exits}  failed: {{status: FAILED}}\n"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("single")
    place = found / "protocols/single"
    place.mkdir(parents=True)
    (place / "domain.yaml").write_text(STORES, "utf-8")
    (place / "one.yaml").write_text("---\n".join(map(workflow, NODES)), "utf-8")
    (place / "one.test.yaml").write_text(SCENARIOS, "utf-8")
    return found


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    compilation = compile_workspace(str(folder), shipped=str(ROOT))
    assert compilation.sealed is not None, [item.message for item in compilation.diagnostics]
    return run_scenarios(compilation, Capabilities(str(ROOT / "capabilities")), "")


def test_each_promise_is_kept(report: Report) -> None:
    failures = [item.message for played in report.scenarios for item in played.failures]
    assert failures == [] and len(report.scenarios) == SCENARIOS.count("test: ")


def test_a_clock_reading_replays_the_same(folder: Path, tmp_path: Path) -> None:
    """The reading stands in the record; asked again, the clock is not looked at."""
    assert main(["compile", "--workspace", str(folder)]) == 0
    workspace = Workspace(folder)
    first, second = (workspace.run("single::WF_NOW_V0", {}, data_root=tmp_path / "data") for _ in "12")
    assert first.exit == second.exit == "success"
    read: list[Any] = [first.result, second.result]
    assert read[0]["at"] < read[1]["at"]
    for result, said in zip((first, second), read, strict=True):
        assert verify(result.record, data_root=str(tmp_path / "data")).verdict == "ANCHORED"
        again = replay(result.record, workspace.load())
        assert again.same and said["at"].encode() in result.record
