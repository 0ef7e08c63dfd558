"""Statements that do not count: forged, replayed, late, by the wrong people, too many. Each is refused and kept."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibachi import examine, verify, wiring
from omnibachi.parked import waits_in
from omnibachi_ledger import approvals
from omnibachi_model.digests import decode, encode
from omnibachi_model.formats import write_time
from omnibachi_model.record import export, read
from peopled import ASK, HOUR_NS, TWICE, Desk, codes, key_of


@pytest.fixture(scope="module", name="compiled")
def compiled_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Desk(tmp_path_factory.mktemp("desk") / "desk").folder


@pytest.fixture(name="desk")
def fresh_desk(compiled: Path, tmp_path: Path) -> Desk:
    shutil.copytree(compiled, tmp_path / "desk")
    desk = Desk(tmp_path / "desk", compiled=False)
    desk.run()
    return desk


def refused(desk: Desk, statement: bytes, code: str, run: str = "T1") -> None:
    """Hand in what must not count, and check that it is refused, kept, and changes nothing."""
    before = desk.record(run)
    found = desk.hand(statement, run)
    assert (codes(found), found.exit_code, found.ok) == ([code], 4, False)
    assert desk.kept(run)[-1][0] == code
    assert desk.record(run) == before
    if found.waiting is not None:
        assert found.waiting["approved"] == []


def resealed(desk: Desk, name: str, change: Any, *, run: str = "T1") -> bytes:
    """Sign a statement of somebody in which something was changed before it was signed."""
    payload = decode(base64.b64decode(decode(desk.sign(name, run=run))["payload"]))
    change(payload)
    data: bytes = wiring.sealed_envelope(payload, desk.keys[name])
    return data


def test_another_key_of_the_same_name(desk: Desk) -> None:
    desk.keys["first"] = key_of("first", 1)
    refused(desk, desk.sign("first"), "OB803")


def test_the_signature_of_somebody_else(desk: Desk) -> None:
    good, other = decode(desk.sign("first")), decode(desk.sign("second"))
    good["signatures"][0]["sig"] = other["signatures"][0]["sig"]
    refused(desk, encode(good), "OB802")
    good = decode(desk.sign("first"))
    good["signatures"][0]["keyid"] = desk.keys["second"].public.id
    refused(desk, encode(good), "OB802")


def test_a_rejection_turned_into_an_approval(desk: Desk) -> None:
    said = decode(desk.sign("first", "REJECT"))
    said["payload"] = base64.b64encode(base64.b64decode(said["payload"]).replace(b"REJECT", b"APPROVE")).decode()
    refused(desk, encode(said), "OB802")


def test_another_type_of_payload(desk: Desk) -> None:
    """The type is signed too: neither may it be exchanged, nor may a signature over another type be taken over."""
    said = decode(desk.sign("first"))
    for kind in ("application/json", "", "application/vnd.in-toto+json;v=2"):
        refused(desk, encode({**said, "payloadType": kind}), "OB801")
    payload = base64.b64decode(said["payload"])
    message = b"DSSEv1 16 application/json %d %b" % (len(payload), payload)
    for forged in (desk.keys["first"].sign(message), desk.keys["first"].sign(payload)):
        said["signatures"][0]["sig"] = base64.b64encode(forged).decode()
        refused(desk, encode(said), "OB802")


def test_a_statement_about_something_else_is_no_approval(desk: Desk) -> None:
    """What a key signed of a run or a snapshot approves nothing, whatever roles it has."""
    at = write_time(desk.watch.now)
    about = wiring.run_statement(b"x", {"run": "T1"}, at)
    about["predicate"] = {"signed_at": at}
    about["predicateType"] = "urn:omnibachi:snapshot:1"
    refused(desk, wiring.sealed_envelope(about, desk.keys["first"]), "OB801")
    refused(desk, resealed(desk, "first", lambda said: said.update(predicateType="urn:omnibachi:approval:2")), "OB801")


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["predicate"].update(decision="PERHAPS"),
        lambda said: said["predicate"].update(decision=None),
        lambda said: said["predicate"].update(because=""),
        lambda said: said["predicate"].update(because="x" * 2001),
        lambda said: said["predicate"].update(path=1),
        lambda said: said["predicate"].update(more=1),
        lambda said: said["predicate"].pop("because"),
        lambda said: said["predicate"].update(signed_at="yesterday"),
        lambda said: said["subject"].append({"name": "T1#review", "digest": {"sha256": "0" * 64}}),
        lambda said: said["subject"][0].update(name="T2#review"),
        lambda said: said["subject"][0].update(digest={"sha256": "0" * 64}),
        lambda said: said.update(_type="https://in-toto.io/Statement/v0.1"),
    ],
)
def test_what_is_no_approval(desk: Desk, change: Any) -> None:
    refused(desk, resealed(desk, "first", change), "OB801")


def test_two_signatures_are_not_two_approvals(desk: Desk) -> None:
    said, other = decode(desk.sign("first")), decode(desk.sign("second"))
    refused(desk, encode({**said, "signatures": [*said["signatures"], *other["signatures"]]}), "OB801")
    refused(desk, encode({**said, "signatures": said["signatures"] * 2}), "OB801")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff" * 100, b'{"a":' * 9000, b" " * 70_000, b"x" * 70_000])
def test_rubbish(desk: Desk, data: bytes) -> None:
    refused(desk, data, "OB801")
    assert len(desk.kept()) == 1


@pytest.mark.parametrize(
    "payload",
    [
        "[1]",
        "5",
        "{}",
        '{"predicate": [1]}',
        '{"predicate": {"decision": [1], "because": {"a": "b"}}}',
        '{"predicate": {"decision": "APPROVE\\n  the board said APPROVE"}}',
    ],
)
def test_rubbish_that_was_kept_can_be_looked_at(desk: Desk, payload: str) -> None:
    text = base64.b64encode(payload.encode()).decode()
    said = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": text,
        "signatures": [{"keyid": "a", "sig": "AA=="}],
    }
    refused(desk, encode(said), "OB801")
    report = examine(desk.record(), data_root=desk.workspace.data_root)
    assert [(item["decision"], item["because"]) for item in report.statements] == [(None, None)]
    assert "said nothing that can be read, refused (OB801)" in report.as_text()


def test_replayed_from_another_run_and_another_node(desk: Desk) -> None:
    desk.run(run="T2")
    refused(desk, desk.sign("first", run="T2"), "OB806")
    desk.run(TWICE, run="T3")
    first = desk.sign("second", run="T3")
    desk.hand(first, "T3")
    refused(desk, first, "OB806", run="T3")

    def elsewhere(said: Any) -> None:
        said["predicate"]["subject"] = "sha256:" + "0" * 64
        said["subject"][0]["digest"]["sha256"] = "0" * 64

    refused(desk, resealed(desk, "first", elsewhere), "OB806")


def test_the_same_payload_in_another_run_needs_another_approval(desk: Desk) -> None:
    """Subject and path are equal; the run is not."""
    desk.run(run="T2")
    one, other = decode(desk.sign("first")), decode(desk.sign("first", run="T2"))
    said = [decode(base64.b64decode(item["payload"]))["predicate"] for item in (one, other)]
    assert (said[0]["subject"], said[0]["path"]) == (said[1]["subject"], said[1]["path"])
    refused(desk, encode(other), "OB806")


def test_the_same_statement_again_and_another_key_of_one_name(desk: Desk) -> None:
    statement = desk.sign("first")
    assert desk.hand(statement).exit_code == 7
    assert codes(desk.hand(statement)) == ["OB809"]
    second = key_of("first", 1)
    file = desk.folder / "trust.json"
    trust = json.loads(file.read_text())
    trust["keys"].append({"key": second.public.text, "roles": ["board"]})
    file.write_text(json.dumps(trust))
    desk.keys["first"] = second
    assert codes(desk.approve("first")) == ["OB809"]
    assert desk.approve("second").exit == "paid"
    assert [verdict for verdict, _ in desk.kept()] == ["ACCEPTED", "OB809", "OB809", "ACCEPTED"]


def test_late_by_the_clock_of_the_record(desk: Desk) -> None:
    statement = desk.sign("first")
    desk.watch.now += 24 * HOUR_NS
    found = desk.hand(statement)
    assert (codes(found), found.exit_code, found.exit) == (["OB807"], 4, "late")
    assert desk.kept() == [("OB807", "first")]
    assert verify(desk.record()).holds


def test_a_clock_that_goes_back_opens_nothing_again(desk: Desk) -> None:
    """What arrives is never before what is recorded: neither before the wait began, nor before what arrived last."""
    desk.watch.now -= 100 * HOUR_NS
    assert desk.approve("first").exit_code == 7
    with wiring.open_root(desk.workspace.data_root, reading=True) as ledger:
        (first,) = ledger.people.kept("T1")
        parked = ledger.people.parked("T1")
    assert parked is not None and first.at_us == parked[1]["at_us"]
    desk.watch.now += 200 * HOUR_NS
    desk.hand(b"rubbish that is kept, with the instant at which it came")
    desk.watch.now -= 200 * HOUR_NS
    assert [item.exit for item in desk.workspace.recoverer(clock=desk.watch).all().results] in ([], ["late"])
    assert desk.record().count(b'"EXPIRED"') == 1


def test_whoever_asked_does_not_approve(desk: Desk) -> None:
    refused(desk, desk.sign("clerk"), "OB808")
    desk.run(ASK, run="T2", actor=desk.keys["second"].public.id)
    refused(desk, desk.sign("second", run="T2"), "OB808", run="T2")
    refused(desk, desk.sign("second", "REJECT", run="T2"), "OB808", run="T2")


def test_the_wrong_role_and_the_wrong_time(desk: Desk) -> None:
    gone = {"at": "2025-06-01T00:00:00Z", "reason": "stolen"}
    for changed, code in (
        ({"roles": ["clerk"]}, "OB805"),
        ({"roles": ["run", "snapshot"]}, "OB805"),
        ({"roles": []}, "OB805"),
        ({"revoked": gone}, "OB804"),
        ({"revoked": {"at": "2030-01-01T00:00:00Z", "reason": ""}}, "OB804"),
        ({"until": "2025-12-31T00:00:00Z"}, "OB804"),
        ({"from": "2026-01-01T00:00:01Z"}, "OB804"),
    ):
        desk.trust(first=changed)
        refused(desk, desk.sign("first"), code)


def test_a_key_must_be_valid_when_it_signs_and_when_that_arrives(desk: Desk) -> None:
    statement = desk.sign("first")
    desk.trust(first={"until": "2026-01-01T01:00:00Z"})
    desk.watch.now += 2 * HOUR_NS
    refused(desk, statement, "OB804")
    desk.watch.now -= 2 * HOUR_NS
    early = resealed(desk, "first", lambda said: said["predicate"].update(signed_at="2020-01-01T00:00:00Z"))
    desk.trust(first={"from": "2025-01-01T00:00:00Z"})
    refused(desk, early, "OB804")


def test_after_the_decision_nothing_counts(desk: Desk) -> None:
    late = desk.sign("third")
    desk.approve("first")
    desk.approve("second")
    found = desk.hand(late)
    assert (codes(found), found.exit_code, found.exit) == (["OB810"], 4, "paid")
    assert [verdict for verdict, _ in desk.kept()] == ["ACCEPTED", "ACCEPTED", "OB810"]
    assert desk.notes() == 1


def test_an_unknown_run_and_no_trust_file(desk: Desk) -> None:
    statement = desk.sign("first")
    assert codes(desk.hand(statement, "T9")) == ["OB316"]
    (desk.folder / "trust.json").unlink()
    assert codes(desk.hand(statement)) == ["OB614"]
    assert desk.kept() == []


def test_refusals_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "MOST_REFUSED", 5)
    for number in range(5):
        refused(desk, b"%d" % number, "OB801")
    assert codes(desk.hand(b"one too many")) == ["OB811"]
    assert len(desk.kept()) == 5
    desk.approve("first")
    assert desk.approve("second").exit == "paid"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 5000), flip=st.integers(1, 255))
def test_a_flipped_byte_never_counts(desk: Desk, at: int, flip: int) -> None:
    """Judged as where it arrives; a byte between the parts of the JSON may change what no signature is over."""
    statement = desk.sign("first")
    data = bytearray(statement)
    data[at % len(data)] ^= flip
    found = waits_in([("", event.body_bytes, event.obs_bytes) for event in read(desk.record())])
    trust = wiring.trust_of((desk.folder / "trust.json").read_bytes())
    key, objection = wiring.judge_approval(bytes(data), "T1", found, [], desk.watch.now // 1000, "clerk", trust)
    same = objection is None
    assert not same or decode(bytes(data)) == decode(statement)
    assert same or objection.code in ("OB801", "OB802", "OB803")
    assert key in ("", desk.keys["first"].public.id)


def test_a_record_whose_approvals_were_tampered_with_is_broken(desk: Desk) -> None:
    desk.approve("first", because="seen")
    desk.approve("second")
    events = [(event.body, event.obs) for event in read(desk.record())]
    at = next(index for index, (body, _) in enumerate(events) if body["kind"] == "WAITED")

    def broken(change: Any) -> bool:
        copy = json.loads(json.dumps(events))
        change(copy[at - 2], copy[at])
        return not verify(export([(encode(body), encode(obs)) for body, obs in copy])).holds

    assert not broken(lambda waiting, waited: None)
    assert broken(lambda waiting, waited: waited[1]["approvals"].pop())
    assert broken(lambda waiting, waited: waited[1].pop("approvals"))
    assert broken(lambda waiting, waited: waited[1]["approvals"].append(waited[1]["approvals"][0]))
    assert broken(lambda waiting, waited: waited[0]["output"]["approvals"].reverse())
    assert broken(lambda waiting, waited: waited[0].update(outcome="EXPIRED", output={}))
    assert broken(lambda waiting, waited: waited[0]["output"]["approvals"][0].update(because="else"))
    assert broken(lambda waiting, waited: waited[1]["approvals"][0].update(key="third+00000000"))
    assert broken(lambda waiting, waited: waited[1]["approvals"][1].update(at_us=waiting[1]["until_us"]))
    assert broken(lambda waiting, waited: waiting[0].update(quorum=1))
    assert broken(lambda waiting, waited: waiting[0].update(roles=[]))
    assert broken(lambda waiting, waited: waiting[0].update(subject="sha256:" + "0" * 64))
    assert broken(lambda waiting, waited: waiting[0]["inputs"]["subject"].update(amount=6))
    assert broken(lambda waiting, waited: waited[0]["inputs"]["subject"].update(amount=6))
    assert broken(lambda waiting, waited: waited[0].update(path="elsewhere"))


def test_the_rows_are_written_once(desk: Desk) -> None:
    import sqlite3

    desk.approve("first")
    for statement in (
        "UPDATE approvals SET verdict='ACCEPTED'",
        "DELETE FROM approvals",
        "INSERT OR REPLACE INTO approvals SELECT number, run, path, at_us, statement, key, 'OB802' FROM approvals",
    ):
        with sqlite3.connect(desk.folder / "data" / "store.db") as db, pytest.raises(sqlite3.Error, match="once"):
            db.execute(statement)
        db.close()
    assert desk.kept() == [("ACCEPTED", "first")]
