"""What stands in the way of resuming a run is named and leaves it as it was; what dead processes noted is read."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dying import (
    CAPS,
    JOURNAL,
    KEEP,
    LOOK,
    ORDER,
    PUT,
    RUN,
    SHOUT,
    SWAP,
    calls,
    code,
    dies,
    dies_at,
    ends_well,
    here,
    keep,
    shop,
)
from handmade import lay
from omnibachi import Workspace
from omnibachi_model.digests import digest
from omnibachi_model.record import read

__all__ = ["here"]


def journalled(here: Path) -> list[Any]:
    with sqlite3.connect(here / "data/store.db") as db:
        found = [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("runs", "events", "receipts", "records")]
    db.close()
    return found


def test_a_changed_capability_is_refused_and_may_be_accepted(here: Path) -> None:
    dies_at(here, "look")
    before = journalled(here)
    workspace = shop(here, caps=CAPS + "\n# the same, in other bytes\n")
    found = workspace.resume("T1")
    assert (found.exit, found.exit_code) == (None, 4)
    assert [item.code for item in found.diagnostics] == ["OB714"] * 4
    accept = [PUT, LOOK, SWAP, SHOUT]
    assert all(f"--accept {address}" in str(found.diagnostics[0].help) for address in accept)
    assert [item.code for item in workspace.resume("T1", accept=accept[:3]).diagnostics] == ["OB714"]
    assert journalled(here) == before
    result = workspace.resume("T1", accept=accept, picture=False)
    accepted = [event.obs["accepted"] for event in read(result.record) if event.body["kind"] == "RESUMED"]
    assert [sorted(item) for item in accepted] == [sorted(accept)]
    ends_well(here, result)


def test_what_was_accepted_stays_accepted(here: Path) -> None:
    nodes = keep()
    nodes[5] = {**nodes[5], "next": {"FAULT": 6}}
    shop(here, nodes=nodes)
    dies_at(here, "look")
    shop(here, nodes=nodes, caps=CAPS + "\n# the same, in other bytes\n")
    flags = [word for address in (PUT, LOOK, SWAP, SHOUT) for word in ("--accept", address)]
    dies(here, "dying", f"{JOURNAL}.commit", 2, False, ["resume", "--no-picture", "T1", *flags])
    ends_well(here, Workspace(here).resume("T1", picture=False), 2)


def test_what_was_put_back_needs_no_word(here: Path) -> None:
    dies_at(here, "look")
    shop(here, caps=CAPS + "\n# the same, in other bytes\n")
    assert Workspace(here).resume("T1").exit_code == 4
    shop(here)
    ends_well(here, Workspace(here).resume("T1", picture=False))


@pytest.mark.parametrize(
    ("accept", "exit", "severity", "words"),
    [
        ("shop::CT_SHOUTT_V0", None, "error", f"did you mean `{SHOUT}`?"),
        ("other::CT_ELSEWHERE_V0", None, "error", "it calls"),
        (SHOUT, "done", "warning", "has not changed"),
    ],
)
def test_what_need_not_be_accepted_is_said(
    here: Path, accept: str, exit: str | None, severity: str, words: str
) -> None:
    dies_at(here, "look")
    found = Workspace(here).resume("T1", accept=accept, picture=False)
    (said,) = found.diagnostics
    assert (found.exit, said.code, said.severity) == (exit, "OB716", severity)
    assert words in f"{said.message} {said.help}"
    assert found.exit_code == (0 if exit else 3)


def test_a_capability_that_is_gone_is_named(here: Path) -> None:
    dies_at(here, "look")
    before = journalled(here)
    found = shop(here, nodes=keep()[5:], without=SWAP).resume("T1")
    assert (found.exit_code, code(found)) == (4, "OB605")
    assert SWAP in found.diagnostics[0].message
    lay(here, [], {}, {})
    found = Workspace(here).resume("T1")
    assert [item.code for item in found.diagnostics] == ["OB605"] * 4
    (here / "protocol_snapshot/manifest.json").unlink()
    assert code(Workspace(here).resume("T1")) == "OB601"
    assert journalled(here) == before


def test_a_source_that_is_not_sealed_is_refused(here: Path) -> None:
    dies_at(here, "look")
    (here / "capabilities/shop_dying/caps.py").write_text(CAPS + "\n# not sealed\n")
    found = Workspace(here).resume("T1")
    assert (found.exit_code, code(found)) == (4, "OB604")


def test_the_stored_workflow_is_walked_whatever_is_sealed_now(here: Path) -> None:
    dies_at(here, "look")
    shop(here, nodes=keep("shouted"))
    found = Workspace(here).resume("T1", picture=False)
    ends_well(here, found)
    assert found.result == {"text": "TEA", "seen": 1}


def test_what_comes_out_differently_stops_it_and_leaves_it_untouched(here: Path) -> None:
    dies_at(here, "look")
    before = journalled(here)
    workspace = shop(here, caps=CAPS.replace(".upper()", ".lower()"))
    found = workspace.resume("T1", accept=(PUT, LOOK, SWAP, SHOUT))
    assert (found.exit, found.exit_code, code(found)) == (None, 4, "OB715")
    assert '`output` is recorded as `{"text":"TEA"}` and comes out as `{"text":"tea"}`' in found.diagnostics[0].message
    assert journalled(here) == before
    assert calls(here) == ["first", "look"]
    shop(here)
    ends_well(here, Workspace(here).resume("T1", picture=False))


def test_a_damaged_journal_is_said_and_no_traceback(here: Path) -> None:
    dies_at(here, "look")
    with sqlite3.connect(here / "data/store.db") as db:
        for trigger in ("events_update", "workflows_update", "events_delete"):
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("UPDATE events SET obs='{}' WHERE seq=1")
    assert code(Workspace(here).resume("T1")) == "OB723"
    db.execute("DELETE FROM events")
    db.commit()
    assert code(Workspace(here).resume("T1")) == "OB723"
    db.execute("UPDATE workflows SET sealed='{}'")
    db.commit()
    db.close()
    assert code(Workspace(here).resume("T1")) == "OB723"
    (here / "data/store.db").write_bytes(b"no database" * 100)
    for found in (Workspace(here).resume("T1"), Workspace(here).resume("T2")):
        assert (found.exit_code, code(found)) == (6, "OB723")


def test_an_unknown_id_makes_nothing(here: Path) -> None:
    for trace_id, expected in (("T1", "OB316"), ("a/b", "OB710"), ("", "OB710")):
        found = Workspace(here).resume(trace_id)
        assert (found.exit_code, code(found)) == (3, expected)
    assert not (here / "data").exists()
    dies_at(here, "look")
    assert "did you mean `T1`?" in str(Workspace(here).resume("T11").diagnostics[0].help)


def test_a_trace_without_a_journal_has_nothing_left_to_do(here: Path) -> None:
    Workspace(here).run(KEEP, ORDER, trace_id="T1", picture=False)
    found = Workspace(here).resume("T1", data_root=here / "elsewhere")
    assert (code(found), found.diagnostics[0].help) == (
        "OB316", "it has a trace and no journal here: nothing of it is left to do"
    )  # fmt: skip


# Locks


def test_a_note_says_where_to_publish(here: Path) -> None:
    dies_at(here, "look")
    (lock,) = (here / "data/locks").glob("*.lock")
    assert lock.read_bytes() == b"plain %b\n" % os.fsencode(here / "traces")
    lock.write_bytes(b"picture %b\n" % os.fsencode(here / "far" / "away"))
    (here / "far").mkdir()
    (result,) = Workspace(here).recoverer().all().results
    assert (result.exit, sorted(result.trace)) == ("done", ["jsonl", "md", "png"])
    assert len(list((here / "far/away/T1").iterdir())) == 3
    assert not (here / "traces").exists()


def test_a_workspace_that_was_moved_publishes_where_it_is_now(here: Path) -> None:
    dies_at(here, "look")
    (lock,) = (here / "data/locks").glob("*.lock")
    lock.write_bytes(b"plain %b\n" % os.fsencode(here / "gone" / "traces"))
    (result,) = Workspace(here).recoverer(picture=False).all().results
    ends_well(here, result)


@pytest.mark.parametrize("note", [b"", b"plain", b"plain /tmp", b"neither /tmp\n", b"\xff\n", b"plain \n"])
def test_a_note_that_is_none_says_nothing(here: Path, note: bytes) -> None:
    dies_at(here, "look")
    (lock,) = (here / "data/locks").glob("*.lock")
    lock.write_bytes(note)
    assert Workspace(here).resume("T1", picture=False).exit == "done"
    ends_well(here, Workspace(here).resume("T1", picture=False))


def test_what_cannot_be_published_is_left_for_the_next(here: Path) -> None:
    dies_at(here, "look")
    (here / "traces").write_bytes(b"a file where the folder should be")
    every = Workspace(here).recoverer(picture=False).all()
    assert (every.exit_code, [item.exit for item in every.results]) == (6, ["done"])
    assert "OB726" in [item.code for item in every.results[0].diagnostics]
    assert Workspace(here).resume("T1", picture=False).exit_code == 6
    (here / "traces").unlink()
    (result,) = Workspace(here).recoverer(picture=False).all().results
    assert result.repeated
    ends_well(here, result)


def test_a_run_whose_trace_could_not_be_written_is_left_for_resume(here: Path) -> None:
    (here / "traces").write_bytes(b"a file where the folder should be")
    result = Workspace(here).run(KEEP, dict(ORDER), trace_id="T1", picture=False)
    assert (result.exit, result.exit_code) == ("done", 6)
    (here / "traces").unlink()
    (result,) = Workspace(here).recoverer().all().results
    assert result.repeated
    ends_well(here, result, resumptions=0)


def test_files_that_are_being_written_are_left_and_those_of_the_dead_removed(here: Path) -> None:
    dies(here, "dying", "os:replace", 1, False, RUN)
    (aside,) = (here / "traces/T1").iterdir()
    (dead,) = (here / "data/locks").glob("*-*.lock")
    assert aside.name == f".T1.jsonl.{dead.name.partition('-')[0]}"
    kept = here / "traces/T1/.T1.notes"
    kept.touch()
    Workspace(here).recoverer(picture=False).all()
    assert not aside.exists()
    assert kept.exists()


def test_the_digest_of_a_stored_workflow_is_recomputed(here: Path) -> None:
    dies_at(here, "look")
    with sqlite3.connect(here / "data/store.db") as db:
        (stored,) = db.execute("SELECT sealed FROM workflows").fetchone()
        assert digest(stored) == db.execute("SELECT workflow_digest FROM runs").fetchone()[0]
        db.execute("DROP TRIGGER workflows_update")
        db.execute("UPDATE workflows SET sealed=?", (stored.replace(b"shout", b"SHOUT"),))
    db.close()
    assert code(Workspace(here).resume("T1")) == "OB723"
