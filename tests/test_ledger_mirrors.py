"""Readable mirrors: complete after every commit, cheap, and rebuilt byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnibachi_ledger import Ledger, mirrors, open_root
from omnibachi_ledger.locks import acquire
from performing import KEEPS, RECORDS, REGISTRY, STREAM, journal, perform, trouble

OTHER = "shop::ST_OTHER_V0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def ledger(root: Path) -> Iterator[Ledger]:
    with open_root(str(root)) as opened:
        yield opened


def register(ledger: Ledger, *keys: str) -> None:
    for key in keys:
        inputs = {"key": key, "value": {"name": key}}
        perform(ledger, f"reg-{key}", "std::CS_REGISTRY_V0.REGISTER", "IDEMPOTENT", inputs, REGISTRY)


def append(ledger: Ledger, *names: str) -> None:
    for name in names:
        inputs = {"record": {"a": name}}
        perform(ledger, f"app-{name}", "std::CS_EVENTS_V0.APPEND", "APPEND_ONLY", inputs, STREAM)


def files(root: Path) -> dict[str, bytes]:
    """Return every mirror's bytes by its path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.jsonl"))}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_lines_say_what_was_committed(ledger: Ledger, root: Path) -> None:
    register(ledger, "k")
    append(ledger, "x", "ü")
    register(ledger, "l")
    ledger.mirror(KEEPS)
    assert files(root) == {
        "events/shop/ST_STREAM_V0.jsonl": (
            b'{"event":"shop::EV_SOLD_V0","number":2,"record":{"a":"x"},"sequence":1}\n'
            b'{"event":"shop::EV_SOLD_V0","number":3,"record":{"a":"\xc3\xbc"},"sequence":2}\n'
        ),
        "registry/shop/ST_REGISTRY_V0.jsonl": (
            b'{"key":"k","number":1,"value":{"name":"k"}}\n{"key":"l","number":4,"value":{"name":"l"}}\n'
        ),
    }


def test_every_mirror_gets_what_it_lacks_and_no_more(ledger: Ledger, root: Path) -> None:
    register(ledger, "a", "b")
    ledger.mirror({REGISTRY: "registry"})
    before = files(root)
    ledger.mirror({REGISTRY: "registry"})
    assert files(root) == before
    append(ledger, "x")
    register(ledger, "c", "ü")
    ledger.mirror(KEEPS)
    kept = files(root)
    assert kept["registry/shop/ST_REGISTRY_V0.jsonl"].startswith(before["registry/shop/ST_REGISTRY_V0.jsonl"])
    assert [line["key"] for line in lines(root / "registry/shop/ST_REGISTRY_V0.jsonl")] == ["a", "b", "c", "ü"]
    assert len(lines(root / "events/shop/ST_STREAM_V0.jsonl")) == 1


def test_a_store_without_records_has_no_mirror(ledger: Ledger, root: Path) -> None:
    ledger.mirror(KEEPS)
    assert ledger.export(KEEPS) == []
    assert files(root) == {}


@pytest.mark.parametrize("cut", [1, 5, 40, 60, 10_000])
def test_a_torn_line_is_cut_off_first(ledger: Ledger, root: Path, cut: int) -> None:
    register(ledger, "a", "b", "c")
    append(ledger, "x", "y")
    ledger.mirror(KEEPS)
    whole = files(root)
    for name, data in whole.items():
        (root / name).write_bytes(data[: max(0, len(data) - cut)])
    ledger.mirror(KEEPS)
    assert files(root) == whole


@pytest.mark.parametrize("spoil", [b"", b"no line of ours\n", b'{"key":"a","number":77,"value":{}}\n', b"[]\n", b"\n"])
def test_a_foreign_mirror_is_written_anew(ledger: Ledger, root: Path, spoil: bytes) -> None:
    register(ledger, "a", "b")
    append(ledger, "x")
    ledger.mirror(KEEPS)
    whole = files(root)
    for name in whole:
        (root / name).write_bytes(spoil)
    ledger.mirror(KEEPS)
    assert files(root) == whole


def test_a_long_last_line_is_read_whole(ledger: Ledger, root: Path) -> None:
    register(ledger, "short", "k" * 200_000)
    ledger.mirror(KEEPS)
    register(ledger, "next")
    ledger.mirror(KEEPS)
    assert [len(line["key"]) for line in lines(root / "registry/shop/ST_REGISTRY_V0.jsonl")] == [5, 200_000, 4]


