"""Examination of real runs that went wrong, or whose record, snapshot, capability or data root did.

Every answer names whose fault it is (payload, protocol, capability, store, record), a place (in the YAML, or a line of
the record) and what to do. `test_examine` has the same for records that are written by hand.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import post_office
from forging import forged, planted
from front_door import Call, call
from omnibachi import Workspace
from omnibachi_ledger import connect
from omnibachi_runtime.walk import Walk
from post_office import LABEL, PARCEL, SNAPSHOT, WF, compiled, edit

__all__ = ["call"]

YAML = "protocols/post/send.yaml"
LABELS = "capabilities/post_office/labels.py"
REGISTER = "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0"
ACTOR = {"actor_record": {"first_name": "Given", "last_name": "Family", "email_registration": "actor@example.org"}}
Mishap = Callable[[Workspace], str]


@pytest.fixture
def office(tmp_path: Path) -> Workspace:
    return post_office.build(tmp_path / "office")


def sent(office: Workspace, **payload: Any) -> bytes:
    """Run the workflow as T1 and return its record."""
    asked = {name: value for name, value in {**PARCEL, **payload}.items() if value is not None}
    assert office.run(WF, asked, trace_id="T1", picture=False).exit
    return office.traces.read("T1") or b""


def running(**payload: Any) -> Mishap:
    """A run with another payload, examined by its id."""

    def mishap(office: Workspace) -> str:
        sent(office, **payload)
        return "T1"

    return mishap


def spoiled(change: Callable[[bytes], bytes]) -> Mishap:
    """The record of a run in a file that was spoiled."""

    def mishap(office: Workspace) -> str:
        path = Path("spoiled.jsonl")
        path.write_bytes(change(sent(office)))
        return str(path)

    return mishap


def zoneless(office: Workspace) -> str:
    """The workflow reads what the label may lack."""
    root = Path(office.root)
    edit(
        root,
        YAML,
        "SUCCESS: {code: {type: string}}",
        "SUCCESS: {code: {type: string}, zone: {type: integer, optional: true}}",
    )
    edit(root, YAML, "parts: $.payload.parts", "parts: $.nodes.label.zone")
    compiled(root)
    return running()(office)


def exchanged(office: Workspace) -> str:
    """Another run's record under this one's name."""
    record = sent(office)
    Path(office.root, "traces/T2").mkdir()
    Path(office.root, "traces/T2/T2.jsonl").write_bytes(record)
    return "T2"


def unlike_the_journal(office: Workspace) -> str:
    """A record whose hashes hold, under its own name, beside the journal that knows better."""
    record = sent(office)
    Path(office.traces.path("T1", "jsonl")).write_bytes(planted(record, 4, output={"cents": 1}))
    return "T1"


def lines(count: int) -> Callable[[bytes], bytes]:
    return lambda record: b"".join(record.splitlines(True)[:count])


# What happened; then whose fault it is, the code, the place, and words of the remedy.
FAILED: dict[str, tuple[Mishap, str, str | None, str, str]] = {
    "payload that is refused": (
        running(weight="seven"),
        "payload",
        "OB701",
        f"{YAML}:41:5",
        "mend the payload at `/weight`",
    ),
    "field that is not sent": (running(limit=None), "payload", "OB703", f"{YAML}:15:11", "send `$.payload.limit`"),
    "value that does not fit": (
        running(to="x" * 30),
        "payload",
        "OB704",
        f"{YAML}:9:11",
        "send other values in `$.payload.to`",
    ),
    "value that divides by zero": (running(parts=0), "payload", "OB707", f"{YAML}:18:", "`$.payload.parts`"),
    "answer that is a failure": (running(to="nowhere"), "payload", None, f"{YAML}:7:3", "check the inputs of `label`"),
    "optional value that is read": (
        zoneless,
        "protocol",
        "OB703",
        f"{YAML}:19:11",
        "with `$first` and a default in `price`",
    ),
    "capability that raises": (
        running(to="raise"),
        "capability",
        "OB702",
        f"{YAML}:7:3",
        "at `post_office/labels.py:8 label`",
    ),
    "capability that answers otherwise": (
        running(to="other"),
        "capability",
        "OB706",
        f"{YAML}:7:3",
        "answer a declared outcome",
    ),
    "capability that answers a misfit": (
        running(to="misfit"),
        "capability",
        "OB705",
        f"{YAML}:7:3",
        "and its declaration agree",
    ),
    "cut record": (
        spoiled(lambda record: record[:-20]),
        "record",
        "OB740",
        "line 7 of the record",
        "`omnibachi examine T1`",
    ),
    "edited record": (
        spoiled(lambda record: record.replace(b"2100", b"2101", 1)),
        "record",
        "OB740",
        "line 4 of the record",
        "`omnibachi examine T1`",
    ),
    "line taken out": (
        spoiled(lambda record: b"".join(record.splitlines(True)[::2])),
        "record",
        "OB740",
        "line 2 of the record",
        "`omnibachi examine T1`",
    ),
    "forged record": (unlike_the_journal, "record", "OB740", "line 4 of the record", "`omnibachi examine T1`"),
    "another run's record": (exchanged, "record", "OB740", "line 1 of the record", "take the file away"),
    "empty record": (
        spoiled(lambda record: b""),
        "record",
        "OB742",
        "line 1 of the record",
        "check that the file is the record of a run",
    ),
    "binary record": (
        spoiled(lambda record: bytes(range(256)) * 9),
        "record",
        "OB742",
        "line 1 of the record",
        "check that the file is",
    ),
    "another file": (
        spoiled(lambda record: post_office.SEND.encode()),
        "record",
        "OB742",
        "line 1 of the record",
        "check that the file is",
    ),
}


@pytest.mark.parametrize("name", FAILED)
def test_what_failed_has_its_fault_its_place_and_its_remedy(name: str, office: Workspace, call: Call) -> None:
    mishap, fault, code, place, remedy = FAILED[name]
    target = mishap(office)
    said = call("examine", target, "--workspace", office.root, "--json")
    told = said.json()
    failed = told["failed"]
    assert said.status == (4 if fault == "record" else 0)
    assert (failed["fault"], failed["code"], place in failed["place"]) == (fault, code, True), failed
    assert remedy in failed["remedy"] and failed["remedy"] in told["advice"]
    assert code is None or code in [item["code"] for item in told["diagnostics"]]
    text = " ".join(call("examine", target, "--workspace", office.root).out.split())
    for words in (f"fault: {fault}", f"place: {failed['place']}", remedy, failed["what"]):
        assert words in text, words


def noted(call: Call, office: Workspace, target: str, *more: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """Examine; return the JSON, its warnings and the text on one line."""
    arguments = ("examine", target, "--workspace", office.root, *more)
    told = call(*arguments, "--json").json()
    text = " ".join(call(*arguments).out.split())
    warnings = [item for item in told["diagnostics"] if item["severity"] == "warning"]
    for item in warnings:
        assert f"warning[{item['code']}]" in text and item["message"] in text and item["help"]
    return told, warnings, text


def test_a_changed_capability_is_named_with_the_node_that_calls_it(office: Workspace, call: Call) -> None:
    sent(office)
    root = Path(office.root)
    for seal_anew in (False, True):
        if seal_anew:
            compiled(root)
        else:
            edit(root, LABELS, '"P-"', '"P" "-"')
        told, (found,), text = noted(call, office, "T1")
        assert (told["exit"], found["code"], found["file"], found["line"]) == ("sent", "OB604", YAML, 7)
        assert f"`{LABEL}` is not the one that this run called, at {YAML}:7:3; a replay needs" in text


def test_a_capability_that_is_gone_is_named(office: Workspace, call: Call) -> None:
    sent(office)
    (Path(office.root) / LABELS).unlink()
    _, (found,), text = noted(call, office, "T1")
    assert (found["code"], found["file"], found["line"]) == ("OB605", YAML, 7)
    assert "is not there any more" in text and "restore it" in text


def test_a_changed_workflow_is_told_and_the_stored_one_explains(office: Workspace, call: Call) -> None:
    record = sent(office)
    ran = office.load().seal
    edit(Path(office.root), YAML, "weight <= limit", "weight < limit")
    compiled(Path(office.root))
    told, (found,), text = noted(call, office, "T1")
    assert found["code"] == "OB746" and f"use the snapshot of the seal `{ran}`" in text
    assert "row 1 holds: `weight <= limit`" in text and told["path"][0]["place"] is None
    Path("copy.jsonl").write_bytes(record)
    _, (found,), text = noted(call, office, "copy.jsonl", "--data-root", "elsewhere")
    assert found["code"] == "OB746" and "row 1 decided" in text


@pytest.mark.parametrize(
    ("place", "old", "new", "code", "names"),
    [
        ("post/WF_SEND_V0.json", "300", "200", "OB602", "`post/WF_SEND_V0.json` is not what the manifest says"),
        ("manifest.json", '"format"', '"formal"', "OB602", "`manifest.json` is not what `manifest.sha256` says"),
    ],
)
def test_an_edited_snapshot_is_told_and_not_relied_on(
    place: str, old: str, new: str, code: str, names: str, office: Workspace, call: Call
) -> None:
    sent(office)
    edit(Path(office.root), f"{SNAPSHOT}/{place}", old, new)
    told, (found,), text = noted(call, office, "T1")
    assert (found["code"], found["help"]) == (code, "compile again, or restore the file") and names in text
    assert told["verdict"] == "ANCHORED" and "row 1 holds: `weight <= limit`" in text


def test_a_damaged_data_root_is_told_with_what_to_do(office: Workspace, call: Call) -> None:
    sent(office)
    (Path(office.data_root) / "store.db").write_bytes(b"damaged" * 1000)
    told, (found,), text = noted(call, office, "T1")
    assert (told["verdict"], told["exit"], found["code"]) == ("INTACT", "sent", "OB723")
    assert (
        "store.db` is damaged" in text
        and "mend the data root, which could not be read: restore it from a backup" in text
    )


def test_a_record_that_was_cut_at_a_lines_end_is_no_unfinished_run(office: Workspace, call: Call) -> None:
    target = spoiled(lines(4))(office)
    told, (found,), text = noted(call, office, target)
    assert (told["verdict"], told["finished"], found["code"]) == ("INTACT", False, "OB741")
    assert (
        "the record was cut after `price`: the journal holds 3 more events" in text and "omnibachi resume" not in text
    )
    _, (alone,), text = noted(call, office, target, "--data-root", "elsewhere")
    assert alone["message"] == "the record has no end: the run stopped after `price`" and "omnibachi resume T1" in text


@pytest.fixture
def house(tmp_path: Path, checkout: Path) -> Workspace:
    """A workspace with what is shipped: its registration has two effects, so that it can stop between them."""
    root = tmp_path / "house"
    for name in (SNAPSHOT, "protocols"):
        shutil.copytree(checkout / name, root / name)
    return Workspace(root)


def test_a_run_that_was_broken_off_and_then_resumed(
    house: Workspace, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(run: Walk) -> None:
        settled(run)
        raise KeyboardInterrupt

    settled = Walk.settled
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Walk, "settled", interrupt)
        house.run(REGISTER, ACTOR, trace_id="T1", picture=False)
    told, (found,), text = noted(call, house, "T1")
    assert (told["verdict"], told["finished"], found["code"]) == ("ANCHORED", False, "OB741")
    assert "the run stopped after `register`" in text and "finish it with `omnibachi resume T1`" in told["advice"]
    assert told["changed"][0]["node"] == "register" and told["path"][-1]["then"] == "announce"
    assert call("resume", "T1", "--workspace", house.root, "--no-picture").status == 0
    told, warnings, text = noted(call, house, "T1")
    assert (told["verdict"], told["exit"], told["resumed"], warnings) == ("ANCHORED", "registered", 1, [])
    assert "7 events" not in text and "finished, resumed once" in text and told["failed"] is None


def test_a_run_whose_store_was_locked_half_way(house: Workspace, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[sqlite3.Connection] = []

    def lock(run: Walk) -> None:
        settled(run)
        others.append(sqlite3.connect(Path(house.data_root) / "store.db", isolation_level=None))
        others[0].execute("BEGIN IMMEDIATE")

    settled = Walk.settled
    with monkeypatch.context() as patch:
        patch.setattr(Walk, "settled", lock)
        patch.setattr(connect, "BUSY_SECONDS", 0.05)
        result = house.run(REGISTER, ACTOR, trace_id="T1", picture=False)
    assert (result.exit, result.exit_code, result.diagnostics[0].code) == (None, 6, "OB721")
    others[0].close()
    told, (found,), text = noted(call, house, "T1")
    assert (told["finished"], found["code"]) == (False, "OB741")
    assert "the run stopped after `register`" in text and "protocols/blockchain/identity/" in text
    assert told["advice"] == [
        "finish it with `omnibachi resume T1`",
        "where the database could not be used (full disk, locked, not writable), mend that first",
    ]


@pytest.mark.parametrize(
    ("target", "code", "help"),
    [
        ("T2", "OB316", "did you mean `T1`?"),
        ("nothing-like-it", "OB316", "`omnibachi traces ls` lists the runs"),
        ("no/such.jsonl", "OB742", "name the record of one run: a `.jsonl` file, or a trace id"),
        ("..", "OB742", "name the record of one run: a `.jsonl` file, or a trace id"),
    ],
)
def test_what_is_no_run_is_one_message(target: str, code: str, help: str, office: Workspace, call: Call) -> None:
    sent(office)
    said = call("examine", target, "--workspace", office.root, "--json")
    (found,) = said.json()["diagnostics"]
    assert (said.status, found["code"], found["help"]) == (3, code, help)


def test_a_trace_that_lacks_its_start_is_no_record(office: Workspace, call: Call) -> None:
    def change(bodies: list[Any], obs: list[Any]) -> None:
        del bodies[0], obs[0]

    Path("headless.jsonl").write_bytes(forged(sent(office), change))
    told = call("examine", "headless.jsonl", "--workspace", office.root, "--json").json()
    assert (told["exit_code"], told["line"], told["failed"]["fault"]) == (4, 1, "record")
    assert "a record begins with RUN_STARTED" in told["failed"]["what"]
