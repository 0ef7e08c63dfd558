"""Policies in a snapshot: what is sealed of them, and what every command makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call, workspace
from omnibachi import Workspace
from omnibachi.packs import SHIPPED_PACKS, in_force
from omnibachi_compiler.editing.completion import complete
from omnibachi_compiler.editing.hover import hover
from omnibachi_compiler.editing.spots import Open, Project
from omnibachi_model.diagnostics import Refused
from omnibachi_model.digests import decode, digest_of, pretty
from omnibachi_policy.evaluation import evaluate
from packing import DOMAIN, ZERO, compiled, written

__all__ = ["call", "workspace"]

ROOT = Path(__file__).resolve().parent.parent
PAY = """\
policy: PL_PAY_V0
summary: Who may pay.
gates:
  - {match: {claimed.capability: pay}, because: pay.no_capability}
  - {when: "size(declared_tools) < 3 && verified", because: pay.tools}
  - {not: {any_of: [{bound: {input_chars: {min: 9}}}, {absent: lane}]}, because: pay.long}
allow: pay.granted
"""


@pytest.fixture
def shop(workspace: Path, call: Call) -> Path:
    """A workspace with a policy, compiled."""
    (workspace / "protocols/greeting/pay.yaml").write_text(PAY)
    assert call("compile").status == 0
    return workspace


def test_what_ships_decides_as_it_says() -> None:
    snapshot = Workspace.find(str(ROOT)).load()
    plain = {"intent_type": "chat.message", "input_chars": 280}
    stories: list[tuple[str, dict[str, Any], str, str]] = [
        ("allow_all", {}, "ALLOW", "allow_all"),
        ("deny_all", plain, "DENY", "deny_all"),
        ("demo", plain, "ALLOW", "policy.within_limits"),
        ("demo", {**plain, "claimed.capability": "chat"}, "ALLOW", "policy.within_limits"),
        ("demo", {**plain, "claimed.capability": "root"}, "DENY", "policy.capability_not_granted"),
        ("demo", {**plain, "claimed.capability": 5}, "DENY", "policy.capability_not_granted"),
        ("demo", {**plain, "input_chars": 281}, "DENY", "policy.message_too_long"),
        ("demo", {**plain, "intent_type": "chat.other"}, "DENY", "policy.intent_not_offered"),
        ("demo", {"input_chars": 1}, "DENY", "policy.intent_not_offered"),
        ("demo", {"intent_type": "chat.message"}, "DENY", "policy.message_too_long"),
    ]
    for name, facts, result, reason in stories:
        policy = in_force(snapshot, name)
        found = evaluate(policy, facts, ZERO)
        assert (found["result"], found["reason_codes"]) == (result, [reason]), (name, facts)
        assert found["policy_id"] == SHIPPED_PACKS[name] and found["snapshot"] == snapshot.seal
        assert policy == in_force(snapshot, SHIPPED_PACKS[name])


def test_an_unknown_policy_is_answered_with_the_nearest(shop: Path) -> None:
    for name, near in (("greeting::PL_PAI_V0", "greeting::PL_PAY_V0"), ("demmo", "demo")):
        with pytest.raises(Refused) as refused:
            in_force(Workspace.find(str(shop)).load(), name)
        (found,) = refused.value.diagnostics
        assert (found.code, found.help) == ("OB843", f"did you mean `{near}`?")


def test_a_snapshot_without_policies_does_not_speak_of_them() -> None:
    without, with_one = compiled("event: EV_PAID_V0\nrecord: {}\n").sealed, compiled(written([])).sealed
    assert without is not None and with_one is not None
    for name in ("manifest.json", "shop/domain.json"):
        assert "policies" not in decode(without.files[name])
        assert len(decode(with_one.files[name])["policies"]) == 1


def test_values_are_sealed_canonically() -> None:
    found = compiled(written([]) + "gates: [{bound: {input_chars: {max: 1e2, min: 2.0}}, because: a.b}]\n").sealed
    assert found is not None
    (pack,) = decode(found.files["shop/domain.json"])["policies"].values()
    assert pack["gates"] == [{"bound": {"input_chars": {"max": 100, "min": 2}}, "because": "a.b"}]
    assert pretty(decode(found.files["shop/domain.json"])) == found.files["shop/domain.json"]


@pytest.mark.parametrize(("gates", "words"), [
    ([{"require": "lane"}] * 201, "a list of at most 200 gates"),
    ([{"any_of": [{"require": "lane"}] * 201}], "a list of at most 200 gates"),
    ([{"one_of": {"lane": [str(number) for number in range(1001)]}}], "a list of at most 1000 values"),
    ([{"match": {"roles": ["r"] * 101}}], "a list of at most 100 texts"),
    ([{"match": {"lane": "x" * 1001}}], "a text of at most 1000 characters"),
    ([{"when": "lane == '" + "x" * 10_001 + "'"}], "an expression has at most 10000 characters"),
], ids=["gates", "any_of", "one_of", "match", "text", "when"])  # fmt: skip
def test_what_is_huge_does_not_compile(gates: list[dict[str, Any]], words: str) -> None:
    found = compiled(written([{**gate, "because": "a.b"} for gate in gates]))
    assert found.sealed is None
    assert any(words in item.message for item in found.diagnostics), found.diagnostics


def test_show_tells_gates_and_digest(call: Call, shop: Path) -> None:
    said = call("show", "greeting::PL_PAY_V0")
    found = in_force(Workspace.find(str(shop)).load(), "greeting::PL_PAY_V0")
    for words in ("Who may pay.", found["digest"], "claimed.capability is 'pay', else pay.no_capability",
                  "size(declared_tools) < 3 && verified", "not ((input_chars is at least 9) or (lane is missing))",
                  "allows with  pay.granted"):  # fmt: skip
        assert words in said.out
    value = call("show", "greeting::PL_PAY_V0", "--json").json()
    assert (value["digest"], value["pack"]) == (found["digest"], found["pack"])
    assert digest_of(value["pack"]) == value["digest"]
    assert call("show", "greeting::PL_PAY_V0", "--format", "png").status == 2
    unknown = call("show", "greeting::PL_PAIR_V0")
    assert unknown.status == 3 and "did you mean `greeting::PL_PAY_V0`?" in unknown.err


@pytest.mark.parametrize(("old", "new", "rules"), [
    ("input_chars: {min: 9}", "input_chars: {min: 8}", {"policy-changed"}),
    ("allow: pay.granted", "allow: pay.yes", {"policy-changed"}),
    ("< 3", "<= 2", {"policy-changed"}),
    ("summary: Who may pay.", "summary: Who pays.", {"summary-changed"}),
    (PAY, "", {"removed", "summary-changed"}),
    ("policy: PL_PAY_V0", "policy: PL_PAY_V1", {"removed", "added", "summary-changed"}),
])  # fmt: skip
def test_every_change_of_a_pack_is_breaking(
    call: Call, shop: Path, tmp_path: Path, old: str, new: str, rules: set[str]
) -> None:
    (shop / "protocol_snapshot").rename(tmp_path / "before")
    file = shop / "protocols/greeting/pay.yaml"
    file.write_text(PAY.replace(old, new))
    if not new:
        file.unlink()
    assert call("compile").status == 0
    found = call("diff", str(tmp_path / "before"), "protocol_snapshot", "--json").json()["changes"]
    told = {item["rule"]: item["class"] for item in found if item["rule"] not in ("source-changed",)}
    assert set(told) == rules or set(told) == rules - {"summary-changed"}
    if "policy-changed" in rules:
        assert told["policy-changed"] == "breaking"
    if "removed" in rules:
        assert told["removed"] == "breaking"


def test_verify_and_loading_refuse_an_edited_pack(call: Call, shop: Path) -> None:
    file = shop / "protocol_snapshot/greeting/domain.json"
    whole = file.read_bytes()
    assert call("verify", "protocol_snapshot").status == 0
    file.write_bytes(whole.replace(b"pay.granted", b"pay.grantee"))
    said = call("verify", "protocol_snapshot")
    assert said.status == 4 and "OB602" in said.err + said.out
    with pytest.raises(Refused) as refused:
        in_force(Workspace.find(str(shop)).load(), "greeting::PL_PAY_V0")
    assert {item.code for item in refused.value.diagnostics} == {"OB602"}


def test_verify_names_a_pack_that_the_manifest_does_not_mean(call: Call, shop: Path) -> None:
    """Also where every digest of files was made anew: the pack, and what the manifest says of it, are compared."""
    file = shop / "protocol_snapshot/manifest.json"
    manifest = json.loads(file.read_bytes())
    for policies, words in (({"greeting::PL_PAY_V0": ZERO}, "is not what"), ({}, "is not listed"), (5, "its policies")):
        file.write_bytes(pretty({**manifest, "policies": policies}))
        said = call("verify", "protocol_snapshot")
        assert said.status == 4 and words in said.err + said.out


def test_the_site_has_a_page_of_each_policy(call: Call, shop: Path) -> None:
    assert call("docs", "--output", "pages").status == 0
    page = next((shop / "pages").rglob("*PL_PAY_V0*")).read_text("utf-8")
    for words in ("Who may pay.", "claimed.capability is &#x27;pay&#x27;", "pay.no_capability", "pay.granted"):
        assert words in page or words.replace("&#x27;", "'") in page, words
    assert "PL_PAY_V0" in (shop / "pages/index.html").read_text("utf-8")


def test_formatting_keeps_what_is_declared(call: Call, shop: Path) -> None:
    before = call("show", "greeting::PL_PAY_V0", "--json").json()
    (shop / "protocols/greeting/pay.yaml").write_text(
        "# Money.\n" + PAY.replace("  - {", "    -   {").replace(": {", ":  {")
    )
    assert call("fmt").status == call("compile").status == call("fmt", "--check").status == 0
    after = call("show", "greeting::PL_PAY_V0", "--json").json()
    assert (after["pack"], after["digest"]) == (before["pack"], before["digest"])


def _asked(marked: str) -> list[str]:
    project = Project(compiled(PAY).library, {})
    opened = Open("protocols/shop/new.yaml", "shop", marked.replace("|", "", 1))
    return [offer.label for offer in complete(project, opened, marked.index("|"))]


def test_editors_are_offered_gates_and_facts() -> None:
    head = "policy: PL_NEW_V0\nsummary: New.\n"
    assert {"gates", "allow"} <= set(_asked(head + "|"))
    assert {"require", "absent", "any_of", "not", "deny", "because"} <= set(_asked(head + "gates:\n  - |"))
    facts = {"lane", "claimed.capability", "input_chars", "roles"}
    assert facts <= set(_asked(head + "gates:\n  - require: |"))
    assert facts <= set(_asked(head + "gates:\n  - match:\n      |"))
    assert "lane" not in _asked(head + "gates:\n  - bound:\n      |")
    assert facts <= set(_asked(head + "gates:\n  - any_of:\n      - not:\n          absent: |"))
    text = head + "gates:\n  - require: lane\n"
    project, opened = Project(compiled(DOMAIN).library, {}), Open("protocols/shop/new.yaml", "shop", text)
    told = hover(project, opened, text.index("require") + 2)
    assert told is not None and "a fact" in str(told)
