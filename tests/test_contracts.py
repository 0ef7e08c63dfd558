"""Contracts as they are compiled and sealed: proven once, in any order, with origins that tell of both places."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from composed import DOMAIN, compiled, parsed, sealed_bytes
from omnibachi_compiler import bodies as bodies_module
from omnibachi_compiler.bodies import prove
from omnibachi_compiler.fits import Fit, fits
from omnibachi_compiler.sizes import MOST_LEVELS, MOST_PARTS, bounded
from omnibachi_model.digests import digest_of

ADD = """
contract: CC_ADD_V0
summary: Add one.
inputs: {n: {type: integer, description: A number.}}
start: more
nodes:
  more: {compute: {n: n + 1}, with: {n: $.inputs.n}, next: {SUCCESS: SUCCESS}}
outcomes: {SUCCESS: {n: $.nodes.more.n}}
"""
TWICE = """
contract: CC_TWICE_V0
summary: Add two.
inputs: {n: {type: integer}}
start: one
nodes:
  one: {use: CC_ADD_V0, with: {n: $.inputs.n}, next: {SUCCESS: two}}
  two: {use: CC_ADD_V0, with: {n: $.nodes.one.n}, next: {SUCCESS: SUCCESS}}
outcomes: {SUCCESS: {n: $.nodes.two.n, was: {first: $.inputs.n}}}
"""
COUNT = """
workflow: WF_COUNT_V0
summary: Add two.
intent: IN_NUMBER_V0
start: up
fault: failed
nodes:
  up: {use: CC_TWICE_V0, with: {n: $.payload.n}, next: {SUCCESS: done}}
exits:
  done: {status: COMPLETED, result: {n: $.nodes.up.n, was: $.nodes.up.was.first}}
  failed: {status: FAILED}
"""


def workflow_of(compilation: Any, part: str = "") -> Any:
    return parsed(sealed_bytes(compilation, "WF_COUNT_V0", part))


def test_the_order_of_files_is_no_matter() -> None:
    texts = (ADD, TWICE, COUNT)
    sealed = {sealed_bytes(compiled(DOMAIN, *some), "WF_COUNT_V0") for some in itertools.permutations(texts)}
    assert len(sealed) == 1


def test_layout_is_no_matter() -> None:
    wide = TWICE.replace(
        "  one: {use: CC_ADD_V0, with: {n: $.inputs.n}, next: {SUCCESS: two}}\n",
        "  one:   # the first\n    next: {SUCCESS: two}\n    with:\n      n: $.inputs.n\n    use: shop::CC_ADD_V0\n",
    )
    lines = wide.splitlines()
    assert wide != TWICE and len(lines) > len(TWICE.splitlines())
    one, other = compiled(DOMAIN, ADD, TWICE, COUNT), compiled(DOMAIN, ADD, wide, COUNT)
    assert sealed_bytes(one, "WF_COUNT_V0") == sealed_bytes(other, "WF_COUNT_V0")
    assert sealed_bytes(one, "WF_COUNT_V0", ".origins") != sealed_bytes(other, "WF_COUNT_V0", ".origins")


def test_nested_contracts_have_paths_that_tell_the_way() -> None:
    names = [node["name"] for node in workflow_of(compiled(DOMAIN, ADD, TWICE, COUNT))["nodes"]]
    assert names == [
        "up", "up/one", "up/one/more", "up/one/SUCCESS", "up/two", "up/two/more", "up/two/SUCCESS", "up/SUCCESS",
        "done", "failed", "rejected",
    ]  # fmt: skip


def test_origins_point_to_both_places() -> None:
    origins = workflow_of(compiled(DOMAIN, ADD, TWICE, COUNT), ".origins")
    assert origins["sources"] == [f"protocols/shop/f{number}.yaml" for number in range(4)]
    inner, own = origins["nodes"]["up/two/more"], origins["nodes"]["up"]
    assert (inner["file"], inner["span"]) == ("protocols/shop/f1.yaml", [7, 3, 7, 7])
    assert inner["via"] == [
        {"node": "up/two", "use": "shop::CC_ADD_V0", "file": "protocols/shop/f2.yaml", "span": [8, 3, 8, 6]},
        {"node": "up", "use": "shop::CC_TWICE_V0", "file": "protocols/shop/f3.yaml", "span": [8, 3, 8, 5]},
    ]
    assert not {"file", "via"} & own.keys() and own["span"] == [8, 3, 8, 5]
    assert origins["nodes"]["up/SUCCESS"]["file"] == "protocols/shop/f2.yaml"
    assert set(origins["exits"]) == {"done", "failed"}


def test_places_that_are_checked_when_run_are_told_inside_contracts_too() -> None:
    origins = workflow_of(compiled(DOMAIN, ADD, TWICE, COUNT), ".origins")
    told = [(item["node"], item["file"], item["line"]) for item in origins["checked"]]
    assert told == [("up/one/more", "protocols/shop/f1.yaml", 7), ("up/two/more", "protocols/shop/f1.yaml", 7)]
    alone = compiled(DOMAIN, ADD, TWICE, COUNT).places
    assert [(place.node, place.span.file) for place in alone] == [("more", "protocols/shop/f1.yaml")]


def test_a_contract_that_nothing_uses_is_proven_and_sealed_as_what_it_promises() -> None:
    found = compiled(DOMAIN, ADD)
    domain = parsed(sealed_bytes(found, "domain"))
    contract = domain["contracts"]["shop::CC_ADD_V0"]
    assert contract["inputs"] == {
        "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False,
    }  # fmt: skip
    assert contract["outcomes"]["SUCCESS"]["properties"] == {"n": {"type": "integer", "minimum": 2 - 2**53}}
    assert domain["summaries"]["shop::CC_ADD_V0"] == "Add one."
    assert found.sealed is not None
    manifest = parsed(found.sealed.files["manifest.json"])
    assert manifest["contracts"] == {"shop::CC_ADD_V0": digest_of(contract)}
    assert not manifest["workflows"]
    broken = compiled(DOMAIN, ADD.replace("n: n + 1", "n: m + 1"))
    assert broken.sealed is None and broken.diagnostics


KINDS = """
contract: CC_KIND_V0
summary: Tell a kind.
inputs: {n: {type: integer}}
start: which
nodes:
  which:
    decide: [{when: n > 9, outcome: BIG}, {when: n > 5, outcome: MID}, {outcome: LOW}]
    with: {n: $.inputs.n}
    next: {BIG: BIG, MID: MID, LOW: LOW}
