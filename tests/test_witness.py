"""The witness judges stories by their events alone, and draws whatever servers say as text."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from governing import IDENTITY, anchors, events, gateway
from omnibachi.witness_panels import drawn, shown
from omnibachi.witnessing import SCENARIOS, Judged, Story, caught_up, differences, intent_of, judge
from omnibachi_model.decisions import digest_of_event, normative_digest

ANNOUNCED = {
    "happy_path": Judged("worked"),
    "invalid_request": Judged("failed", "invalid_request_error"),
    "policy_deny": Judged("refused", "policy.message_too_long"),
}
Stories = dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]


@pytest.fixture(scope="module", name="recorded")
def as_a_gateway_records_them(tmp_path_factory: pytest.TempPathFactory) -> Stories:
    root = tmp_path_factory.mktemp("data")
    sent = {name: intent_of(item, f"w-{name}") for name, item in SCENARIOS.items()}
    with gateway(root, policy="demo") as door:
        for name, body in sent.items():
            more = {"payload": body["payload"], "form": "flat"}
            door.govern(anchors(f"w-{name}", actor=body["actor"]), more, IDENTITY)
    found = events(root)
    return {
        name: (body, [event for event in found if event["correlation_id"] == f"w-{name}"])
        for name, body in sent.items()
    }


def shown_by_an_observer(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `/threads/{id}` as the specification words it, counted here once more."""
    payloads = {event["kind"]: event["payload"] for event in told}
    decision, execution = payloads["DECISION"], payloads.get("EXECUTION", {})
    allowed, error = decision["result"] == "ALLOW", execution.get("error", {})
    turn = {
        "turn_id": told[0]["turn_id"], "parent_turn_id": None, "correlation_id": told[0]["correlation_id"],
        "decision_result": decision["result"], "reason_codes": decision["reason_codes"],
        "policy_id": decision["policy_id"], "has_execution": bool(execution), "has_errors": bool(error),
        "error_code": error.get("code"), "latency_ms": told[-1]["obs"].get("latency_ms"),
        "first_index": told[0]["index"], "last_index": told[-1]["index"],
    }  # fmt: skip
    thread = {
        "thread_id": told[0]["thread_id"], "turns_total": 1, "allow_total": int(allowed),
        "deny_total": int(not allowed), "execution_ok_total": int(bool(execution) and not error),
        "execution_error_total": int(bool(error)), "pending_total": 0, "first_index": told[0]["index"],
        "last_index": told[-1]["index"],
    }  # fmt: skip
    return {"observer_version": 1, "normative": False, "thread": thread, "turns": [turn]}


