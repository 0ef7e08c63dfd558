"""Laws from text to seal: contracts and loops in them, what they bind, what is sealed, shown and verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from looping import compiled, sealed
from omnibachi import Workspace
from omnibachi_audit.snapshots import verify_snapshot
from omnibachi_compiler.compile import Compilation
from omnibachi_model.digests import digest, digest_of, pretty

WORKFLOW = """
transform: CT_STEP_V0
summary: Answer.
inputs: {n: {type: integer}}
outcomes: {SUCCESS: {m: {type: integer}}, LOST: {}}
---
store: ST_LOG_V0
governed_by: CS_RECORDS_V0
evidence: true
---
store: ST_KEPT_V0
governed_by: CS_RECORDS_V0
---
intent: IN_TEST_V0
payload: {type: object, properties: {list: {type: array, items: {type: integer}}}, required: [list]}
---
intent: IN_FEW_V0
payload: {type: object, properties: {list: {type: array, maxItems: 2, items: {type: integer}}}, required: [list]}
---
contract: CC_STEP_V0
summary: Step, and keep it.
inputs: {n: {type: integer}}
start: step
nodes:
  step: {use: CT_STEP_V0, with: {n: $.inputs.n}, next: {SUCCESS: keep, LOST: GONE}}
  keep:
    use: CS_RECORDS_V0.PUT
    store: ST_KEPT_V0
    with: {key: k, value: {m: $.nodes.step.m}}
    next: {SUCCESS: SUCCESS}
outcomes: {SUCCESS: {m: $.nodes.step.m}, GONE: {}}
---
workflow: WF_INNER_V0
summary: One step.
intent: IN_FEW_V0
start: one
fault: failed
nodes:
  one: {use: CC_STEP_V0, with: {n: 1}, next: {SUCCESS: done, GONE: done}}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
---
workflow: WF_TEST_V0
summary: Log, step, step for each, then the inner workflow.
intent: IN_TEST_V0
start: log
fault: failed
nodes:
  log: {use: CS_RECORDS_V0.PUT, store: ST_LOG_V0, with: {key: k, value: {}}, next: {SUCCESS: first}}
  first: {use: CC_STEP_V0, with: {n: 1}, next: {SUCCESS: every, GONE: gone}}
  every:
    each: $.payload.list
    max: 5
    use: CC_STEP_V0
    with: {n: $.each.item}
    next: {SUCCESS: inner, PARTIAL: gone, FAILED: gone, OVERFLOW: gone}
  inner: {use: WF_INNER_V0, with: {list: $.payload.list}, next: {done: done, failed: failed, rejected: gone}}
