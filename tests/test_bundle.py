"""Bundles for strangers: the verifier in them, run as a process of its own, names whatever was tampered with."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forging import planted
from front_door import Call, call, greet, workspace
from omnibachi_audit.proofs import stranger
from omnibachi_audit.proofs.bundles import bundled
from omnibachi_audit.proofs.heads import head_of
from omnibachi_audit.proofs.keys import PrivateKey
from omnibachi_audit.proofs.trust import Trust, TrustEntry
from omnibachi_model.digests import encode
from omnibachi_model.record import export, read

__all__ = ["call", "workspace"]

EVIDENCE = ("manifest.sig.json", "trace.sig.json", "trace.tlog-proof")


@pytest.fixture
def bundle(call: Call, workspace: Path) -> Path:
    """A bundle with all that can be in one, beside the files that it was made of."""
    assert call("compile").status == 0
    assert call("keys", "new", "prod", "--role", "run", "--role", "snapshot", "--role", "checkpoint").status == 0
    assert call("sign", "protocol_snapshot", "--key", "keys/prod.key").status == 0
    greet(call, "T0")
    greet(call, "T1")
    for words in (("sign", "T1"), ("checkpoint", "make")):
        assert call(*words, "--key", "keys/prod.key").status == 0
    assert call("checkpoint", "prove", "T1").status == 0
    made = call("bundle", "T1", "--json").json()
    assert made["ok"] and made["parts"] == sorted(stranger.ALLOWED)
    return Path(made["bundle"])


def parts_in(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def laid(parts: dict[str, bytes], folder: Path) -> Path:
    """Unpack parts, as a stranger does."""
    folder.mkdir()
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    return folder


def checked(verifier: Path, *words: str) -> tuple[int, list[str]]:
    """Run a verifier as a process that sees nothing of OmniBachi's environment but installed packages."""
    done = subprocess.run(
        [sys.executable, "-I", str(verifier), *words], cwd="/", capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def said(place: Path, *words: str) -> tuple[int, str]:
    """Ask the same verifier in this process."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        status = stranger.main([str(place), *words])
    return status, told.getvalue()


def test_a_stranger_verifies_offline_packed_and_unpacked(call: Call, bundle: Path, tmp_path: Path) -> None:
    folder = laid(parts_in(bundle), tmp_path / "unpacked")
    for words in ((), (str(bundle),), (str(bundle), "--trust", str(Path("keys/prod.pub").absolute()))):
        status, lines = checked(folder / "verify.py", *words)
        assert (status, lines[0]) == (0, "PROVEN")
        assert [line.split(":")[0].strip() for line in lines[1:4]] == list(EVIDENCE)
        assert all("signed by prod+" in line for line in lines[1:4]) and "run 2 of 2" in lines[3]
        assert len(lines) == (4 if "--trust" in words else 5)
    source = (folder / "verify.py").read_text()
    assert not any(line.strip().startswith(("import omnibachi", "from omnibachi")) for line in source.splitlines())


def test_the_same_run_gives_the_same_bytes(call: Call, bundle: Path) -> None:
    before = bundle.read_bytes()
    assert call("bundle", "traces/T1/T1.jsonl", "--output", "again.zip").status == 0
    assert Path("again.zip").read_bytes() == before
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    shutil.make_archive("other", "zip", "traces")
    assert said(Path("other.zip"))[0] == 4


def test_every_flipped_part_is_named(bundle: Path, tmp_path: Path) -> None:
    parts = parts_in(bundle)
    verifier = laid(parts, tmp_path / "whole") / "verify.py"
    repacked = tmp_path / "repacked.zip"
    for name, data in parts.items():
        middle = len(data) // 2
        changed = {**parts, name: data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]}
        status, lines = checked(verifier, str(laid(changed, tmp_path / f"flipped-{name}")))
        assert status == 4 and lines[0] == "BROKEN" and name in "".join(lines[1:]), lines
        for some in (changed, {**parts, name: data + b"\n"}, {**parts, name: b""}, {**parts, name: data[:-1]}):
            repacked.write_bytes(stranger.packed(some))
            status, text = said(repacked)
            assert status == 4 and name in text, text
        repacked.write_bytes(stranger.packed({other: held for other, held in parts.items() if other != name}))
        status, text = said(repacked)
        assert status == 4 and name in text, text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.integers(0, 2**20), st.integers(1, 255))
def test_no_flipped_byte_of_the_archive_goes_unseen(bundle: Path, place: int, bits: int) -> None:
    data = bytearray(bundle.read_bytes())
    data[place % len(data)] ^= bits
    flipped = bundle.with_name("flipped.zip")
    flipped.write_bytes(bytes(data))
    status, text = said(flipped)
    assert status == 4 and text.startswith("BROKEN\n  "), text


def test_bytes_around_and_between_are_seen(bundle: Path) -> None:
    whole = bundle.read_bytes()
    other = bundle.with_name("other.zip")
    for data in (
        b"#!/bin/sh\n" + whole,
        whole + b"\0",
        whole[:-2] + b"\1\0!",
        whole[:-1],
        whole[: len(whole) // 2],
        b"",
    ):
        other.write_bytes(data)
        assert said(other)[0] == 4, data[-9:]
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts_in(bundle).items():
            archive.writestr(name, part)
    status, text = said(other)
    assert status == 4 and "stored" in text


def test_both_readings_of_a_record_agree(checkout: Path, bundle: Path) -> None:
    sample = next(iter((checkout / "traces" / "sample").glob("*.jsonl"))).read_bytes()
    events = list(read(parts_in(bundle)["trace.jsonl"]))
    pairs = [(event.body, event.obs) for event in events]
    pairs.insert(2, ({"kind": "RESUMED"}, events[1].obs))
    resumed = export((encode(body), encode({**obs, "seq": number})) for number, (body, obs) in enumerate(pairs, 1))
    for record in (sample, parts_in(bundle)["trace.jsonl"], resumed):
        head = head_of(record)
        assert isinstance(head, dict)
        assert stranger.head_of(record, head["run"])[0] == head
        with pytest.raises(stranger.Bad):
            stranger.head_of(record[:-1], head["run"])


def forged(parts: dict[str, bytes], name: str, data: bytes) -> dict[str, bytes]:
    return {**{part: held for part, held in parts.items() if part != "bundle.json"}, name: data}


Forge = Callable[[dict[str, bytes]], dict[str, bytes]]
FORGERIES: dict[str, tuple[Forge, tuple[str, ...]]] = {
    "a result": (
        lambda parts: forged(
            parts, "trace.jsonl",
            planted(parts["trace.jsonl"], len(parts["trace.jsonl"].splitlines()), result={"forged": True}),
        ),
        ("trace.sig.json: it is not about T1.jsonl", "trace.tlog-proof: it does not lead"),
    ),
    "the workflow": (
        lambda parts: forged(parts, "workflow.json", parts["workflow.json"].replace(b"SUCCESS", b"FAILED")),
        ("workflow.json: it is not the workflow",),
    ),
    "the manifest": (
        lambda parts: forged(parts, "manifest.json", parts["manifest.json"] + b"\n"),
        ("manifest.json: it is not the manifest", "manifest.sig.json: it is not about manifest.json"),
    ),
    "another's signature": (
        lambda parts: forged(parts, "trace.sig.json", parts["manifest.sig.json"]),
        ("trace.sig.json: it is not about T1.jsonl",),
    ),
    "the verifier": (
        lambda parts: forged(parts, "verify.py", b"print('PROVEN')\n"),
        ("verify.py: it is another verifier",),
    ),
    "a key under the old name": (
        lambda parts: forged(
            parts, "keys.json",
            parts["keys.json"].replace(
                json.loads(parts["keys.json"])["keys"][0]["key"].split("+")[2].encode(),
                PrivateKey("prod", bytes(32)).public.text.split("+")[2].encode(),
            ),
        ),
        ("keys.json:",),
    ),
    "a cut record": (
        lambda parts: forged(parts, "trace.jsonl", b"".join(parts["trace.jsonl"].splitlines(keepends=True)[:-1])),
        ("trace.jsonl: it is not the record of a run from its start to its end",),
    ),
    "swapped lines": (
        lambda parts: forged(parts, "trace.jsonl", b"".join(reversed(parts["trace.jsonl"].splitlines(keepends=True)))),
        ("trace.jsonl, line 1: it does not follow",),
    ),
}  # fmt: skip


def test_what_was_forged_with_a_new_index_is_named(bundle: Path) -> None:
    """The index is made anew too: only what is signed and chained gives it away."""
    other = bundle.with_name("forged.zip")
    for what, (forge, expected) in FORGERIES.items():
        other.write_bytes(bundled("T1", forge(parts_in(bundle))))
        status, text = said(other)
        assert status == 4 and all(line in text for line in expected), (what, text)


def test_another_run_under_this_name_is_named(bundle: Path) -> None:
    parts = parts_in(bundle)
    del parts["bundle.json"]
    other = bundle.with_name("other.zip")
    other.write_bytes(bundled("T2", parts))
    assert "bundle.json names 'T2'" in said(other)[1]


def test_who_is_trusted_decides_what_is_proven(call: Call, bundle: Path) -> None:
    def trusting(trust: Trust) -> tuple[int, str]:
        Path("outside.json").write_bytes(trust.written())
        return said(bundle, "--trust", "outside.json")

    public = stranger.keys_of("", Path("keys/prod.pub").read_bytes())
    assert len(public) == 1
    entry = Trust((TrustEntry(PrivateKey("other", bytes(32)).public, ("run",)),))
    status, text = trusting(entry)
    assert status == 1 and text.startswith("INTACT") and text.count("is not known") == 3
    from omnibachi_audit.proofs.keys import public_key

    key = public_key(Path("keys/prod.pub").read_text())
    assert trusting(Trust((TrustEntry(key, ("snapshot",)),)))[0] == 1
    assert trusting(Trust((TrustEntry(key, ("run",)),)))[0] == 0
    assert trusting(Trust((TrustEntry(key, ("checkpoint",)),)))[0] == 0
    late = trusting(Trust((TrustEntry(key, ("run",), None, "2020-01-01T00:00:00Z"),)))
    assert late[0] == 1 and "is not trusted at" in late[1]
    gone = trusting(Trust((TrustEntry(key, ("run", "checkpoint"), None, None, "2026-01-01T00:00:00Z", "x"),)))
    assert gone[0] == 1 and "revoked" in gone[1]
    Path("outside.json").write_text("{")
    assert said(bundle, "--trust", "outside.json")[0] == 4
    assert said(bundle, "--trust", "nothing")[0] == 3
    assert said(bundle, "--other")[0] == 2
    assert said(Path("nothing.zip"))[0] == 3


def test_verify_takes_bundles_too(call: Call, bundle: Path) -> None:
    checked = call("verify", str(bundle), "--require", "anchored", "--json").json()
    assert checked["verdict"] == "ANCHORED"
    assert [anchor.split(":")[0] for anchor in checked["anchors"]] == ["trace.sig.json", "trace.tlog-proof"]
    parts = {name: data for name, data in parts_in(bundle).items() if name != "bundle.json"}
    other = bundle.with_name("other.zip")
    other.write_bytes(bundled("T1", {**parts, "verify.py": b"# of another version\n"}))
    assert call("verify", str(other)).status == 0
    other.write_bytes(bundled("T1", {**parts, "trace.sig.json": parts["manifest.sig.json"]}))
    broken = call("verify", str(other))
    assert broken.status == 4 and "OB740" in broken.err and "trace.sig.json" in broken.err
    other.write_bytes(bundle.read_bytes()[:-9])
    assert call("verify", str(other)).status == 4
    other.write_bytes(bundled("T1", {**parts, "keys.json": b"[]"}))
    assert call("verify", str(other)).status == 4
    Path("trust.json").write_text("{}")
    assert "OB614" in call("verify", str(bundle)).err
    Path("trust.json").unlink()
    unknown = call("verify", str(bundle))
    assert unknown.status == 0 and "INTACT" in unknown.out and "OB617" in unknown.err
    assert call("verify", str(bundle), "--require", "anchored").status == 4
    assert call("keys", "trust", "keys/prod.pub", "--role", "other").status == 0
    assert call("verify", str(bundle), "--json").json()["verdict"] == "INTACT"


def test_a_run_without_evidence_is_intact_and_no_more(call: Call, workspace: Path) -> None:
    assert call("compile").status == 0
    greet(call, "T1")
    assert call("bundle", "T1", "--output", "plain.zip").status == 0
    assert set(parts_in(Path("plain.zip"))) == set(stranger.NEEDED)
    status, text = said(Path("plain.zip"))
    assert status == 0 and text == "INTACT: the parts fit together, and nobody vouches for the run\n"


def test_what_cannot_be_proven_is_not_packed(call: Call, bundle: Path, workspace: Path) -> None:
    whole = bundle.read_bytes()
    record = (workspace / "traces/T1/T1.jsonl").read_bytes()
    (workspace / "cut.jsonl").write_bytes(b"".join(record.splitlines(keepends=True)[:-1]))
    assert "OB622" in call("bundle", "cut.jsonl").err
    shutil.copy("traces/T1/T1.sig.json", "traces/T0/T0.sig.json")
    refused = call("bundle", "T0")
    assert refused.status == 4 and "OB621" in refused.err and not (workspace / "traces/T0/T0.bundle.zip").exists()
    greeting = workspace / "protocols/greeting/greet.yaml"
    shutil.copytree("protocol_snapshot", "released")
    greeting.write_text(greeting.read_text() + "---\nevent: EV_MORE_V0\nrecord: {}\n")
    assert call("compile").status == 0
    refused = call("bundle", "T1")
    assert refused.status == 4 and "OB627" in refused.err and bundle.read_bytes() == whole
    assert call("bundle", "T1", "--snapshot", "released").status == 0 and bundle.read_bytes() == whole
    (workspace / "trust.json").unlink()
    unknown = call("bundle", "T1", "--snapshot", "released")
    assert unknown.status == 0 and "OB617" in unknown.err
