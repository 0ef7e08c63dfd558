"""`omnibachi test` from inside: scenarios, matchers, forced answers, coverage, examples, and the second execution."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from omnibachi.catalogue import Capabilities
from omnibachi.commands.init_command import TEMPLATE
from omnibachi.compiling import compile_workspace
from omnibachi.scenarios.matching import differences, mistakes
from omnibachi.scenarios.runner import Report, run_scenarios
from omnibachi.scenarios.stage import SeededEntropy, StandingClock
from omnibachi.workspace import shipped_root

ANY: Any = {"$any": True}
TEXT: Any = {"$type": "string"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The workspace that `init` lays, without its scenarios."""
    shutil.copytree(TEMPLATE, tmp_path / "w", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "w/protocols/greeting/greet.test.yaml").unlink()
    return tmp_path / "w"


def play(workspace: Path, text: str = "", selector: str = "") -> Report:
    """Play the scenarios of a text in a workspace."""
    if text:
        (workspace / "protocols/greeting/mine.test.yaml").write_text(text)
    compilation = compile_workspace(str(workspace), shipped=shipped_root())
    assert compilation.sealed is not None, [item.message for item in compilation.diagnostics]
    return run_scenarios(compilation, Capabilities(str(workspace / "capabilities")), selector)


def said(report: Report) -> list[str]:
    return [item.message for played in report.scenarios for item in played.failures]


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1),
        ({"a": [1, None]}, {"a": [1, None]}),
        (ANY, {"whatever": 1}),
        ({"a": ANY}, {"a": None}),
        ({"$matches": "^AC_[0-9a-f]{4}$"}, "AC_00ff"),
        (TEXT, "x"),
        ({"$type": "number"}, 2),
        ({"$type": "integer"}, 2),
        ({"$type": "null"}, None),
        ([{"$type": "boolean"}], [True]),
    ],
)
def test_what_fits_has_no_differences(expected: Any, actual: Any) -> None:
    assert list(differences(expected, actual)) == []


@pytest.mark.parametrize(
    ("expected", "actual", "told"),
    [
        (1, 2, "the value is `2`, expected `1`"),
        (True, 1, "the value is `1`, expected `true`"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "`/a/b` is `2`, expected `1`"),
        ({"a": 1}, {}, "`/a` is missing; expected `1`"),
        ({}, {"a": 1}, "`/a` is `1`, which is not expected"),
        ([1], [1, 2], "the value has 2 items, expected 1"),
        ([1, 2], [1, 3], "`/1` is `3`, expected `2`"),
        ({"$matches": "^a"}, "ba", 'the value is `"ba"`, expected a text that matches `^a`'),
        ({"$matches": "1"}, 1, "the value is `1`, expected a text that matches `1`"),
        ({"$type": "integer"}, True, "the value is `true`, expected a value of type integer"),
        ({"$type": "object"}, [], "the value is `[]`, expected a value of type object"),
        ({"a": ANY}, {}, '`/a` is missing; expected `{"$any":true}`'),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(expected: Any, actual: Any, told: str) -> None:
    assert list(differences(expected, actual)) == [told]


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"a": {"$mathces": "x"}}, "`$mathces` at `/a` is no matcher; did you mean `$matches`?"),
        ({"$any": False}, "write `$any: true` at the value"),
        ({"$type": "text"}, "`$type` at the value is one of string"),
        ({"$matches": "("}, "`$matches` at the value is no pattern"),
        ({"$any": True, "b": 1}, "`$any` at the value must stand alone"),
    ],
)
def test_misused_matchers_are_mistakes(expected: Any, told: str) -> None:
    (mistake,) = mistakes(expected)
    assert mistake.startswith(told)


def test_time_stands_still_and_chance_follows_from_the_seed() -> None:
    clock = StandingClock("2026-01-01T00:00:00.5Z")
    assert clock.now_ns() == clock.now_ns() == 1_767_225_600_500_000_000
    first, second = SeededEntropy(7), SeededEntropy(7)
    assert first.draw(40) == second.draw(8) + second.draw(32)
    assert SeededEntropy(8).draw(8) != SeededEntropy(7).draw(8)