outcomes:
  BIG: {size: {kind: [3, 1], name: {x: c}}}
  MID: {size: {kind: [1], name: {x: b}}}
  LOW: {size: {kind: [2], name: {x: a}}}
---
contract: CC_SIZE_V0
summary: Give the size.
inputs: {n: {type: integer}}
start: kind
nodes:
  kind: {use: CC_KIND_V0, with: {n: $.inputs.n}, next: {BIG: SUCCESS, MID: SUCCESS, LOW: SUCCESS}}
outcomes: {SUCCESS: {size: $.nodes.kind.size}}
"""


def test_what_is_inferred_does_not_depend_on_the_order_of_the_text() -> None:
    head, tail = KINDS.split("outcomes:\n  BIG", 1)
    ends, rest = tail.split("---", 1)
    lines = ("  BIG" + ends).splitlines()
    texts = {head + "outcomes:\n" + "\n".join(some) + "\n---" + rest for some in itertools.permutations(lines)}
    assert len(texts) == 6 and KINDS in texts
    domains = {sealed_bytes(compiled(DOMAIN, text), "domain") for text in texts}
    assert len(domains) == 1


CHANGES = (("Add one.", "One more."), ("more", "again"), ("n + 1", "n + 2"))


def test_a_contract_has_another_digest_where_it_promises_something_else() -> None:
    manifests = [
        parsed(compiled(DOMAIN, text).sealed.files["manifest.json"])["contracts"]  # type: ignore[union-attr]
        for text in (
            ADD,
            ADD.replace("Add one.", "One more."),
            ADD.replace("more", "again"),
            ADD.replace("n + 1", "n + 2"),
        )
    ]
    assert manifests[0] == manifests[1] == manifests[2] != manifests[3]


def test_each_contract_is_proven_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    real = bodies_module.check_graph

    def counted(graph: Any) -> Any:
        judged.append(graph.address)
        return real(graph)

    monkeypatch.setattr(bodies_module, "check_graph", counted)
    many = [COUNT.replace("WF_COUNT_V0", f"WF_COUNT_V{number}") for number in range(20)]
    found = compiled(DOMAIN, ADD, TWICE, *many)
    assert found.sealed is not None
    assert len(judged) == len(set(judged)) == 22


def test_what_is_used_comes_first() -> None:
    library = compiled(DOMAIN, COUNT, TWICE, ADD).library
    assert list(prove(library).value) == ["shop::CC_ADD_V0", "shop::CC_TWICE_V0", "shop::WF_COUNT_V0"]


def test_an_error_in_a_contract_is_one_error_however_many_use_it() -> None:
    many = [COUNT.replace("WF_COUNT_V0", f"WF_COUNT_V{number}") for number in range(5)]
    found = compiled(DOMAIN, ADD.replace("$.inputs.n}", "$.inputs.m}"), TWICE, *many)
    assert [(item.code, item.span.file) for item in found.diagnostics if item.span] == [
        ("OB310", "protocols/shop/f1.yaml")
    ]


def test_a_type_that_holds_itself_ever_again_is_cut() -> None:
    """Sixteen contracts, each giving four times what the one before gives: a type of 2^32 members, were it written."""
    texts = [ADD.replace("CC_ADD_V0", "CC_N0_V0")]
    for number in range(1, 17):
        texts.append(f"""
