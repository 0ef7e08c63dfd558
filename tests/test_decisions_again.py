"""Replay of ledgers of decisions: each comes out as it was recorded, in any process; another pack gives an exact
difference, and what was forged with all its digests is told by its member."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deciding import append, asked
from front_door import Call, call
from governing import LEDGER, anchors, events, gateway, post
from omnibachi import Workspace
from omnibachi.packs import in_force
from omnibachi_ledger import open_root
from omnibachi_model.decisions import DECISION, EXECUTION, INTENT
from omnibachi_model.digests import encode
from omnibachi_policy.again import Again, differences
from performing import everywhere, root
from retelling import export_of, retold

__all__ = ["call", "root"]

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
ASKED: list[tuple[str, str, Json]] = [
    ("c-1", "hello", {}),
    ("c-2", "x" * 400, {}),
    ("c-3", "", {}),
    ("c-4", "Grüße 𝄞", {"inputs": {"capability": "chat", "risk_tier": "low", "request_tags": ["a"]}}),
    ("c-5", "may I", {"inputs": {"capability": "root"}, "budget": {"max_tokens": 50, "max_duration_ms": 2000}}),
    ("c-6", "tools", {"declared_tools": ["web.search"], "tool_scope": "strict", "requested_model_id": "other"}),
]


def told(root: Path | str) -> list[Json]:
    """Send all of them to a gateway with the demo pack; return the events."""
    with gateway(root, policy="demo") as door:
        for correlation, message, more in ASKED:
            post(door, correlation, message, intent=more)
    return events(root)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    return told(tmp_path_factory.mktemp("told") / "data")


@pytest.fixture
def export(tmp_path: Path) -> Callable[[list[Json]], str]:
    def write(ledger: list[Json]) -> str:
        (tmp_path / "export.jsonl").write_bytes(export_of(ledger))
        return str(tmp_path / "export.jsonl")

    return write


def decisions(ledger: list[Json]) -> list[Json]:
    return [event for event in ledger if event["kind"] == DECISION]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
claims = st.fixed_dictionaries({}, optional={
    "capability": st.sampled_from(["chat", "root", ""]), "risk_tier": texts,
    "request_tags": st.lists(texts, max_size=2),
})  # fmt: skip
wishes = st.fixed_dictionaries({}, optional={
    "inputs": claims, "requested_model_id": texts, "declared_tools": st.lists(texts, max_size=2),
    "tool_scope": st.sampled_from(["strict", "advisory"]),
    "budget": st.fixed_dictionaries({}, optional={"max_tokens": st.integers(1, 90), "max_duration_ms": st.just(2000)}),
})  # fmt: skip
PACKS = ("demo", "allow_all", "deny_all")


@settings(max_examples=12, deadline=None)
@given(
    asked=st.lists(st.tuples(st.one_of(texts, st.just("x" * 300)), wishes), max_size=5), packs=st.permutations(PACKS)
)
def test_whatever_is_asked_two_fresh_ledgers_agree_and_each_is_decided_again(asked: Any, packs: list[str]) -> None:
    """Whatever the clock, the ids and the answers are: equal normative heads, and each DECISION byte for byte; under
    another pack exactly what differs from the ledger of a gateway with that pack."""
    ledgers = []
    for name, day in ((packs[0], 1), (packs[0], 2), (packs[1], 3)):
        with gateway(None, policy=name, clock=Day(day), budget={"max_tokens": 60}) as door:
            for number, (message, more) in enumerate(asked):
                post(door, f"c-{number}", message, intent=more)
            decisions_of = door._engine.ledger.decisions(LEDGER)
            ledgers.append((decisions_of.page(limit=2000, after=-1)["events"], decisions_of.head()))
    (mine, head), (_, again), (others, _) = ledgers
    assert head["normative_head"] == again["normative_head"]
    assert head["v_digest"] != again["v_digest"] or not asked
    snapshot = Workspace(ROOT).load()
    own, under = (in_force(snapshot, name) for name in packs[:2])
    same, changed = Again(lambda digest, _: own["pack"] if digest == own["digest"] else None), Again(nobody, under)
    assert [item for event in mine for item in same.take(event)] == []
    assert same.decisions == len(asked) and not same.untold and not same.kept and not same._intents
    found = [item for event in mine for item in changed.take(event)]
    expected = [
        {"correlation_id": one["correlation_id"], "field": field, "old": old, "new": other["payload"][field]}
        for one, other in zip(decisions(mine), decisions(others), strict=True)
        for field, old in sorted(one["payload"].items())
        if old != other["payload"][field]
    ]  # fmt: skip
    assert found == expected


class Day:
    """A clock of some day, on which time goes on."""

    def __init__(self, day: int) -> None:
        self.now = day * 86_400_000_000_000

    def now_ns(self) -> int:
        """Return the next instant."""
        self.now += 1_000_000
        return self.now

    def pause(self, ns: int) -> None:
        """Let time go on."""
        self.now += ns


def nobody(digest: str, intent: Any) -> None:
    """Have no pack."""


def members(said: Json) -> set[tuple[str, str]]:
    return {(item["correlation_id"], item["field"]) for item in said["differences"]}


@everywhere
def test_what_a_gateway_decided_comes_out_again(
    call: Call, root: str, story: list[Json], export: Callable[[list[Json]], str]
) -> None:
    """On both databases, and from the export alone; nothing in the data root changes. Another fresh ledger that hears
    the same says the same."""
    ledger = told(root)
    for kind in (INTENT, DECISION):
        mine, others = ([one["normative_digest"] for one in of if one["kind"] == kind] for of in (ledger, story))
        assert mine == others and len(mine) == 6
    for target in (root, export(ledger)):
        plain, said = call("replay", target), call("replay", target, "--json").json()
        assert plain.status == 0 and plain.out.startswith("SAME  6 decisions") and not plain.err
        assert (said["same"], said["exit_code"], said["differences"], said["policy"]) == (True, 0, [], None)
        (found,) = said["ledgers"]
        assert (found["decisions"], found["differing"], found["kept"], found["untold"]) == (6, 0, {}, {})
        assert found["store"] == (LEDGER if target == root else None) and found["length"] == len(ledger)
    assert events(root) == ledger


def test_another_pack_gives_an_exact_difference(call: Call, story: list[Json], export: Any, tmp_path: Path) -> None:
    """Correlation, member, how it was, how it is: no more, and no less than deciding each one again."""
    target = export(story)
    intents = {event["correlation_id"]: event for event in story if event["kind"] == INTENT}
    for name in ("deny_all", "allow_all", "dbl::PL_DENY_ALL_V0"):
        pack = in_force(Workspace(ROOT).load(), name)
        done = call("replay", target, "--policy", name, "--json")
        said = done.json()
        expected = [
            {**item, "store": None}
            for decision in decisions(story)
            for item in differences(intents[decision["correlation_id"]], decision, pack)
        ]
        assert (done.status, said["same"], said["differences"]) == (4, False, expected)
        assert (said["divergence"]["path"], said["divergence"]["recorded"]) == ("c-1", expected[0]["old"])
        assert said["policy"] == {"address": pack["address"], "digest": pack["digest"]}
        turned = {correlation for correlation, field in members(said) if field == "result"}
        wanted = "DENY" if "deny" in name.lower() else "ALLOW"
        assert turned == {one["correlation_id"] for one in decisions(story) if one["payload"]["result"] != wanted}
        assert said["ledgers"][0]["turned"] == len(turned) and [i["code"] for i in said["diagnostics"]] == ["OB825"]
        shown = call("replay", target, "--policy", name)
        assert len(shown.out.splitlines()) == 1 + len(expected)
        assert ('c-2  result  "DENY" -> "ALLOW"' in shown.out) is ("c-2" in turned)
    same = call("replay", target, "--policy", "demo")
    assert (same.status, same.out) == (0, "SAME  6 decisions  export\n")


def test_a_fresh_process_gives_every_decision(story: list[Json], export: Any, tmp_path: Path) -> None:
    """Elsewhere, with other hash seeds, from the export and what ships."""
    for seed in ("0", "77"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", "import sys; from omnibachi.__main__ import main; sys.exit(main())",
             "replay", export(story), "--json"],
            capture_output=True, cwd=tmp_path, env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
        )  # fmt: skip
        assert json.loads(done.stdout)["same"] is True and done.stderr == b""


def other(value: Any, chance: random.Random) -> Any:
    """Return another value of the same shape."""
    if isinstance(value, dict):
        return {name: other(item, chance) for name, item in value.items()}
    if isinstance(value, list):
        return [other(item, chance) for item in value]
    if isinstance(value, bool):
        return not value
    return value + chance.randrange(1, 9) if isinstance(value, int) else f"other {chance.randrange(99)}"


@pytest.mark.parametrize("seed", range(3))
def test_what_was_executed_and_observed_steers_nothing(call: Call, story: list[Json], export: Any, seed: int) -> None:
    """Every EXECUTION another one, every observation another one: each DECISION is the same, byte for byte."""
    chance = random.Random(seed)

    def change(event: Json) -> None:
        event["obs"] = other(event["obs"], chance)
        if event["kind"] == EXECUTION:
            failed = {"status": "error", "error": {"code": "timeout", "message": str(chance.random())}}
            said = {"status": "ok", "output_text": str(chance.random()), "usage": {"tokens": chance.randrange(99)}}
            event["payload"] = {**chance.choice((failed, said)), "provider": "another", "model_id": None}

    changed = retold(story, change)
    assert [encode(one["payload"]) for one in decisions(changed)] == [
        encode(one["payload"]) for one in decisions(story)
    ]
    assert all(one["digest"] != old["digest"] for one, old in zip(changed, story, strict=True))
    mine, said = (call("replay", export(ledger), "--json").json() for ledger in (story, changed))
    assert said["same"] is True and said["ledgers"][0]["v_digest"] != mine["ledgers"][0]["v_digest"]
    assert said["ledgers"][0]["normative_head"] == mine["ledgers"][0]["normative_head"]


@pytest.mark.parametrize(("member", "value", "fields"), [
    ("reason_codes", ["policy.within_limits"], {"reason_codes"}), ("facts", {}, {"facts"}),
    ("policy_version", 7, {"policy_version"}), ("policy_version", False, {"policy_version"}),
    ("facts_digest", "sha256:" + "0" * 64, {"facts_digest"}), ("more", True, {"more"}),
    ("model_id", "other", {"facts", "facts_digest"}), ("budget", {"max_tokens": 1}, {"facts", "facts_digest"}),
])  # fmt: skip
def test_a_forged_member_is_told(
    call: Call, story: list[Json], export: Any, member: str, value: Any, fields: set[str]
) -> None:
    """`verify` finds nothing, since all digests were made anew; what provider, model and budget were is believed, and
    then the facts do not follow."""
    target = export(retold(story, lambda e: e["payload"].update({member: value}) if e["index"] == 4 else None))
    assert call("verify", target).status == 0
    done = call("replay", target, "--json")
    said = done.json()
    assert (done.status, said["same"], members(said)) == (4, False, {("c-2", field) for field in fields})
    assert said["ledgers"][0]["differing"] == 1 and [item["code"] for item in said["diagnostics"]] == ["OB825"]


@pytest.mark.parametrize("code", ["gateway.recovered", "policy.evaluation_error", "policy.unavailable"])
def test_a_turned_verdict_is_told_whatever_reason_it_gives(
    call: Call, story: list[Json], export: Any, code: str
) -> None:
    """Nobody hides behind a reason that cannot be computed again: in its form nothing is allowed."""

    def turn(event: Json) -> None:
        if event["index"] == 4:
            reasons = [{"code": code, "gate": None, "because": "no verdict was reached"}]
            event["payload"] |= {"decision": "ALLOW", "result": "ALLOW", "reason_codes": [code], "reasons": reasons}

    done = call("replay", export(retold(story, turn)), "--json")
    assert done.status == 4 and ("c-2", "result") in members(done.json())


def test_a_changed_intent_is_told_by_its_facts(call: Call, story: list[Json], export: Any) -> None:
    target = export(retold(story, lambda e: e["payload"].update(message="y" * 300) if e["index"] == 0 else None))
    said = call("replay", target, "--json").json()
    assert {field for _, field in members(said)} == {
        "decision", "facts", "facts_digest", "reason_codes", "reasons", "result",
    }  # fmt: skip


def test_what_no_pack_decided_is_taken_as_recorded(call: Call, tmp_path: Path, export: Any) -> None:
    root = tmp_path / "data"
    with gateway(root, policy="demo") as door:
        where = anchors("c-1")
        where.pop("actor")
        with open_root(str(root)) as ledger:
            append(ledger, INTENT, where, asked("lost"))
        door.sweep()
        policy = door.boundary["policy"]
        assert isinstance(policy, dict)
        door.boundary = {**door.boundary, "policy": {**policy, "digest": "sha256:" + "7" * 64}}
        post(door, "c-2")
        door.boundary = {**door.boundary, "policy": {**policy, "address": "dbl::PL_OTHER_V3"}}
        post(door, "c-3")
    ledger_of = events(root)
    assert [one["payload"]["reason_codes"] for one in decisions(ledger_of)] == [
        ["gateway.recovered"], ["policy.unavailable"], ["policy.unavailable"],
    ]  # fmt: skip
    for target in (str(root), export(ledger_of)):
        done = call("replay", target, "--json")
        (found,) = done.json()["ledgers"]
        # The last names a pack that is here under another address, so that it is known not to be the one.
        assert (done.status, found["kept"]) == (0, {"gateway.recovered": 1, "policy.unavailable": 1})
    done = call("replay", str(root), "--policy", "demo", "--json")
    (found,) = done.json()["ledgers"]
    assert (found["kept"], found["differing"], found["turned"]) == ({"gateway.recovered": 1}, 2, 2)
    assert "KEPT  1 for gateway.recovered" in call("replay", str(root)).out


def test_what_does_not_hold_is_replayed_as_far_as_it_does(call: Call, story: list[Json], export: Any) -> None:
    """OB821: nothing behind the first bad event is believed."""
    lines = export_of(story).splitlines(keepends=True)
    for index in (4, len(lines) - 1):
        path = Path(export(story))
        path.write_bytes(
            b"".join([*lines[:index], lines[index].replace(b"sha256:", b"sha512:", 1), *lines[index + 1 :]])
        )
        done = call("replay", str(path), "--json")
        (found,) = done.json()["ledgers"]
        assert (done.status, done.json()["same"], found["first_bad_index"]) == (4, False, index)
        assert found["decisions"] == len(decisions(story[:index])) and found["differing"] == 0
        assert [item["code"] for item in done.json()["diagnostics"]] == ["OB821"]


@everywhere
def test_a_ledger_that_grows_meanwhile_is_replayed_as_it_was_at_some_moment(call: Call, root: str) -> None:
    """Each answer is of one state, whatever is appended on the way."""
    ended, lengths = threading.Event(), []

    def grow() -> None:
        with gateway(root, policy="demo") as door:
            while not ended.is_set():
                post(door, f"c-{len(lengths)}-{time.monotonic_ns()}", "x" * (len(lengths) * 90))

    with gateway(root, policy="demo") as door:
        post(door, "first")
    thread = threading.Thread(target=grow)
    thread.start()
    try:
        while len(lengths) < 5 or len(set(lengths)) < 3:
            done = call("replay", root, "--json")
            assert done.status == 0, done
            lengths += [ledger["length"] for ledger in done.json()["ledgers"]]
    finally:
        ended.set()
        thread.join()
    assert lengths == sorted(lengths)


def test_what_is_asked_for_is_told_apart(call: Call, story: list[Json], export: Any, tmp_path: Path) -> None:
    """A data root, an export, and whatever else is the record of a run."""
    with open_root(str(tmp_path / "empty")):
        pass
    assert [call("replay", str(tmp_path / "empty")).status, call("verify", str(tmp_path / "empty")).status] == [4, 4]
    assert "OB824" in call("replay", str(tmp_path / "empty")).err
    assert "OB316" in call("replay", "T1").err
    assert "OB843" in call("replay", export(story), "--policy", "dmo").err
    assert (
        call("replay", "T1", "--policy", "demo").status == call("replay", export(story), "--payload", "x").status == 2
    )
    assert call("replay", str(tmp_path / "nowhere.jsonl")).status == 3


def test_the_page_shows_what_is_said(call: Call, tmp_path: Path) -> None:
    """docs/boundary.md, "Decided again", on the same three intents."""
    with gateway(tmp_path / "data", policy="demo") as door:
        for correlation, message, more in ASKED[:3]:
            post(door, correlation, message, intent=more)
    page = (ROOT / "docs" / "boundary.md").read_text("utf-8").partition("## Decided again")[2]
    lines = page.split("```")[1].strip().splitlines()
    said = ""
    for line in lines:
        if line.startswith("$ omnibachi "):
            said = call(*line.split()[2:]).out
        assert line == "…" or line.startswith("$") or f"{line}\n" in said, line
    assert sum(line.startswith("$") for line in lines) == 2 and len(lines) == 8
