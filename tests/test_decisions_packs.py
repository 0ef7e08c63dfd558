"""Where replay takes packs from: the snapshot, else the journal of the data root, by digest and by nothing else; and
what it says where nobody has one."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any

from front_door import Call, call
from governing import LEDGER, events, gateway, post
from omnibachi.deciding_again import _Retelling
from omnibachi_model.decisions import DECISION
from omnibachi_model.digests import digest_of
from retelling import export_of, retold

__all__ = ["call"]

Json = dict[str, Any]


def export(folder: Path, ledger: list[Json]) -> str:
    """Write an export and return its path."""
    (folder / "export.jsonl").write_bytes(export_of(ledger))
    return str(folder / "export.jsonl")


def decisions(ledger: list[Json]) -> list[Json]:
    return [event for event in ledger if event["kind"] == DECISION]


def members(said: Json) -> set[tuple[str, str]]:
    return {(item["correlation_id"], item["field"]) for item in said["differences"]}


def with_pack(door: Any, **changes: Any) -> None:
    """Put another pack in force, which no snapshot has."""
    policy = door.boundary["policy"]
    pack = {**policy["pack"], **changes}
    door.boundary = {**door.boundary, "policy": {**policy, "pack": pack, "digest": digest_of(pack)}}


def test_a_pack_that_the_snapshot_does_not_have(call: Call, tmp_path: Path) -> None:
    """OB826: the journal has it; an export alone says that it is not at hand, and compares the facts."""
    root = tmp_path / "data"
    with gateway(root, policy="demo") as door:
        post(door, "c-1")
        with_pack(door, gates=[{"deny": True, "because": "house.closed"}])
        post(door, "c-2")
        with_pack(door, gates=[{"unheard": "of", "because": "house.closed"}])
        post(door, "c-3")
    ledger = events(root)
    reasons = [one["payload"]["reason_codes"][0] for one in decisions(ledger)]
    assert reasons == ["policy.within_limits", "house.closed", "policy.evaluation_error"]
    assert call("replay", str(root)).out == f"SAME  3 decisions  {LEDGER}\n"
    done = call("replay", export(tmp_path, ledger), "--json")
    (found,) = done.json()["ledgers"]
    assert (done.status, found["differing"], sum(found["untold"].values()), len(found["untold"])) == (4, 0, 2, 2)
    assert [item["code"] for item in done.json()["diagnostics"]] == ["OB826"]
    forged = retold(ledger, lambda e: e["payload"].update(facts={}) if e["index"] == 4 else None)
    assert members(call("replay", export(tmp_path, forged), "--json").json()) == {("c-2", "facts")}
    assert "UNTOLD  1 by sha256:" in call("replay", export(tmp_path, ledger)).out


def test_a_pack_that_was_changed_in_the_journal_is_none(call: Call, tmp_path: Path) -> None:
    """It has another digest than the one that decided: it is not at hand, and nobody is told that it says otherwise."""
    root = tmp_path / "data"
    with gateway(root, policy="demo") as door:
        with_pack(door, gates=[{"deny": True, "because": "house.closed"}])
        post(door, "c-1")
    with sqlite3.connect(root / "store.db") as db:
        db.execute("DROP TRIGGER events_update")
        changed = "CAST(replace(CAST(body AS TEXT), 'house.closed', 'house.opened') AS BLOB)"
        assert db.execute(f"UPDATE events SET body={changed} WHERE seq=1").rowcount == 1
    db.close()
    done = call("replay", str(root), "--json")
    assert done.status == 4 and [item["code"] for item in done.json()["diagnostics"]] == ["OB826"]
    assert done.json()["differences"] == [] and sum(done.json()["ledgers"][0]["untold"].values()) == 1


def test_a_ledger_that_is_read_once_more_is_told_once(tmp_path: Path) -> None:
    """A writer came, and all is read anew: what was found the first time is not told twice, nor is that of another."""
    with gateway(tmp_path / "data", policy="demo") as door:
        policy = door.boundary["policy"]
        post(door, "c-1")
    ledger, file = events(tmp_path / "data"), io.BytesIO()
    assert isinstance(policy, dict)
    forged = retold(ledger, lambda event: event["payload"].update(facts={}) if event["kind"] == DECISION else None)
    retelling = _Retelling(lambda *_: policy["pack"], None, file)
    for store, told in (("a", forged), ("b", forged), ("b", forged), ("b", ledger)):
        take = retelling.watching(store)
        for event in told:
            take(event)
    assert file.getvalue().count(b"\n") == 1 and b'"store":"a"' in file.getvalue()
    assert (retelling.told["a"].differing, retelling.told["b"].differing) == (1, 0)
