"""Keys and names of members of any length, on both databases: an index of PostgreSQL takes no row of so many bytes."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest

from omnibachi_ledger import Ledger, open_root, schema
from omnibachi_ledger.postgres import long_keys
from omnibachi_ledger.postgres.long_keys import asked_by_digest
from performing import RECORDS, REGISTRY, STREAM, everywhere, journal, ledger, perform, raw, root
from postgres_server import Server

__all__ = ["ledger", "root"]

REGISTER = "std::CS_REGISTRY_V0.REGISTER"
PUT, SWAP = "std::CS_RECORDS_V0.PUT", "std::CS_RECORDS_V0.SWAP"
REMOVE, COUNT = "std::CS_RECORDS_V0.REMOVE", "std::CS_RECORDS_V0.COUNT"
APPEND, FIND = "std::CS_EVENTS_V0.APPEND", "std::CS_EVENTS_V0.FIND"


def noise(length: int, first: str = "") -> str:
    """Return a text that no compression makes short."""
    chance = random.Random(length)
    return first + "".join(chr(chance.randrange(0x20, 0x2FFF)) for _ in range(length - len(first)))


# About what a page, a row of an index and a compressed one take; and what a cast from text to bytes reads otherwise.
LONG = [noise(size) for size in (800, 2_704, 8_191, 100_000)]
KEYS = [*LONG, LONG[2] + "0", LONG[2] + "1", "a" * 1_000_000, noise(9_000, "\\x"), noise(9_000, "\\101"),
        "\\x41", "A", "\\101", "\\", "\\\\", noise(9_000, "\0\1'; --")]  # fmt: skip


@everywhere
def test_records_under_keys_of_any_length(ledger: Ledger) -> None:
    for number, key in enumerate(KEYS):
        put = {"key": key, "value": {"n": number}}
        assert perform(ledger, f"r{number}", PUT, "MUTABLE", put, RECORDS) == ("SUCCESS", {"revision": 1})
    assert ledger.records(RECORDS) == [{"key": key, "value": {"n": number}} for number, key in enumerate(KEYS)]
    for number, key in enumerate(KEYS):
        assert ledger.store(RECORDS).get(key) == ({"n": number}, 1)
        late = {"key": key, "value": {"n": -1}, "revision": 2}
        assert perform(ledger, f"s{number}", SWAP, "MUTABLE", late, RECORDS)[0] == "CONFLICT"
    assert perform(ledger, "gone", REMOVE, "MUTABLE", {"key": KEYS[0]}, RECORDS)[0] == "SUCCESS"
    back = {"key": KEYS[0], "value": {"n": 7}}
    assert perform(ledger, "back", PUT, "MUTABLE", back, RECORDS) == ("SUCCESS", {"revision": 3})
    assert [item["key"] for item in ledger.records(RECORDS)] == [*KEYS[1:], KEYS[0]]


@everywhere
def test_a_registry_never_takes_a_long_key_twice(ledger: Ledger, root: str) -> None:
    for run, key in enumerate([*KEYS, *KEYS]):
        answer = perform(ledger, f"r{run}", REGISTER, "IDEMPOTENT", {"key": key, "value": {"run": run}}, REGISTRY)
        assert answer[0] == ("SUCCESS" if run < len(KEYS) else "ALREADY_EXISTS")
    assert [item["value"]["run"] for item in ledger.records(REGISTRY)] == list(range(len(KEYS)))
    mark, reason = ("%s", "records_key") if "://" in root else ("?", "written once")
    with raw(root) as db, pytest.raises(Exception, match=reason):
        db.execute(f"INSERT INTO records VALUES ({mark}, {mark}, '{{}}', 1, 99, 99, 1)", (REGISTRY, KEYS[1]))


@everywhere
def test_members_with_names_of_any_length_are_looked_up(ledger: Ledger) -> None:
    held = journal(ledger, "run")
    held.begin()
    for number, name in enumerate(KEYS):
        held.store(RECORDS).put(f"k{number}", {name: name})
        held.store(STREAM).append("shop::EV_SOLD_V0", {name: number})
    held.rollback()
    for number, name in enumerate(KEYS[:9]):
        put = {"key": f"k{number}", "value": {name: name}}
        perform(ledger, f"p{number}", PUT, "MUTABLE", put, RECORDS)
        perform(ledger, f"e{number}", APPEND, "APPEND_ONLY", {"record": {"a": name, name: number}}, STREAM)
    for number, name in enumerate(KEYS[:9]):
        for _ in range(2):
            asked = {"where": {name: name}}
            assert perform(ledger, "asks", COUNT, "READ", asked, RECORDS) == ("SUCCESS", {"count": 1})
            found: Any = perform(ledger, "asks", FIND, "READ", {"match": {name: number}}, STREAM)
            assert (found[0], found[1]["record"][name]) == ("SUCCESS", number)
        other = {"where": {name + "0": name}}
        assert perform(ledger, "asks", COUNT, "READ", other, RECORDS) == ("SUCCESS", {"count": 0})


def test_only_the_key_of_a_store_and_the_names_of_a_key_set_are_asked_by_digest() -> None:
    for other in ("SELECT key=$1", "DELETE FROM holders WHERE holder=$1", "SELECT keyset FROM tallies WHERE keyset=$1",
                  "UPDATE records SET value=$1 WHERE store=$2"):  # fmt: skip
        assert asked_by_digest(other) == other
    assert asked_by_digest("SELECT 1 WHERE store=$7 AND event=$8 AND keys=$9").endswith(
        "WHERE store=$7 AND event=$8 AND sha256(keys)=sha256($9) AND keys=$9"
    )


def test_a_key_is_found_by_its_index(postgres: Server) -> None:
    root = postgres.root()
    with open_root(root), raw(root) as db:
        db.execute(
            "INSERT INTO records SELECT %s, 'key' || n, '{}', 1, n, 1, 0 FROM generate_series(1, 20000) n", (RECORDS,)
        )
        asked = asked_by_digest("SELECT value FROM records WHERE store=$1 AND key=$2")
        for analysed in (False, True):
            if analysed:
                db.execute("ANALYZE records")
            told = psycopg.RawCursor(db).execute(f"EXPLAIN {asked}", (RECORDS, "key7")).fetchall()
            assert "records_key" in told[0][0], told


def test_tables_of_the_version_before_take_long_keys_once_they_are_brought_up_to_date(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = postgres.root()
    since = schema.UPGRADES[3]
    monkeypatch.setattr(schema, "VERSION", 3)
    monkeypatch.setattr(schema, "SCHEMA", tuple(item for item in schema.SCHEMA if item not in since))
    monkeypatch.setattr(schema, "UPGRADES", {number: schema.UPGRADES[number] for number in (1, 2)})
    brought = {item for item in schema.LATER if item != "loads"}
    monkeypatch.setattr(schema, "ONCE", {table: of for table, of in schema.ONCE.items() if table not in brought})
    monkeypatch.setattr(long_keys, "LAID", ())
    insert = "INSERT INTO records VALUES (%s, %s, %s, 1, %s, 1, 0)"
    with open_root(root) as ledger, raw(root) as db:
        db.execute(insert, (RECORDS, "a", b'{"n":1}', 1))
        assert perform(ledger, "asks", COUNT, "READ", {"where": {"n": 1}}, RECORDS)[1] == {"count": 1}
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="index row"):
            db.execute(insert, (RECORDS, LONG[2], b"{}", 2))
    monkeypatch.undo()
    with open_root(root) as ledger:
        assert ledger.store(RECORDS).get("a") == ({"n": 1}, 1)
        perform(ledger, "long", PUT, "MUTABLE", {"key": LONG[2], "value": {LONG[2]: 1}}, RECORDS)
        for where in ({"n": 1}, {LONG[2]: 1}):
            assert perform(ledger, "asks", COUNT, "READ", {"where": where}, RECORDS)[1] == {"count": 1}
    with raw(root) as old, raw(fresh := postgres.root()) as new:
        open_root(fresh).close()
        assert _indexes(old) == _indexes(new)


def _indexes(db: Any) -> set[str]:
    """Return what the indexes of records and key sets are made of, without their names."""
    found = db.execute("SELECT indexdef FROM pg_indexes WHERE schemaname=current_schema()"
                       " AND tablename IN ('records', 'keysets')").fetchall()  # fmt: skip
    return {definition.partition(" USING ")[2] for (definition,) in found}
