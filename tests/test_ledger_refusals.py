"""What the ledger refuses: changes of what is written once, and data roots that cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from omnibachi_ledger import Ledger, open_root
from omnibachi_ledger import connect as connecting
from omnibachi_ledger.locks import acquire
from omnibachi_ledger.schema import VERSION
from omnibachi_model.diagnostics import Defect
from omnibachi_model.digests import encode
from performing import KEEPS, REGISTRY, STREAM, journal, ledger, perform, raw, root, trouble

__all__ = ["ledger", "root"]

REGISTER = "std::CS_REGISTRY_V0.REGISTER"
APPEND = "std::CS_EVENTS_V0.APPEND"


# Written once


@pytest.mark.parametrize("table", ["events", "receipts", "workflows", "streams", "records"])
def test_what_is_written_once_cannot_be_changed_removed_or_replaced(ledger: Ledger, root: str, table: str) -> None:
    perform(ledger, "run", REGISTER, "IDEMPOTENT", {"key": "k", "value": {"a": 1}}, REGISTRY)
    perform(ledger, "more", APPEND, "APPEND_ONLY", {"record": {"a": "x"}}, STREAM)
    with raw(root) as db:
        before = db.execute(f"SELECT * FROM {table}").fetchall()
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        assert before
        for statement in (
            f"UPDATE {table} SET {columns[-1]}={columns[-1]}",
            f"DELETE FROM {table}",
            f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="written once"):
                db.execute(statement)
        assert db.execute(f"SELECT * FROM {table}").fetchall() == before
    db.close()


def test_an_event_cannot_be_replaced_through_its_path(ledger: Ledger, root: str) -> None:
    perform(ledger, "run", REGISTER, "IDEMPOTENT", {"key": "k", "value": {}}, REGISTRY)
    with raw(root) as db:
        with pytest.raises(sqlite3.IntegrityError, match="written once"):
            db.execute("INSERT OR REPLACE INTO events VALUES ('run', 99, 'node_0', x'', x'')")
        with pytest.raises(sqlite3.IntegrityError, match="written once"):
            db.execute("INSERT OR REPLACE INTO receipts VALUES (99, 'run', 'node', 'c', 'o')")
    db.close()


def test_no_row_is_replaced_through_its_place_in_the_table(ledger: Ledger, root: str) -> None:
    """A table without a key of integers numbers its rows by itself, and a statement can name such a number."""
    perform(ledger, "run", REGISTER, "IDEMPOTENT", {"key": "k", "value": {}}, REGISTRY)
    with raw(root) as db:
        for statement in (
            "INSERT OR REPLACE INTO events (rowid, run, seq, path, body, obs) VALUES (1, 'x', 1, '', x'', x'')",
            "INSERT OR REPLACE INTO workflows (rowid, digest, sealed) VALUES (1, 'x', x'')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="written once"):
                db.execute(statement)
    db.close()


def test_a_registry_never_changes_a_key_whoever_asks(ledger: Ledger) -> None:
    perform(ledger, "run", REGISTER, "IDEMPOTENT", {"key": "k", "value": {"a": 1}}, REGISTRY)
    held = journal(ledger, "other")
    held.begin()
    store = held.store(REGISTRY)
    for action in (lambda: store.put("k", {}), lambda: store.put("k", {}, revision=1), lambda: store.remove("k")):
        with pytest.raises(ValueError, match="never"):
            action()
    assert store.put("k", {}, revision=0) is None
    held.rollback()
    assert ledger.records(REGISTRY) == [{"key": "k", "value": {"a": 1}}]


# Refused


def test_files_are_for_their_owner_alone(ledger: Ledger, root: str) -> None:
    perform(ledger, "run", REGISTER, "IDEMPOTENT", {"key": "k", "value": {}}, REGISTRY)
    ledger.mirror(KEEPS)
    modes = {
        os.path.basename(name): stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
        for folder, _, names in os.walk(root)
        for name in names
    }
    assert {"store.db", "store.db-wal", "mirror.lock", "ST_REGISTRY_V0.jsonl"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    assert trouble(lambda: open_root(str(tmp_path / "data"))) == "OB720"
    assert trouble(lambda: open_root(str(tmp_path / "data" / "deeper"))) == "OB720"


def test_a_folder_where_the_database_should_be(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    assert trouble(lambda: open_root(str(tmp_path))) == "OB720"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is unwritable for root")
def test_an_unwritable_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert trouble(lambda: open_root(str(tmp_path / "data"))) == "OB720"
    finally:
        tmp_path.chmod(0o700)


def test_a_locked_database_is_busy(ledger: Ledger, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "BUSY_SECONDS", 0.05)
    with open_root(root) as patient:
        held = journal(ledger, "run")
        held.begin()
        started = time.monotonic()
        assert trouble(journal(patient, "other").begin) == "OB721"
        assert time.monotonic() - started >= 0.04
        held.commit()
        journal(patient, "other").begin()


def test_a_newer_schema(ledger: Ledger, root: str) -> None:
    with raw(root) as db:
        db.execute(f"PRAGMA user_version={VERSION + 1}")
    db.close()
    assert trouble(lambda: open_root(root)) == "OB722"


@pytest.mark.parametrize("content", [b"no database at all, only text " * 100, b"SQLite format 3\0" + b"\xff" * 4080])
def test_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.db").write_bytes(content)
    assert trouble(lambda: open_root(str(tmp_path))) == "OB723"
    assert (tmp_path / "store.db").read_bytes() == content


def test_a_database_of_something_else(tmp_path: Path) -> None:
    with raw(str(tmp_path)) as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    assert trouble(lambda: open_root(str(tmp_path))) == "OB723"


def test_a_database_that_lost_its_tables(root: str) -> None:
    with open_root(root) as ledger, raw(root) as db:
        db.execute("DROP TABLE runs")
        assert trouble(ledger.runs) == "OB723"
    db.close()


def test_an_empty_file_is_a_new_database(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    with open_root(str(tmp_path)) as ledger:
        assert ledger.runs() == []


def test_a_full_disk(ledger: Ledger) -> None:
    """SQLite's own limit on pages fails as a full device does."""
    pages = ledger._db.row("PRAGMA page_count")
    assert pages is not None
    ledger._db.row(f"PRAGMA max_page_count={pages[0]}")
    held = journal(ledger, "run")
    held.begin()
    assert trouble(lambda: held.store(REGISTRY).put("k", {"text": "x" * 100_000})) == "OB724"
    held.rollback()
    assert ledger.records(REGISTRY) == []
    ledger._db.row("PRAGMA max_page_count=1000000")
    perform(ledger, "run", REGISTER, "IDEMPOTENT", {"key": "k", "value": {"text": "x" * 100_000}}, REGISTRY)


