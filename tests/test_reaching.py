"""Payloads that reach what no scenario reaches: each that is printed does, the search ends, and specimens fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ordering
from front_door import Call
from front_door import call as call
from front_door import workspace as workspace
from generated import schemas
from omnibachi.scenarios.patterns import text_for
from omnibachi.scenarios.reaching import CRASHES_ONLY
from omnibachi.scenarios.runner import Report
from omnibachi.scenarios.specimens import specimen, specimens
from omnibachi.scenarios.suggested import lines_of, written
from omnibachi_model.checks import compile_pattern, link


def pasted(report: Report) -> str:
    """Return the scenarios that a report prints, as somebody pastes them."""
    return "\n".join(lines_of(report.missed)) + "\n"


def test_everything_that_rows_compare_is_reached_and_the_printed_scenarios_show_it(tmp_path: Path) -> None:
    report = ordering.played(tmp_path)
    assert ordering.unanswered(report) == []
    again = ordering.played(tmp_path, scenarios=pasted(report))
    assert [item.message for played in again.scenarios for item in played.failures] == []
    assert again.missed == []
    assert again.as_json()["coverage"]["rows"] == [15, 15]


def test_an_outcome_of_a_filled_store_is_reached_by_the_same_payload_twice(tmp_path: Path) -> None:
    missed = ordering.played(tmp_path).missed
    (again,) = (item for item in missed if item.get("outcome") == "ALREADY_EXISTS")
    assert (again["twice"], again["ends"], "given" in again) == (True, "again", False)


CHECKED = """
transform: CT_WEIGH_V0
summary: Weigh.
inputs: {code: {type: string, pattern: "^[a-f]{4}$"}, mode: {type: string}}
outcomes: {SUCCESS: {grams: {type: integer}}, HEAVY: {}, LOST: {why: {type: string, enum: [thief, fire]}}}
examples:
  - {with: {code: abcd, mode: light}, gives: SUCCESS, output: {grams: 4}}
  - {with: {code: ffff, mode: "fifty tons"}, gives: HEAVY}
---
store: ST_PLACES_V0
governed_by: CS_REGISTRY_V0
record: {type: object, properties: {shelf: {type: integer}}, required: [shelf], additionalProperties: false}
---
intent: IN_WEIGH_V0
payload:
  type: object
  properties: {code: {type: string, maxLength: 9}, mode: {type: string, default: light}}
  required: [code]
  additionalProperties: false
---
workflow: WF_WEIGH_V0
summary: Weigh and look up.
intent: IN_WEIGH_V0
start: weigh
fault: failed
nodes:
  weigh:
    use: CT_WEIGH_V0
    with: {code: $.payload.code, mode: $.payload.mode}
    next: {SUCCESS: look, HEAVY: heavy, LOST: why}
  why:
    decide: [{when: "why == 'fire'", outcome: FIRE}, {outcome: THIEF}]
    with: {why: $.nodes.weigh.why}
    next: {FIRE: failed, THIEF: heavy}
  look:
    use: CS_REGISTRY_V0.RESOLVE
    store: ST_PLACES_V0
    with: {key: $.payload.code}
    next: {SUCCESS: high, NOT_FOUND: heavy}
  high:
    decide: [{when: "shelf > 41 && shelf < 43", outcome: HIGH}, {outcome: LOW}]
    with: {shelf: $.nodes.look.value.shelf}
    next: {HIGH: done, LOW: heavy}