GREET = """
test: greeting
workflow: WF_GREET_V0
steps:
  - payload: {name: World}
    expect:
      {exit: greeted, status: COMPLETED, path: [words SUCCESS, remember SUCCESS], result: {text: {$matches: World}}}
  - payload_of: 1
    expect:
      {exit: again, stores: {ST_GREETINGS_V0: {count: 1, records: [{key: World, value: {text: "Hello, World!"}}]}}}
"""


def test_a_scenario_that_holds(workspace: Path) -> None:
    report = play(workspace, GREET)
    assert (report.ok, said(report)) == (True, [])
    told = report.as_json()
    assert told["coverage"]["nodes"] == [2, 2]
    assert told["coverage"]["outcomes"] == [3, 4]
    assert told["coverage"]["exits"] == [2, 5]
    missed = [
        {key: item[key] for key in item.keys() & {"workflow", "node", "outcome", "exit"}}
        for item in told["coverage"]["missed"]
    ]
    assert missed == [
        {"workflow": "greeting::WF_GREET_V0", "exit": "failed"},
        {"workflow": "greeting::WF_GREET_V0", "exit": "rejected"},
        {"workflow": "greeting::WF_GREET_V0", "node": "words", "outcome": "UNKNOWN_LANGUAGE"},
    ]


def test_every_broken_expectation_is_told_at_its_line(workspace: Path) -> None:
    report = play(
        workspace,
        """
test: greeting
workflow: WF_GREET_V0
steps:
  - payload: {name: World}
    expect:
      exit: again
      status: REJECTED
      path: [words SUCCESS]
      result: {text: Hello}
      stores: {ST_GREETINGS_V0: {count: 2, records: []}}
""",
    )
    assert not report.ok
    assert said(report) == [
        "step 1: the exit is `greeted`, expected `again`",
        "step 1: the status is `COMPLETED`, expected `REJECTED`",
        'step 1: the path is `["words SUCCESS","remember SUCCESS"]`, expected `["words SUCCESS"]`',
        'step 1: in the result, `/text` is `"Hello, World!"`, expected `"Hello"`',
        "step 1: `greeting::ST_GREETINGS_V0` holds 1 records, expected 2",
        "step 1: among the records of `greeting::ST_GREETINGS_V0`, the value has 1 items, expected 0",
    ]
    found = report.scenarios[0].failures
    assert {item.code for item in found} == {"OB743"}
    assert [item.span.line for item in found if item.span] == [7, 8, 9, 10, 11, 11]
    assert found[0].help == "the run took: words SUCCESS, remember SUCCESS"


ASKED = """
test: greeting
workflow: WF_GREET_V0
given: {answers: {remember: {outcome: ALREADY_EXISTS, output: {value: {text: Hello}}}}}
steps:
  - payload: {name: World}
    expect:
      exit: again
      asked: %s
"""


def test_what_a_call_was_given_shows_behind_a_forced_answer(workspace: Path) -> None:
    report = play(workspace, ASKED % '{remember: {key: World, value: {text: "Hello, World!"}}, words: {$any: true}}')
    assert (report.ok, said(report)) == (True, [])
    report = play(workspace, ASKED % "{remember: {key: World, value: {text: Hi}}, remembr: {}}")
    assert said(report) == [
        'step 1: in what `remember` was given, `/value/text` is `"Hello, World!"`, expected `"Hi"`',
        "step 1: `remembr` was not called",
    ]
    assert report.scenarios[0].failures[1].help == "did you mean `remember`?"


def test_unknown_names_and_misspelt_matchers_fail_the_scenario(workspace: Path) -> None:
    report = play(
        workspace,
        """
test: no such workflow
workflow: WF_GRET_V0
steps: [{payload: {name: World}}]
---
test: no such store
workflow: WF_GREET_V0
steps: [{payload: {name: World}, expect: {stores: {ST_GREETING_V0: {count: 1}}}}]
---
test: no such matcher
workflow: WF_GREET_V0
steps: [{payload: {name: World}, expect: {result: {$anny: true}}}]
""",
    )
    codes = {played.name: [item.code for item in played.failures] for played in report.scenarios}
    assert codes == {"no such workflow": ["OB311"], "no such store": ["OB303"], "no such matcher": ["OB743"]}
    assert report.scenarios[0].failures[0].help == "did you mean `greeting::WF_GREET_V0`?"


