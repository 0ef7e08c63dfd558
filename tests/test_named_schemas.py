"""Schemas with a name: what is sealed is as if they stood where they are named, and tools know them by name."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from generated import schemas
from half_written import done
from looping import compiled
from omnibachi_compiler.compile import Compilation, compile_sources
from omnibachi_compiler.editing.completion import complete
from omnibachi_compiler.editing.declaration import declarations
from omnibachi_compiler.editing.hover import hover
from omnibachi_compiler.editing.rename import rename
from omnibachi_compiler.editing.spots import Open, Project
from omnibachi_compiler.incremental import recompile
from omnibachi_compiler.phase import Source
from omnibachi_model.diagnostics import Diagnostic
from thoroughness import many

PART = "{type: object, properties: {number: {type: integer, minimum: 0}}, required: [number]}"
FLOW = """\
intent: IN_PART_V0
payload: {{type: object, properties: {{part: {part}, parts: {{type: array, items: {part}}}}}, required: [part]}}
---
event: EV_PART_V0
record: {part}
---
workflow: WF_TEST_V0
summary: Count.
intent: IN_PART_V0
start: count
fault: failed
nodes:
  count: {{compute: {{next: number + 1}}, with: {{number: $.payload.part.number}}, next: {{SUCCESS: done}}}}