def test_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_network", lambda root: "nfs4")
    assert trouble(lambda: open_root(str(tmp_path))) == "OB725"
    assert os.listdir(tmp_path) == []


def test_network_file_systems_are_told_from_the_table_of_mounts() -> None:
    mounts = (
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n",
        "98 27 0:45 / /mnt/with\\040space rw,relatime shared:3 master:1 - nfs4 server:/export rw,vers=4.2\n",
        "99 27 0:46 / /mnt/local rw - tmpfs tmpfs rw\n",
        "torn\n",
    )
    assert connecting.network_kind("0:45", mounts) == "nfs4"
    assert connecting.network_kind("0:46", mounts) is None
    assert connecting.network_kind("0:99", mounts) is None


def test_use_after_close_is_a_defect(root: str) -> None:
    ledger = open_root(root)
    ledger.close()
    ledger.close()
    for action in (ledger.runs, journal(ledger, "run").begin, lambda: ledger.store(REGISTRY).get("k")):
        with pytest.raises(Defect):
            action()


def test_sealed_bytes_that_are_none_are_a_defect(ledger: Ledger) -> None:
    for sealed in (b"", b"[]", encode({"stores": {"d::ST_A_V0": {}}})):
        with pytest.raises(Defect):
            journal(ledger, "run", sealed=sealed)


def test_many_processes_may_create_one_data_root(root: str) -> None:
    code = (
        "import sys; from performing import REGISTRY, perform; from omnibachi_ledger import open_root\n"
        "with open_root(sys.argv[1]) as ledger:\n"
        "    for n in range(10):\n"
        "        print(perform(ledger, f'{sys.argv[2]}-{n}', 'std::CS_REGISTRY_V0.REGISTER', 'IDEMPOTENT',\n"
        "                      {'key': str(n), 'value': {'by': sys.argv[2]}}, REGISTRY)[0])"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, root, f"p{index}"],
            cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for index in range(4)
    ]  # fmt: skip
    answers = []
    for child in children:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        answers += out.split()
    assert sorted(answers) == ["ALREADY_EXISTS"] * 30 + ["SUCCESS"] * 10
    with open_root(root) as ledger:
        assert len(ledger.runs()) == 40
        assert ledger.stores() == {REGISTRY: 10}


def test_a_lock_is_free_when_its_holder_lets_go(tmp_path: Path) -> None:
    path = str(tmp_path / "x.lock")
    first = acquire(path)
    assert first is not None
    assert acquire(path) is None
    os.close(first)
    second = acquire(path)
    assert second is not None
    os.close(second)