def test_export_rebuilds_byte_for_byte(ledger: Ledger, root: Path) -> None:
    register(ledger, "a", "b")
    ledger.mirror(KEEPS)
    append(ledger, "x")
    register(ledger, "c")
    ledger.mirror(KEEPS)
    grown = files(root)
    shutil.rmtree(root / "registry")
    (root / "events/shop/ST_STREAM_V0.jsonl").write_bytes(b"spoilt")
    written = ledger.export(KEEPS)
    assert files(root) == grown
    assert sorted(str(Path(path).relative_to(root)) for path in written) == sorted(grown)
    assert [path.name for path in root.rglob("*.new")] == []


def test_records_are_exported_as_they_stand_now(ledger: Ledger, root: Path) -> None:
    for index, (operation, key) in enumerate((("PUT", "a"), ("PUT", "b"), ("PUT", "c"), ("PUT", "a"), ("REMOVE", "b"))):
        inputs = {"key": key} if operation == "REMOVE" else {"key": key, "value": {"n": index}}
        perform(ledger, f"r{index}", f"std::CS_RECORDS_V0.{operation}", "MUTABLE", inputs, RECORDS)
    ledger.mirror(KEEPS)
    assert files(root) == {}
    assert ledger.export(KEEPS) == [str(root / "records/shop/ST_RECORDS_V0.jsonl")]
    assert lines(root / "records/shop/ST_RECORDS_V0.jsonl") == [
        {"key": "c", "number": 3, "revision": 1, "value": {"n": 2}},
        {"key": "a", "number": 4, "revision": 2, "value": {"n": 3}},
    ]


def test_a_mirror_of_what_is_gone_goes(ledger: Ledger, root: Path) -> None:
    perform(ledger, "r1", "std::CS_RECORDS_V0.PUT", "MUTABLE", {"key": "a", "value": {}}, RECORDS)
    ledger.export(KEEPS)
    perform(ledger, "r2", "std::CS_RECORDS_V0.REMOVE", "MUTABLE", {"key": "a"}, RECORDS)
    assert ledger.export(KEEPS) == []
    assert files(root) == {}


def test_who_finds_the_lock_held_for_a_moment_waits(ledger: Ledger, root: Path) -> None:
    register(ledger, "a")
    ledger.mirror(KEEPS)
    lock = acquire(str(root / "locks" / "mirror.lock"))
    assert lock is not None
    register(ledger, "b")
    later = threading.Timer(0.05, os.close, [lock])
    later.start()
    ledger.mirror(KEEPS)
    later.join()
    assert len(lines(root / "registry/shop/ST_REGISTRY_V0.jsonl")) == 2


def test_who_finds_the_lock_held_for_long_leaves_it_to_the_next(
    ledger: Ledger, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(ledger, "a")
    ledger.mirror(KEEPS)
    register(ledger, "b")
    lock = acquire(str(root / "locks" / "mirror.lock"))
    assert lock is not None
    before = files(root)
    monkeypatch.setattr(mirrors, "_PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(mirrors, "_WAIT_SECONDS", 0.01)
    ledger.mirror(KEEPS)
    assert files(root) == before
    assert trouble(lambda: ledger.export(KEEPS)) == "OB721"
    os.close(lock)
    register(ledger, "c")
    ledger.mirror(KEEPS)
    assert len(lines(root / "registry/shop/ST_REGISTRY_V0.jsonl")) == 3


def test_an_open_run_is_not_mirrored(ledger: Ledger, root: Path) -> None:
    held = journal(ledger, "run")
    held.begin()
    held.store(REGISTRY).put("a", {})
    with open_root(str(root)) as other:
        other.mirror(KEEPS)
    assert files(root) == {}
    held.rollback()


def test_a_mirror_that_cannot_be_written(ledger: Ledger, root: Path) -> None:
    register(ledger, "a")
    (root / "registry").write_text("no folder")
    assert trouble(lambda: ledger.mirror(KEEPS)) == "OB731"
    assert trouble(lambda: ledger.export(KEEPS)) == "OB731"
    (root / "registry").unlink()
    ledger.mirror(KEEPS)
    assert len(files(root)) == 1


def test_two_keys_of_one_commit_survive_a_tear_between_them(ledger: Ledger, root: Path) -> None:
    held = journal(ledger, "run")
    held.begin()
    for key in ("a", "b"):
        held.store(REGISTRY).put(key, {})
    held.receipt("node", "own::CS_PAIR_V0.WRITE", "SUCCESS")
    held.commit()
    ledger.mirror(KEEPS)
    path = root / "registry/shop/ST_REGISTRY_V0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.partition(b"\n")[0] + b"\n")
    ledger.mirror(KEEPS)
    assert path.read_bytes() == whole