exits: {done: {status: COMPLETED}, heavy: {status: DENIED}, failed: {status: FAILED}}
"""

WEIGH = '''
"""Weigh."""


def weigh(inputs):
    if "tons" in inputs["mode"]:
        return "HEAVY", {}
    return "SUCCESS", {"grams": len(inputs["code"])}
'''


@pytest.fixture
def weighing(tmp_path: Path) -> Path:
    """The folder of a workspace with a transform of its own."""
    package = tmp_path / "capabilities" / "scales"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "weigh.py").write_text(WEIGH)
    (package / "catalogue.py").write_text(
        'from scales.weigh import weigh\n\nCATALOGUE = {"shop::CT_WEIGH_V0": weigh}\n'
    )
    return tmp_path


def test_examples_drive_transforms_and_answers_are_forced_where_no_payload_decides(weighing: Path) -> None:
    report = ordering.played(weighing, CHECKED)
    assert ordering.unanswered(report) == []
    found = {
        (item["node"], item.get("outcome")): item for item in report.missed if "node" in item and "row" not in item
    }
    heavy = found["weigh", "HEAVY"]
    assert (heavy["payload"], "given" in heavy) == ({"code": "ffff", "mode": "fifty tons"}, False)
    # An input that is checked when called asks more of the payload than the gate does.
    assert compile_pattern("^[a-f]{4}$").search(found["weigh", "SUCCESS"]["payload"]["code"])
    assert found["why", "FIRE"]["given"]["answers"]["weigh"] == {"outcome": "LOST", "output": {"why": "fire"}}
    assert found["high", "HIGH"]["given"]["answers"]["look"]["output"] == {"value": {"shelf": 42}}
    again = ordering.played(weighing, CHECKED, pasted(report))
    assert [item.message for played in again.scenarios for item in played.failures] == []
    assert again.missed == []


NEVER = """
intent: IN_N_V0
payload: {type: object, properties: {n: {type: integer, maximum: 5}}, required: [n], additionalProperties: false}
---
workflow: WF_N_V0
summary: Ask for what cannot be.
intent: IN_N_V0
start: ask
fault: failed
nodes:
  ask:
    decide:
      - {when: "n * n == 2", outcome: ROOT}
      - {when: "n * 2 > 10", outcome: MORE}
      - {outcome: OTHER}
    with: {n: $.payload.n}
    next: {ROOT: done, MORE: done, OTHER: done}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
"""


def test_what_cannot_be_reached_says_so(tmp_path: Path) -> None:
    report = ordering.played(tmp_path, NEVER)
    reasons = {(item.get("outcome"), item.get("exit")): item.get("reason") for item in report.missed}
    assert reasons["ROOT", None] == "no payload was found with which `ask` ends in ROOT"
    assert reasons["MORE", None] == "no payload was found with which `ask` ends in MORE"
    assert reasons[None, "failed"] == CRASHES_ONLY
    assert reasons["OTHER", None] is None


def chain(length: int) -> str:
    """Return a workflow that asks one number over and over."""
    nodes = "".join(
        f"""
  n{at}:
    decide: [{{when: "q == {at}", outcome: OUT}}, {{outcome: SUCCESS}}]
    with: {{q: $.payload.q}}
    next: {{SUCCESS: {f"n{at + 1}" if at + 1 < length else "kept"}, OUT: out}}"""
        for at in range(length)
    )
    return f"""
intent: IN_Q_V0
payload: {{type: object, properties: {{q: {{type: integer}}}}, required: [q], additionalProperties: false}}
---
workflow: WF_Q_V0
summary: Ask.
intent: IN_Q_V0
start: n0
fault: failed
nodes:{nodes}
exits: {{kept: {{status: COMPLETED}}, out: {{status: COMPLETED}}, failed: {{status: FAILED}}}}
"""


def test_a_long_workflow_is_searched_within_bounds_and_always_alike(tmp_path: Path) -> None:
    first = ordering.played(tmp_path / "a", chain(60)).missed
    assert [item for item in first if item["payload"] is None and "exit" not in item] == []
    (last,) = (item for item in first if (item.get("node"), item.get("outcome")) == ("n59", "OUT"))
    assert last["payload"] == {"q": 59}
    assert ordering.played(tmp_path / "b", chain(60)).missed == first


def test_the_one_number_that_is_left_is_found(tmp_path: Path) -> None:
    text = NEVER.replace("n * n == 2", "n != 1 && n != 2 && n > 0 && n < 4")
    found = {item.get("outcome"): item["payload"] for item in ordering.played(tmp_path, text).missed}
    assert found["ROOT"] == {"n": 3}


LITERALS: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-1000, 1000),
    "s": st.text("abcXYZ -", max_size=8),
    "b": st.booleans(),
    "x": st.integers(-80, 80).map(lambda value: value / 8),
}
TYPES = {"i": "integer", "s": "string", "b": "boolean", "x": "number"}


@st.composite
def comparisons(draw: st.DrawFn, value: dict[str, Any]) -> str:
    """Draw a comparison that is true of a payload."""
    name = draw(st.sampled_from(sorted(value)))
    here = value[name]
    if name == "b":
        return draw(st.sampled_from([name if here else f"!{name}", f"{name} == {json.dumps(here)}"]))
    other = draw(LITERALS[name])
    signs = {"==": here == other, "!=": here != other, "<": here < other, "<=": here <= other, ">": here > other}
    sign = draw(st.sampled_from(sorted(sign for sign, holds in signs.items() if holds)))
    text = f"{name} {sign} {literal(other)}"
    if name == "s" and draw(st.booleans()):
        part = here[draw(st.integers(0, len(here))) :]
        return draw(st.sampled_from([f"s.endsWith({literal(part)})", f"s in [{literal(other)}, {literal(here)}]"]))
    return text


def literal(value: Any) -> str:
    return "'" + value + "'" if isinstance(value, str) else json.dumps(value)


# What is found is found by trying, so always the same examples: a new one that is missed is no news of a change.
@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_rows_that_some_payload_makes_true_are_found(tmp_path: Path, data: st.DataObject) -> None:
    value = {name: data.draw(strategy) for name, strategy in LITERALS.items()}
    asked = data.draw(st.lists(comparisons(value), min_size=1, max_size=4))
    when = " && ".join(f"({text})" for text in asked)
    text = f"""
