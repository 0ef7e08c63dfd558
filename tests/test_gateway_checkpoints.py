"""Checkpoints that a gateway keeps: when they are written, over what they never are, and what a signature is worth."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from deciding import LEDGER, deny_many, tell
from front_door import Call, call
from governing import ROOT, gateway, post
from omnibachi import Refused, Workspace
from omnibachi.gateway_checkpoints import Checkpoints, checkpoints_for
from omnibachi.trusting import new_key
from omnibachi_ledger import open_root
from omnibachi_ledger.addresses import is_address
from omnibachi_model.diagnostics import Diagnostic
from performing import everywhere, root

__all__ = ["call", "root"]

Json = dict[str, Any]
VERIFIER = ROOT / "examples" / "verify_decisions.py"


class Kept:
    """A keeper of the checkpoint of a data root, and what it told."""

    def __init__(self, root: str, path: Path | None = None, key: str | None = None) -> None:
        self.told: list[Diagnostic] = []
        path = Path(f"{root}.checkpoint.json") if path is None else path
        self.keeper: Checkpoints = checkpoints_for(
            Workspace(ROOT), root, LEDGER, path=str(path), key_file=key, tell=self.told.append
        )
        self.path = path

    @property
    def said(self) -> Json:
        """What the file says."""
        return json.loads(self.path.read_text("utf-8"))  # type: ignore[no-any-return]

    @property
    def codes(self) -> list[str]:
        """What was told, by code."""
        return [item.code for item in self.told]


def head(root: str) -> Json:
    with open_root(root, reading=True) as ledger:
        return ledger.decisions(LEDGER).head()


def filled(root: str, *endings: str) -> None:
    with open_root(root) as ledger:
        for number, ending in enumerate(endings):
            tell(ledger, number, ending)


@everywhere
def test_each_thousandth_event_and_a_clean_stop_write_one(root: str, tmp_path: Path, call: Call) -> None:
    kept = Kept(root, tmp_path / "kept.json")
    with open_root(root) as ledger:
        deny_many(ledger, 498)
    assert kept.keeper.doubt() is None
    with gateway(root, checkpoints=kept.keeper) as door:
        post(door, "below")
        assert not kept.path.exists() and head(root)["length"] == 999
        post(door, "above")
        assert kept.said == {"schema": "omnibachi.decisions-checkpoint/1", "store": LEDGER, **head(root),
                             "at": kept.said["at"]} and kept.said["length"] == 1002  # fmt: skip
        for number in range(4):
            post(door, f"more-{number}")
        assert kept.said["length"] == 1002
    kept.keeper.stopped()
    assert kept.said["length"] == head(root)["length"] == 1014 and not kept.told
    known = call("verify", root, "--checkpoint", str(kept.path), "--require", "anchored")
    assert known.status == 0 and known.out.splitlines()[-1] == "anchored in  checkpoint"
    before = kept.path.read_bytes()
    kept.keeper.stopped()
    assert kept.path.read_bytes() == before


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="it tells which file is flushed")
def test_no_checkpoint_outlives_the_events_that_it_tells_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power failure may take what was committed and not flushed: so the log is, before anything tells of it."""
    root, flushed, fsync = str(tmp_path / "data"), list[str](), os.fsync

    def flush(descriptor: int) -> None:
        flushed.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    kept = Kept(root)
    with open_root(root) as ledger:
        deny_many(ledger, 500)
    with gateway(root, checkpoints=kept.keeper) as door:
        monkeypatch.setattr(os, "fsync", flush)
        post(door, "a")
        head_of = kept.said["length"]
        kept.keeper.stopped()
    aside = f"data.checkpoint.json.{os.getpid()}"
    assert flushed == ["store.db-wal", aside] and head_of == 1003


