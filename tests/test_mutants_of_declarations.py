"""Mutants are of declarations, wherever these are used, and are played by exactly those scenarios that may tell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import ordering
from omnibachi.catalogue import Capabilities
from omnibachi.scenarios import trials
from omnibachi.scenarios.mutation import Mutation, mutate
from omnibachi.scenarios.trials import Bench, Trial
from omnibachi_model.diagnostics import Trouble
from test_coverage import MINT, MINTED
from test_mutants import STRONG, TILL, WEAK, mutated

# Of each scenario a mutant that nothing notices without it.
ONLY_BY = {
    "a sale at the limit is kept, and only once": "in row 1, `<=` is `<`",
    "one too many": "`TOO_MANY` leads to `failed` instead of `refused`",
    "what is no sale": "the payload's `minimum` at `/count` is gone",
}

LENDING = """
store: ST_BOOKS_V0
governed_by: CS_REGISTRY_V0
---
intent: IN_BOOK_V0
payload:
  type: object
  properties: {title: {type: string, minLength: 1}}
  required: [title]
  additionalProperties: false
---
intent: IN_BOOKS_V0
payload:
  type: object
  properties: {first: {type: string}, second: {type: string}}
  required: [first, second]
  additionalProperties: false
---
workflow: WF_SHELVE_V0
summary: Put a book on the shelf, once.
intent: IN_BOOK_V0
start: keep
fault: failed
nodes:
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_BOOKS_V0
    with: {key: $.payload.title, value: {title: $.payload.title}}
    next: {SUCCESS: shelved, ALREADY_EXISTS: there}
exits:
  shelved: {status: COMPLETED}
  there: {status: REJECTED}
  failed: {status: FAILED}
---
workflow: WF_SHELVE_TWO_V0
summary: Put two books on the shelf.
intent: IN_BOOKS_V0
start: first
fault: failed
nodes:
  first:
    use: WF_SHELVE_V0
    with: {title: $.payload.first}
    next: {shelved: second, there: refused, rejected: refused, failed: failed}
  second:
    use: WF_SHELVE_V0
    with: {title: $.payload.second}
    next: {shelved: done, there: refused, rejected: refused, failed: failed}
exits:
  done: {status: COMPLETED}
  refused: {status: REJECTED}
  failed: {status: FAILED}
"""

TWO = """
test: two books, and one of them again
workflow: WF_SHELVE_TWO_V0
steps:
  - {payload: {first: a, second: b}, expect: {exit: done}}
  - {payload: {first: c, second: a}, expect: {exit: refused, stores: {ST_BOOKS_V0: {count: 3}}}}
  - {payload: {first: "", second: d}, expect: {exit: refused, path: [first rejected]}}
