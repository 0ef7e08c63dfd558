"""Two snapshots compared: every kind of change is found, classified, and told with its place; equal ones are equal."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import post_office
from front_door import Call, call
from generated import changed, filled, schemas, values_near
from omnibachi.comparing import proofs
from omnibachi_audit.changes.rules import CLASSES, RULES, Change
from omnibachi_audit.changes.schemas import given as compare_given
from omnibachi_audit.changes.schemas import taken
from omnibachi_audit.changes.snapshots import Parts, differences, parts_of
from omnibachi_model.checks import link
from omnibachi_model.digests import decode, digest, encode, pretty
from post_office import STORE, WF, edit

__all__ = ["call"]

ROOT = Path(__file__).resolve().parent.parent
SEND = "protocols/post/send.yaml"
INTENT = "post::IN_SEND_V0"
TYPES = proofs()
Edit = Callable[[Parts], Any]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled workspace that nobody spoils."""
    root = tmp_path_factory.mktemp("diff") / "office"
    post_office.build(root)
    return root


@pytest.fixture(scope="module")
def parts(office: Path) -> Parts:
    return parts_of(post_office.sealed_files(office).get)


def node(parts: Parts, name: str) -> dict[str, Any]:
    return next(one for one in parts.workflows[WF]["nodes"] if one["name"] == name)


def index(parts: Parts, name: str) -> int:
    return parts.workflows[WF]["nodes"].index(node(parts, name))


def after(parts: Parts, edit: Edit) -> list[Change]:
    """Compare with an edited copy, whose manifest says that the workflow is another."""
    new = copy.deepcopy(parts)
    edit(new)
    for address, workflow in new.workflows.items():
        new.manifest["workflows"][address]["sha256"] = digest(encode(workflow))
    old = copy.deepcopy(parts)
    for address, workflow in old.workflows.items():
        old.manifest["workflows"][address]["sha256"] = digest(encode(workflow))
    return differences(old, new, TYPES)


def put(value: Any, *path: Any) -> Callable[[Any], None]:
    def edit(parts: Parts) -> None:
        at: Any = getattr(parts, path[0])
        for step in path[1:-1]:
            at = at[step]
        at[path[-1]] = value

    return edit


def on(name: str, key: str, value: Any) -> Edit:
    return lambda parts: node(parts, name).__setitem__(key, value)


