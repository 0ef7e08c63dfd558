"""Checkpoints of all runs of a data root: texts that others can read, proofs that lead, and logs that only grow."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from front_door import Call, call, greet, workspace
from omnibachi.logbook import Logbook, log_locked
from omnibachi_audit.proofs.checkpoints import (
    Checkpoint,
    Consistency,
    Inclusion,
    checkpoint_of,
    consistency_of,
    inclusion_of,
)
from omnibachi_audit.proofs.keys import PrivateKey, Unreadable
from omnibachi_audit.proofs.merkle import consistency_path, inclusion_path, leaf_hash, tree_root
from omnibachi_audit.proofs.trust import Trust, TrustEntry
from omnibachi_model.diagnostics import Trouble
from postgres_server import Server

__all__ = ["call", "workspace"]

KEY = PrivateKey("example.org/log", bytes(range(32)))
NEXT = PrivateKey("example.org/log", bytes(range(1, 33)))
WITNESS = PrivateKey("witness", bytes(range(2, 34)))
NOW = "2026-06-01T00:00:00Z"
TRUST = Trust((TrustEntry(KEY.public, ("checkpoint",)),))
LEAVES = [f"leaf {number}".encode() for number in range(11)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
MADE = Checkpoint(KEY.name, 11, tree_root(HASHES)).signed(KEY)
PROOF = Inclusion(4, tuple(inclusion_path(HASHES, 4)), MADE)
GROWN = Consistency(
    Checkpoint(KEY.name, 6, tree_root(HASHES[:6])).signed(KEY), MADE, tuple(consistency_path(HASHES, 6))
)


def test_a_checkpoint_is_the_signed_note_that_others_read() -> None:
    root = base64.b64encode(tree_root(HASHES)).decode()
    body = f"example.org/log\n11\n{root}\n"
    signature = base64.b64encode(KEY.public.hash + KEY.sign(body.encode())).decode()
    assert MADE.text == f"{body}\n— example.org/log {signature}\n"
    assert checkpoint_of(MADE.text.encode()) == MADE
    assert MADE.judged(TRUST, NOW) == KEY.public.id


def test_witnesses_and_successors_sign_the_same_text() -> None:
    both = MADE.signed(WITNESS).signed(NEXT)
    assert checkpoint_of(both.text.encode()) == both and both.body == MADE.body
    assert both.signed(KEY).text.count("—") == 3
    successor = Trust((TrustEntry(NEXT.public, ("checkpoint",)),))
    assert both.judged(successor, NOW) == NEXT.public.id
    alone = Checkpoint(KEY.name, 11, MADE.root).signed(WITNESS)
    assert codes(alone.judged(Trust((TrustEntry(WITNESS.public, ("checkpoint",)),)), NOW)) == ["OB623"]


def codes(found: object) -> list[str]:
    return [item.code for item in found] if isinstance(found, list) else []


def test_a_signature_counts_as_the_trust_file_says() -> None:
    entry = TrustEntry(KEY.public, ("checkpoint",))
    assert codes(MADE.judged(Trust(), NOW)) == ["OB617"]
    assert codes(MADE.judged(Trust((TrustEntry(KEY.public, ("run",)),)), NOW)) == ["OB618"]
    assert codes(MADE.judged(Trust((TrustEntry(KEY.public, ("checkpoint",), None, "2026-01-01T00:00:00Z"),)), NOW)) == [
        "OB619"
    ]
    assert codes(MADE.judged(Trust((TrustEntry(KEY.public, ("checkpoint",), None, None, NOW, ""),)), NOW)) == ["OB620"]
    larger = Checkpoint(KEY.name, 12, MADE.root, MADE.signatures)
    assert codes(larger.judged(Trust((entry,)), NOW)) == ["OB616"]


CHANGES: list[Callable[[str], str]] = [
    lambda text: "",
    lambda text: text[:-1],
    lambda text: text + "\n",
    lambda text: text.replace("\n11\n", "\n011\n"),
    lambda text: text.replace("\n11\n", "\n-1\n"),
    lambda text: text.replace("\n11\n", "\n1e1\n"),
    lambda text: text.replace("\n11\n", "\n11\nmore\n"),
    lambda text: text.replace("example.org/log\n", "\n", 1),
    lambda text: text.replace("\n11\n", "\n11\r\n"),
    lambda text: text.replace("=\n\n", "\n\n"),
    lambda text: text.replace("— ", "- "),
    lambda text: text.replace("\n\n", "\n"),
    lambda text: text.replace("— example.org/log ", "— "),
    lambda text: text + text[text.index("—") :] * 16,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_no_checkpoint_is_none(change: Callable[[str], str]) -> None:
    with pytest.raises(Unreadable):
        checkpoint_of(change(MADE.text).encode())
    with pytest.raises(Unreadable):
        inclusion_of(PROOF.text.encode().replace(MADE.text.encode(), change(MADE.text).encode()))


def test_a_proof_is_the_text_that_others_read() -> None:
    lines = PROOF.text.split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 4"] and PROOF.text.endswith("\n\n" + MADE.text)
    assert [base64.b64decode(line) for line in lines[2 : lines.index("")]] == inclusion_path(HASHES, 4)
    assert inclusion_of(PROOF.text.encode()) == PROOF
    assert PROOF.judged(LEAVES[4], "it", TRUST, NOW) == KEY.public.id
    assert codes(PROOF.judged(LEAVES[5], "it", TRUST, NOW)) == ["OB624"]
    assert codes(PROOF.judged(LEAVES[4], "it", Trust(), NOW)) == ["OB617"]
    assert codes(PROOF.judged(LEAVES[5], "it", Trust(), NOW)) == ["OB624", "OB617"]


@given(st.integers(0, len(PROOF.text.encode()) - 1), st.integers(1, 255))
def test_no_flipped_byte_of_a_proof_goes_unseen(place: int, bits: int) -> None:
    data = bytearray(PROOF.text.encode())
    data[place] ^= bits
    with contextlib.suppress(Unreadable):
        assert not isinstance(inclusion_of(bytes(data)).judged(LEAVES[4], "it", TRUST, NOW), str)


@given(st.binary(max_size=300))
def test_no_bytes_make_a_reader_stumble(data: bytes) -> None:
    for read in (checkpoint_of, inclusion_of, consistency_of):
        with pytest.raises(Unreadable):
            read(data)


def test_two_checkpoints_and_a_path_show_that_a_log_only_grew() -> None:
    assert consistency_of(GROWN.written) == GROWN
    assert GROWN.judged(TRUST, NOW) == []
    assert codes(GROWN.judged(Trust(), NOW)) == ["OB617", "OB617"]
    other = Checkpoint(KEY.name, 6, tree_root(HASHES[1:7])).signed(KEY)
    assert codes(Consistency(other, MADE, GROWN.path).judged(TRUST, NOW)) == ["OB625"]
    assert codes(Consistency(GROWN.old, MADE, GROWN.path[1:]).judged(TRUST, NOW)) == ["OB625"]
    assert codes(Consistency(MADE, GROWN.old, GROWN.path).judged(TRUST, NOW)) == ["OB625"]
    named = Checkpoint("prod", 6, GROWN.old.root).signed(PrivateKey("prod", KEY.seed))
    assert codes(Consistency(named, MADE, GROWN.path).judged(TRUST, NOW)) == ["OB625", "OB617"]
    value = json.loads(GROWN.written)
    for odd in ({"format": "x"}, {"old": 1}, {"path": "x"}, {"path": [1]}, {"path": ["AA=="]}, {"more": 1}):
        with pytest.raises(Unreadable):
            consistency_of(json.dumps({**value, **odd}).encode())


@pytest.fixture
def log(call: Call, workspace: Path) -> Path:
    """A workspace with two runs in a first checkpoint, which is kept, and a third run after it."""
    assert call("compile").status == 0
    assert call("keys", "new", "log", "--role", "checkpoint").status == 0
    greet(call, "T1")
    greet(call, "T2")
    assert call("checkpoint", "make", "--key", "keys/log.key").status == 0
    shutil.copy(workspace / "data/checkpoints/2.checkpoint", workspace / "kept")
    greet(call, "T3")
    return workspace


def test_runs_are_taken_in_as_they_ended_and_proven_anywhere(call: Call, log: Path) -> None:
    said = call("checkpoint", "prove", "T3")
    assert said.status == 4 and "OB626" in said.err
    made = call("checkpoint", "make", "--key", "keys/log.key", "--json").json()
    assert (made["origin"], made["size"], made["new"]) == ("log", 3, 1)
    leaves = [json.loads(line) for line in (log / "data/checkpoints/leaves.jsonl").read_text().splitlines()]
    assert [leaf["run"] for leaf in leaves] == ["T1", "T2", "T3"]
    for run in ("T1", "T2", "T3"):
        assert call("checkpoint", "prove", run).status == 0
        said = call("verify", run, "--data-root", "none", "--require", "anchored", "--json").json()
        assert said["verdict"] == "ANCHORED" and said["anchors"] == [f"checkpoint {made['signatures'][0]}"]
    assert call("checkpoint", "show").out.splitlines()[:2] == ["log", "3"]
    shutil.copy(log / "traces/T1/T1.tlog-proof", log / "traces/T2/T2.tlog-proof")
    said = call("verify", "T2")
    assert said.status == 4 and "OB624" in said.err
    (log / "traces/T2/T2.tlog-proof").write_text("nothing")
    assert "OB623" in call("verify", "T2").err
    assert call("verify", "T2", "--proof", "missing").status == 3


def test_a_kept_checkpoint_shows_that_the_log_only_grew(call: Call, log: Path) -> None:
    same = call("checkpoint", "compare", "kept", "--json").json()
    assert same["grew"] and same["old"] == same["new"]
    assert call("checkpoint", "make", "--key", "keys/log.key").status == 0
    assert call("checkpoint", "compare", "kept", "--output", "grown.json").status == 0
    assert call("checkpoint", "show", "grown.json").status == 0
    assert call("checkpoint", "show", "kept").status == 0
    (log / "trust.json").unlink()
    for words in (("compare", "kept"), ("show", "grown.json"), ("show", "kept"), ("show",)):
        said = call("checkpoint", *words)
        assert said.status == 4 and "OB617" in said.err
    (log / "grown.json").write_text("{}")
    assert "OB623" in call("checkpoint", "show", "grown.json").err
    assert "OB623" in call("checkpoint", "compare", "grown.json").err


def test_making_one_again_adds_nothing_and_a_successor_signs_beside(call: Call, log: Path) -> None:
    first = call("checkpoint", "make", "--key", "keys/log.key", "--json").json()
    again = call("checkpoint", "make", "--key", "keys/log.key", "--json").json()
    assert again["new"] == 0 and again["root"] == first["root"] and len(again["signatures"]) == 1
    assert call("keys", "new", "log", "--folder", "next", "--role", "checkpoint").status == 0
    both = call("checkpoint", "make", "--key", "next/log.key", "--json").json()
    assert len(both["signatures"]) == 2
    assert call("keys", "revoke", "keys/log.pub").status == 0
    assert call("checkpoint", "show").status == 0
    assert call("keys", "new", "other").status == 0
    said = call("checkpoint", "make", "--key", "keys/other.key")
    assert said.status == 4 and "OB623" in said.err


def test_what_a_stranger_laid_there_is_not_continued(call: Call, log: Path) -> None:
    """Whoever may write the data root can make another log, but the owner of the key does not sign it for them."""
    whole = {path: path.read_bytes() for path in (log / "data/checkpoints").iterdir()}
    assert call("keys", "new", "log", "--folder", "stranger").status == 0
    shutil.rmtree(log / "data/checkpoints")
    assert call("checkpoint", "make", "--key", "stranger/log.key").status == 0
    said = call("checkpoint", "make", "--key", "keys/log.key")
    assert said.status == 4 and "OB623" in said.err and "nobody who is known here" in said.err
    shutil.rmtree(log / "data/checkpoints")
    (log / "data/checkpoints").mkdir()
    for path, data in whole.items():
        path.write_bytes(data)
    assert (
        call("checkpoint", "make", "--key", "stranger/log.key").status == 0
    )  # the trust file lists who signed it last
    assert call("keys", "retire", "keys/log.pub", "--until", "2020-01-01T00:00:00Z").status == 0
    said = call("checkpoint", "show")
    assert said.status == 4 and "OB617" in said.err
    assert call("checkpoint", "make", "--key", "stranger/log.key", "--trust", "none").status == 0
    assert call("keys", "revoke", "keys/log.pub").status == 0
    kept = (log / "kept").read_bytes()
    shutil.rmtree(log / "data/checkpoints")
    (log / "data/checkpoints").mkdir()
    (log / "data/checkpoints/2.checkpoint").write_bytes(kept)
    leaves = next(data for path, data in whole.items() if path.name == "leaves.jsonl")
    (log / "data/checkpoints/leaves.jsonl").write_bytes(leaves)
    assert call("checkpoint", "make", "--key", "stranger/log.key").status == 4


def test_what_was_taken_out_of_the_journal_is_told(call: Call, log: Path) -> None:
    shutil.rmtree(log / "data")
    said = call("checkpoint", "compare", "kept")
    assert said.status == 4 and "OB626" in said.err
    greet(call, "T1")
    assert call("checkpoint", "make", "--key", "keys/log.key").status == 0
    said = call("checkpoint", "compare", "kept")
    assert said.status == 4 and "OB625" in said.err and "taken out" in said.err
    greet(call, "T9")
    assert call("checkpoint", "make", "--key", "keys/log.key").status == 0
    said = call("checkpoint", "compare", "kept", "--output", "none.json")
    assert said.status == 4 and "rewritten" in said.err and not (log / "none.json").exists()


def test_a_log_and_a_journal_that_part_are_told(call: Call, log: Path) -> None:
    kept = (log / "data/checkpoints").rename(log / "checkpoints")
    shutil.rmtree(log / "data")
    greet(call, "T1")
    kept.rename(log / "data/checkpoints")
    said = call("checkpoint", "make", "--key", "keys/log.key")
    assert said.status == 4 and "OB625" in said.err


@pytest.mark.parametrize("name", ["leaves.jsonl", "2.checkpoint"])
def test_a_log_that_was_tampered_with_is_told(call: Call, log: Path, name: str) -> None:
    file = log / "data/checkpoints" / name
    whole = file.read_bytes()
    for changed in (whole[: len(whole) // 2], whole.replace(b"T1", b"T8"), whole.replace(b"2\n", b"1\n", 1), b""):
        if changed == whole:
            continue
        file.write_bytes(changed)
        said = call("checkpoint", "make", "--key", "keys/log.key")
        assert said.status == 4 and "OB623" in said.err, changed
    file.write_bytes(whole)
    assert call("checkpoint", "make", "--key", "keys/log.key").status == 0


def test_what_a_broken_off_checkpoint_left_is_made_anew(call: Call, log: Path) -> None:
    leaves = log / "data/checkpoints/leaves.jsonl"
    whole = leaves.read_bytes()
    leaves.write_bytes(whole + b'{"format":"omnibachi.head/1","ru')
    assert call("checkpoint", "make", "--key", "keys/log.key").status == 0
    assert leaves.read_bytes().startswith(whole) and len(Logbook(str(log / "data/checkpoints")).leaves) == 3


def test_what_cannot_be_written_leaves_the_log_as_it_was(call: Call, log: Path) -> None:
    folder = log / "data/checkpoints"
    (folder / "3.checkpoint").mkdir()
    said = call("checkpoint", "make", "--key", "keys/log.key")
    assert said.status in (4, 6) and ("OB629" in said.err or "OB623" in said.err)
    (folder / "3.checkpoint").rmdir()
    assert sorted(path.name for path in folder.iterdir()) == ["2.checkpoint", "leaves.jsonl", "log.lock"]
    assert call("checkpoint", "show").out.splitlines()[1] == "2"
    assert call("checkpoint", "make", "--key", "keys/log.key", "--json").json()["new"] == 1


def test_one_at_a_time_and_a_doubtful_run_is_left_out(call: Call, log: Path) -> None:
    held = log_locked(str(log / "data/checkpoints"))
    with pytest.raises(Trouble, match="another process writes the log"):
        log_locked(str(log / "data/checkpoints"))
    said = call("checkpoint", "make", "--key", "keys/log.key")
    assert said.status == 6 and "OB629" in said.err
    os.close(held)
    with sqlite3.connect(log / "data/store.db") as db:
        db.execute("UPDATE runs SET digest='sha256:' WHERE run='T3'")
    db.close()
    made = call("checkpoint", "make", "--key", "keys/log.key", "--json").json()
    assert made["ok"] and made["new"] == 0
    assert [(item["code"], item["severity"]) for item in made["diagnostics"]] == [("OB622", "warning")]


def test_the_log_may_be_kept_elsewhere(call: Call, log: Path) -> None:
    """A data root that is a server has no folder for it."""
    made = call("checkpoint", "make", "--key", "keys/log.key", "--log", "elsewhere", "--json").json()
    assert made["size"] == 3 and (log / "elsewhere/3.checkpoint").is_file()
    assert call("checkpoint", "prove", "T1", "--log", "elsewhere").status == 0
    assert call("verify", "T1", "--data-root", "none", "--require", "anchored").status == 0
    assert call("checkpoint", "compare", "elsewhere/3.checkpoint").status == 4
    assert call("checkpoint", "compare", "elsewhere/3.checkpoint", "--log", "elsewhere").status == 0
    said = call("checkpoint", "show", "--data-root", "postgresql://nobody@127.0.0.1:1/none")
    assert said.status == 3 and "OB786" in said.err


def test_a_server_keeps_the_runs_and_a_folder_their_log(call: Call, workspace: Path, postgres: Server) -> None:
    root = ("--data-root", postgres.root())
    assert call("compile").status == 0
    assert call("keys", "new", "log", "--role", "checkpoint").status == 0
    for run in ("T1", "T2"):
        greet(call, run, *root)
    made = call("checkpoint", "make", "--key", "keys/log.key", *root, "--log", "log", "--json").json()
    assert (made["size"], made["new"]) == (2, 2)
    assert call("checkpoint", "prove", "T1", *root, "--log", "log").status == 0
    anchors = call("verify", "T1", *root, "--json").json()["anchors"]
    assert [anchor.split()[0] for anchor in anchors] == ["journal", "checkpoint"]
    assert call("bundle", "T1", *root).status == 0
    assert call("verify", "traces/T1/T1.bundle.zip", "--require", "anchored").status == 0


def test_a_data_root_without_runs_has_the_empty_tree(call: Call, workspace: Path) -> None:
    assert call("keys", "new", "log", "--role", "checkpoint").status == 0
    said = call("checkpoint", "show")
    assert said.status == 4 and "OB626" in said.err
    made = call("checkpoint", "make", "--key", "keys/log.key", "--json").json()
    assert made["size"] == 0 and base64.b64decode(made["root"]) == tree_root([])
    (workspace / "file").write_text("")
    said = call("checkpoint", "make", "--key", "keys/log.key", "--data-root", "file")
    assert said.status == 6
