"""The past stands: whatever is done to a stored ledger of decisions, its first bad event is named; none is mended."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from deciding import LEDGER, anchors, append, asked, decided, deny_many, everything, tell
from omnibachi_ledger import open_root
from omnibachi_ledger.addresses import is_address
from omnibachi_ledger.decisions.appending import values_of
from omnibachi_ledger.decisions.rows import COLUMNS, INSERT
from omnibachi_ledger.decisions.verifying import RECENT, Verdict
from omnibachi_model.decisions import DECISION, EXECUTION, INTENT, event_of
from performing import everywhere, raw, root, trouble
from thoroughness import THOROUGH

__all__ = ["root"]

TABLES = ("decisions", "decision_heads", "decision_tallies")
ENDINGS = ("ok", "denied", "error", "asked", "allowed")


class Forger:
    """Somebody who may do everything to the database, and puts it back as it was."""

    def __init__(self, root: str) -> None:
        self.root, self.db = root, raw(root)
        self.mark = "%s" if is_address(root) else "?"
        if is_address(root):
            for trigger in ("row", "all"):
                self.do(f"DROP TRIGGER decisions_once_{trigger} ON decisions")
        else:
            self.do("PRAGMA synchronous=OFF")
            for trigger in ("update", "delete", "insert"):
                self.do(f"DROP TRIGGER decisions_{trigger}")
        self.was = {table: self.rows(table) for table in TABLES}

    def do(self, sql: str, *values: Any) -> None:
        """Execute one statement."""
        self.db.execute(sql.replace("?", self.mark), values)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Return all that a table holds."""
        return sorted(self.db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)

    def restore(self) -> None:
        """Put everything back."""
        self.do("BEGIN")
        for table, rows in self.was.items():
            self.do(f"DELETE FROM {table}")
            for row in rows:
                self.do(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)
        self.do("COMMIT")

    def verdict(self) -> Verdict:
        """Verify as a stranger does, who only reads; what belongs to no ledger counts too."""
        with open_root(self.root, reading=True) as ledger:
            found = ledger.decisions(LEDGER).verify()
            return found if found.reason else ledger.decisions("").verify()


@pytest.fixture
def forger(root: str) -> Iterator[Forger]:
    """A ledger with every kind of story, and somebody at its database."""
    with open_root(root) as ledger:
        for number, ending in enumerate(ENDINGS):
            tell(ledger, number, ending)
    found = Forger(root)
    assert found.verdict().reason is None
    yield found
    found.db.close()


def flipped(value: Any, at: int) -> Any:
    """Return a stored value with one bit of it changed."""
    if value is None:
        return "x"
    if isinstance(value, int):
        return value + 1000
    if isinstance(value, str):
        at %= len(value)
        return value[:at] + chr(ord(value[at]) ^ 64) + value[at + 1 :]
    data = bytearray(value)
    data[at % len(data)] ^= 1
    return bytes(data)


@everywhere
def test_a_flipped_byte_of_any_column_is_found_at_its_event(forger: Forger) -> None:
    chance = random.Random(7)
    rows = forger.db.execute(f"SELECT {', '.join(COLUMNS)} FROM decisions ORDER BY position").fetchall()
    served = is_address(forger.root)
    for index in [len(rows) - 3] if served and not THOROUGH else range(len(rows)):
        for column, value in zip(COLUMNS, rows[index], strict=True):
            long = isinstance(value, (str, bytes))
            each = range(len(value)) if long and THOROUGH and not served and index < 3 else ()
            for at in {0, chance.randrange(1 << 20), *each} if long else {0}:
                forger.do(f"UPDATE decisions SET {column}=? WHERE position=?", flipped(value, at), index)
                found = forger.verdict()
                assert (found.first_bad_index, bool(found.reason)) == (index, True), (column, at, found.reason)
                forger.restore()
    assert forger.verdict().reason is None


@everywhere
def test_a_flip_beside_the_events_is_found_too(forger: Forger) -> None:
    """Heads, counters, tallies, and to which ledger anything belongs."""
    for table in TABLES:
        names = [item[0] for item in forger.db.execute(f"SELECT * FROM {table} LIMIT 1").description]
        row = forger.rows(table)[0]
        for column, value in zip(names, row, strict=True):
            if column == "store":
                continue
            where = "position=0" if table == "decisions" else f"{column}=?"
            forger.do(f"UPDATE {table} SET {column}=? WHERE {where}", flipped(value, 3),
                      *([] if table == "decisions" else [value]))  # fmt: skip
            assert forger.verdict().reason, (table, column)
            forger.restore()
        forger.do(f"DELETE FROM {table}")
        assert forger.verdict().reason, table
        forger.restore()


@pytest.mark.parametrize(
    "column", [name for name in COLUMNS if name not in ("position", "canon_len", "payload", "obs")]
)
def test_a_text_that_is_none_is_found_at_its_event(forger: Forger, column: str) -> None:
    """SQLite keeps whatever bytes it is given; readers of pages get something that can be written as JSON."""
    forger.do(f"UPDATE decisions SET {column}=CAST(x'ff' AS TEXT) WHERE position=4")
    assert forger.verdict().first_bad_index == 4
    forger.restore()
    forger.do(f"UPDATE decisions SET {column}=x'ff' WHERE position=4")
    assert forger.verdict().first_bad_index == 4


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', 5, "{}"])
def test_an_object_in_other_bytes_is_found(forger: Forger, data: Any) -> None:
    """Also where it means the same; and pages stay readable."""
    forger.do("UPDATE decisions SET obs=? WHERE position=4", data)
    assert forger.verdict().first_bad_index == 4
    with open_root(forger.root, reading=True) as ledger:
        assert len(everything(ledger)) == 11