contract: CC_N{number}_V0
summary: Give it four times.
inputs: {{n: {{type: integer}}}}
start: one
nodes:
  one: {{use: CC_N{number - 1}_V0, with: {{n: $.inputs.n}}, next: {{SUCCESS: SUCCESS}}}}
outcomes: {{SUCCESS: {{a: $.nodes.one, b: $.nodes.one, c: $.nodes.one, d: $.nodes.one}}}}
""")
    found = compiled(DOMAIN, *texts)
    assert found.sealed is not None, found.diagnostics
    assert len(found.sealed.files["shop/domain.json"]) < 10_000_000


def test_a_type_that_is_cut_holds_what_it_held() -> None:
    deep: dict[str, Any] = {"type": "object", "properties": {"v": {"const": {"a": [1]}, "type": "object"}}}
    for _ in range(40):
        deep = {"type": "object", "properties": {"in": deep, "n": {"type": "integer"}}, "required": ["in"]}
    wide = {"type": "object", "properties": {f"k{n}": {"type": "integer"} for n in range(MOST_PARTS)}}
    small = {"type": "object", "properties": {"n": {"enum": [1, 2]}}}
    for schema in (deep, wide, small):
        cut = bounded(schema)
        assert fits(schema, cut) is Fit.FITS
        assert _levels(cut) <= MOST_LEVELS
    assert bounded(small) == small
    assert bounded(deep)["properties"]["in"]["properties"]["n"] == {"type": "integer"}


def _levels(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (1 if isinstance(value, dict | list) else 0) + max((_levels(item) for item in inside), default=0)


def test_a_graph_as_large_as_may_be_and_one_larger() -> None:
    """4,999 nodes in uses and one of the workflow's own; with one more the workflow is refused."""
    chain = "".join(
        f"  n{at}: {{compute: {{x: '1'}}, next: {{SUCCESS: {f'n{at + 1}' if at < 4998 else 'SUCCESS'}}}}}\n"
        for at in range(4999)
    )
    big = f"contract: CC_BIG_V0\nsummary: Big.\ninputs: {{}}\nstart: n0\nnodes:\n{chain}outcomes: {{SUCCESS: {{}}}}\n"
    own = "  own: {compute: {x: '1'}, next: {SUCCESS: up}}\n"
    use = COUNT.replace("CC_TWICE_V0, with: {n: $.payload.n}", "CC_BIG_V0")
    use = use.replace(", result: {n: $.nodes.up.n, was: $.nodes.up.was.first}", "")
    fitting = use.replace("start: up", "start: own").replace("nodes:\n", f"nodes:\n{own}")
    more = fitting.replace("start: own", "start: over").replace("nodes:\n", "nodes:\n" + own.replace("own", "over"))
    more = more.replace("SUCCESS: up}}\n  own", "SUCCESS: own}}\n  own")
    found = compiled(DOMAIN, big, fitting, more.replace("WF_COUNT_V0", "WF_MORE_V0"))
    assert [(item.code, item.message) for item in found.diagnostics] == [
        ("OB514", "the graph has 5001 nodes with those of what it uses; at most 5000 may be")
    ]