def test_a_ledger_that_holds_nothing_has_none(tmp_path: Path) -> None:
    kept = Kept(str(tmp_path / "data"))
    assert kept.keeper.doubt() is None
    kept.keeper.stopped()
    assert not kept.path.exists() and not kept.told and not (tmp_path / "data").exists()


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the data root, which may be taken away as a whole; a server has no beside but that of its mirrors."""
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(str(tmp_path))
    for given in (tmp_path / "data", "data/", "./data"):
        assert checkpoints_for(workspace, given, LEDGER).path == str(tmp_path / "data.checkpoint.json")
    one, two = (checkpoints_for(workspace, f"postgresql://u:secret@h/{name}", LEDGER).path for name in "ab")
    assert re.fullmatch(re.escape(str(tmp_path / "data" / "postgresql-")) + r"[0-9a-f]{8}\.checkpoint\.json", one)
    assert one != two and one == checkpoints_for(workspace, "postgresql://u:other@h/a", LEDGER).path
    assert checkpoints_for(workspace, "data", LEDGER, path="elsewhere.json").path == "elsewhere.json"


@everywhere
def test_what_lies_beside_is_taken_by_whoever_verifies(root: str, tmp_path: Path, call: Call) -> None:
    """By folder or by address; what is missing on the way there is made."""
    (tmp_path / "protocols").mkdir()
    filled(root, "ok")
    assert call("verify", root, "--workspace", str(tmp_path)).out.startswith("INTACT")
    keeper = checkpoints_for(Workspace(str(tmp_path)), root, LEDGER)
    keeper.stopped()
    said = json.loads(Path(keeper.path).read_text("utf-8"))
    assert said["length"] == 3 and keeper.doubt() is None and Path(keeper.path).is_relative_to(tmp_path)
    assert call("verify", root, "--workspace", str(tmp_path)).out.startswith("ANCHORED")
    Path(keeper.path).write_text(json.dumps({**said, "length": 4}), "utf-8")
    found = call("verify", root, "--workspace", str(tmp_path))
    assert found.status == 4 and "OB822" in found.err


def cut(root: str) -> None:
    """Take the last story away, so that what is left holds in itself."""
    shutil.rmtree(root)
    filled(root, "ok")


def rewritten(root: str) -> None:
    """Write another past of the same length, and go on from it."""
    shutil.rmtree(root)
    filled(root, "error", "denied", "ok")


def edited(root: str) -> None:
    """Change the event that the checkpoint names."""
    with sqlite3.connect(Path(root) / "store.db") as db:
        db.execute("DROP TRIGGER decisions_update")
        db.execute("UPDATE decisions SET digest=prev_event_digest WHERE position=4")
    db.close()


@pytest.mark.parametrize("change", [cut, rewritten, edited, shutil.rmtree])
def test_a_ledger_that_departed_never_overwrites_what_shows_it(tmp_path: Path, call: Call, change: Any) -> None:
    """OB822: before the door opens, at a stop, and from whoever verifies; the file stays as it is."""
    root = str(tmp_path / "data")
    filled(root, "ok", "denied")
    kept = Kept(root)
    kept.keeper.stopped()
    before = kept.path.read_bytes()
    change(root)
    again = Kept(root)
    doubt = again.keeper.doubt()
    assert doubt is not None and doubt.code == "OB822" and "data.checkpoint.json" in doubt.message
    assert ("it had 5 events" in doubt.message) is (change in (cut, shutil.rmtree))
    again.keeper.stopped()
    assert again.codes == ["OB822"] and kept.path.read_bytes() == before
    assert call("verify", root, "--checkpoint", str(kept.path)).status != 0
    assert not Path(root).exists() or "OB822" in call("verify", root).err


@pytest.mark.parametrize("content", ["", "{}", "no JSON", '{"length": 1}', "[]", "signed by 5"])
def test_a_file_that_is_no_checkpoint_is_left_alone(tmp_path: Path, content: str) -> None:
    root = str(tmp_path / "data")
    filled(root, "ok")
    kept = Kept(root)
    kept.path.write_text(content, "utf-8")
    if content == "signed by 5":
        content = json.dumps({"schema": "omnibachi.decisions-checkpoint/1", "store": LEDGER, **head(root), "at": "now",
                              "signed": 5})  # fmt: skip
        kept.path.write_text(content, "utf-8")
    doubt = kept.keeper.doubt()
    kept.keeper.stopped()
    assert doubt is not None and [doubt.code, *kept.codes] == ["OB823", "OB823"]
    assert kept.path.read_text("utf-8") == content


def test_another_ledger_is_not_gone_on_from(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    filled(root, "ok")
    kept = Kept(root)
    kept.keeper.stopped()
    kept.path.write_text(json.dumps({**kept.said, "store": "shop::ST_OTHER_V0"}), "utf-8")
    doubt = kept.keeper.doubt()
    assert doubt is not None and doubt.code == "OB822" and "shop::ST_OTHER_V0" in doubt.message


def test_what_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """OB629 for the log; intents go on, and so does what is written later."""
    root = str(tmp_path / "data")
    with open_root(root) as ledger:
        deny_many(ledger, 500)
    (tmp_path / "no").write_text("a file", "utf-8")
    kept = Kept(root, tmp_path / "no" / "folder.json")
    with gateway(root, checkpoints=kept.keeper) as door:
        assert post(door, "a").state == "EXECUTED"
        assert kept.codes == ["OB629"] and not kept.path.exists()
        assert post(door, "b").state == "EXECUTED"
    assert kept.codes == ["OB629"]
    (tmp_path / "no").unlink()
    kept.keeper.stopped()
    assert kept.said["length"] == 1006


def test_many_doors_keep_one_file_that_is_always_whole(tmp_path: Path) -> None:
    """Threads that cross the mark at once; a second keeper stops after the first."""
    root = str(tmp_path / "data")
    with open_root(root) as ledger:
        deny_many(ledger, 494)
    one, two = Kept(root), Kept(root)
    seen: list[int] = []
    ended = threading.Event()

    def walk(name: int) -> None:
        with gateway(root, checkpoints=one.keeper) as door:
            for number in range(6):
                post(door, f"{name}-{number}")

    def look() -> None:
        while not ended.is_set():
            if one.path.exists():
                seen.append(one.said["length"])

    watcher = threading.Thread(target=look)
    watcher.start()
    threads = [threading.Thread(target=walk, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for kept in (one, two):
        kept.keeper.stopped()
        assert not kept.told
    ended.set()
    watcher.join()
    assert one.said["length"] == head(root)["length"] == 1060
    assert seen == sorted(seen)
    assert sorted(os.listdir(tmp_path)) == ["data", "data.checkpoint.json"]


@pytest.fixture
def signed(tmp_path: Path, call: Call) -> Kept:
    """A ledger whose checkpoint is signed, by a key of the trust file."""
    filled(str(tmp_path / "data"), "ok", "denied")
    new_key("example.org/gate", str(tmp_path))
    trusted(call)
    kept = Kept(str(tmp_path / "data"), key=str(tmp_path / "example.org-gate.key"))
    kept.keeper.stopped()
    assert not kept.told
    return kept


def trusted(call: Call, role: str = "checkpoint", trust: str = "trust.json") -> None:
    assert call("keys", "trust", "example.org-gate.pub", "--role", role, "--trust", trust).status == 0


def codes(said: Any) -> list[tuple[str, str]]:
    return [(item["code"], item["severity"]) for item in said.json()["diagnostics"]]


def test_a_signed_one_says_who_vouches(signed: Kept, call: Call, tmp_path: Path) -> None:
    data, file = str(tmp_path / "data"), str(signed.path)
    said = call("verify", data, "--checkpoint", file, "--trust", "trust.json", "--require", "anchored", "--json")
    key = "+".join((tmp_path / "example.org-gate.pub").read_text("ascii").split("+")[:2])
    assert (said.status, said.json()["verdict"], said.json()["anchors"]) == (0, "ANCHORED", [f"checkpoint {key}"])
    call("data", "export", "--data-root", data)
    export = tmp_path / "data/decisions/dbl/ST_LEDGER_V0.jsonl"
    assert call("verify", str(export), "--checkpoint", file, "--trust", "trust.json").out.startswith("ANCHORED")
    # Who has Python alone reads it as any other.
    done = subprocess.run([sys.executable, str(VERIFIER), str(export), file], capture_output=True, check=False)
    assert done.returncode == 0
    with open_root(data) as ledger:
        tell(ledger, 9)
    assert call("verify", data, "--checkpoint", file, "--trust", "trust.json").out.startswith("ANCHORED")


@pytest.mark.parametrize(("member", "value"), [
    ("length", 3), ("v_digest", "sha256:" + "1" * 64), ("normative_head", "sha256:" + "1" * 64),
    ("at", "2020-01-01T00:00:00.000Z"), ("store", "shop::ST_OTHER_V0"),
])  # fmt: skip
def test_a_signed_one_that_was_changed_is_none(
    signed: Kept, call: Call, tmp_path: Path, member: str, value: Any
) -> None:
    """OB621: with --trust or without."""
    call("data", "export", "--data-root", str(tmp_path / "data"))
    signed.path.write_text(json.dumps({**signed.said, member: value}), "utf-8")
    for target in ("data", "data/decisions/dbl/ST_LEDGER_V0.jsonl"):
        for more in (("--trust", "trust.json"), ("--trust", "trust.json", "--require", "anchored")):
            said = call("verify", str(tmp_path / target), "--checkpoint", str(signed.path), *more, "--json")
            assert said.status == 4 and ("OB621", "error") in codes(said) and said.json()["verdict"] != "ANCHORED"


def test_every_flipped_byte_of_a_signed_one_is_found(signed: Kept, call: Call, tmp_path: Path) -> None:
    """Of the file as it is: none passes for one that a trusted key signed."""
    whole = signed.path.read_bytes()
    for place in range(0, len(whole), 29):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        signed.path.write_bytes(bytes(flipped))
        said = call("verify", "data", "--checkpoint", str(signed.path), "--trust", "trust.json", "--json")
        assert said.status == 4 or json.loads(flipped) == json.loads(whole), flipped[place - 20 : place + 20]


@pytest.mark.parametrize(("role", "code"), [("run", "OB618"), (None, "OB617")])
def test_a_signer_who_does_not_count_is_a_warning_or_refused(
    signed: Kept, call: Call, tmp_path: Path, role: str | None, code: str
) -> None:
    """Whoever names a trust file wants a signature that counts; else the file is worth what an unsigned one is."""
    trust = "other.json"
    if role is None:
        new_key("example.org/another", str(tmp_path))
        call("keys", "trust", "example.org-another.pub", "--role", "checkpoint", "--trust", trust)
    else:
        trusted(call, role, trust)
    said = call("verify", "data", "--checkpoint", str(signed.path), "--trust", trust, "--json")
    assert (said.status, codes(said), said.json()["verdict"]) == (4, [(code, "error")], "INTACT")
    (tmp_path / "trust.json").unlink()
    said = call("verify", "data", "--checkpoint", str(signed.path), "--json")
    assert (said.status, codes(said), said.json()["anchors"]) == (0, [("OB617", "warning")], ["checkpoint"])


def test_a_revoked_key_counts_no_more(signed: Kept, call: Call) -> None:
    call("keys", "revoke", "example.org-gate.pub", "--reason", "stolen", "--trust", "trust.json")
    said = call("verify", "data", "--checkpoint", str(signed.path), "--trust", "trust.json", "--json")
    assert (said.status, codes(said)) == (4, [("OB620", "error")])


def test_an_unsigned_one_does_not_do_where_a_trust_file_is_named(signed: Kept, call: Call) -> None:
    """OB615: to take a signature away is worth nothing to anybody."""
    plain = {name: value for name, value in signed.said.items() if name != "signed"}
    signed.path.write_text(json.dumps(plain), "utf-8")
    said = call("verify", "data", "--checkpoint", str(signed.path), "--trust", "trust.json", "--json")
    assert (said.status, codes(said), said.json()["verdict"]) == (4, [("OB615", "error")], "INTACT")
    assert call("verify", "data", "--checkpoint", str(signed.path)).status == 0


def test_a_key_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "no.key").write_text("PRIVATE+KEY+nonsense\n", "utf-8")
    for name in ("no.key", "not-there.key"):
        with pytest.raises(Refused) as caught:
            Kept(str(tmp_path / "data"), key=str(tmp_path / name))
        assert [item.code for item in caught.value.diagnostics] == ["OB613"]


def test_the_key_is_in_no_file_but_its_own(signed: Kept, tmp_path: Path) -> None:
    seed = (tmp_path / "example.org-gate.key").read_text("ascii").strip().split("+", 4)[4]
    assert seed and seed not in signed.path.read_text("utf-8") and not is_address(str(signed.path))