@pytest.mark.parametrize("column", ["length", "v_digest", "normative_head", "intented", "executed_error"])
@pytest.mark.parametrize("value", ["x", b"\xff", 1.5, -1])
def test_a_head_of_another_type_is_found_and_read_all_the_same(forger: Forger, column: str, value: Any) -> None:
    forger.do(f"UPDATE decision_heads SET {column}=?", value)
    assert forger.verdict().reason
    with open_root(forger.root, reading=True) as ledger:
        status = ledger.decisions(LEDGER).status()
        assert status["ledger"]["health"] == "suspect" and json.dumps(status)
        assert json.dumps(ledger.decisions(LEDGER).page(limit=3))


@everywhere
def test_what_was_deleted_inserted_swapped_or_replaced_is_found(forger: Forger) -> None:
    with open_root(forger.root, reading=True) as ledger:
        events = everything(ledger)
    last = len(events) - 1
    for index in (0, 3, last):
        forger.do("DELETE FROM decisions WHERE position=?", index)
        assert forger.verdict().first_bad_index == index
        forger.restore()
    for one, other in ((0, 1), (2, 7), (last - 1, last)):
        for old, new in ((one, -1), (other, one), (-1, other)):
            forger.do("UPDATE decisions SET position=? WHERE position=?", new, old)
        assert forger.verdict().first_bad_index == one
        forger.restore()
    forged = event_of(last + 1, INTENT, anchors(9), "user", asked(), {}, events[last]["digest"])
    forger.do(INSERT, 1, *values_of(forged))
    assert forger.verdict().first_bad_index == last + 1
    forger.restore()
    # One that is whole in itself, where another stood: its successor does not follow it.
    old = events[3]
    payload = {**old["payload"], "_envelope": {"form": "flat", "identity": {"principal": "another"}}}
    new = event_of(3, old["kind"], old, old["actor"], payload, old["obs"], old["prev_event_digest"])
    names = ("payload", "normative_digest", "digest", "canon_len")
    values = dict(zip(COLUMNS, values_of(new), strict=True))
    forger.do(f"UPDATE decisions SET {', '.join(f'{name}=?' for name in names)} WHERE position=3",
              *(values[name] for name in names))  # fmt: skip
    assert forger.verdict().first_bad_index in (3, 4)


@everywhere
def test_opening_repairs_nothing_and_appends_nothing(forger: Forger) -> None:
    """OB820: reads go on, and say so."""
    forger.do("UPDATE decisions SET lane='night' WHERE position=5")
    before = {table: forger.rows(table) for table in TABLES}
    with open_root(forger.root) as ledger:
        status = ledger.decisions(LEDGER).status()["ledger"]
        assert (status["health"], status["first_bad_index"], status["length"]) == ("suspect", 5, 11)
        for kind, number, payload in ((INTENT, 9, asked()), (DECISION, 3, decided())):
            assert trouble(lambda kind=kind, n=number, p=payload: append(ledger, kind, anchors(n), p)) == "OB820"
        assert len(everything(ledger)) == 11
        assert ledger.decisions(LEDGER).correlation("c-3") is not None
    assert {table: forger.rows(table) for table in TABLES} == before


@everywhere
def test_a_last_event_that_changes_while_it_is_open_is_seen(forger: Forger) -> None:
    with open_root(forger.root) as ledger:
        append(ledger, DECISION, anchors(3), decided())
        forger.do("UPDATE decisions SET digest=prev_event_digest WHERE position=11")
        assert trouble(lambda: append(ledger, EXECUTION, anchors(3), {"status": "ok", "output_text": ""})) == "OB820"


@everywhere
def test_nobody_changes_the_past_while_the_triggers_stand(root: str) -> None:
    with open_root(root) as ledger:
        tell(ledger, 1)
    with raw(root) as db:
        mark, error = ("%s", "written once") if is_address(root) else ("?", "written once")
        row = db.execute("SELECT * FROM decisions WHERE position=1").fetchone()
        places = ", ".join([mark] * len(row))
        attempts: list[tuple[str, tuple[Any, ...]]] = [
            ("UPDATE decisions SET lane='x'", ()), ("DELETE FROM decisions", ()),
            (f"INSERT INTO decisions VALUES ({places}) ON CONFLICT (ledger, position) DO UPDATE SET lane='x'", row),
        ]  # fmt: skip
        if is_address(root):
            attempts.append(("TRUNCATE decisions", ()))
        else:
            attempts.append((f"INSERT OR REPLACE INTO decisions VALUES ({places})", row))
            # Another position, the same correlation and kind.
            attempts.append((f"INSERT OR REPLACE INTO decisions VALUES ({places})", (row[0], 77, *row[2:])))
        for sql, values in attempts:
            with pytest.raises(Exception, match=error):
                db.execute(sql, values)
    with open_root(root, reading=True) as ledger:
        assert ledger.decisions(LEDGER).verify().reason is None


def test_what_lies_far_back_is_for_verify_and_opening_looks_at_the_latest(root: str) -> None:
    with open_root(root) as ledger:
        deny_many(ledger, RECENT // 2 + 20)
    forger, edge = Forger(root), 40  # the first of the latest thousand
    for index, seen in ((5, False), (edge - 1, False), (edge, True), (edge + 500, True)):
        forger.do("UPDATE decisions SET lane='night' WHERE position=?", index)
        assert forger.verdict().first_bad_index == index
        with open_root(root) as ledger:
            health = ledger.decisions(LEDGER).status()["ledger"]
            assert (health["health"], health["first_bad_index"]) == (("suspect", index) if seen else ("ok", None))
        forger.restore()
    forger.do("DELETE FROM decisions WHERE position>1030")
    with open_root(root) as ledger:
        assert ledger.decisions(LEDGER).status()["ledger"]["first_bad_index"] == 1031
    forger.db.close()