DOMAIN = ("domains", "post")
TRANSFORM = (*DOMAIN, "transforms", "post::CT_LABEL_V0")
PAYLOAD = (*DOMAIN, "intents", INTENT, "properties")
LAW = {"applies_to": {"workflows": [WF]}, "every_path": {"from": "start"}}
# What is edited; then the rule, the place and a part of the words of a change that must be told, and its class.
EDITS: dict[str, tuple[Edit, str, str, str, str]] = {
    "payload narrower": (put({"type": "string", "maxLength": 4}, *PAYLOAD, "to"), "takes-less", "payload /to",
                         "`maxLength` was `40`, is `4`", "breaking"),
    "payload wider": (put({"type": "string"}, *PAYLOAD, "to"), "takes-more", "payload /to", "takes more", "additive"),
    "payload of another type": (put({"type": "integer"}, *PAYLOAD, "to"), "takes-less", "payload /to", "`type` was",
                                "breaking"),
    "new member": (put({"type": "string"}, *PAYLOAD, "note"), "takes-more", "payload /note", "new member", "additive"),
    "member required": (lambda p: p.domains["post"]["intents"][INTENT]["required"].append("limit"), "takes-less",
                        "payload /limit", "is required now", "breaking"),
    "member gone": (lambda p: p.domains["post"]["intents"][INTENT]["properties"].pop("limit"), "takes-less",
                    "payload /limit", "is no member any more", "breaking"),
    "default changed": (put({"type": "integer", "default": 2}, *PAYLOAD, "parts"), "default-changed", "payload /parts",
                        "left out, it was `1` and is `2`", "breaking"),
    "opened": (put(True, *DOMAIN, "intents", INTENT, "additionalProperties"), "takes-more", "payload",
               "not named are taken now", "additive"),
    "record narrower": (put({"type": "string", "maxLength": 3}, *DOMAIN, "stores", STORE, "record", "properties", "to"),
                        "takes-less", "record /to", "`maxLength` was not there", "breaking"),
    "seed": (put(True, *DOMAIN, "stores", STORE, "seed"), "seeds-allowed", "", "takes facts", "additive"),
    "governor": (put("std::CS_RECORDS_V0", *DOMAIN, "stores", STORE, "governed_by"), "store-changed", "",
                 "`governed_by` was", "breaking"),
    "store gone": (lambda p: p.domains["post"]["stores"].pop(STORE), "removed", "", "the store is gone", "breaking"),
    "event new": (put({"type": "object"}, *DOMAIN, "events", "post::EV_X_V0"), "added", "", "event is new", "additive"),
    "outcome gone": (lambda p: p.domains["post"]["transforms"]["post::CT_LABEL_V0"]["outcomes"].pop("NO_SUCH_PLACE"),
                     "outcome-removed", "outcome NO_SUCH_PLACE", "is gone", "breaking"),
    "outcome new": (put({"type": "object"}, *TRANSFORM, "outcomes", "OTHER"), "outcome-added", "outcome OTHER",
                    "is new", "breaking"),
    "output may lack": (lambda p: p.domains["post"]["transforms"]["post::CT_LABEL_V0"]["outcomes"]["SUCCESS"].pop(
                        "required"), "gives-less", "outcome SUCCESS /code", "not always", "breaking"),
    "inputs wider": (put({"type": "string"}, *TRANSFORM, "inputs", "properties", "to"), "takes-more", "inputs /to",
                     "takes more", "additive"),
    "effect": (put("MUTABLE", "domains", "std", "operations", "std::CS_CLOCK_V0.NOW", "effect"), "effect-changed", "",
               "was `\"READ\"` and is `\"MUTABLE\"`", "breaking"),
    "source of a capability": (put("sha256:0", "manifest", "capabilities", "post::CT_LABEL_V0", "modules",
                                   "post_office.labels"), "implementation-changed", "",
                               "`post_office.labels` is otherwise; used by `post::WF_SEND_V0`", "breaking"),
    "function": (put("post_office.labels:other", "manifest", "capabilities", "post::CT_LABEL_V0", "implementation"),
                 "implementation-changed", "", "labels:other", "breaking"),
    "workflow gone": (lambda p: (p.workflows.pop(WF), p.origins.pop(WF), p.manifest["workflows"].pop(WF)), "removed",
                      "", "the workflow is gone", "breaking"),
    "start": (lambda p: p.workflows[WF].__setitem__("start", index(p, "allowed")), "start-moved", "",
              "began with `label` and begins with `allowed`", "breaking"),
    "status": (on("sent", "status", "DENIED"), "status-changed", "exit `sent`", "was COMPLETED and is DENIED",
               "breaking"),
    "exit renamed": (on("known", "name", "there"), "exit-removed", "exit `known`", "is gone", "breaking"),
    "exit new": (on("known", "name", "there"), "exit-added", "exit `there`", "is new", "additive"),
    "result of another type": (on("sent", "result", ["map", {"code": ["lit", 1], "cents": ["lit", 2]}]), "gives-less",
                               "exit `sent`", "its result at /code: `type` was `\"string\"`", "breaking"),
    "result lacks": (on("sent", "result", ["map", {"code": ["lit", "x"]}]), "gives-less", "exit `sent`",
                     "at /cents: is given no longer", "breaking"),
    "result has more": (lambda p: node(p, "sent")["result"][1].__setitem__("more", ["lit", 1]), "gives-more",
                        "exit `sent`", "at /more: is given too", "additive"),
    "result made otherwise": (lambda p: node(p, "sent")["result"][1].__setitem__("code", ["lit", "x"]),
                              "result-otherwise", "exit `sent`", "result's `code`", "breaking"),
    "route": (lambda p: node(p, "keep")["next"].__setitem__("ALREADY_EXISTS", index(p, "failed")), "route-changed",
              "node `keep`", "ALREADY_EXISTS led to `known` and leads to `failed`", "breaking"),
    "crash goes elsewhere": (lambda p: node(p, "keep")["next"].__setitem__("FAULT", index(p, "refused")),
                             "route-changed", "node `keep`", "FAULT led to `failed`", "breaking"),
    "row": (lambda p: node(p, "allowed")["rows"][0].__setitem__("when", ["lit", True]), "row-changed",
            "node `allowed`", "row 1 (YES) asks something else", "breaking"),
    "row gone": (lambda p: node(p, "allowed")["rows"].pop(0), "row-changed", "node `allowed`", "row 2 (NO) is gone",
                 "breaking"),
    "because": (lambda p: node(p, "allowed")["rows"][1].__setitem__("because", "no"), "because-changed",
                "node `allowed`", 'row 2 says `"no"`', "cosmetic"),
    "field": (lambda p: node(p, "price")["fields"].__setitem__("cents", ["lit", 1]), "field-changed", "node `price`",
              "`cents` is computed otherwise", "breaking"),
    "result that a macro makes": (
        lambda p: node(p, "price")["fields"].__setitem__(
            "cents", ["map", ["list", [["lit", 1]]], "i", ["record", {"c": ["string", ["name", "i"]]}]]
        ), "gives-less", "exit `sent`", "at /cents: `type` was", "breaking",
    ),
    "input": (lambda p: node(p, "label")["with"][1].__setitem__("to", ["lit", "Rome"]), "inputs-otherwise",
              "node `label`", "its input `to` is made otherwise", "breaking"),
    "node renamed": (on("price", "name", "cost"), "node-removed", "node `price`", "is gone", "breaking"),
    "node new": (on("price", "name", "cost"), "node-added", "node `cost`", "is new", "additive"),
    "store of a node": (on("keep", "store", "post::ST_OTHER_V0"), "node-otherwise", "node `keep`", "its store was",
                        "breaking"),
    "retry": (on("keep", "retry", {"on": ["ALREADY_EXISTS"], "max": 3, "backoff_ms": 0, "factor": 1}),
              "node-otherwise", "node `keep`", "its `retry` was", "breaking"),
    "a member of nodes that nobody knows": (on("keep", "novel", 1), "node-otherwise", "node `keep`", "`novel`",
                                            "breaking"),
    "check dropped": (on("label", "check", None), "check-dropped", "node `label`", "no check", "additive"),
    "law new": (put(LAW, *DOMAIN, "laws", {}), "law-added", "", "the law is new", "additive"),
    "summary": (put("Send it.", "domains", "post", "summaries", INTENT), "summary-changed", "", "worded", "cosmetic"),
    "moved": (put("protocols/post/other.yaml", "origins", WF, "file"), "file-moved", "", "is in", "cosmetic"),
    "source": (put("sha256:1", "manifest", "sources", SEND), "source-changed", "", "was edited", "cosmetic"),
    "a part that nobody knows": (put({"a": 1}, "workflows", WF, "novel"), "unknown", "", "`novel`", "breaking"),
    "a section that nobody knows": (put({"a": 1}, *DOMAIN, "novel"), "unknown", "", "`novel`", "breaking"),
    "hosts": (put(["example.org"], *DOMAIN, "hosts"), "hosts-changed", "", "hosts", "breaking"),
}  # fmt: skip
EDITS["law new"] = (put({"post::IV_A_V0": LAW}, *DOMAIN, "laws"), "law-added", "", "the law is new", "additive")