FORCED = """
test: forced
workflow: WF_GREET_V0
given: {answers: {%s}}
steps: [{payload: {name: World}, expect: {exit: %s}}]
"""


def test_a_forced_answer_counts_and_is_marked(workspace: Path) -> None:
    report = play(workspace, FORCED % ("words: {outcome: UNKNOWN_LANGUAGE}", "refused"))
    assert (report.ok, said(report)) == (True, [])
    marked = {"workflow": "greeting::WF_GREET_V0", "node": "words", "outcome": "UNKNOWN_LANGUAGE"}
    assert report.as_json()["coverage"]["forced"] == [marked]


def test_a_forced_fault_crashes_the_node(workspace: Path) -> None:
    report = play(workspace, FORCED % ("remember: {outcome: FAULT}", "failed"))
    assert (report.ok, said(report)) == (True, [])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("nobody: {outcome: SUCCESS}", "no node `nobody` that uses a capability or waits is there to be answered"),
        ("words: {outcome: LATE}", "`greeting::CT_GREETING_V0` declares no outcome `LATE`"),
        ("words: {outcome: SUCCESS}", "the forced output of `words` breaks `required` at `/text`"),
    ],
)
def test_a_forced_answer_that_no_node_could_give_is_refused(workspace: Path, answer: str, told: str) -> None:
    assert said(play(workspace, FORCED % (answer, "greeted"))) == [told]


def test_a_node_that_is_not_there_is_answered_with_the_nearest_one(workspace: Path) -> None:
    (played,) = play(workspace, FORCED % ("wrods: {outcome: UNKNOWN_LANGUAGE}", "refused")).scenarios[-1:]
    assert [item.help for item in played.failures] == ["did you mean `words`?"]


FACTS = """
test: facts
workflow: WF_GREET_V0
given: {stores: {ST_GREETINGS_V0: {World: %s}}}
steps: [{payload: {name: World}, expect: {exit: again, result: {text: $any, first: "Good day"}}}]
""".replace("$any", "{$any: true}")


def changeable(workspace: Path) -> None:
    """Let the greetings be records that take facts."""
    source = workspace / "protocols/greeting/greet.yaml"
    text = source.read_text().replace("governed_by: CS_REGISTRY_V0", "governed_by: CS_RECORDS_V0\nseed: true")
    source.write_text(text.replace("CS_REGISTRY_V0.REGISTER", "CS_RECORDS_V0.CREATE"))


def test_facts_are_planted_in_stores_that_take_them(workspace: Path) -> None:
    closed = "`greeting::ST_GREETINGS_V0` takes no facts: it is governed by `std::CS_REGISTRY_V0`"
    assert said(play(workspace, FACTS % "{text: Good day}")) == [closed]
    changeable(workspace)
    report = play(workspace)
    assert (report.ok, said(report)) == (True, [])
    report = play(workspace, FACTS % "{txt: Good day}")
    assert said(report) == [
        "`/stores/greeting::ST_GREETINGS_V0/World/text` breaks `required`",
        "`/stores/greeting::ST_GREETINGS_V0/World/txt` breaks `additionalProperties`",
    ]
    assert [(item.code, item.span.line if item.span else 0) for item in report.scenarios[0].failures] == [
        ("OB762", 4),
        ("OB762", 4),
    ]


LOADED = """
test: facts that change between runs
workflow: WF_GREET_V0
given: {clock: "2026-02-03T04:05:06Z", stores: {ST_GREETINGS_V0: {World: {text: Good day}, Moon: {text: Good night}}}}
steps:
  - load: {stores: {ST_GREETINGS_V0: {World: {text: Good morning}}, "greeting::ST_GREETINGS_V0": {Sun: {text: Hot}}}}
  - payload: {name: World}
    expect:
      exit: again
      result: {text: {$any: true}, first: Good morning}
      stores: {ST_GREETINGS_V0: {count: 3}}
  - load: {stores: {ST_GREETING_V0: {World: {text: Good morning}}}}
"""


