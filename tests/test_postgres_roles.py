"""On PostgreSQL: what is written once stays, whoever asks; a writer's rights; versions; passwords are not told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibachi import Workspace
from omnibachi.__main__ import main
from omnibachi_ledger import Ledger, addresses, open_root, schema
from omnibachi_ledger.postgres import open_server
from omnibachi_model.diagnostics import Defect, Diagnostic
from omnibachi_model.passwords import without_passwords
from performing import RECORDS, REGISTRY, STREAM, journal, perform, raw, trouble
from postgres_server import Server, address
from trial import CLAIM, lay_trial

REGISTER, PUT, APPEND = "std::CS_REGISTRY_V0.REGISTER", "std::CS_RECORDS_V0.PUT", "std::CS_EVENTS_V0.APPEND"
ROOT = Path(__file__).resolve().parent.parent
ONCE = tuple(table for table in schema.ONCE if table != "records")
SECRET = "s3cret%2Fw%C3%B6rd"


@pytest.fixture
def root(postgres: Server) -> str:
    return postgres.root()


@pytest.fixture
def ledger(root: str) -> Iterator[Ledger]:
    with open_root(root) as opened:
        yield opened


def fill(ledger: Ledger) -> None:
    """Leave a row in every table that is written once."""
    perform(ledger, "r1", REGISTER, "IDEMPOTENT", {"key": "k", "value": {"a": 1}}, REGISTRY)
    perform(ledger, "r2", APPEND, "APPEND_ONLY", {"record": {"a": "x"}}, STREAM)
    perform(ledger, "r3", PUT, "MUTABLE", {"key": "k", "value": {"a": 1}}, RECORDS)
    ledger.load({RECORDS: {"l": {}}}, file_digest="d", seal="s", at="2026-01-01T00:00:00.000Z")


@pytest.fixture
def roles(postgres: Server, root: str) -> Iterator[dict[str, str]]:
    """Return addresses of the root for an owner of its schema and for a writer with the rights of the page."""
    name = root.rpartition("%3D")[2]
    names = {role: f"{name}_{role}" for role in ("owner", "writer")}
    with postgres.connect() as db:
        for role in names.values():
            db.execute(f"CREATE ROLE {role} LOGIN")
        db.execute(f"ALTER SCHEMA {name} OWNER TO {names['owner']}")
    found = {role: address(re.sub(r"//[^@]*@", f"//{who}@", postgres.dsn), name) for role, who in names.items()}
    open_root(found["owner"]).close()
    script = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/postgresql.md").read_text("utf-8"), re.DOTALL)
    with raw(found["owner"]) as db:
        db.execute("".join(script).replace("SCHEMA public", f"SCHEMA {name}").replace("writer", names["writer"]))
    yield found
    with postgres.connect() as db:
        for role in names.values():
            db.execute(f"DROP OWNED BY {role} CASCADE")
            db.execute(f"DROP ROLE {role}")
        db.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")


# Written once

LATER_ROWS = (
    "INSERT INTO approvals VALUES (1, 'T1', 'ask', 0, 'x', '', 'ACCEPTED')",
    "INSERT INTO cancellations VALUES ('T1', '2026-01-01T00:00:00Z', 'somebody', NULL)",
    "INSERT INTO commitments VALUES (1, 'x')",
    "INSERT INTO decisions VALUES (1, 0, 'INTENT', 's', 'l', 't', 'u', NULL, 'c', 'i', 'a', '', '', 'n', 'p', 'd', 1)",
)


@pytest.mark.parametrize("table", schema.ONCE)
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_what_is_written_once_stays_even_for_a_superuser(ledger: Ledger, root: str, table: str, role: str) -> None:
    fill(ledger)
    with raw(root) as db:
        for row in LATER_ROWS:
            db.execute(f"{row} ON CONFLICT DO NOTHING")
        db.execute(f"SET session_replication_role = {role}")
        before = db.execute(f"SELECT * FROM {table}").fetchall()
        names = [item.name for item in db.execute(f"SELECT * FROM {table}").description or ()]
        columns, last = ", ".join(names), names[-1]
        only = "WHERE fixed=1" if table == "records" else ""
        copied = f"INSERT INTO {table} ({columns}) SELECT * FROM {table} {only}"
        changed = f"UPDATE SET {last}=excluded.{last}"
        key = {"events": "run, seq", "workflows": "digest", "streams": "store, sequence", "records": "store, created",
               "cancellations": "run", "decisions": "ledger, position"}  # fmt: skip
        for statement in (
            f"UPDATE {table} SET {last}={last} {only}",
            f"DELETE FROM {table} {only}",
            f"{copied} ON CONFLICT ({key.get(table, 'number')}) DO {changed}",
            f"TRUNCATE {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(psycopg.IntegrityError, match="written once"):
                db.execute(statement)
        with pytest.raises(psycopg.errors.UniqueViolation):
            db.execute(copied)
        assert db.execute(f"SELECT * FROM {table}").fetchall() == before


def test_keys_are_held_in_the_order_of_their_bytes_whatever_they_are(ledger: Ledger, root: str) -> None:
    keys = [
        "",
        "\0",
        "\0\0",
        "\0\1",
        "\1",
        "\1\0",
        "\1\1",
        "\1\2",
        "a",
        "B",
        "ü",
        "\U0001f600",
        "a\0b",
        "'; --",
        "$1",
        "?",
    ]
    for number, key in enumerate(keys):
        perform(ledger, f"r{number}", PUT, "MUTABLE", {"key": key, "value": {"k": key}}, RECORDS)
    for key in keys:
        assert ledger.store(RECORDS).get(key) == ({"k": key}, 1)
    assert [item["key"] for item in ledger.records(RECORDS)] == keys
    ordered = [key for (key,) in ledger._db.rows("SELECT key FROM records ORDER BY store, key")]
    assert ordered == sorted(keys, key=str.encode)


# Roles


def test_a_writer_with_the_rights_of_the_page_can_do_all_and_is_not_named(roles: dict[str, str]) -> None:
    with open_root(roles["writer"], note=b"note") as ledger:
        assert ledger.warnings == ()
        fill(ledger)
        assert perform(ledger, "r", "std::CS_RECORDS_V0.COUNT", "READ", {"where": {"a": 1}}, RECORDS)[1] == {"count": 1}
        perform(ledger, "r4", "std::CS_RECORDS_V0.REMOVE", "MUTABLE", {"key": "k"}, RECORDS)
        assert perform(ledger, "r", "std::CS_RECORDS_V0.COUNT", "READ", {"where": {"a": 1}}, RECORDS)[1] == {"count": 0}
        held = journal(ledger, "left")
        held.begin()
        held.commit()
        ledger.close(done=False)
    with open_root(roles["writer"]) as ledger:
        (left,) = ledger.left().items()
        assert left[1][0] == b"note"
        (row,) = ledger.unfinished()
        assert ledger.take_over(row, ledger.sealed(row.workflow_digest) or b"") is not None
        ledger.forget(left[0])
        assert ledger.left() == {}
    with raw(roles["writer"]) as db:
        for table in (*ONCE, "records", "runs"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(f"DELETE FROM {table}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(f"TRUNCATE {table}")
        for statement in (*(f"UPDATE {table} SET number=1" for table in ("receipts", "loads", "streams")),
                          "UPDATE records SET fixed=0", "ALTER TABLE events DISABLE TRIGGER ALL",
                          "DROP TABLE events", "SET session_replication_role = replica"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(statement)


def test_who_could_change_the_past_is_named(roles: dict[str, str], root: str, tmp_path: Path) -> None:
    """OB787: a superuser, who owns tables or schema, who was granted too much; in the answer of a run too."""

    def told(where: str) -> str:
        with open_root(where) as ledger:
            (found,) = ledger.warnings
        assert (found.code, found.severity) == ("OB787", "warning")
        return found.message.rpartition(": it ")[2]

    assert (told(root), told(roles["owner"])) == ("is a superuser", "owns the tables")
    writer = roles["writer"].partition("//")[2].partition("@")[0]
    for grant in ("UPDATE (outcome) ON receipts", "DELETE ON events", "TRUNCATE ON records", "TRIGGER ON loads"):
        with raw(roles["owner"]) as db:
            db.execute(f"GRANT {grant} TO {writer}")
        assert told(roles["writer"]) == "may change what is written once"
        with raw(roles["owner"]) as db:
            db.execute(f"REVOKE {grant} FROM {writer}")
    lay_trial(tmp_path)
    here = Workspace(tmp_path)
    for where, codes in ((roles["owner"], ["OB787"]), (roles["writer"], [])):
        result = here.run(CLAIM, {"name": where, "by": "A"}, data_root=where, picture=False)
        assert (result.exit, [item.code for item in result.diagnostics]) == ("claimed", codes)


def test_a_role_that_may_too_little_is_told_so(roles: dict[str, str], postgres: Server, root: str) -> None:
    writer = roles["writer"].partition("//")[2].partition("@")[0]
    with raw(roles["owner"]) as db:
        db.execute(f"REVOKE INSERT ON receipts FROM {writer}")
    with open_root(roles["writer"]) as ledger:
        assert trouble(lambda: fill(ledger)) == "OB720"
    with raw(roles["owner"]) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (0,)
    bare = postgres.root()
    where = address(roles["writer"].partition("?options")[0].partition("&options")[0], bare.rpartition("%3D")[2])
    assert trouble(lambda: open_root(where)) == "OB720"


# Versions


def test_an_older_schema_is_brought_up_to_date_and_a_newer_one_refused(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_root(root) as ledger:
        fill(ledger)
    more = ("CREATE TABLE extras (number INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB) WITHOUT ROWID",)
    version = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", version + 1)
    monkeypatch.setattr(schema, "UPGRADES", {**schema.UPGRADES, version: more})
    monkeypatch.setattr(schema, "ONCE", {**schema.ONCE, "extras": (("number = NEW.number",), "")})
    with open_root(root, reading=True) as ledger:
        assert ledger.stores() == {REGISTRY: 1, RECORDS: 2, STREAM: 1}, "who only looks changes nothing"
        assert ledger._db.version == version
    with open_root(root) as ledger, raw(root) as db:
        assert ledger.stores() == {REGISTRY: 1, RECORDS: 2, STREAM: 1}
        db.execute("INSERT INTO extras VALUES (1, 'a', '')")
        with pytest.raises(psycopg.IntegrityError, match="extras are written once"):
            db.execute("DELETE FROM extras")
    monkeypatch.undo()
    assert trouble(lambda: open_root(root)) == "OB722"
    assert trouble(lambda: open_root(root, reading=True)) == "OB722"


def test_tables_of_somebody_else_are_left_alone(postgres: Server) -> None:
    root = postgres.root()
    with raw(root) as db:
        db.execute("CREATE TABLE runs (mine TEXT)")
    assert trouble(lambda: open_root(root)) == "OB723"
    with raw(root) as db:
        assert db.execute("SELECT count(*) FROM pg_tables WHERE schemaname=current_schema()").fetchone() == (1,)


def test_looking_lays_nothing(root: str) -> None:
    for how in ({"reading": True}, {"create": False}):
        with open_root(root, **how) as ledger:
            assert (ledger.stores(), ledger.runs(), ledger.left()) == ({}, [], {})
    with raw(root) as db:
        assert db.execute("SELECT count(*) FROM pg_tables WHERE schemaname=current_schema()").fetchone() == (0,)


def test_a_schema_or_table_that_vanished(ledger: Ledger, root: str) -> None:
    assert trouble(lambda: open_root(f"{root}_not_there")) == "OB720"
    with raw(root) as db:
        db.execute("DROP TABLE keysets")
    assert trouble(lambda: ledger.store(RECORDS).count({})) == "OB723"
    ledger.close()
    ledger.close()
    with pytest.raises(Defect):
        ledger.runs()


# Addresses and passwords


@pytest.mark.parametrize(
    "bad",
    [f"postgresql://u:{SECRET}@x@h/d", f"postgresql://u:{SECRET}#1@h/d", f"postgres:/u:{SECRET}@h/d",
     f"postgresql://u:{SECRET}@h/d?passwrod={SECRET}", f"mysql://u:{SECRET}@h/d",
     f"postgresql://u:%zz{SECRET}@h/d", f"postgresql://u:{SECRET} @h/d"],
)  # fmt: skip
def test_an_address_that_cannot_be_read_is_not_quoted(bad: str, tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(Exception, match="OB783") as caught:
        open_root(bad)
    assert "3cret" not in repr(caught.value.args)
    lay_trial(tmp_path)
    for command in (["run", "--wf", CLAIM, "--set", "name=a"], ["data", "ls"], ["resume", "--all"]):
        for more in ([], ["--json"]):
            assert main([*command, "--workspace", str(tmp_path), "--data-root", bad, *more]) == 6
            out, err = capsys.readouterr()
            assert "OB783" in out + err and "3cret" not in out + err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name in ("data", "postgresql:")) == []


def test_a_password_is_used_and_never_told_or_kept(postgres: Server, root: str, tmp_path: Path, capsys: Any) -> None:
    name = root.rpartition("%3D")[2]
    with postgres.connect() as db:
        db.execute("DROP ROLE IF EXISTS secretive")
        db.execute("CREATE ROLE secretive LOGIN SUPERUSER PASSWORD 's3cret/wörd'")
    try:
        lay_trial(tmp_path)
        given = address(re.sub(r"//[^@]*@", f"//secretive:{SECRET}@", postgres.dsn), name)
        wrong = given.replace("s3cret", "n0t-s3cret")
        base = ["run", "--wf", CLAIM, "--workspace", str(tmp_path), "--set", "name=a", "--trace-id", "T1", "--json"]
        assert main([*base, "--data-root", given]) == 0
        told = capsys.readouterr()
        for command in (
            ["verify", "T1"],
            ["examine", "T1"],
            ["data", "ls"],
            ["data", "export"],
            ["traces", "ls"],
            ["resume"],
            ["data", given],
            ["verify", given],
            ["run", given],
        ):
            main([*command, "--json", *(["--workspace", str(tmp_path), "--data-root", given] if given not in command
                                        else [])])  # fmt: skip
            told = type(told)(*(a + b for a, b in zip(told, capsys.readouterr(), strict=True)))
        assert "3cret" not in told.out + told.err and json.dumps("secretive@")[1:-1] in told.out
        if postgres.dsn.startswith("postgresql://keeper@"):
            assert main([*base, "--data-root", wrong]) == 6
            told = capsys.readouterr()
            assert "OB720" in told.out and "3cret" not in told.out + told.err
        with Workspace(tmp_path).engine(given) as engine:
            assert "3cret" not in repr(engine)
        for path in tmp_path.rglob("*"):
            assert not path.is_file() or b"3cret" not in path.read_bytes(), path
        with raw(root) as db:
            for table in (*schema.ONCE, "runs", "holders", "keysets"):
                assert "3cret" not in repr(db.execute(f"SELECT * FROM {table}").fetchall())
    finally:
        with postgres.connect() as db:
            db.execute("DROP OWNED BY secretive")
            db.execute("DROP ROLE secretive")


@given(
    st.text(
        st.characters(
            exclude_characters="@/?#:&=% `\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0", exclude_categories=["Cs", "Z"]
        ),
        min_size=5,
    )
)
def test_what_is_shown_of_an_address_never_holds_its_password(word: str) -> None:
    secret = f"5e{word}"
    for text in (f"postgresql://u:{secret}@h/d", f"postgres://u:{secret}@h/d?user=x&password={secret}&sslmode=off"):
        assert addresses.is_address(text)
        assert secret not in addresses.shown(text)
        assert secret not in without_passwords(f"`{text}` stands alone")
        assert secret not in Diagnostic("OB752", f"no such option: {text}").message
    assert secret not in without_passwords(f"--x=postgresql://u:{secret}@{secret}@h/d")


def test_without_its_driver_it_is_said(tmp_path: Path) -> None:
    code = "import sys; sys.modules['psycopg'] = None; from omnibachi_ledger import open_root; open_root(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, "postgresql://u@h/d"], capture_output=True, text=True, check=False
    )
    assert "OB788" in done.stderr
    assert open_server is not None and os.listdir(tmp_path) == []