@pytest.mark.parametrize("name", EDITS)
def test_each_kind_of_change_is_told(name: str, parts: Parts) -> None:
    edit, rule, part, words, weight = EDITS[name]
    found = after(parts, edit)
    told = [one for one in found if (one.rule, one.part) == (rule, part) and words in one.what]
    assert len(told) == 1, [one.as_json() for one in found]
    assert told[0].weight == weight == RULES[rule][0]
    if weight != "breaking" and name not in ("exit new", "node new"):
        assert not [one for one in found if one.weight == "breaking"]


def test_what_is_the_same_has_no_change(parts: Parts) -> None:
    assert after(parts, lambda parts: None) == []


def test_a_change_stands_where_it_is_declared(parts: Parts) -> None:
    (row,) = after(parts, EDITS["row"][0])
    lines = (post_office.SEND).splitlines()
    assert (row.file, lines[(row.line or 0) - 1].strip()) == (SEND, "allowed:")
    (member,) = after(parts, EDITS["payload narrower"][0])
    assert member.file == SEND and lines[(member.line or 0) - 1].strip().startswith("to:")


def test_outputs_that_double_with_every_node_are_no_burden(parts: Parts) -> None:
    def doubling(status: str) -> Parts:
        made = copy.deepcopy(parts)
        passes = [
            {"kind": "PASS", "name": f"n{at}", "gate": False, "check": None, "next": {"SUCCESS": at + 1, "FAULT": 60},
             "with": ["map", {key: ["ref", at - 1, []] if at else ["lit", 1] for key in "ab"}]}
            for at in range(60)
        ]  # fmt: skip
        exit = {
            "kind": "EXIT",
            "name": "end",
            "status": status,
            "result": ["map", {"v": ["ref", 59, ["a"]]}],
            "next": {},
        }
        made.workflows[WF] |= {"nodes": [*passes, exit], "start": 0}
        made.manifest["workflows"][WF]["sha256"] = status
        return made

    assert [one.rule for one in differences(doubling("FAILED"), doubling("DENIED"), TYPES)] == ["status-changed"]


