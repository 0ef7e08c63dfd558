"""The shipped gateway with one thing changed: what would call without a recorded ALLOW does not compile; and what flows
into the verdict, read off the sealed graph."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from governing import ROOT
from omnibachi.compiling import compile_workspace
from omnibachi.workspace import shipped_root

DBL = ROOT / "protocols" / "dbl"


@pytest.fixture(scope="module", name="laid")
def a_copy_of_the_domain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gateway")
    for path in DBL.glob("*.yaml"):
        if not path.name.endswith(".test.yaml"):
            (folder / "protocols" / "dbl").mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / "protocols" / "dbl" / path.name)
    return folder


def findings(laid: Path, text: str) -> list[str]:
    """Compile the domain with another gateway.yaml; return its errors."""
    (laid / "protocols" / "dbl" / "gateway.yaml").write_text(text, "utf-8")
    found = compile_workspace(str(laid), shipped=shipped_root())
    return [f"{item.code} {item.message}" for item in found.diagnostics if item.severity == "error"]


GATEWAY = (DBL / "gateway.yaml").read_text("utf-8")
MUTATIONS = {
    "a denial calls": ("DENY: record_deny,", "DENY: call,"),
    "a denial is recorded and calls": (
        "decision: $.nodes.verdict.decision, boundary: $.payload.boundary}\n    next: {SUCCESS: denied}",
        "decision: $.nodes.verdict.decision, boundary: $.payload.boundary}\n    next: {SUCCESS: call}",
    ),
    "a denial is recorded as if allowed": ("DENY: record_deny,", "DENY: record_allow,"),
    "an ALLOW is not recorded": ("next: {ALLOW: record_allow,", "next: {ALLOW: call,"),
    "an ALLOW that was not recorded": ("next: {SUCCESS: call}", "next: {SUCCESS: call, OUT_OF_ORDER: call}"),
    "what cannot be decided calls": (
        "FAULT: record_undecidable}\n  record_deny",
        "FAULT: record_allow}\n  record_deny",
    ),
    "an error is not recorded": ("PROVIDER_ERROR: record_execution", "PROVIDER_ERROR: executed"),
    "a crash is not recorded": ("FAULT: record_crash", "FAULT: failed"),
    "a lost call is not recorded": ("OUTCOME_UNKNOWN: record_unknown", "OUTCOME_UNKNOWN: executed"),
    "a repeated intent calls": ("ALREADY_EXISTS: replayed", "ALREADY_EXISTS: call"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_goes_round_the_boundary_does_not_compile(laid: Path, name: str) -> None:
    old, new = MUTATIONS[name]
    assert GATEWAY.count(old) == 1
    found = findings(laid, GATEWAY.replace(old, new))
    assert any(item.startswith(("OB520", "OB51", "OB50")) for item in found), found


def test_the_shipped_gateway_compiles(laid: Path) -> None:
    assert findings(laid, GATEWAY) == []


def test_a_workflow_of_another_domain_is_bound_too(laid: Path) -> None:
    other = laid / "protocols" / "other"
    other.mkdir()
    (other / "domain.yaml").write_text("domain: other\n", "utf-8")
    (other / "w.yaml").write_text(
        "intent: IN_A_V0\npayload: {type: object}\n---\nworkflow: WF_A_V0\nsummary: Ask without a decision.\n"
        "intent: IN_A_V0\nstart: ask\nfault: failed\nnodes:\n  ask:\n    use: dbl::CS_PROVIDER_V0.CALL\n"
        "    with: {provider: openai, message: {message: hello}, decision: {model_id: m}, access: a}\n"
        "    next: {SUCCESS: done, PROVIDER_ERROR: done, OUTCOME_UNKNOWN: done}\n"
        "exits: {done: {status: COMPLETED}, failed: {status: FAILED}}\n",
        "utf-8",
    )
    try:
        assert {item[:5] for item in findings(laid, GATEWAY)} == {"OB520"}
    finally:
        shutil.rmtree(other)


def sealed(name: str) -> dict[str, Any]:
    path = ROOT / "protocol_snapshot" / "dbl" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def references(template: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield (scope, members) of all that a sealed template reads; ("secret", name) of a secret."""
    if isinstance(template, list) and template and template[0] == "ref":
        yield template[1], tuple(template[2])
    elif isinstance(template, list) and template and template[0] == "secret":
        yield "secret", (template[1],)
    elif isinstance(template, list | dict):
        for part in template.values() if isinstance(template, dict) else template:
            yield from references(part)


def flows(workflow: dict[str, Any], node: dict[str, Any]) -> set[tuple[str, str]]:
    """Return where the inputs of a node come from: (node and its effect, member), the payload without effect."""
    found = set()
    for scope, members in references(node.get("with")):
        if isinstance(scope, int):
            source = workflow["nodes"][scope]
            found.add((f"{source['name']} {source.get('effect', '')}", members[0]))
        else:
            found.add((scope, members[0]))
    return found


def test_what_flows_into_the_verdict() -> None:
    workflow = sealed("WF_GOVERN_INTENT_V0")
    nodes = {node["name"]: node for node in workflow["nodes"]}
    assert flows(workflow, nodes["facts"]) == {
        ("payload", name) for name in ("anchors", "intent", "identity", "boundary")
    }
    assert flows(workflow, nodes["verdict"]) == {
        ("payload", "boundary"), ("facts PURE", "facts"), ("record_intent APPEND_ONLY", "normative_digest"),
    }  # fmt: skip
    for name in ("record_allow", "record_deny"):
        assert flows(workflow, nodes[name]) == {
            ("payload", "anchors"), ("payload", "boundary"), ("verdict PURE", "decision"),
        }  # fmt: skip
    assert flows(workflow, nodes["call"]) == {
        ("payload", "boundary"), ("payload", "intent"), ("verdict PURE", "decision"), ("secret", "DBL_PROVIDER"),
    }  # fmt: skip
    assert [name for name, node in nodes.items() if any(scope == "secret" for scope, _ in flows(workflow, node))] == [
        "call"
    ]
    assert [name for name, node in nodes.items() if node.get("effect") == "EXTERNAL"] == ["call"]


def test_closing_reaches_nobody_and_only_the_shipped_gateway_does() -> None:
    snapshot = ROOT / "protocol_snapshot"
    reaching = [
        path.stem
        for path in snapshot.rglob("WF_*.json")
        if not path.name.endswith(".origins.json") and "dbl::CS_PROVIDER_V0.CALL" in path.read_text("utf-8")
    ]
    assert reaching == ["WF_GOVERN_INTENT_V0"]
    workflow = sealed("WF_CLOSE_INTENT_V0")
    used = {node["use"]: node["effect"] for node in workflow["nodes"] if "use" in node}
    assert used == {
        "dbl::CS_LEDGER_V0.READ": "READ", "dbl::CS_LEDGER_V0.APPEND_DECISION": "APPEND_ONLY",
        "dbl::CS_LEDGER_V0.APPEND_EXECUTION": "APPEND_ONLY",
    }  # fmt: skip
