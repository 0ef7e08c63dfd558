"""People where other things are going on as well: secrets, somebody else who goes on with the run, a run that ended."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call
from omnibachi import RunResult, examine, replay, verify, wiring
from omnibachi_ledger.approvals import People
from peopled import Desk, codes
from postgres_server import Server

__all__ = ["call"]

SECRET = "desk::WF_PIN_V0"
PIN = "planted-4711"
PAYLOAD: dict[str, Any] = {"to": "x", "pin": PIN}
SOURCE = """
intent: IN_PIN_V0
summary: Somebody shows a pin.
payload:
  type: object
  properties: {to: {type: string}, pin: {type: string, secret: true}}
  required: [to, pin]
  additionalProperties: false
---
workflow: WF_PIN_V0
summary: Ask whether somebody whose pin nobody sees may come in.
intent: IN_PIN_V0
start: long
fault: failed
nodes:
  long: {compute: {long: size(pin) > 4}, with: {pin: $.payload.pin}, next: {SUCCESS: ask}}
  ask: {wait: {for: approval, roles: [board]}, with: {to: $.payload.to}, next: {APPROVED: look, REJECTED: failed}}
  look:
    decide:
      - {when: size(pin) > 4, outcome: GOOD}
      - {outcome: POOR}
    with: {pin: $.payload.pin}
    next: {GOOD: note, POOR: failed}
  note:
    use: CS_EVENTS_V0.APPEND
    store: ST_PAID_V0
    event: EV_PAID_V0
    with: {record: {to: $.payload.to, by: "$.nodes.ask.approvals[0].name"}}
    next: {SUCCESS: done, VIOLATION: failed}
exits:
  done: {status: COMPLETED, result: {to: $.payload.to}}
  failed: {status: FAILED}