def signed_anew(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with digests that cover what it says now."""
    event["normative_digest"] = normative_digest(event)
    event["digest"], event["canon_len"] = digest_of_event(event)
    return event


def test_each_scenario_becomes_what_it_announces(recorded: Stories) -> None:
    assert recorded.keys() == ANNOUNCED.keys()
    for name, (sent, told) in recorded.items():
        judged = judge(told, sent)
        assert judged == ANNOUNCED[name] and judged.complete
        assert Story(SCENARIOS[name], "c", judged, told).as_announced
        assert differences(told, shown_by_an_observer(told)) == []
    assert len(SCENARIOS["policy_deny"].message) == 400


def test_a_part_of_a_story_is_unfinished(recorded: Stories) -> None:
    sent, told = recorded["happy_path"]
    assert [judge(told[:count], sent) for count in range(3)] == [
        Judged("unfinished", "EMPTY"), Judged("unfinished", "INTENTED"), Judged("unfinished", "ALLOWED"),
    ]  # fmt: skip


def test_a_story_that_the_grammar_does_not_know_is_broken(recorded: Stories) -> None:
    (sent, worked), (other, denied) = recorded["happy_path"], recorded["policy_deny"]
    assert judge(worked[1:], sent).because == "event 1: DECISION has no place after EMPTY"
    assert judge([*worked, worked[2]], sent).because == "event 2: it stands after event 2"
    late = signed_anew({**copy.deepcopy(worked[2]), "index": 9})
    assert judge([*worked, late], sent).because == "event 9: EXECUTION has no place after EXECUTED"
    assert judge(denied, sent).because == "event 6: its thread_id is another's"
    assert judge([denied[1], denied[0]], other).because == "event 7: DECISION has no place after EMPTY"
    assert judge([], sent) == Judged("unfinished", "EMPTY")


@given(data=st.data())
def test_nothing_in_a_story_can_be_changed_unseen(recorded: Stories, data: st.DataObject) -> None:
    """Another value anywhere in any event, or a member less, and the story is no longer what it was."""
    sent, told = recorded[data.draw(st.sampled_from(sorted(recorded)))]
    spoilt = copy.deepcopy(told)
    at: Any = spoilt[data.draw(st.integers(0, len(spoilt) - 1))]
    key = data.draw(st.sampled_from(sorted(at)))
    while isinstance(at[key], dict) and at[key] and data.draw(st.booleans()):
        at = at[key]
        key = data.draw(st.sampled_from(sorted(at)))
    before = at[key]
    at[key] = data.draw(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just({}), st.just([]), st.just(1.5))
    )
    if json.dumps(at[key]) != json.dumps(before):
        assert judge(spoilt, sent).kind == "broken"


def test_what_was_not_sent_is_noticed_though_its_digests_hold(recorded: Stories) -> None:
    sent, told = recorded["happy_path"]
    for change in ({"payload": {**told[0]["payload"], "message": "another"}}, {"actor": "another"}):
        first = signed_anew({**copy.deepcopy(told[0]), **change})
        assert judge([first, *told[1:]], sent) == Judged("broken", "event 0: it is not what was sent")


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8,
))  # fmt: skip
def test_whatever_servers_say_is_judged_and_drawn(recorded: Stories, value: Any) -> None:
    sent, told = recorded["happy_path"]
    assert judge([value], sent).kind == "broken"
    answer = {"thread": value, "turns": [value]}
    assert differences(told, answer) and not caught_up(told, answer)
    odd = [{**told[0], "payload": value}, {**told[1], "payload": {"result": value, "reason_codes": value}}, value]
    story = Story(
        SCENARIOS["happy_path"], "c", judge(odd, sent), odd, projection=answer, differs=(str(value),), signals=[value]
    )
    assert "broken" in drawn([story], width=80, colour=False)


def test_another_number_anywhere_in_a_projection_is_told(recorded: Stories) -> None:
    for _, told in recorded.values():
        good = shown_by_an_observer(told)
        for where, name in [("thread", name) for name in good["thread"]] + [
            ("turns", name) for name in good["turns"][0]
        ]:
            if name == "latency_ms" or (where, name) == ("thread", "first_index"):
                continue
            bad = copy.deepcopy(good)
            (bad["thread"] if where == "thread" else bad["turns"][0])[name] = "other"
            assert any(f"`{name}` is `other`" in item for item in differences(told, bad)), name
        assert differences(told, {**good, "turns": [*good["turns"], *good["turns"]]})
        assert caught_up(told, good) and not caught_up(told, {"thread": {"last_index": told[-1]["index"] - 1}})


NASTY = "[bold red]x[/]\x1b]0;title\x07\x1b[31m\r\n\u202egnp.exe \u0000:smile: [link=http://a]b[/link]" + "y" * 5000


def nasty(recorded: Stories) -> Story:
    sent, told = recorded["invalid_request"]
    told = copy.deepcopy(told)
    told[0]["payload"]["message"] = told[2]["payload"]["error"]["message"] = NASTY
    told[1]["payload"]["reason_codes"] = [NASTY]
    projection = {"thread": {"thread_id": NASTY}, "turns": [{"turn_id": NASTY, "latency_ms": NASTY}] * 500}
    signals = [{"severity": NASTY, "id": NASTY, "title": NASTY}] * 500
    return Story(
        SCENARIOS["invalid_request"], "c", judge(told, sent), told, projection=projection, differs=(NASTY,),
        signals=signals,
    )  # fmt: skip


def test_what_servers_say_is_text_and_never_markup(recorded: Stories) -> None:
    page = drawn([nasty(recorded)], width=5000, colour=False)
    assert page.isprintable() or (set(page) - {"\n"} and all(char.isprintable() for char in page if char != "\n"))
    assert "[bold red]x[/]\\x1b]0;title\\x07" in page and ":smile:" in page and "\\u202e" in page
    assert len(page.splitlines()) < 100 and "and 480 more" in page
    coloured = drawn([nasty(recorded)], width=5000, colour=True)
    assert Text.from_ansi(coloured).plain.split() == page.split()
    assert "\x1b]" not in coloured and "\x07" not in coloured and "\x1b[31m\r" not in coloured


@pytest.mark.parametrize("width", [1, 40, 79, 200])
def test_panels_are_as_wide_as_they_are_told(recorded: Stories, width: int) -> None:
    stories = [Story(SCENARIOS[n], "c", judge(t, s), t, unobserved="nobody") for n, (s, t) in recorded.items()]
    page = drawn([*stories, nasty(recorded)], width=width, colour=False)
    assert max(map(len, page.splitlines())) <= max(width, 40)
    assert drawn([], width=width, colour=False) == ""


def test_where_only_ascii_is_shown_the_panels_are_ascii(recorded: Stories) -> None:
    sent, told = recorded["happy_path"]
    page = drawn([Story(SCENARIOS["happy_path"], "c", judge(told, sent), told)], width=80, colour=False, plain=True)
    assert page.isascii() and "+- ledger -" in page


def test_one_line_stays_one(recorded: Stories) -> None:
    assert shown("a\nb\tc\x1b[0m\ud800") == "a\\nb    c\\x1b[0m\\ud800"
    assert (shown(None), shown(5), len(shown("z" * 999))) == ("-", "5", 200)
