"""The laws that the shipped domains are to keep, said of a toy domain.

Each holds of a graph that keeps it, and is found broken when the graph is changed so that it does not.
"""

from __future__ import annotations

import re

import orjson
import pytest

from looping import ROOT
from toys import ask, compiled, decide, find, flow, loop, nodes, owned, post, put, register, swap, tell

LAWS_OF_STD = (ROOT / "protocols/std/laws.yaml").read_text("utf-8").split("---\n")
SHIPPED = dict(re.findall(r"(?s)IV_(\w+)_V0\nsummary: [^\n]*\n(.*)", text)[0] for text in LAWS_OF_STD)
VERIFIED_BEFORE_WALLET = """\
applies_to: {workflows: [WF_TOY_V0]}
every_path:
  - {passes: {node: identity, outcome: YES}, before: {use: std::CS_RECORDS_V0.PUT, store: ST_KEPT_V0}}
  - passes: {use: std::CS_EVENTS_V0.FIND, event: EV_VERIFIED_V0, outcome: SUCCESS}
    before: {use: std::CS_RECORDS_V0.PUT, store: ST_KEPT_V0}
"""
OWNER_BEFORE_MOVEMENT = """\
applies_to: {uses: CS_ACCOUNTS_V0.POST}
every_path:
  - passes: {use: CC_OWNED_V0, outcome: OWNED}
    before: {use: CS_ACCOUNTS_V0.POST, store: ST_ACCOUNTS_V0}
    applies_to: {workflows: [WF_TOY_V0]}
  - passes: {node: [role, 'steps[]/role'], outcome: YES}
    before: {use: CS_ACCOUNTS_V0.POST}
    applies_to: {uses: CS_ACCOUNTS_V0.POST, except: [WF_TOY_V0]}
"""
DECISION_KEEPS_ITS_NAME = """\
applies_to: {workflows: [WF_TOY_V0]}
every_path:
  from: {node: decision, outcome: NO}
  passes: {use: std::CS_EVENTS_V0.APPEND, event: EV_VERIFIED_V0}
never: true
"""
MOVEMENT_IS_TOLD = """\
applies_to: {uses: CS_ACCOUNTS_V0.POST}
every_path: {from: {use: CS_ACCOUNTS_V0.POST, outcome: SUCCESS}, passes: {use: std::CS_EVENTS_V0.APPEND}}
"""
LICENSE_BEFORE_GRANT = """\
applies_to: {workflows: [WF_TOY_V0]}
every_path:
  - {passes: {node: tool, outcome: YES}, before: {use: std::CS_EVENTS_V0.APPEND, event: EV_DONE_V0}}
  - {passes: {node: license, outcome: SUCCESS}, before: {use: std::CS_EVENTS_V0.APPEND, event: EV_DONE_V0}}
  - {passes: {node: tier, outcome: YES}, before: {use: std::CS_EVENTS_V0.APPEND, event: EV_DONE_V0}}
  - {passes: {node: fits, outcome: YES}, before: {use: std::CS_EVENTS_V0.APPEND, event: EV_DONE_V0}}
"""
DENIAL_IS_TOLD = """\
applies_to: {workflows: [WF_TOY_V0]}
every_path:
  passes: {use: std::CS_EVENTS_V0.APPEND, event: [EV_DENIED_V0, EV_VERIFIED_V0]}
  before: {status: DENIED, except: not_admitted}
"""
PROVE_THEN_STORE = """\
applies_to: {workflows: [WF_TOY_V0]}
every_path: {passes: {node: proven, outcome: SUCCESS}, before: {effect: [IDEMPOTENT, MUTABLE]}}
"""
OTHER = flow(nodes(decide("role", "move", "tell"), post("move", "tell"), tell("tell", "done")), "WF_OTHER_V0")
WALLET = nodes(decide("identity", "find", "denied"), find("find", "keep", "not_admitted"), put("keep", "tell"))
GRANT = (decide("tool", "license", "denied"), find("license", "tier", "denied"), decide("tier", "fits", "denied"))
LOOP = loop("proven", "CC_OWNED_V0", "OWNED", "keep")
STEPS = loop("steps", "CC_STEP_V0", "TOLD", "done")


MOVES = f"""\
contract: CC_STEP_V0
summary: Moves.
inputs: {{n: {{type: integer}}}}
start: role
nodes:
  {decide("role", "move", "REFUSED").replace("$.payload", "$.inputs")}
  {post("move", "TOLD", "REFUSED")}
outcomes: {{TOLD: {{}}, REFUSED: {{}}}}
"""


