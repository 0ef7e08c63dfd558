"""Verification of records: every change is found, and no bytes whatever raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_audit.verify import ANCHORED, BROKEN, INTACT, verify
from omnibachi_model.digests import digest, encode, pretty
from omnibachi_model.record import export, read
from sealed_runs import (
    SEAL,
    Pair,
    called,
    computed,
    decided,
    finished,
    order,
    order_failed,
    ordered,
    record,
    register,
    registered,
    started,
)


def pairs(data: bytes) -> list[Pair]:
    """Take a record apart into (body, obs), to be changed and put together with hashes made anew."""
    return [(event.body, event.obs) for event in read(data)]


def rebuilt(found: list[Pair]) -> bytes:
    return export((encode(body), encode(obs)) for body, obs in found)


def test_a_whole_record_is_intact() -> None:
    found = verify(registered())
    assert (found.verdict, found.line, found.reason) == (INTACT, None, None)
    assert found.finished and found.events == 5 and found.trace_id == "T1" and found.seal == SEAL
    assert found.workflow == register()["address"] and found.workflow_digest == digest(pretty(register()))
    bodies = b"".join(event.body_bytes for event in read(registered()))
    assert found.digest == digest(bodies)
    assert found.as_json()["schema"] == "omnibachi.verify/1"


def test_every_flipped_byte_is_found() -> None:
    whole = ordered(700)
    for place in range(len(whole)):
        for bit in (0x01, 0x20, 0x80):
            changed = bytearray(whole)
            changed[place] ^= bit
            found = verify(bytes(changed))
            assert found.verdict == BROKEN and found.line is not None, (place, bit)
            assert found.line <= whole[:place].count(b"\n") + 2


def test_lines_removed_swapped_doubled_and_foreign_are_found() -> None:
    lines = registered().splitlines(True)
    foreign = ordered().splitlines(True)
    for place in range(len(lines) - 1):
        without = verify(b"".join(lines[:place] + lines[place + 1 :]))
        assert without.verdict == BROKEN and without.line == place + 1
        swapped = verify(b"".join([*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]))
        assert swapped.verdict == BROKEN and swapped.line == place + 1
        doubled = verify(b"".join(lines[: place + 1] + lines[place:]))
        assert doubled.verdict == BROKEN and doubled.line == place + 2
        other = verify(b"".join([*lines[:place], foreign[place], *lines[place + 1 :]]))
        assert other.verdict == BROKEN and other.line in (place + 1, place + 2)
    added = verify(b"".join([*lines, foreign[-1]]))
    assert added.verdict == BROKEN and added.line == len(lines) + 1


def test_a_record_without_an_end_is_unfinished_and_not_broken() -> None:
    lines = registered().splitlines(True)
    for count in range(1, len(lines)):
        found = verify(b"".join(lines[:count]))
        assert (found.verdict, found.finished, found.events, found.digest) == (INTACT, False, count, None)


def test_every_cut_inside_a_line_is_found() -> None:
    whole = registered()
    ends = {place + 1 for place, byte in enumerate(whole) if byte == 0x0A}
    for count in range(1, len(whole)):
        assert (verify(whole[:count]).verdict == INTACT) is (count in ends)


def test_what_is_nothing_is_broken_at_line_one() -> None:
    for data in (b"", b"\n", b"\x00\xff", b"{}\n", b"[]\n", b"null\n", b"\xef\xbb\xbf{}\n"):
        found = verify(data)
        assert (found.verdict, found.line, found.events) == (BROKEN, 1, 0), data
        assert found.reason


def obs_of(number: int, **more: Any) -> Callable[[list[Pair]], None]:
    return lambda found: found[number][1].update(more)


def body_of(number: int, **more: Any) -> Callable[[list[Pair]], None]:
    return lambda found: found[number][0].update(more)


# Changes after which every hash is made anew: only what the lines mean shows them. Line from 1 where each is found.
MEANING: dict[str, tuple[int, Callable[[list[Pair]], Any]]] = {
    "no start": (1, lambda found: found.pop(0)),
    "two starts": (2, lambda found: found.insert(1, found[0])),
    "after the end": (6, lambda found: found.append(({"kind": "RESUMED"}, {"seq": 6, "at_us": 1}))),
    "event left out": (3, lambda found: found.pop(2)),
    "one path twice": (4, body_of(3, path="fee")),
    "seq as text": (2, obs_of(1, seq="2")),
    "seq as a boolean": (1, obs_of(0, seq=True)),
    "no instant": (2, lambda found: found[1][1].pop("at_us")),
    "member too many": (2, body_of(1, more=1)),
    "member too few": (3, lambda found: found[2][0].pop("effect")),
    "RESUMED with a member": (2, lambda found: found.insert(1, ({"kind": "RESUMED", "x": 1}, {"seq": 2, "at_us": 1}))),
    "workflow of another kind": (1, body_of(0, workflow="shop::CT_ORDER_V0")),
    "no digest": (1, body_of(0, workflow_digest="sha256:0")),
    "payload no object": (1, body_of(0, payload=[1])),
    "unknown run input": (1, body_of(0, run={"host": "x"})),
    "no trace id": (1, obs_of(0, trace_id="a b")),
    "trace id of another type": (1, obs_of(0, trace_id=[1])),
    "row as text": (2, body_of(1, row="1")),
    "row below zero": (2, body_of(1, row=-1)),
    "row as a boolean": (2, body_of(1, row=True)),
    "because and output differ": (2, body_of(1, because="another")),
    "decision with a capability": (2, body_of(1, capability="std::CT_DIGEST_V0")),
    "computation with another outcome": (3, body_of(2, outcome="VIOLATION")),
    "outcome in lower case": (4, body_of(3, outcome="done")),
    "outcome of another type": (4, body_of(3, outcome={})),
    "unknown effect class": (4, body_of(3, effect="WRITES")),
    "effect of another type": (4, body_of(3, effect=[])),
    "capability of another kind": (4, body_of(3, capability="shop::WF_ORDER_V0")),
    "inputs null without FAULT": (4, body_of(3, inputs=None)),
    "output no object": (4, body_of(3, output=[])),
    "receipt zero": (4, obs_of(3, receipt=0)),
    "fault where none was": (4, obs_of(3, fault={"reason": "raised"})),
    "unknown status": (5, body_of(4, status="DONE")),
    "exit without a name": (5, body_of(4, exit="")),
}


@pytest.mark.parametrize("name", MEANING)
def test_what_no_run_leaves_is_broken_although_its_hashes_hold(name: str) -> None:
    line, change = MEANING[name]
    found = pairs(ordered())
    change(found)
    verdict = verify(rebuilt(found))
    assert (verdict.verdict, verdict.line, verdict.events) == (BROKEN, line, line - 1), verdict.reason


@pytest.mark.parametrize(
    "change",
    [{"output": {"x": 1}}, {"row": 1}, {"because": "so"}],
    ids=["output", "row", "because"],
)
def test_a_fault_holds_nothing_else(change: dict[str, Any]) -> None:
    fault = decided("within_tier", None, "FAULT", None, fault={"reason": "missing-input"})
    assert verify(order_failed(fault)).verdict == INTACT
    assert verify(order_failed(({**fault[0], **change}, fault[1]))).verdict == BROKEN


@pytest.mark.parametrize("fault", [None, {}, {"reason": "bad luck"}, {"reason": ["raised"]}, "raised"])
def test_a_fault_says_a_known_reason(fault: Any) -> None:
    found = verify(order_failed(computed("fee", {}, "FAULT", fault=fault)))
    assert (found.verdict, found.line) == (BROKEN, 2)


def test_a_resumed_run_has_the_digest_of_one_that_was_not() -> None:
    found = pairs(ordered())
    found.insert(3, ({"kind": "RESUMED"}, {}))
    again = [(body, {**obs, "seq": number, "at_us": 1}) for number, (body, obs) in enumerate(found, 1)]
    verdict = verify(rebuilt(again))
    assert (verdict.verdict, verdict.digest) == (INTACT, verify(ordered()).digest)


def test_the_journal_anchors_what_equals_it() -> None:
    whole = registered()
    assert verify(whole, journal=whole).verdict == ANCHORED
    early = b"".join(whole.splitlines(True)[:3])
    prefix = verify(early, journal=whole)
    assert (prefix.verdict, prefix.reason) == (INTACT, "the journal holds 2 more events")
    longer = verify(whole, journal=early)
    assert (longer.verdict, longer.line) == (BROKEN, 4)
    found = pairs(whole)
    found[2][1]["took_us"] = 13
    edited = verify(rebuilt(found), journal=whole)
    assert (edited.verdict, edited.line, edited.reason) == (BROKEN, 3, "the line is not what the journal holds")
    assert verify(whole, journal=whole[:-9]).verdict == INTACT
    assert verify(registered(trace_id="T2"), journal=whole).line == 1


def test_the_record_of_another_run_under_this_name_is_broken() -> None:
    assert verify(registered(), trace_id="T1").verdict == INTACT
    found = verify(registered(trace_id="T2"), trace_id="T1")
    assert (found.verdict, found.line, found.trace_id) == (BROKEN, 1, None)
    assert found.reason == "this is the record of `T2`, not of `T1`"


def test_a_verdict_reaches_what_is_required() -> None:
    intact, anchored, broken = verify(ordered()), verify(ordered(), journal=ordered()), verify(b"")
    assert intact.reaches(None) and intact.reaches("intact") and not intact.reaches("anchored")
    assert anchored.reaches("anchored") and anchored.reaches(None)
    assert not broken.reaches(None) and not broken.holds


def test_values_as_deep_and_large_as_a_payload_may_be_are_intact() -> None:
    deep: Any = 0
    for _ in range(63):
        deep = [deep]
    workflow = order()
    asked = {"deep": deep, "numbers": [10**14] * 1_200_000}
    whole = record(started(workflow, asked), called(workflow, "record", {"value": deep}, "SUCCESS", receipt=1))
    assert len(whole) > 16 * 1024 * 1024
    assert verify(whole).verdict == INTACT


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    assert verify(data).verdict == BROKEN
    lines = ordered().splitlines(True)
    assert verify(b"".join([*lines[:2], data, *lines[2:]])).verdict == (BROKEN if data else INTACT)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000 + b"\n",
        b'{"body":' * 3_000 + b"1" + b"}" * 3_000 + b"\n",
        b'{"body":{"kind":"RESUMED","x":' + b"[" * 400 + b"]" * 400 + b'},"obs":{},"prev":"","hash":""}\n',
        b'{"body":{"kind":"RESUMED","x":' + b"9" * 5_000 + b'},"obs":{},"prev":"","hash":""}\n',
        b'{"body":{"kind":"RESUMED","x":1e999},"obs":{},"prev":"","hash":""}\n',
        b'{"body":{"kind":"RESUMED","x":"\\ud800"},"obs":{},"prev":"","hash":""}\n',
        b'{"body":{"kind":["RESUMED"]},"obs":{},"prev":"","hash":""}\n',
        b'{"body":[],"obs":{},"prev":[],"hash":{}}\n',
        b"\n" * 10_000,
        b"x" * 5_000_000,
    ],
    ids=range(10),
)
def test_hostile_bytes_are_broken_at_line_one(data: bytes) -> None:
    assert (verify(data).verdict, verify(data).line) == (BROKEN, 1)


def test_finished_alone_is_no_record() -> None:
    assert verify(record(finished("done", "COMPLETED"))).line == 1
