"""Rows of the journal that were changed by hand: resuming names them and writes nothing, verifying anchors nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dying import KEEP, ORDER, STORE, code, dies_at, here
from omnibachi import Workspace, verify
from omnibachi_model.diagnostics import Trouble

__all__ = ["here"]


def tampered(here: Path, change: str) -> None:
    """Change rows with the triggers out of the way."""
    db = sqlite3.connect(here / "data/store.db")
    for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        db.execute(f"DROP TRIGGER {trigger}")
    assert db.execute(change).rowcount
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE runs SET seq=seq+1", "OB723"),
        ("UPDATE runs SET seq=-1", "OB723"),
        ("UPDATE runs SET seq='none'", "OB723"),
        ("UPDATE runs SET seal=x'ff'", "OB723"),
        ("UPDATE runs SET exit='done'", "OB723"),
        ("UPDATE receipts SET path='second'", "OB723"),
        ("UPDATE receipts SET number=number+7", "OB723"),
        ("UPDATE receipts SET outcome='CONFLICT'", "OB723"),
        ("DELETE FROM receipts", "OB723"),
        ("DELETE FROM events WHERE seq=(SELECT max(seq) FROM events)", "OB723"),
        ("UPDATE events SET seq=seq+10 WHERE seq=2", "OB723"),
        ("UPDATE events SET body='{}' WHERE seq=2", "OB723"),
        ("UPDATE events SET body=5 WHERE seq=2", "OB723"),
        ("UPDATE events SET obs='[]' WHERE seq=2", "OB723"),
        ("UPDATE events SET body=replace(body, 'TEA', 'ALE') WHERE seq=2", "OB715"),
        ("UPDATE events SET obs=5 WHERE seq=1", "OB723"),
        ("UPDATE workflows SET sealed=5", "OB723"),
    ],
)
def test_a_changed_row_stops_resuming(here: Path, change: str, expected: str) -> None:
    dies_at(here, "look")
    tampered(here, change)
    kept = (here / "data/store.db").read_bytes()
    found = Workspace(here).resume("T1", picture=False)
    assert (found.exit, code(found)) == (None, expected)
    assert found.exit_code == (4 if expected == "OB715" else 6)
    assert (here / "data/store.db").read_bytes() == kept


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE runs SET seq=seq+1",
        "UPDATE runs SET exit='failed'",
        "UPDATE runs SET status='FAILED'",
        "UPDATE runs SET digest='sha256:0'",
        "UPDATE receipts SET number=number+7",
        "UPDATE receipts SET capability='std::CS_EVENTS_V0.APPEND'",
        "DELETE FROM receipts WHERE path='first'",
    ],
)
def test_a_journal_that_contradicts_itself_anchors_nothing(here: Path, change: str) -> None:
    record = Workspace(here).run(KEEP, dict(ORDER), trace_id="T1", picture=False).record
    assert verify(record, data_root=here / "data").verdict == "ANCHORED"
    tampered(here, change)
    found = verify(record, data_root=here / "data", require="anchored")
    assert found.verdict == "INTACT" and "contradicts itself" in str(found.reason)


@pytest.mark.parametrize("value", ["5", "'text'", "replace(body, 'tea', 'ale')"])
def test_a_body_that_was_written_by_hand_is_not_the_lines(here: Path, value: str) -> None:
    record = Workspace(here).run(KEEP, dict(ORDER), trace_id="T1", picture=False).record
    tampered(here, f"UPDATE events SET body={value} WHERE seq=1")
    assert verify(record, data_root=here / "data", require="anchored").verdict != "ANCHORED"


@pytest.mark.parametrize("value", ["x''", "x'ff'", "'[]'", "5", "'text'"])
def test_a_row_that_is_no_record_is_damage_and_no_capabilitys_fault(here: Path, value: str) -> None:
    workspace = Workspace(here)
    assert workspace.run(KEEP, dict(ORDER), trace_id="T1", picture=False).ok
    tampered(here, f"UPDATE records SET value={value}")
    found = workspace.run(KEEP, dict(ORDER), trace_id="T2", picture=False)
    assert (found.exit, found.exit_code, code(found)) == (None, 6, "OB723")
    with pytest.raises(Trouble, match="OB723"):
        workspace.records(STORE)