# Of each law: the law, workflows that keep it, and changes (what stands there, what then does) that break it.
LAWS: dict[str, tuple[str, list[str], list[tuple[str, str]]]] = {
    "change is told": (
        SHIPPED["CHANGE_IS_TOLD"],
        [
            flow(
                nodes(
                    decide("may", "one", "tell"), swap("one", "two", "busy"), put("two", "tell"), tell("tell", "done")
                )
            )
        ],
        [("SUCCESS: tell", "SUCCESS: done"), ("SUCCESS: two, CONFLICT: busy", "SUCCESS: busy, CONFLICT: two")],
    ),
    "outside is last": (
        SHIPPED["OUTSIDE_IS_LAST"],
        [
            flow(
                nodes(
                    put("before", "ask"),
                    ask("ask", "kept", "busy", "tried"),
                    put("kept", "done"),
                    put("tried", "busy"),
                )
            )
        ],
        [
            ("OUTCOME_UNKNOWN: busy", "OUTCOME_UNKNOWN: kept"),
            ("OUTCOME_UNKNOWN: busy", "OUTCOME_UNKNOWN: busy, FAULT: tried"),
        ],
    ),
    "no effect before denial": (
        SHIPPED["NO_EFFECT_BEFORE_DENIAL"],
        [
            flow(
                nodes(
                    register("first", "tell", "ST_VERIFICATIONS_V0"),
                    tell("tell", "may"),
                    decide("may", "keep", "denied"),
                    put("keep", "more"),
                    decide("more", "ask", "done"),
                    ask("ask", "done", "busy"),
                )
            )
        ],
        [
            ("YES: ask, NO: done", "YES: ask, NO: denied"),
            ("OUTCOME_UNKNOWN: busy", "OUTCOME_UNKNOWN: denied"),
            ("store: ST_VERIFICATIONS_V0", "store: ST_OPEN_V0"),
        ],
    ),
    "verified before wallet": (
        VERIFIED_BEFORE_WALLET,
        [flow(nodes(WALLET, tell("tell", "done")))],
        [("NO: denied", "NO: find"), ("NOT_FOUND: not_admitted", "NOT_FOUND: keep")],
    ),
    "owner before movement": (
        OWNER_BEFORE_MOVEMENT,
        [
            flow(nodes(owned("owner", "move", "denied"), post("move", "done"))),
            OTHER,
            MOVES,
            flow(STEPS, "WF_STEPS_V0", "IN_MANY_V0"),
        ],
        [
            ("OTHERS: denied, UNKNOWN: denied", "OTHERS: denied, UNKNOWN: move"),
            ("YES: move, NO: tell", "YES: move, NO: move"),
            ("YES: move, NO: REFUSED", "YES: move, NO: move"),
        ],
    ),
    "decision keeps its name": (
        DECISION_KEEPS_ITS_NAME,
        [
            flow(
                nodes(
                    decide("decision", "yes", "no"),
                    tell("yes", "done", "EV_VERIFIED_V0"),
                    tell("no", "denied", "EV_DENIED_V0"),
                )
            )
        ],
        [("SUCCESS: denied", "SUCCESS: yes")],
    ),
    "movement is told": (
        MOVEMENT_IS_TOLD,
        [OTHER],
        [("SUCCESS: tell, INSUFFICIENT", "SUCCESS: done, INSUFFICIENT")],
    ),
    "license before grant": (
        LICENSE_BEFORE_GRANT,
        [flow(nodes(*GRANT, decide("fits", "tell", "denied"), tell("tell", "done")))],
        [
            ("YES: license, NO: denied", "YES: license, NO: license"),
            ("NOT_FOUND: denied", "NOT_FOUND: tier"),
            ("YES: tell, NO: denied", "YES: tell, NO: tell"),
        ],
    ),
    "denial is told": (
        DENIAL_IS_TOLD,
        [
            flow(
                nodes(
                    find("find", "one", "not_admitted"),
                    decide("one", "two", "tell"),
                    tell("tell", "denied", "EV_DENIED_V0"),
                    decide("two", "good", "other"),
                    tell("other", "denied", "EV_VERIFIED_V0"),
                    tell("good", "done"),
                )
            )
        ],
        [("NOT_FOUND: not_admitted", "NOT_FOUND: denied"), ("event: EV_DENIED_V0, with", "event: EV_DONE_V0, with")],
    ),
    "prove then store": (
        PROVE_THEN_STORE,
        [flow(nodes(LOOP, put("keep", "done")), intent="IN_MANY_V0")],
        [("PARTIAL: busy", "PARTIAL: keep"), ("OVERFLOW: busy", "OVERFLOW: keep")],
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_the_law_can_be_said_and_finds_what_breaks_it(name: str) -> None:
    law, workflows, changes = LAWS[name]
    kept = compiled(workflows, law)
    assert [(item.code, item.message) for item in kept.diagnostics] == []
    assert kept.sealed is not None
    form = orjson.loads(kept.sealed.files["toy/domain.json"])["laws"]["toy::IV_TOY_V0"]
    assert form["every_path"]
    for old, new in changes:
        texts = [item.replace(old, new) for item in workflows]
        assert texts != workflows, old
        more = "store: ST_OPEN_V0\ngoverned_by: std::CS_REGISTRY_V0\n"
        broken = compiled([*texts, *([more] if "ST_OPEN_V0" in new else [])], law)
        codes = {item.code for item in broken.diagnostics if item.severity == "error"}
        assert codes == {"OB520"}, (new, [(item.code, item.message) for item in broken.diagnostics])
        assert broken.sealed is None