def test_a_load_step_replaces_facts(workspace: Path) -> None:
    changeable(workspace)
    assert said(play(workspace, LOADED)) == ["no store is called `ST_GREETING_V0`"]


def test_selectors_choose_by_name_file_and_workflow(workspace: Path) -> None:
    other = GREET.replace("test: greeting", "---\ntest: another")
    for selector, count in (("another", 1), ("MINE.test", 2), ("wf_greet", 2), ("nothing like it", 0)):
        assert len(play(workspace, GREET + other, selector).scenarios) == count


def words(workspace: Path, body: str) -> None:
    """Replace the sample transform's implementation."""
    head = '"""A changed transform."""\n\n'
    (workspace / "capabilities/greeting/words.py").write_text(head + body)


def test_examples_are_run(workspace: Path) -> None:
    words(workspace, 'def greeting(inputs):\n    return "SUCCESS", {"text": "Hi"}\n')
    report = play(workspace)
    assert not report.ok
    assert [item.message for item in report.diagnostics] == [
        '`greeting::CT_GREETING_V0`: in the output, `/text` is `"Hi"`, expected `"Hello, World!"`',
        "`greeting::CT_GREETING_V0` answers `SUCCESS`, and the example says `UNKNOWN_LANGUAGE`",
    ]


def test_examples_of_the_shipped_library_are_asked_where_it_is_the_workspaces_own(workspace: Path) -> None:
    assert play(workspace).examples == (workspace / "protocols/greeting/greet.yaml").read_text().count("gives: ")
    assert play(workspace, selector="std/shift_time").examples == 0
    shutil.copytree(Path(shipped_root(), "protocols/std"), workspace / "protocols/std")
    own = play(workspace, selector="std/shift_time")
    assert own.ok and own.examples > 2


def test_a_transform_that_crashes_in_an_example_is_told(workspace: Path) -> None:
    words(workspace, 'def greeting(inputs):\n    return "SUCCESS", {"text": inputs["nothing"]}\n')
    messages = [item.message for item in play(workspace).diagnostics]
    assert messages[0].startswith("`greeting::CT_GREETING_V0` answers `FAULT` (it raised KeyError: 'nothing')")


def test_an_answer_that_hangs_on_hash_order_is_found_in_the_second_execution(workspace: Path) -> None:
    """The order of a set of texts follows from the hash seed; the static check cannot see that."""
    members = ", ".join(repr(f"word{number}") for number in range(40))
    words(workspace, f'def greeting(inputs):\n    return "SUCCESS", {{"text": "".join({{{members}}})}}\n')
    found = [item for item in play(workspace, GREET.split("expect")[0]).diagnostics if item.code == "OB408"]
    assert len(found) == 1
    assert "differently in another process" in found[0].message


def test_a_pure_transform_answers_the_same_again(workspace: Path) -> None:
    assert play(workspace, GREET).diagnostics == []


def test_a_step_may_load_facts_and_name_its_own_workflow(workspace: Path) -> None:
    changeable(workspace)
    report = play(
        workspace,
        """
test: facts that come later
steps:
  - workflow: WF_GREET_V0
    payload: {name: First}
    expect: {exit: greeted}
  - load: {stores: {greeting::ST_GREETINGS_V0: {World: {text: Good day}}}}
  - workflow: greeting::WF_GREET_V0
    payload: {name: World}
    expect: {exit: again, result: {text: "Hello, World!", first: Good day}, stores: {ST_GREETINGS_V0: {count: 2}}}
  - payload_of: 3
    expect: {exit: again}
""",
    )
    assert (report.ok, said(report)) == (True, [])
    assert report.scenarios[0].workflow == "greeting::WF_GREET_V0"


def test_scenarios_do_not_see_one_another(workspace: Path) -> None:
    assert play(workspace, GREET + "---" + GREET.replace("test: greeting", "test: again")).ok
