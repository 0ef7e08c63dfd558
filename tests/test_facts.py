"""Facts: loaded all or none, only into stores that take them, and every load is recorded."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call
from omnibachi import Workspace
from omnibachi_ledger import connect as connecting
from omnibachi_ledger import open_root
from omnibachi_ledger.schema import LATER
from omnibachi_model.digests import digest
from pricing import LIST, NOTES, PRICES, RAISE, price, seed, shop

__all__ = ["call"]
TEA = {"kind": "tea", "cents": 300, "unit": "piece"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return shop(tmp_path / "shop")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "state"


def revisions(data: Path) -> dict[str, int]:
    with sqlite3.connect(data / "store.db") as db:
        found = dict(db.execute("SELECT key, revision FROM records WHERE value IS NOT NULL").fetchall())
    db.close()
    return found


def loads(data: Path) -> list[dict[str, Any]]:
    with open_root(str(data)) as ledger:
        return ledger.loads()


def test_facts_are_loaded_in_their_canonical_form(workspace: Workspace, tmp_path: Path, data: Path) -> None:
    file = seed(tmp_path / "facts.json", {PRICES: {"oolong": price(300.0), "": price(2)}, NOTES: {"n": {"a": [1.5]}}})
    result = workspace.load_facts(file, data_root=data)
    assert (result.ok, result.exit_code, result.diagnostics) == (True, 0, ())
    assert result.loaded == {PRICES: 2, NOTES: 1}
    assert result.unchanged == {PRICES: 0, NOTES: 0}
    assert workspace.records(PRICES, data_root=data) == [
        {"key": "oolong", "value": TEA},
        {"key": "", "value": {"kind": "tea", "cents": 2, "unit": "piece"}},
    ]
    assert revisions(data) == {"oolong": 1, "": 1, "n": 1}


def test_the_same_file_again_changes_nothing_and_a_changed_fact_replaces_the_old_one(
    workspace: Workspace, tmp_path: Path, data: Path
) -> None:
    first = seed(tmp_path / "first.json", {PRICES: {"oolong": price(300), "mate": price(200)}})
    workspace.load_facts(first, data_root=data)
    again = workspace.load_facts(Path(first), data_root=data)
    assert (again.loaded, again.unchanged) == ({PRICES: 0}, {PRICES: 2})
    assert revisions(data) == {"oolong": 1, "mate": 1}
    second = seed(tmp_path / "second.json", {PRICES: {"oolong": price(310), "mate": price(200), "sencha": price(400)}})
    changed = workspace.load_facts(second, data_root=data)
    assert (changed.loaded, changed.unchanged) == ({PRICES: 2}, {PRICES: 1})
    assert revisions(data) == {"oolong": 2, "mate": 1, "sencha": 1}
    assert [item["key"] for item in workspace.records(PRICES, data_root=data)] == ["oolong", "mate", "sencha"]


def test_every_load_is_recorded_as_a_commit_like_others(workspace: Workspace, tmp_path: Path, data: Path) -> None:
    file = seed(tmp_path / "facts.json", {PRICES: {"oolong": price(300)}})
    assert workspace.load_facts(file, data_root=data).number == 1
    assert workspace.run(RAISE, {"key": "oolong", "cents": 5}, data_root=data, picture=False).result == {"revision": 2}
    last = workspace.load_facts(file, data_root=data)
    assert (last.number, last.loaded) == (4, {PRICES: 1})  # the run wrote the price, and an event that tells of it
    told = loads(data)
    assert [item["number"] for item in told] == [1, 4]
    assert told[0]["file_digest"] == last.file_digest == digest(Path(file).read_bytes())
    assert told[0]["seal"] == workspace.load().seal
    assert told[1]["stores"] == {PRICES: {"loaded": 1, "unchanged": 0}}
    with open_root(str(data)) as ledger:
        assert len(ledger.runs()) == 1  # a load is no run
        (mirror,) = ledger.export({PRICES: "records"})
    assert json.loads(Path(mirror).read_text())["number"] == 4
    with sqlite3.connect(data / "store.db") as db:
        assert db.execute("SELECT number, run, path, capability FROM receipts WHERE run=''").fetchall() == [
            (1, "", "1", "load"),
            (4, "", "4", "load"),
        ]
        for change in (
            "DELETE FROM loads",
            "UPDATE loads SET at=''",
            "INSERT OR REPLACE INTO loads SELECT * FROM loads",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="written once"):
                db.execute(change)
    db.close()


def test_one_bad_record_and_nothing_is_loaded(workspace: Workspace, tmp_path: Path, data: Path) -> None:
    good = price(300)
    stores = {
        PRICES: {
            "good": good,
            "a/b~c": {"kind": 1, "cents": 0, "unit": "", "more": True},
            "text": "no object",
            "big": price(2**53),
            "null": None,
        },
        NOTES: {"tiny": {"x": {"y": [1e-9]}}, "\U0001f375": {}, "half": {"t": "\ud800"}, "good": {}},
    }
    result = workspace.load_facts(seed(tmp_path / "facts.json", stores), data_root=data)
    assert (result.exit_code, result.loaded, result.unchanged, result.number) == (3, {}, {}, None)
    assert {item.code for item in result.diagnostics} == {"OB762"}
    assert [item.message for item in result.diagnostics] == [
        "`/stores/shop::ST_PRICES_V0/a~1b~0c/cents` breaks `minimum`",
        "`/stores/shop::ST_PRICES_V0/a~1b~0c/kind` breaks `type`",
        "`/stores/shop::ST_PRICES_V0/a~1b~0c/more` breaks `additionalProperties`",
        "`/stores/shop::ST_PRICES_V0/text` is no object",
        "`/stores/shop::ST_PRICES_V0/big/cents`: an integer must lie strictly between -2^53 and 2^53; "
        "write it as a string",
        "`/stores/shop::ST_PRICES_V0/null` is no object",
        "`/stores/shop::ST_NOTES_V0/tiny/x/y/0`: a number must satisfy 1e-5 <= |x| < 1e15; write it as a string",
        "`/stores/shop::ST_NOTES_V0/\U0001f375`: a key holds a character above U+FFFF",
        "`/stores/shop::ST_NOTES_V0/half/t`: text holds a lone surrogate",
    ]
    assert not data.exists()


@pytest.mark.parametrize(
    ("store", "code", "told"),
    [
        ("shop::ST_STOCK_V0", "OB763", "it is not declared `seed: true`"),
        ("shop::ST_ORDERS_V0", "OB763", "it is governed by `std::CS_REGISTRY_V0`"),
        ("shop::ST_LOG_V0", "OB763", "it is governed by `std::CS_EVENTS_V0`"),
        ("shop::ST_PRICE_V0", "OB303", "no store is called"),
        ("ST_PRICES_V0", "OB303", "no store is called"),
        ("nowhere::ST_PRICES_V0", "OB303", "no store is called"),
        ("", "OB303", "no store is called"),
    ],
)
def test_only_stores_that_say_so_take_facts(
    workspace: Workspace, tmp_path: Path, data: Path, store: str, code: str, told: str
) -> None:
    file = seed(tmp_path / "facts.json", {PRICES: {"good": price(300)}, store: {"k": {}}})
    result = workspace.load_facts(file, data_root=data)
    assert [item.code for item in result.diagnostics] == [code]
    assert told in result.diagnostics[0].message
    assert not data.exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the text is empty"),
        ("{", "no JSON"),
        ("[]", "holds no object"),
        ("{}", "does not say"),
        ('{"schema": "omnibachi.seed/2", "stores": {}}', "does not say"),
        ('{"schema": "omnibachi.seed/1"}', "`/stores` is no object"),
        ('{"schema": "omnibachi.seed/1", "stores": []}', "`/stores` is no object"),
        ('{"schema": "omnibachi.seed/1", "stores": {}, "note": 1}', "`/note` is not known"),
        ('{"schema": "omnibachi.seed/1", "stores": {"a::ST_B_V0": 1}}', "`/stores/a::ST_B_V0` is no object"),
        ('{"schema": "omnibachi.seed/1", "stores": {"a": {"k": 1, "k": 2}}}', "stands twice"),
        ('{"schema": "omnibachi.seed/1", "stores": {"a": {"k": NaN}}}', "`NaN` is no JSON number"),
        ("[" * 100_000, "nesting is deeper"),
        ("\ufeff{}", "byte order mark"),
    ],
)
def test_what_is_not_of_the_format_is_refused(
    workspace: Workspace, tmp_path: Path, data: Path, text: str, told: str
) -> None:
    file = tmp_path / "facts.json"
    file.write_text(text, "utf-8")
    result = workspace.load_facts(file, data_root=data)
    assert (result.exit_code, [item.code for item in result.diagnostics]) == (3, ["OB761"])
    assert told in result.diagnostics[0].message
    assert not data.exists()


def test_nesting_is_limited_for_each_record(workspace: Workspace, tmp_path: Path, data: Path) -> None:
    deep: Any = {}
    for _ in range(63):
        deep = {"d": deep}
    fits = workspace.load_facts(seed(tmp_path / "a.json", {NOTES: {"k": deep}}), data_root=data)
    assert fits.loaded == {NOTES: 1}
    result = workspace.load_facts(seed(tmp_path / "b.json", {NOTES: {"k": {"d": deep}}}), data_root=data)
    assert "nesting is deeper than 64 levels" in result.diagnostics[0].message


def test_files_that_cannot_be_read(workspace: Workspace, tmp_path: Path, data: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge").write_bytes(b" " * (16 * 1024 * 1024 + 1))
    for name, code in (("none", "OB760"), (".", "OB760"), ("a\0b", "OB760"), ("huge", "OB760"), ("binary", "OB761")):
        result = workspace.load_facts(f"{tmp_path}/{name}", data_root=data)
        assert (result.exit_code, [item.code for item in result.diagnostics]) == (3, [code]), name
    assert not data.exists()


def test_a_seed_ships_with_its_domain_and_a_path_comes_first(
    workspace: Workspace, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seeds = Path(workspace.root) / "protocols/shop/seeds"
    seed(seeds / "prices.json", {PRICES: {"oolong": price(300)}})
    assert workspace.compile().ok  # seeds are no declarations
    shipped = workspace.load_facts("shop/prices", data_root=data)
    assert (shipped.loaded, shipped.file) == ({PRICES: 1}, str(seeds / "prices.json"))
    misspelt = workspace.load_facts("shop/price", data_root=data)
    assert [(item.code, item.help) for item in misspelt.diagnostics] == [("OB760", "did you mean `shop/prices`?")]
    assert workspace.load_facts("shop/../shop/prices", data_root=data).exit_code == 3
    seed(tmp_path / "shop/prices", {PRICES: {"mate": price(1)}})
    assert workspace.load_facts("shop/prices", data_root=data).file == "shop/prices"


def test_a_busy_unwritable_or_foreign_data_root(
    workspace: Workspace, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "BUSY_SECONDS", 0.05)
    file = seed(tmp_path / "facts.json", {PRICES: {"oolong": price(300)}})
    workspace.load_facts(file, data_root=data)
    with sqlite3.connect(data / "store.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        busy = workspace.load_facts(file, data_root=data)
        other.execute("ROLLBACK")
    other.close()
    assert (busy.exit_code, [item.code for item in busy.diagnostics]) == (6, ["OB721"])
    assert len(loads(data)) == 1
    (tmp_path / "taken").write_text("a file")
    taken = workspace.load_facts(file, data_root=tmp_path / "taken")
    assert (taken.exit_code, [item.code for item in taken.diagnostics]) == (6, ["OB720"])


def test_a_load_that_breaks_off_leaves_nothing(
    workspace: Workspace, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = seed(tmp_path / "facts.json", {PRICES: {"oolong": price(300), "mate": price(200)}})
    put, calls = connecting.Database.run, []

    def stop(self: Any, sql: str, values: Any = ()) -> int:
        if sql.startswith("INSERT INTO records"):
            calls.append(sql)
            if len(calls) == 2:
                raise KeyboardInterrupt
        return put(self, sql, values)

    monkeypatch.setattr(connecting.Database, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        workspace.load_facts(file, data_root=data)
    monkeypatch.undo()
    assert (workspace.records(PRICES, data_root=data), loads(data)) == ([], [])
    assert workspace.load_facts(file, data_root=data).number == 1


def test_a_data_root_of_the_first_schema_version_is_brought_up_to_date(
    workspace: Workspace, tmp_path: Path, data: Path
) -> None:
    workspace.run(RAISE, {"key": "oolong", "cents": 5}, data_root=data, picture=False)
    with sqlite3.connect(data / "store.db") as db:
        for table in LATER:
            db.execute(f"DROP TABLE {table}")
        db.executescript("DROP INDEX runs_started; PRAGMA user_version=1")
    db.close()
    assert workspace.records(PRICES, data_root=data)[0]["key"] == "oolong"
    file = seed(tmp_path / "facts.json", {PRICES: {"oolong": price(300)}})
    assert workspace.load_facts(file, data_root=data).number == 3
    assert loads(data)[0]["number"] == 3


def test_the_command(call: Call, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace.root)
    file = seed(tmp_path / "facts.json", {PRICES: {"oolong": price(300)}})
    said = call("data", "load", file)
    assert (said.status, said.out, said.err) == (0, f"store{' ' * 15}loaded  unchanged\n{PRICES}  1       0\n", "")
    told = call("data", "load", file, "--data-root", "data", "--json").json()
    assert (told["schema"], told["ok"], told["exit_code"]) == ("omnibachi.load/1", True, 0)
    assert (told["loaded"], told["unchanged"], told["number"]) == ({PRICES: 0}, {PRICES: 1}, 2)
    assert [item["number"] for item in call("data", "ls", "--json").json()["loads"]] == [1, 2]
    bad = seed(tmp_path / "bad.json", {PRICES: {"oolong": price(0), "\ud800": price(1)}})
    refused = call("data", "load", bad)
    assert (refused.status, refused.out) == (3, "")
    assert "error[OB762] fact-misfit: `/stores/shop::ST_PRICES_V0/oolong/cents` breaks `minimum`" in refused.err
    told = call("data", "load", bad, "--json").json()
    assert (told["ok"], told["exit_code"], told["loaded"], len(told["diagnostics"])) == (False, 3, {}, 2)
    shown = call("data", "show", PRICES, "--json").json()
    assert shown["records"] == [{"key": "oolong", "value": TEA}]


def test_facts_outlive_their_load_for_runs_to_read(workspace: Workspace, tmp_path: Path, data: Path) -> None:
    workspace.load_facts(seed(tmp_path / "facts.json", {PRICES: {"oolong": price(300)}}), data_root=data)
    result = workspace.run(LIST, {"kind": "tea", "limit": 5}, data_root=data, picture=False)
    assert result.result == {
        "items": [{"key": "oolong", "value": TEA, "revision": 1}],
        "total": 1,
        "doubled": 600,
        "name": "oolong/piece",
    }