def laws(applies: Any, **more: Any) -> Edit:
    return put({"post::IV_A_V0": {**LAW, "applies_to": applies, **more}}, *DOMAIN, "laws")


@pytest.mark.parametrize(
    ("before", "now", "rule"),
    [
        (laws({"workflows": [WF]}), laws({"workflows": [WF, "post::WF_B_V0"]}), "law-strengthened"),
        (laws({"workflows": [WF]}), laws("all"), "law-strengthened"),
        (laws({"workflows": [WF]}), laws({"workflows": [WF]}, exits="all"), "law-strengthened"),
        (laws("all"), laws({"workflows": [WF]}), "law-weakened"),
        (laws("all", exits="all"), laws("all"), "law-weakened"),
        (laws("all"), laws({"workflows": [WF]}, exits="all"), "law-changed"),
        (laws("all"), laws("all", never=True), "law-changed"),
        (laws({"uses": "std::CT_A_V0"}), laws({"uses": ["std::CT_A_V0", "std::CT_B_V0"]}), "law-strengthened"),
        (laws({"except": [WF]}), laws("all"), "law-strengthened"),
        (laws({"except": [WF, "post::WF_B_V0"]}), laws({"except": [WF]}), "law-strengthened"),
        (laws({"workflows": [WF]}), laws({"except": ["post::WF_B_V0"]}), "law-strengthened"),
        (laws({"workflows": [WF]}), laws({"except": [WF]}), "law-changed"),
        (laws("all"), laws({"uses": "std::CT_A_V0"}), "law-weakened"),
        (laws("all"), laws("all", every_path=[{"from": "start"}, {"from": "exit"}]), "law-strengthened"),
        (laws("all", every_path=[{"from": "start"}, {"from": "exit"}]), laws("all"), "law-weakened"),
        (
            laws("all", every_path=[{"from": "exit"}, {"from": "start", "applies_to": {"workflows": [WF]}}]),
            laws("all", every_path=[{"from": "exit"}, {"from": "start"}]),
            "law-strengthened",
        ),
        (laws("all"), laws("all", every_path=[{"from": "exit"}, {"from": {"status": "DENIED"}}]), "law-changed"),
        (laws("all"), put({}, *DOMAIN, "laws"), "law-removed"),
    ],
)
def test_laws_are_weaker_or_stronger(before: Edit, now: Edit, rule: str, parts: Parts) -> None:
    old = copy.deepcopy(parts)
    before(old)
    assert [one.rule for one in after(old, now)] == [rule]