"""


def without(name: str) -> str:
    """Return the strong scenarios but for one."""
    return "---".join(part for part in STRONG.split("---") if f"test: {name}\n" not in part)


def changes(found: Mutation) -> set[str]:
    return {item["change"] for item in found.survivors}


@pytest.mark.parametrize("name", ONLY_BY)
def test_a_scenario_that_is_taken_away_lets_a_mutant_live(tmp_path: Path, name: str) -> None:
    found = mutated(tmp_path, TILL, without(name))
    assert found.scenarios == 2
    assert ONLY_BY[name] in changes(found)


@pytest.mark.parametrize(
    ("text", "scenarios"),
    [(TILL, WEAK), (TILL, STRONG), (MINT, MINTED % ("a mint", "{owner: a, kind: gold, to: [b, b]}")), (LENDING, TWO)],
    ids=["weak", "strong", "loops", "used"],
)
def test_whoever_does_not_come_by_could_not_have_told(tmp_path: Path, text: str, scenarios: str) -> None:
    """Play all scenarios at all places: no other mutant is killed by that."""
    compilation = ordering.laid(tmp_path, text, scenarios)
    capabilities = Capabilities(str(tmp_path / "capabilities"))
    tried: list[tuple[Trial, bool]] = []
    bench = Bench(compilation, capabilities)
    everybody = range(len(bench.scenarios))

    class Noting(Bench):
        def kills(self, trial: Trial) -> bool:
            tried.append((trial, super().kills(trial)))
            return tried[-1][1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("omnibachi.scenarios.mutation.Bench", Noting)
        found = mutate(compilation, capabilities)
    assert len(tried) == found.of
    for trial, told in tried:
        all_of_them = tuple((at, number) for at in range(len(trial.places)) for number in everybody)
        place = trial.places[0]
        mutant = bench.mutants(place.workflow)[place.number]
        assert bench.kills(Trial(trial.places, all_of_them)) is told, (place.workflow, mutant.node, mutant.change)


def test_what_a_used_workflow_says_is_its_own_and_told_by_whoever_uses_it(tmp_path: Path) -> None:
    found = mutated(tmp_path, LENDING, TWO)
    told = {(item["workflow"], item["node"], item["change"]) for item in found.survivors}
    # No scenario runs it by itself: that a book is there already shows where it is used.
    assert not any(node == "keep" and "`ALREADY_EXISTS`" in change for _, node, change in told)
    assert not any(change == "the payload's `minLength` at `/title` is gone" for _, _, change in told)
    assert ("shop::WF_SHELVE_V0", "payload", "the payload's `required` at `/title` is gone") in told
    alone = mutated(tmp_path / "alone", LENDING, "")
    assert {item["workflow"] for item in alone.survivors if "/" in item["node"]} == set()
    assert {item["node"] for item in alone.survivors if item["workflow"] == "shop::WF_SHELVE_TWO_V0"} == {
        "payload", "first", "second",
    }  # fmt: skip


def test_a_contract_that_is_used_twice_is_changed_at_both_places_and_told_once(tmp_path: Path) -> None:
    found = mutated(tmp_path, MINT, "")
    rows = [item for item in found.survivors if item["kind"] == "row"]
    assert [item["node"] for item in rows] == ["owner/judge"]
    # The way out of a contract is said by each node that uses it.
    out = {item["node"] for item in found.survivors if item["change"].startswith("`REFUSED` leads to")}
    assert out == {"owner"}


def test_what_nobody_could_notice_is_no_mutant(tmp_path: Path) -> None:
    text = TILL.replace(
        "count: {type: integer, minimum: 1}", "count: {type: integer, minimum: 1, maximum: 9007199254740991}"
    )
    text = text.replace("id: {type: string, minLength: 1}", 'id: {type: string, pattern: "^[A-Z]+$"}')
    text = text.replace("start: few", "start: least").replace(
        "nodes:\n  few:",
        """nodes:
  least:
    compute: {least: "count < 5 ? count : 5", most: "count < 5 ? 5 : count", other: "count < 5 ? count : 6"}
    with: {count: $.payload.count}
    next: {SUCCESS: few}
  few:""",
    )
    made = changes(mutated(tmp_path, text, ""))
    # Of two equal numbers it is all one which is taken; beyond 2^53 - 1 nothing comes in; the compiler bounds patterns.
    assert "in `other`, `<` is `<=`" in made
    assert not {"in `least`, `<` is `<=`", "in `most`, `<` is `<=`"} & made
    assert {"in `least`, `<` is negated", "in `most`, `<` is negated"} <= made
    assert "the payload's `pattern` at `/id` is gone" in made
    assert "the payload's `minimum` at `/count` is gone" in made
    assert not {"the payload's `maxLength` at `/id` is gone", "the payload's `maximum` at `/count` is gone"} & made


def test_a_bound_that_the_compiler_has_shown_to_hold_is_no_mutant(tmp_path: Path) -> None:
    contract = """
contract: CC_FEW_V0
summary: Tell whether these are few.
inputs: {id: {type: string, minLength: 1}, count: {type: integer, minimum: 1, maximum: 20}}
start: few
nodes:
  few:
    decide: [{when: count <= 10, outcome: SUCCESS}, {outcome: TOO_MANY}]
    with: {count: $.inputs.count}
    next: {SUCCESS: SUCCESS, TOO_MANY: TOO_MANY}
outcomes: {SUCCESS: {}, TOO_MANY: {}}
"""
    text = TILL[: TILL.index("  few:")] + TILL[TILL.index("  keep:") :]
    text = text.replace(
        "nodes:",
        """nodes:
  more:
    compute: {count: count + 1}
    with: {count: $.payload.count}
    next: {SUCCESS: few}
  few:
    use: CC_FEW_V0
    with: {id: $.payload.id, count: $.nodes.more.count}
    next: {SUCCESS: keep, TOO_MANY: refused}""",
    ).replace("start: few", "start: more")
    found = mutated(tmp_path, f"{contract.strip()}\n---{text}", "")
    inputs = {item["change"] for item in found.survivors if (item["node"], item["kind"]) == ("few", "check")}
    # What is counted may be too many, and is one at least; that there is an id that is not empty, the intent says.
    assert inputs == {"`maximum` at `/count` is gone"}


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    compilation = ordering.laid(tmp_path, TILL, WEAK)
    capabilities = Capabilities(str(tmp_path / "capabilities"))
    seen: list[tuple[int, int]] = []
    several = mutate(compilation, capabilities, progress=lambda done, of: seen.append((done, of)), workers=2)
    assert several.as_json() == mutate(compilation, capabilities).as_json()
    assert seen == [(done, several.of) for done in range(1, several.of + 1)]


def test_a_process_that_ends_before_its_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "work", sys.exit)
    with pytest.raises(Trouble) as trouble:
        mutate(ordering.laid(tmp_path, TILL, WEAK), Capabilities(str(tmp_path / "capabilities")), workers=2)
    assert trouble.value.diagnostic.code == "OB758"
    assert "exit status 1" in trouble.value.diagnostic.message