intent: IN_R_V0
payload:
  type: object
  properties: {json.dumps({name: {"type": kind} for name, kind in TYPES.items()})}
  required: [b, i, s, x]
  additionalProperties: false
---
workflow: WF_R_V0
summary: Ask.
intent: IN_R_V0
start: ask
fault: failed
nodes:
  ask:
    decide: [{{when: {json.dumps(when)}, outcome: YES}}, {{outcome: NO}}]
    with: {{b: $.payload.b, i: $.payload.i, s: $.payload.s, x: $.payload.x}}
    next: {{YES: done, NO: done}}
exits: {{done: {{status: COMPLETED}}, failed: {{status: FAILED}}}}
"""
    missed = ordering.played(tmp_path, text).missed
    (yes,) = (item for item in missed if item.get("outcome") == "YES")
    assert yes["payload"] is not None, when


@settings(max_examples=150, deadline=None)
@given(schemas(2, True))
def test_specimens_fit_and_are_different(schema: dict[str, Any]) -> None:
    check = link(schema)
    found = list(specimens(schema))
    assert [value for value in found if check(value)] == []
    assert len({json.dumps(value, sort_keys=True) + str(type(value)) for value in found}) == len(found)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "minLength": 3}, "aaa"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "integer", "minimum": 7, "maximum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 2.5, "maximum": 3}, 3),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "array", "items": {"enum": ["x"]}, "minItems": 2}, ["x", "x"]),
        ({"type": ["null", "string"], "const": None}, None),
    ],
)
def test_a_specimen_of_a_narrow_schema(schema: dict[str, Any], value: Any) -> None:
    assert specimen(schema) == value


def test_a_schema_that_nothing_fits_has_no_specimen() -> None:
    assert list(specimens({"type": "integer", "minimum": 2, "maximum": 1})) == []
    with pytest.raises(LookupError):
        specimen({"type": "string", "minLength": 3, "maxLength": 2})


@pytest.mark.parametrize(
    "pattern",
    ["^AC_[0-9a-f]{16}$", r"^\d{4}-\d\d$", "^(?:ab|cd)+x?$", "[^a-z]", r"^\w+@\w+\.(com|org)$", "", "a|b", r"^\x41\.$",
     r"^[\]\\^-]{2}$", "^.{3,5}$", "^[A-Z][A-Za-z ]*$"],
)  # fmt: skip
def test_a_text_for_a_pattern(pattern: str) -> None:
    made = text_for(pattern, 0, 100)
    assert made is not None
    assert compile_pattern(pattern).search(made)


def test_a_pattern_that_asks_for_too_much_has_no_text() -> None:
    assert text_for("^(?:a{100}){100}$", 0, 1000) is None
    assert text_for("^$x", 0, 1000) is None


WRITTEN: tuple[Any, ...] = (
    None, True, "null", "on", "0123", "a: b", "x\n\u2028\x7f\U0001f600", "", 1e-05, 2.5, -3,
    {"a b": [], "": {}, "c": ["x, y", {"d": None}]},
)  # fmt: skip


@pytest.mark.parametrize("value", WRITTEN)
def test_what_is_written_reads_the_same(value: Any) -> None:
    from omnibachi_compiler.loader import load
    from omnibachi_compiler.phase import Source
    from omnibachi_compiler.tree import plain

    loaded = load(Source("protocols/x/x.yaml", "x", f"value: {written(value)}\n".encode()))
    assert [item.message for item in loaded.diagnostics] == []
    assert plain(loaded.value[0]) == {"value": value}


def test_the_command_prints_scenarios_that_reach_the_rest(call: Call, workspace: Path) -> None:
    tests = workspace / "protocols/greeting/greet.test.yaml"
    tests.unlink()
    said = call("test")
    head, _, text = said.out.partition("(say what you expect of them):\n")
    assert (said.status, "not reached: greeting::WF_GREET_V0: words\n" in head) == (0, True)
    tests.write_text(text)
    said = call("test", "--json")
    assert (said.status, said.json()["coverage"]["missed"]) == (0, [])