def test_bounds_may_shrink(parts: Parts) -> None:
    old = copy.deepcopy(parts)
    old.workflows[WF]["bounds"] = {"visits": 5, "effects": {"READ": 1}}
    grown = after(old, put({"visits": 4, "effects": {"READ": 1, "EXTERNAL": 2}}, "workflows", WF, "bounds"))
    assert [(one.rule, one.what) for one in grown] == [
        ("bound-grown", "the most effects of class EXTERNAL were 0 and are 2"),
        ("bound-shrunk", "the most visits of nodes were 5 and are 4"),
    ]


def test_a_long_chain_of_values_is_followed(parts: Parts) -> None:
    """Each node reads of the one before it, 3,000 times; the type of the result is that of the first."""

    def chained(value: Any) -> Parts:
        made = copy.deepcopy(parts)
        last = 3000
        first = {"kind": "COMPUTE", "name": "n0", "with": {}, "fields": {"v": ["lit", value]}}
        more = [
            {"kind": "COMPUTE", "name": f"n{at}", "with": {"v": ["ref", at - 1, ["v"]]}, "fields": {"v": ["name", "v"]}}
            for at in range(1, last)
        ]
        exit = {"kind": "EXIT", "name": "end", "status": "FAILED", "result": ["map", {"v": ["ref", last - 1, ["v"]]}]}
        nodes = [{**node, "next": {"SUCCESS": at + 1, "FAULT": last}} for at, node in enumerate((first, *more))]
        made.workflows[WF] |= {"nodes": [*nodes, {**exit, "next": {}}], "start": 0}
        made.manifest["workflows"][WF]["sha256"] = str(value)
        return made

    found = differences(chained(1), chained("one"), TYPES)
    assert [(one.rule, one.part) for one in found] == [("gives-less", "exit `end`"), ("field-changed", "node `n0`")]


def test_what_is_required_and_has_a_default_may_be_left_out_all_the_same() -> None:
    old = {"type": "object", "properties": {"a": {"type": "null", "default": None}}}
    assert taken(old, {**old, "required": ["a"]}, TYPES) == [("takes-the-same", "", "is written otherwise")]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_not_called_narrower_takes_all_that_was_taken(data: st.DataObject) -> None:
    old = data.draw(schemas())
    new = data.draw(changed(old) | schemas())
    found = taken(old, new, TYPES)
    assert found or encode(old) == encode(new)
    narrower = [one for one in found if one[0] == "takes-less"]
    value = data.draw(values_near(data.draw(st.sampled_from((old, new)))))
    if not link(old)(filled(old, value)) and not narrower:
        assert not link(new)(filled(new, value)), (old, new, value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_not_called_less_gives_nothing_new_but_members(data: st.DataObject) -> None:
    old = data.draw(schemas(defaults=False))
    new = data.draw(changed(old) | schemas(defaults=False))
    found = compare_given(old, new, TYPES)
    value = data.draw(values_near(new))
    if not link(new)(value) and not any(rule == "gives-less" for rule, _, _ in found):
        assert not [one for one in link(old)(value) or () if one[1] != "additionalProperties"], (old, new, value)


DERIVED = {"stores", "events", "run", "journal", "capabilities", "payload", "format", "address"}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, inner in items for found in leaves(inner, (*path, key))]
    return [path]