"""


@pytest.fixture(scope="module", name="compiled")
def compiled_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = Desk(tmp_path_factory.mktemp("desk") / "desk")
    (desk.folder / "protocols" / "desk" / "pin.yaml").write_text(SOURCE, "utf-8")
    found = desk.workspace.compile()
    assert found.ok, found.diagnostics
    return desk.folder


@pytest.fixture(name="desk")
def fresh_desk(compiled: Path, tmp_path: Path) -> Desk:
    shutil.copytree(compiled, tmp_path / "desk")
    return Desk(tmp_path / "desk", compiled=False)


def parked(desk: Desk) -> RunResult:
    with desk.workspace.engine(desk.data or desk.workspace.data_root, clock=desk.watch) as engine:
        return engine.run(SECRET, PAYLOAD, trace_id="T1", actor="clerk")


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("where", ["folder", "server"])
def test_an_approval_counts_though_the_run_needs_its_payload_again(
    desk: Desk, where: str, request: pytest.FixtureRequest
) -> None:
    if where == "server":
        server: Server = request.getfixturevalue("postgres")
        desk.data = server.root()
    root = desk.data or desk.workspace.data_root
    assert parked(desk).exit_code == 7
    stuck = desk.approve("second")
    told = [code for code in codes(stuck) if code != "OB787"]  # of the server's role
    assert (told, stuck.exit_code, desk.notes()) == (["OB790", "OB812"], 3, 0)
    found = desk.workspace.recoverer(root, clock=desk.watch).all()
    assert ([codes(item) for item in found.results], found.held, found.exit_code) == ([["OB790"]], (), 3)
    ended = desk.workspace.resume("T1", data_root=root, payload=PAYLOAD, picture=False)
    assert (ended.exit, desk.notes(), desk.kept()) == ("done", 1, [("ACCEPTED", "second")])
    assert PIN.encode() not in everything(desk.folder)
    again = replay(desk.record(), desk.workspace.load())
    assert again.same and again.withheld == ("long", "look")
    assert verify(desk.record(), data_root=root).verdict == "ANCHORED"


def test_another_payload_stops_nothing_but_going_on(desk: Desk, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    parked(desk)
    statement = desk.sign("second", because="fine,\n  nobody said APPROVE")
    payload = {**PAYLOAD, "pin": PIN + "!"}
    stuck = desk.workspace.approve("T1", statement, clock=desk.watch, payload=payload, picture=False)
    assert (codes(stuck), desk.notes()) == (["OB791", "OB812"], 0)
    report = examine(desk.record(), data_root=desk.workspace.data_root)
    assert report.waiting is not None and report.waiting["decided"] == "APPROVED"
    assert report.advice == ["its wait is over (APPROVED): go on with `omnibachi resume T1`"]
    monkeypatch.chdir(desk.folder)
    assert "the wait of ask is over (APPROVED), and the run can go on" in call("approve", "T1", "--show").out
    assert 'said APPROVE, because "fine, nobody said APPROVE"' in " ".join(report.as_text().split())
    ended = desk.workspace.resume("T1", payload=PAYLOAD, picture=False)
    assert (ended.exit, desk.notes()) == ("done", 1)


def test_with_its_payload_a_run_goes_on_at_once(desk: Desk) -> None:
    parked(desk)
    ended = desk.workspace.approve("T1", desk.sign("second"), clock=desk.watch, payload=PAYLOAD, picture=False)
    assert (ended.exit, codes(ended), desk.notes()) == ("done", [], 1)


def test_somebody_else_may_go_on_between_keeping_and_going_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run()
    desk.approve("first")
    statement, keep = desk.sign("second"), People.keep

    def overtaken(self: People, *given: object) -> object:
        kept = keep(self, *given)  # type: ignore[arg-type]
        monkeypatch.undo()
        assert desk.workspace.recoverer(clock=desk.watch).one("T1").exit == "paid"
        return kept

    monkeypatch.setattr(People, "keep", overtaken)
    found = desk.hand(statement)
    assert (found.exit, found.exit_code, found.repeated, codes(found)) == ("paid", 0, True, [])
    assert desk.notes() == 1


def test_what_is_handed_in_too_late_is_answered_with_the_whole_result(desk: Desk) -> None:
    desk.run()
    statement = desk.sign("third")
    desk.approve("first")
    ended = desk.approve("second")
    late = desk.hand(statement)
    assert (codes(late), late.exit_code) == (["OB810"], 4)
    assert (late.exit, late.status, late.result, late.digest) == (ended.exit, ended.status, ended.result, ended.digest)


def test_a_run_that_is_being_cancelled_is_ended_and_not_approved(desk: Desk) -> None:
    desk.run()
    desk.approve("first")
    statement = desk.sign("second")
    with wiring.open_root(desk.workspace.data_root) as ledger:
        asked = wiring.Cancellation("2026-01-01T00:00:00.000Z", "clerk", None)
        assert ledger.cancellations.keep("T1", asked)
    found = desk.hand(statement)
    assert (found.exit, codes(found), desk.notes()) == ("cancelled", ["OB732"], 0)


def test_a_lost_key_is_told_and_no_other_is_made(desk: Desk) -> None:
    parked(desk)
    key = Path(desk.workspace.data_root, "commitments.key")
    kept = key.rename(desk.folder / "kept")
    stuck = desk.workspace.approve("T1", desk.sign("second"), clock=desk.watch, payload=PAYLOAD, picture=False)
    assert (codes(stuck), key.exists()) == (["OB793", "OB812"], False)
    assert codes(desk.workspace.resume("T1", picture=False)) == ["OB793"]
    assert codes(desk.workspace.resume("T1", payload=PAYLOAD, picture=False)) == ["OB793"]
    assert not key.exists()
    kept.rename(key)
    assert desk.workspace.resume("T1", payload=PAYLOAD, picture=False).exit == "done"


@pytest.mark.parametrize("command", ["cancel", "resume", "approve"])
def test_an_id_that_is_no_text_is_none(desk: Desk, call: Call, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    desk.run()
    (desk.folder / "statement").write_bytes(desk.sign("first"))
    monkeypatch.chdir(desk.folder)
    said = call(command, "caf\udce9", "--json", *(("--statement", "statement") if command == "approve" else ()))
    assert (said.status, [item["code"] for item in said.json()["diagnostics"]]) == (3, ["OB710"])
