"""Schemas: what is sealed and how, and what is refused with code and place."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from generated import Schema, schemas, values_near
from omnibachi_compiler.declarations import Field, Name
from omnibachi_compiler.loader import load
from omnibachi_compiler.patterns import refusal
from omnibachi_compiler.phase import Phase, Source
from omnibachi_compiler.schemas import MOST_LEVELS, seal_fields, seal_schema
from omnibachi_compiler.tree import Mapping, plain
from omnibachi_model.checks import link


def _tree(text: str) -> Mapping:
    phase = load(Source("protocols/x/x.yaml", "x", text.encode()))
    assert not phase.diagnostics, phase.diagnostics
    (tree,) = phase.value
    assert isinstance(tree, Mapping)
    return tree


def _sealed(text: str, **more: Any) -> Schema:
    phase = seal_schema(_tree(text), **more)
    assert not phase.diagnostics, phase.diagnostics
    return phase.value


def _found(phase: Phase[Any]) -> list[tuple[str, int, int]]:
    return [(item.code, item.span.line, item.span.column) for item in phase.diagnostics if item.span]


@pytest.mark.parametrize(
    ("text", "sealed"),
    [
        ("{}", {}),
        ("type: string\ntitle: A name\ndescription: of a thing", {"type": "string"}),
        ("type: ['null', string]", {"type": ["string", "null"]}),
        ("type: [integer]", {"type": "integer"}),
        ("type: string\npattern: '^a'", {"type": "string", "pattern": "^a", "maxLength": 10_000}),
        ("type: string\npattern: '^a'\nmaxLength: 3", {"type": "string", "pattern": "^a", "maxLength": 3}),
        (
            "type: object\nproperties: {b: {}, a: {}}\nrequired: [b, a]\nadditionalProperties: true",
            {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
        ),
        (
            "type: object\nproperties: {a: {type: integer, default: 3}, b: {}}\nrequired: [b, a]",
            {"type": "object", "properties": {"a": {"type": "integer", "default": 3}, "b": {}}, "required": ["b"]},
        ),
        ("additionalProperties: {type: string}", {"additionalProperties": {"type": "string"}}),
        ("enum: [1, a, null, [x]]", {"enum": [1, "a", None, ["x"]]}),
        (
            "$defs: {id: {type: string, minLength: 1}, pair: {type: array, items: {$ref: '#/$defs/id'}}}\n"
            "type: object\nproperties: {one: {$ref: '#/$defs/id', default: x}, two: {$ref: '#/$defs/pair'}}",
            {
                "type": "object",
                "properties": {
                    "one": {"type": "string", "minLength": 1, "default": "x"},
                    "two": {"type": "array", "items": {"type": "string", "minLength": 1}},
                },
            },
        ),
        ("$ref: '#/$defs/a'\n$defs: {a: {type: 'null'}}", {"type": "null"}),
    ],
)
def test_sealed_form(text: str, sealed: Schema) -> None:
    assert _sealed(text) == sealed


REFUSED = [
    ("type: sting", "OB208", 1, 7, "did you mean `string`?"),
    ("type: null", "OB208", 1, 7, "'null' in quotes"),
    ("type: [string, integer]", "OB208", 1, 7, "one name"),
    ("type: [string, string]", "OB208", 1, 7, "one name"),
    ("minLenght: 3", "OB207", 1, 1, "did you mean `minLength`?"),
    ("anyOf: []", "OB207", 1, 1, "no keyword"),
    ("optional: true", "OB207", 1, 1, "`required`"),
    ("type: string\nsecret: true", "OB530", 2, 1, "payloads of intents"),
    ("type: string\npublic: true", "OB530", 2, 1, "output field of a transform"),
    ("type: string\nsecret: maybe", "OB208", 2, 9, "`secret` is true or false"),
    ("type: string\nminimum: 3", "OB208", 2, 1, "says nothing about `string`"),
    ("minLength: -1", "OB208", 1, 12, "an integer from 0"),
    ("minLength: 1.5", "OB208", 1, 12, "an integer from 0"),
    ("minItems: true", "OB208", 1, 11, "an integer from 0"),
    ("maximum: '3'", "OB208", 1, 10, "is a number"),
    ("minLength: 3\nmaxLength: 2", "OB208", 1, 12, "greater"),
    ("minimum: 3\nexclusiveMaximum: 3", "OB208", 1, 10, "no number"),
    ("type: integer\nexclusiveMinimum: 0\nexclusiveMaximum: 1", "OB208", 2, 19, "no integer"),
    ("enum: []", "OB208", 1, 7, "at least one"),
    ("enum: [1, a, 1]", "OB208", 1, 14, "twice"),
    ("type: string\nenum: [a, 1]", "OB208", 2, 11, "`type`"),
    ("type: string\nconst: 1", "OB208", 2, 8, "`type`"),
    ("type: string\nmaxLength: 2\nenum: [abc]", "OB208", 3, 8, "`maxLength`"),
    ("required: a", "OB208", 1, 11, "list of names"),
    ("required: [a, a]", "OB208", 1, 15, "twice"),
    ("properties: {name: {}}\nrequired: [nam]\nadditionalProperties: false", "OB208", 2, 12, "did you mean `name`?"),
    ("properties: []", "OB208", 1, 13, "a mapping"),
    ("properties: {a: true}", "OB208", 1, 17, "a schema is a mapping"),
    ("items: false", "OB208", 1, 8, "a schema is a mapping"),
    ("format: emial", "OB208", 1, 9, "did you mean `email`?"),
    ("pattern: '(a+)+'", "OB209", 1, 10, "repetition inside an unbounded repetition"),
    ("pattern: '(?=a)'", "OB209", 1, 10, "look-ahead"),
    ("pattern: '['", "OB209", 1, 10, "no `]`"),
    ("default: 3", "OB208", 1, 1, "member of an object"),
    ("properties: {a: {type: string, default: 3}}", "OB208", 1, 41, "`type`"),
    ("items: {type: string, default: x}", "OB208", 1, 23, "member of an object"),
    ("title: 3", "OB208", 1, 8, "is text"),
    ("$ref: '#/$defs/a'", "OB210", 1, 7, "no `a`"),
    ("$ref: 'https://example.org/a'", "OB210", 1, 7, "definition of this schema"),
    ("$ref: '#/$defs/ab'\n$defs: {abc: {}}", "OB210", 1, 7, "did you mean `#/$defs/abc`?"),
    ("$ref: '#/$defs/a'\ntype: string\n$defs: {a: {}}", "OB208", 2, 1, "beside"),
    ("items: {$defs: {}}", "OB207", 1, 9, "at the top"),
    ("$defs: 3", "OB208", 1, 8, "a mapping"),
]


@pytest.mark.parametrize(("text", "code", "line", "column", "words"), REFUSED)
def test_what_is_refused(text: str, code: str, line: int, column: int, words: str) -> None:
    phase = seal_schema(_tree(text))
    assert _found(phase) == [(code, line, column)], phase.diagnostics
    (item,) = phase.diagnostics
    assert words in f"{item.message} {item.help or ''}"


def test_circles_are_named() -> None:
    phase = seal_schema(
        _tree("$ref: '#/$defs/a'\n$defs:\n  a: {items: {$ref: '#/$defs/b'}}\n  b: {items: {$ref: '#/$defs/a'}}")
    )
    assert {item.code for item in phase.diagnostics} == {"OB210"}
    assert "`a` -> `b` -> `a`" in phase.diagnostics[0].message


def test_expansion_is_bounded() -> None:
    # Each definition holds the one before twice: 2^40 schemas if they were written out.
    twice = "".join(
        f"  d{number + 1}: {{properties: {{x: {{$ref: '#/$defs/d{number}'}}, y: {{$ref: '#/$defs/d{number}'}}}}}}\n"
        for number in range(40)
    )
    wide = seal_schema(_tree(f"$ref: '#/$defs/d20'\n$defs:\n  d0: {{}}\n{twice}"))
    assert {item.code for item in wide.diagnostics} == {"OB210"}
    chain = "".join(f"  d{number + 1}: {{items: {{$ref: '#/$defs/d{number}'}}}}\n" for number in range(3000))
    deep = seal_schema(_tree(f"$ref: '#/$defs/d3000'\n$defs:\n  d0: {{}}\n{chain}"))
    assert {item.code for item in deep.diagnostics} == {"OB210"}


def _levels(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_levels, value.values()), default=0)
    return 1 + max(map(_levels, value), default=0) if isinstance(value, list) else 0


def test_depth_counts_levels_of_json() -> None:
    deepest = 0
    for depth in range(2, 40):
        text = (
            "$ref: '#/$defs/d0'\n$defs:\n"
            + "".join(
                f"  d{number}: {{properties: {{x: {{$ref: '#/$defs/d{number + 1}'}}}}}}\n" for number in range(depth)
            )
            + f"  d{depth}: {{enum: [[1]]}}\n"
        )
        phase = seal_schema(_tree(text))
        assert bool(phase.diagnostics) == (_levels(phase.value) == 1)
        deepest = max(deepest, _levels(phase.value))
    assert MOST_LEVELS - 2 <= deepest <= MOST_LEVELS


def test_all_mistakes_are_shown_at_once() -> None:
    phase = seal_schema(_tree("properties:\n  a: {type: sting}\n  b: {minLength: x}\n  c: {foo: 1}\nrequired: 3"))
    assert [item.code for item in phase.diagnostics] == ["OB208", "OB208", "OB207", "OB208"]
    assert set(phase.value["properties"]) == {"a", "b", "c"}


def _fields(text: str) -> tuple[Field, ...]:
    tree = _tree(text)
    found = []
    for entry in tree:
        assert isinstance(entry.value, Mapping)
        found.append(Field(Name(entry.key, entry.key_span), entry.value))
    return tuple(found)


def test_fields_are_required_unless_they_say_otherwise() -> None:
    phase = seal_fields(
        _fields("b: {type: string}\na: {}\nc: {optional: true}\nd: {type: integer, default: 3}\ne: {optional: false}")
    )
    assert not phase.diagnostics
    assert phase.value == {
        "type": "object",
        "properties": {"a": {}, "b": {"type": "string"}, "c": {}, "d": {"type": "integer", "default": 3}, "e": {}},
        "required": ["a", "b", "e"],
        "additionalProperties": False,
    }
    assert seal_fields(()).value == {"type": "object", "properties": {}, "additionalProperties": False}


def test_fields_refuse_what_cannot_be() -> None:
    assert _found(seal_fields(_fields("a: {optional: 1}"))) == [("OB208", 1, 15)]
    assert _found(seal_fields(_fields("a: {default: 1}"), defaults=False)) == [("OB208", 1, 5)]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_sealing_keeps_the_meaning(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    Draft202012Validator.check_schema(schema)
    tree = _tree(json.dumps(schema, ensure_ascii=False))
    assert plain(tree) == schema
    phase = seal_schema(tree)
    if phase.diagnostics:
        # The generator makes schemas that say something about no type, and the like: refused, and named.
        assert {item.code for item in phase.diagnostics} <= {"OB208"}
        return
    before, after = link(schema), link(phase.value)
    for _ in range(3):
        value = data.draw(values_near(schema))
        if not before(value):
            assert not after(value)
    again = seal_schema(_tree(json.dumps(phase.value, ensure_ascii=False)))
    assert again.value == phase.value and not again.diagnostics


GOOD_PATTERNS = [
    "", "^[A-Z]+$", "^(0|[1-9][0-9]{0,79})$", "a{3}b{2,}c{0,4}?", "(?:ab|cd)*", "([0-9]{2})*", r"\d\D\w\W\s\S\b\B",
    r"^\$\.\*\+\?\(\)\[\]\{\}\|\/\\\-$", "[^a-z_-]", r"[\]\[\-]", r"\u00e9\x41\t\0", "é", ".*?", "(a|b)+",
    r"(\d{1,3}\.){3}\d{1,3}", "(a{2}|b)*", "x*y*",
]  # fmt: skip
BAD_PATTERNS = [
    "(a+)+", "(a|b*)*", "(a?)*", "((a{1,2}))+", "(a|a)*", "(a|ab)+", "(|a)*", "(a|.)*", r"([a-z]|\w)+", "(x(a+))*",
    "(a+){200}", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?P<n>a)", "(?P=n)", "(?<n>a)", r"(a)\1", r"\k<n>", "(?i)a",
    "(?i:a)", "(?>a)", "(?#a)", "(?(1)a|b)", "a*+", "a++", "a?+", "a{2}+", "a**", "*a", "+", "?", "{2}", "^*",
    r"\b+", r"\p{L}", r"\A", r"\Z", r"\q", r"\é", "\\", "[]", "[^]", "[]a]", "[a", "[z-a]", r"[\d-z]", "[[a]",
    "[a&&b]", "[a--b]", "(", ")", "a{2,1}", "a{", "a}", "]", "a{99999}", r"\x4", r"\u12", r"\ud800", r"\01",
    "(" * 40 + ")" * 40, "a" * 1001,
]  # fmt: skip


@pytest.mark.parametrize("pattern", GOOD_PATTERNS)
def test_patterns_inside_the_subset(pattern: str) -> None:
    assert refusal(pattern) is None


@pytest.mark.parametrize("pattern", BAD_PATTERNS)
def test_patterns_outside_the_subset(pattern: str) -> None:
    assert refusal(pattern)


@settings(max_examples=1000, deadline=None)
@given(st.text("ab0^$.*+?(){}|[]\\-,dws:", max_size=12))
def test_any_pattern_is_refused_or_searches(pattern: str) -> None:
    if refusal(pattern) is None:
        re.compile(pattern)
        # A search that goes on for ever would never come back here.
        link({"type": "string", "pattern": pattern})("ab" * 12 + "0" * 12 + "!")