def test_no_edit_of_a_workflow_is_overlooked(parts: Parts) -> None:
    """Whatever is put in place of a value, something is told, or the file is refused as none of its format."""
    workflow = parts.workflows[WF]
    paths = [path for path in leaves(workflow) if path[0] not in DERIVED]
    assert len(paths) > 150
    for path in paths:
        try:
            assert after(parts, put("Q", "workflows", WF, *path)), path
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            continue


def test_the_command_tells_classes_places_and_reasons(office: Path, tmp_path: Path, call: Call) -> None:
    new = tmp_path / "new"
    post_office.build(new)
    same = call("diff", str(office), str(new / "protocol_snapshot"))
    assert (same.status, same.out, same.err) == (0, "no change\n", "")
    edit(new, SEND, "weight <= limit", "weight < limit")
    edit(new, SEND, "summary: Send a parcel once.", "summary: Send a parcel.")
    edit(new, SEND, "to: {type: string, maxLength: 40}", "to: {type: string, maxLength: 50}")
    post_office.compiled(new)
    said = call("diff", str(office), str(new / "protocol_snapshot/manifest.json"), "--json")
    value = said.json()
    assert (said.status, value["ok"], value["exit_code"], value["schema"]) == (1, False, 1, "omnibachi.diff/1")
    assert [(one["class"], one["rule"], one["line"]) for one in value["changes"]][:2] == [
        ("breaking", "row-changed", 11), ("additive", "takes-more", 40),
    ]  # fmt: skip
    assert value["breaking"] == 1 and value["additive"] == 1 and value["cosmetic"] >= 2
    text = call("diff", str(office), str(new)).out
    assert "breaking\n  post::WF_SEND_V0 node `allowed`: row 1 (YES) asks something else\n" in text
    assert "    protocols/post/send.yaml:11: the same values may be decided otherwise (row-changed)\n" in text
    widened = call("diff", str(new), str(new))
    assert widened.status == 0


def test_an_edited_snapshot_is_refused_on_either_side(office: Path, tmp_path: Path, call: Call) -> None:
    new = tmp_path / "new"
    post_office.build(new)
    edit(new, "protocol_snapshot/post/WF_SEND_V0.json", '"DENIED"', '"FAILED"')
    for sides in ((str(new), str(office)), (str(office), str(new))):
        said = call("diff", *sides)
        assert said.status == 4 and "OB602" in said.err and f"in `{new}`" in said.err
    said = call("diff", str(office), str(tmp_path))
    assert said.status == 3 and "OB601" in said.err


def test_a_snapshot_that_holds_and_is_none_is_refused(office: Path, tmp_path: Path, call: Call) -> None:
    """Every digest is made anew over a workflow without nodes."""
    new = tmp_path / "new"
    post_office.build(new)
    base = new / "protocol_snapshot"
    workflow = decode((base / "post/WF_SEND_V0.json").read_bytes())
    del workflow["nodes"]
    (base / "post/WF_SEND_V0.json").write_bytes(pretty(workflow))
    manifest = json.loads((base / "manifest.json").read_text())
    manifest["workflows"][WF]["sha256"] = digest(pretty(workflow))
    (base / "manifest.json").write_bytes(pretty(manifest))
    (base / "manifest.sha256").write_text(digest(pretty(manifest)) + "\n")
    said = call("diff", str(office), str(new))
    assert said.status == 4 and "OB608" in said.err


def test_the_page_lists_every_rule() -> None:
    page = (ROOT / "docs/compatibility.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `([a-z-]+)` \| (\w+) \|", page, re.MULTILINE))
    assert listed == {name: weight for name, (weight, _) in RULES.items()}
    assert set(listed.values()) == set(CLASSES)