exits: {{done: {{status: COMPLETED, result: {{next: $.nodes.count.next}}}}, failed: {{status: FAILED}}}}
"""
NOTHING: dict[str, bytes] = {}
DECLARED = f"schema: SC_PART_V0\nsummary: A part.\nis: {PART}\n---\n"


def files(compilation: Compilation) -> dict[str, Any]:
    """Return the sealed files, without origins and sources, which say where things stand in the text."""
    assert compilation.sealed is not None, compilation.diagnostics
    found = {name: data for name, data in compilation.sealed.files.items() if "origins" not in name}
    return {name: data for name, data in found.items() if not name.startswith("manifest")}


def test_a_name_and_what_it_stands_for_seal_to_the_same_bytes() -> None:
    written = files(compiled(FLOW.format(part=PART)))
    for text in (
        DECLARED + FLOW.format(part="{$ref: SC_PART_V0}"),
        FLOW.format(part="{$ref: shop::SC_PART_V0, title: a part}") + "---\n" + DECLARED.removesuffix("---\n"),
        DECLARED.replace("PART", "WHOLE") + "schema: SC_PART_V0\nis: {$ref: SC_WHOLE_V0}\n---\n"
        + FLOW.format(part="{$ref: SC_PART_V0}"),
        "schema: SC_PART_V0\nis: {$ref: '#/$defs/own', $defs: {own: " + PART + "}}\n---\n"
        + FLOW.format(part="{$ref: SC_PART_V0}"),
    ):  # fmt: skip
        assert files(compiled(text)) == written
    other = files(compiled(DECLARED.replace("minimum: 0", "minimum: 1") + FLOW.format(part="{$ref: SC_PART_V0}")))
    assert other.keys() == written.keys()
    assert {name for name, data in other.items() if data != written[name]} == {
        "shop/WF_TEST_V0.json",
        "shop/domain.json",
    }


@given(schemas())
@settings(max_examples=many(15, 300), deadline=None)
def test_any_schema_may_have_a_name(schema: Any) -> None:
    text = "schema: SC_ANY_V0\nis: {is}\n---\nevent: EV_A_V0\nrecord: {{type: object, properties: {{a: {a}}}}}\n"
    inline = orjson.dumps(schema).decode()
    named = compiled(text.format(**{"is": inline, "a": "{$ref: SC_ANY_V0}"}))
    plain = compiled(text.format(**{"is": "{}", "a": inline}))
    assert {item.code for item in named.diagnostics} == {item.code for item in plain.diagnostics}
    if named.sealed is not None:
        assert files(named) == files(plain)


@pytest.mark.parametrize("order", [1, -1])
def test_a_chain_of_names_may_be_long_and_a_circle_of_them_too(order: int) -> None:
    links = [f"schema: SC_L{at}_V0\nis: {{$ref: SC_L{at + 1}_V0}}\n---\n" for at in range(2000)][::order]
    last = "schema: SC_L2000_V0\nis: {type: integer}\n---\n"
    event = "event: EV_A_V0\nrecord: {type: object, properties: {a: {$ref: SC_L0_V0}}}\n"
    found = compiled("".join([*links, last, event]))
    assert found.diagnostics == ()
    assert orjson.loads(files(found)["shop/domain.json"])["events"]["shop::EV_A_V0"]["properties"] == {
        "a": {"type": "integer"}
    }
    (circle,) = compiled("".join([*links, last.replace("{type: integer}", "{$ref: SC_L0_V0}"), event])).diagnostics
    assert circle.code == "OB228"


def test_what_grows_too_large_is_refused_where_it_does() -> None:
    links = [
        f"schema: SC_L{at}_V0\nis: {{type: object, properties: {{a: {one}, b: {one}}}}}"
        for at in range(40)
        for one in [f"{{$ref: SC_L{at + 1}_V0}}"]
    ]
    found = compiled("\n---\n".join([*links, "schema: SC_L40_V0\nis: {type: integer}"]))
    assert {item.code for item in found.diagnostics} == {"OB210"}
    assert len(found.diagnostics) < 10


def split_up(part: str) -> list[Source]:
    """Return a workspace of three files."""
    texts = {
        "domain": "domain: shop\n",
        "part": f"schema: SC_PART_V0\nis: {part}\n",
        "flow": FLOW.format(part="{$ref: SC_PART_V0}"),
    }
    return [Source(f"protocols/shop/{name}.yaml", "shop", text.encode()) for name, text in texts.items()]


def test_compiling_again_reads_those_who_name_a_schema_that_changed() -> None:
    first = recompile(split_up(PART), {}, {}, str, {}, NOTHING.get)
    assert first is not None
    same = recompile(split_up(PART), {}, {}, str, first.entries, dict(first.sealed.files).get)
    assert same is not None and same.read == ("protocols/shop/domain.yaml",)
    assert same.sealed.files == first.sealed.files
    edited = split_up(PART.replace("minimum: 0", "minimum: 1"))
    again = recompile(edited, {}, {}, str, first.entries, dict(first.sealed.files).get)
    assert again is not None and len(again.read) == 3
    whole = compile_sources(edited, {}, {}, str).sealed
    assert whole is not None and again.sealed.files == whole.files
    # Whoever is read anew finds a schema whose own file stands as it was.
    moved = [Source(item.path, item.domain, b"# moved\n" * ("flow" in item.path) + item.data) for item in edited]
    after = recompile(moved, {}, {}, str, again.entries, dict(again.sealed.files).get)
    whole = compile_sources(moved, {}, {}, str).sealed
    assert after is not None and whole is not None and after.sealed.files == whole.files
    broken = [item for item in moved if "part" not in item.path]
    assert recompile(broken, {}, {}, str, after.entries, dict(after.sealed.files).get) is None


def test_editors_know_the_names() -> None:
    texts = {item.path: item.data.decode() for item in split_up(PART)}
    project = Project(compile_sources(split_up(PART), {}, {}, str).library, texts)
    path = "protocols/shop/flow.yaml"
    text = texts[path]
    opened, at = Open(path, "shop", text), text.index("SC_PART") + 3
    begun = Open(path, "shop", text.replace("$ref: SC_PART_V0", "$ref: ", 1))
    assert [offer.label for offer in complete(project, begun, at - 3)] == ["SC_PART_V0"]
    told = hover(project, opened, at)
    assert told is not None and "shop::SC_PART_V0" in told.text and "`number`" in told.text
    (span,) = declarations(project, opened, at)
    assert (span.file, span.line) == ("protocols/shop/part.yaml", 1)
    for where, offset in (
        (opened, at),
        (Open("protocols/shop/part.yaml", "shop", texts["protocols/shop/part.yaml"]), 9),
    ):
        found = rename(project, where, offset, "SC_PIECE_V1")
        assert isinstance(found, dict)
        after = {name: done(old, found.get(name, [])) for name, old in texts.items()}
        assert after == {name: old.replace("SC_PART_V0", "SC_PIECE_V1") for name, old in texts.items()}
    refused = [rename(project, opened, at, new) for new in ("IN_PART_V0", "part", "SC_PART_V0")]
    assert [item.code for item in refused if isinstance(item, Diagnostic)] == ["OB771", "OB771", "OB772"]