exits: {done: {status: COMPLETED}, gone: {status: REJECTED}, failed: {status: FAILED}}
"""


def law(path: str, *, applies_to: str = "{workflows: [WF_TEST_V0]}", more: str = "") -> Compilation:
    """Compile the workspace with one law."""
    invariant = f"invariant: IV_TEST_V0\nsummary: A law.\napplies_to: {applies_to}\nevery_path: {path}\n{more}\n"
    return compiled(f"{WORKFLOW}---\n{invariant}", "CT_STEP_V0")


HOLD = [
    ("{passes: {node: log, outcome: SUCCESS}, before: {use: CC_STEP_V0}}", ""),
    ("{passes: {node: first/keep, outcome: SUCCESS}, before: {node: every}}", ""),
    ("{passes: {node: first, outcome: SUCCESS}, before: {node: 'every[]/step'}}", ""),
    ("{passes: {node: 'every[]', outcome: GONE}, before: {exit: failed}}", ""),  # a failed exit does not count
    ("{from: {node: 'every[]', outcome: GONE}, passes: {node: inner}}", "never: true"),
    ("{from: {node: every, outcome: PARTIAL}, passes: {status: COMPLETED}}", "never: true"),
    ("{passes: {effect: MUTABLE, evidence: true}, before: {effect: MUTABLE, evidence: false}}", "exits: all"),
    ("{from: {effect: MUTABLE, store: ST_LOG_V0}, passes: {effect: MUTABLE, store: ST_LOG_V0}}", "never: true"),
    ("{from: {use: CC_STEP_V0, outcome: FAULT}, passes: {exit: failed}}", "exits: all"),
    ("{from: {use: WF_INNER_V0, outcome: rejected}, passes: {exit: gone}}", ""),
    ("{from: {use: WF_INNER_V0, outcome: done}, passes: {exit: done}}", ""),
    ("{from: {effect: MUTABLE, outcome: SUCCESS}, passes: {effect: MUTABLE, store: ST_LOG_V0}}", "never: true"),
    ("{from: {effect: MUTABLE, outcome: FAULT, evidence: false}, passes: {exit: failed}}", "exits: all"),
]
BROKEN = [
    ("{passes: {node: 'every[]/keep'}, before: {node: inner}}", "", "every SUCCESS"),  # there may be no items
    ("{passes: {node: 'every[]/keep', outcome: SUCCESS}, before: {node: every, outcome: PARTIAL}}", "never: true", ""),
    ("{from: {use: CC_STEP_V0}, passes: {use: CC_STEP_V0}}", "never: true", "first SUCCESS"),
    ("{from: {node: first}, passes: {node: first, outcome: SUCCESS}}", "", "first GONE"),
    ("{from: {node: inner/one, outcome: GONE}, passes: {exit: done}}", "never: true", "inner/one GONE"),
    ("{from: {use: WF_INNER_V0, outcome: rejected}, passes: {exit: gone}}", "never: true", "inner rejected"),
    (
        "{from: {use: CC_STEP_V0, outcome: FAULT}, passes: {exit: failed}}",
        "exits: all\nnever: true",
        "first FAULT",
    ),
    ("{passes: {use: CS_RECORDS_V0, evidence: false}, before: exit}", "never: true", "first/keep SUCCESS"),
    ("{from: {effect: MUTABLE, outcome: SUCCESS, evidence: false}, passes: {exit: done}}", "", "first/keep SUCCESS"),
]


@pytest.mark.parametrize(("path", "more"), HOLD)
def test_a_law_that_holds_is_sealed_and_not_warned_of(path: str, more: str) -> None:
    compilation = law(path, more=more)
    found = [(item.code, item.message) for item in compilation.diagnostics]
    if "before: {exit: failed}" in path:
        assert [code for code, _ in found] == ["OB524"]
    else:
        assert found == []
    assert list(sealed(compilation)["laws"]) == ["shop::IV_TEST_V0"]


@pytest.mark.parametrize(("path", "more", "step"), BROKEN)
def test_a_law_that_is_broken_tells_a_path_with_its_places(path: str, more: str, step: str) -> None:
    compilation = law(path, more=more)
    assert compilation.sealed is None
    (found,) = compilation.diagnostics
    assert found.code == "OB520"
    assert found.span is not None
    assert not step or step in found.path
    assert found.path[0].startswith("log ")
    assert found.path[-1] in ("done", "gone", "failed")
    assert found.related


def test_what_a_law_binds() -> None:
    said = "{passes: {node: log}, before: {use: CC_STEP_V0}}"
    assert [item.code for item in law(said, applies_to="all").diagnostics] == ["OB520"]  # the inner one logs nothing
    assert [item.code for item in law(said, applies_to="{uses: CC_STEP_V0}").diagnostics] == ["OB520"]
    assert [item.code for item in law(said, applies_to="{uses: CT_STEP_V0}").diagnostics] == ["OB520"]
    bound = law(said, applies_to="{uses: WF_INNER_V0}")
    assert list(sealed(bound)["laws"]) == ["shop::IV_TEST_V0"]
    assert sealed(bound, "WF_INNER_V0")["laws"] == {}
    other = law("{from: {node: every}, passes: {node: inner}}", applies_to="all", more="never: true")
    assert [item.code for item in other.diagnostics] == ["OB520"]
    absent = law("{from: {node: log}, passes: {exit: gone}, before: {exit: gone}}", applies_to="all")
    assert absent.diagnostics == ()
    assert sealed(absent, "WF_INNER_V0")["laws"] == sealed(absent)["laws"]


def files(path: str, **more: str) -> dict[str, Any]:
    compilation = law(path, **more)
    assert compilation.sealed is not None, compilation.diagnostics
    return dict(compilation.sealed.files)


def test_a_law_is_sealed_once_in_a_form_that_words_do_not_change() -> None:
    path = "{passes: {node: log, outcome: SUCCESS}, before: {use: CC_STEP_V0}}"
    one = files(path)
    domain, manifest = orjson.loads(one["shop/domain.json"]), orjson.loads(one["manifest.json"])
    form = domain["laws"]["shop::IV_TEST_V0"]
    assert form == {
        "applies_to": {"workflows": ["shop::WF_TEST_V0"]},
        "every_path": {
            "from": "start",
            "passes": {"node": "log", "outcome": "SUCCESS"},
            "before": {"use": "shop::CC_STEP_V0"},
        },
        "never": False,
        "exits": "not_failed",
    }
    assert domain["summaries"]["shop::IV_TEST_V0"] == "A law."
    assert manifest["laws"] == {"shop::IV_TEST_V0": digest_of(form)}
    assert orjson.loads(one["shop/WF_TEST_V0.json"])["laws"] == manifest["laws"]
    other = files(
        "{from: start, before: {use: shop::CC_STEP_V0}, passes: {outcome: SUCCESS, node: log}}",
        applies_to="{workflows: [shop::WF_TEST_V0]}",
        more="never: false",
    )
    assert other["shop/WF_TEST_V0.json"] == one["shop/WF_TEST_V0.json"]


def test_lists_are_sealed_in_one_form_whatever_their_order() -> None:
    first = "{passes: {node: [log, first], except: [FAULT, GONE]}, before: {use: [CC_STEP_V0, CT_STEP_V0]}}"
    again = "{passes: {node: [first, log], except: [GONE, FAULT]}, before: {use: [shop::CT_STEP_V0, CC_STEP_V0]}}"
    second = "{passes: {effect: [MUTABLE], outcome: [SUCCESS]}}"
    one = law(f"[{first}, {second}]", applies_to="{uses: [CT_STEP_V0, CC_STEP_V0], except: [WF_INNER_V0]}")
    other = law(f"[{second}, {again}]", applies_to="{uses: [CC_STEP_V0, CT_STEP_V0], except: [shop::WF_INNER_V0]}")
    assert one.diagnostics == other.diagnostics == ()
    assert one.sealed is not None and other.sealed is not None
    written = one.sealed.files["shop/domain.json"]
    assert written == other.sealed.files["shop/domain.json"]
    form = orjson.loads(written)["laws"]["shop::IV_TEST_V0"]
    assert form["applies_to"] == {"uses": ["shop::CC_STEP_V0", "shop::CT_STEP_V0"], "except": ["shop::WF_INNER_V0"]}
    plain = {"from": "start", "passes": {"effect": "MUTABLE", "outcome": "SUCCESS"}, "before": "exit"}
    assert form["every_path"] == [
        plain,
        {
            "from": "start",
            "passes": {"node": ["first", "log"], "except": ["FAULT", "GONE"]},
            "before": {"use": ["shop::CC_STEP_V0", "shop::CT_STEP_V0"]},
        },
    ]


def test_each_course_is_proven_of_its_own_workflows() -> None:
    logged, kept = "{passes: {node: log}}", "{passes: {use: CT_STEP_V0}"
    assert law(f"[{kept}}}, {logged}]", applies_to="all").diagnostics[0].code == "OB520"  # the inner one logs nothing
    bound = law(f"[{kept}}}, {logged[:-1]}, applies_to: {{workflows: [WF_TEST_V0]}}}}]", applies_to="all")
    assert bound.diagnostics == ()
    (found,) = law(f"[{kept}, applies_to: {{except: [WF_TEST_V0]}}}}, {logged}]", applies_to="all").diagnostics
    assert (
        found.code == "OB520" and "WF_INNER_V0" in found.message and found.span is not None and found.span.column > 12
    )


def test_a_snapshot_whose_laws_do_not_agree_is_not_verified() -> None:
    written = files("{passes: {node: log, outcome: SUCCESS}, before: {use: CC_STEP_V0}}")
    assert [item for item in verify_snapshot(written.get, written, None) if item.code != "OB611"] == []
    workflow = orjson.loads(written["shop/WF_TEST_V0.json"])
    workflow["laws"]["shop::IV_TEST_V0"] = digest(b"another law")
    written["shop/WF_TEST_V0.json"] = pretty(workflow)
    manifest = orjson.loads(written["manifest.json"])
    manifest["workflows"]["shop::WF_TEST_V0"]["sha256"] = digest(written["shop/WF_TEST_V0.json"])
    written["manifest.json"] = pretty(manifest)
    written["manifest.sha256"] = digest(written["manifest.json"]).encode() + b"\n"
    found = verify_snapshot(written.get, written, None)
    assert [item.message for item in found if item.code == "OB602"] == [
        "the law `shop::IV_TEST_V0` of `shop::WF_TEST_V0` is not what the manifest says"
    ]


def test_a_misspelt_name_of_a_law_has_a_fix() -> None:
    for path, fix in (
        ("{passes: {node: first/kep}}", "write `first/keep` for `first/kep`"),
        ("{passes: {exit: dome}}", "write `done` for `dome`"),
        ("{passes: {node: first, outcome: SUCESS}}", "write `SUCCESS` for `SUCESS`"),
        ("{passes: {use: CS_RECORDS_V0.PAT}}", "write `PUT` for `PAT`"),
    ):
        (found,) = law(path).diagnostics
        assert found.fix is not None
        assert found.fix.says == fix


def test_laws_of_std_that_say_nothing_of_a_workspace_are_no_mistake(tmp_path: Path) -> None:
    """A workspace whose doubts end in failures gives `IV_OUTSIDE_IS_LAST_V0` nothing to say."""
    folder = tmp_path / "protocols" / "far"
    folder.mkdir(parents=True)
    (folder / "domain.yaml").write_text("domain: far\nhosts: [api.example.org]\n")
    (folder / "far.yaml").write_text(
        "intent: IN_ASK_V0\npayload: {type: object}\n---\nworkflow: WF_ASK_V0\nsummary: Ask.\nintent: IN_ASK_V0\n"
        "start: ask\nfault: failed\nnodes:\n"
        "  ask: {use: CS_HTTP_V0.DELETE, with: {url: 'https://api.example.org/a'}, next: {SUCCESS: done,"
        " VIOLATION: failed, BACKEND_ERROR: failed, OUTCOME_UNKNOWN: failed}}\n"
        "exits:\n  done: {status: COMPLETED}\n  failed: {status: FAILED}\n"
    )
    assert Workspace(tmp_path).compile().diagnostics == ()
