"""Signed statements about snapshots and runs: what they prove, and every way in which they do not."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forging import planted
from front_door import GREET, Call, call, greet, workspace
from omnibachi import Refused, verify, wiring
from omnibachi.trusting import voucher
from omnibachi_audit.proofs.envelopes import (
    envelope_of,
    judge_envelope,
    pae,
    sealed_envelope,
    snapshot_statement,
)
from omnibachi_audit.proofs.keys import PrivateKey, Unreadable, private_key
from omnibachi_audit.proofs.trust import Trust, TrustEntry
from omnibachi_model.digests import digest, pretty

__all__ = ["call", "workspace"]

KEY = PrivateKey("prod", bytes(range(32)))
OTHER = PrivateKey("prod", bytes(range(1, 33)))
AT = "2026-06-01T00:00:00Z"
TRUST = Trust((TrustEntry(KEY.public, ("snapshot",)),))
STATED = snapshot_statement(b"{}\n", AT)


def test_what_is_signed_is_the_pre_authentication_encoding() -> None:
    """The example of the DSSE protocol."""
    encoded = pae(b"hello world", "http://example.com/HelloWorld")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_an_envelope_says_who_states_what() -> None:
    data = sealed_envelope(STATED, KEY)
    value = json.loads(data)
    assert value["payloadType"] == "application/vnd.in-toto+json"
    payload = base64.b64decode(value["payload"])
    assert json.loads(payload) == STATED == envelope_of(data).statement
    assert STATED["subject"] == [
        {
            "name": "manifest.json",
            "digest": {"sha256": "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"},
        }
    ]
    assert STATED["_type"] == "https://in-toto.io/Statement/v1"
    assert KEY.public.verifies(pae(payload), base64.b64decode(value["signatures"][0]["sig"]))
    assert judge_envelope(data, STATED, "it", TRUST) == KEY.public.id


def found(data: bytes, trust: Trust = TRUST, expected: Any = STATED) -> list[str]:
    by = judge_envelope(data, expected, "it", trust)
    return [] if isinstance(by, str) else [item.code for item in by]


def respelt(data: bytes, **members: Any) -> bytes:
    return json.dumps({**json.loads(data), **members}).encode()


def test_whatever_is_changed_is_named() -> None:
    data = sealed_envelope(STATED, KEY)
    assert found(data, Trust()) == ["OB617"]
    assert found(sealed_envelope(STATED, OTHER)) == ["OB617"]
    mine = json.loads(sealed_envelope(STATED, OTHER))["signatures"][0]
    assert found(respelt(data, signatures=[{**mine, "keyid": KEY.public.id}])) == ["OB616"]
    later = json.loads(sealed_envelope(snapshot_statement(b"{}\n", "2027-01-01T00:00:00Z"), KEY))["payload"]
    assert found(respelt(data, payload=later)) == ["OB616"]
    assert found(data, expected=snapshot_statement(b"{ }\n", AT)) == ["OB621"]
    assert found(data, Trust((TrustEntry(KEY.public, ("run",)),))) == ["OB618"]
    assert found(data, Trust((TrustEntry(KEY.public, ("snapshot",), "2026-06-02T00:00:00Z"),))) == ["OB619"]
    assert found(data, Trust((TrustEntry(KEY.public, ("snapshot",), None, None, AT, ""),))) == ["OB620"]
    both = [mine, json.loads(data)["signatures"][0]]
    assert found(respelt(data, signatures=both)) == []
    about = {**STATED, "predicateType": "https://slsa.dev/provenance/v1"}
    assert found(sealed_envelope(about, KEY)) == ["OB618"]


BAD: list[Callable[[dict[str, Any]], Any]] = [
    lambda value: value.update(more=1),
    lambda value: value.pop("payload"),
    lambda value: value.update(payloadType="text/plain"),
    lambda value: value.update(payload=value["payload"] + "\n"),
    lambda value: value.update(payload=base64.b64encode(b"{}").decode()),
    lambda value: value.update(payload=base64.b64encode(b"{").decode()),
    lambda value: value.update(payload=7),
    lambda value: value.update(signatures=[]),
    lambda value: value.update(signatures=value["signatures"] * 17),
    lambda value: value["signatures"][0].update(more=1),
    lambda value: value["signatures"][0].update(sig="AA="),
    lambda value: value["signatures"][0].update(sig=1),
    lambda value: value["signatures"].append("x"),
]


@pytest.mark.parametrize("change", BAD)
def test_what_is_no_envelope_is_told(change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(sealed_envelope(STATED, KEY))
    change(value)
    assert found(json.dumps(value).encode()) == ["OB615"]


@pytest.mark.parametrize(
    "odd",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"}, {"subject": []}, {"subject": STATED["subject"] * 2},
        {"predicate": {}}, {"predicate": {"signed_at": "yesterday"}}, {"predicate": {"signed_at": AT, "more": 1}},
        {"predicateType": 5}, {"predicateType": "urn:omnibachi:run:1"}, {"more": 1},
        {"predicateType": "urn:omnibachi:run:1", "predicate": {"signed_at": AT, "head": {}}},
    ],
)  # fmt: skip
def test_what_is_no_statement_is_told(odd: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        envelope_of(sealed_envelope({**STATED, **odd}, KEY))


@given(st.integers(0, 2**16), st.integers(1, 255))
def test_no_flipped_byte_is_taken_for_what_was_signed(place: int, bits: int) -> None:
    """Only the base64's meaning is signed; so what still counts says exactly the same."""
    data = bytearray(sealed_envelope(STATED, KEY))
    data[place % len(data)] ^= bits
    if found(bytes(data)) == []:
        assert envelope_of(bytes(data)).statement == STATED


@pytest.fixture
def signed(call: Call, workspace: Path) -> Path:
    assert call("compile").status == 0
    assert call("keys", "new", "prod", "--role", "snapshot", "--role", "run").status == 0
    assert call("sign", "protocol_snapshot", "--key", "keys/prod.key").status == 0
    return workspace


def test_a_signed_snapshot_is_anchored_and_runs_say_so(call: Call, signed: Path) -> None:
    checked = call("verify", "protocol_snapshot", "--require", "anchored", "--json").json()
    assert checked["verdict"] == "ANCHORED" and checked["anchors"][0].startswith("signature prod+")
    ran = greet(call, "T1", "--json").json()
    assert ran["origin"] == "signed"
    assert json.loads((signed / "traces/T1/T1.jsonl").read_bytes().splitlines()[0])["obs"]["origin"] == "signed"
    seal = (signed / "protocol_snapshot/manifest.sha256").read_text().strip()
    assert greet(call, "T2", "--seal", seal, "--json").json()["origin"] == "pinned"
    assert greet(call, "T3", "--trust", "trust.json", "--json").json()["origin"] == "signed"
    assert call("compile").status == 0 and call("compile", "--check").status == 0
    assert greet(call, "T4", "--json").json()["origin"] == "signed"


def test_without_a_trust_file_nobody_vouches(call: Call, signed: Path) -> None:
    (signed / "trust.json").rename(signed / "elsewhere.json")
    assert greet(call, "T1", "--json").json()["origin"] == "unpinned"
    said = call("verify", "protocol_snapshot")
    assert said.status == 0 and "INTACT" in said.out and "OB617" in said.err
    assert call("verify", "protocol_snapshot", "--require", "anchored").status == 4
    assert call("verify", "protocol_snapshot", "--require", "anchored", "--trust", "elsewhere.json").status == 0
    said = call("run", "--wf", GREET, "--trust", "trust.json", "--no-picture")
    assert said.status == 4 and "OB614" in said.err
    assert call("verify", "protocol_snapshot", "--trust", "nothing.json").status == 3


@pytest.mark.parametrize("change", ["retire", "revoke", "role", "bytes", "other", "gone", "new"])
def test_a_snapshot_whose_signature_does_not_count_is_refused(call: Call, signed: Path, change: str) -> None:
    code = _spoil(call, signed, change)
    said = call("run", "--wf", GREET, "--payload", "examples/greet.json", "--no-picture", "--trust", "trust.json")
    assert said.status == 4 and code in said.err, said.err
    plain = call("run", "--wf", GREET, "--payload", "examples/greet.json", "--no-picture", "--json").json()
    if change in ("gone", "new"):
        assert plain["origin"] == "unpinned"
    else:
        assert plain["exit_code"] == 4 and plain["diagnostics"][0]["code"] == code
        spoilt = code in ("OB615", "OB616", "OB621")
        assert call("verify", "protocol_snapshot").status == (4 if spoilt else 0)
        assert code in call("verify", "protocol_snapshot").err


def _spoil(call: Call, signed: Path, change: str) -> str:
    signature = signed / "protocol_snapshot/manifest.sig.json"
    if change == "retire":
        assert call("keys", "retire", "keys/prod.pub", "--until", "2020-01-01T00:00:00Z").status == 0
        return "OB619"
    if change == "revoke":
        assert call("keys", "revoke", "keys/prod.pub").status == 0
        return "OB620"
    if change == "role":
        assert call("keys", "trust", "keys/prod.pub", "--role", "run").status == 0
        return "OB618"
    if change == "bytes":
        signature.write_bytes(signature.read_bytes()[:-40])
        return "OB615"
    if change == "gone":
        signature.unlink()
        return "OB615"
    word = signed / "protocols/greeting/greet.yaml"
    kept = signature.read_bytes()
    word.write_text(word.read_text().replace("Hello", "Hullo").replace("Welcome", "Welcum") + "\n# more\n")
    assert call("compile").status == 0 and not signature.exists()
    if change == "other":
        signature.write_bytes(kept)
        return "OB621"
    return "OB615"


def test_a_snapshot_that_does_not_hold_is_not_signed(call: Call, signed: Path) -> None:
    (signed / "protocol_snapshot/more.json").write_text("{}")
    said = call("sign", "protocol_snapshot/manifest.json", "--key", "keys/prod.key")
    assert said.status == 4 and "OB610" in said.err


def test_a_signed_run_is_anchored_anywhere(call: Call, signed: Path) -> None:
    greet(call, "T1")
    said = call("sign", "T1", "--key", "keys/prod.key", "--json").json()
    assert said["subject"] == "T1.jsonl"
    here = call("verify", "T1", "--json").json()
    assert [item.split()[0] for item in here["anchors"]] == ["journal", "signature"]
    elsewhere = signed.parent / "elsewhere"
    elsewhere.mkdir()
    for name in ("T1.jsonl", "T1.sig.json"):
        (elsewhere / name).write_bytes((signed / "traces/T1" / name).read_bytes())
    words = ("verify", str(elsewhere / "T1.jsonl"), "--data-root", str(elsewhere), "--require", "anchored")
    assert call(*words).status == 0
    (signed / "trust.json").unlink()
    said = call(*words)
    assert said.status == 4 and "OB617" in said.err and "OB748" in said.err


def test_a_record_with_all_hashes_made_anew_is_given_away(call: Call, signed: Path) -> None:
    greet(call, "T1")
    assert call("sign", "traces/T1/T1.jsonl", "--key", "keys/prod.key").status == 0
    record = (signed / "traces/T1/T1.jsonl").read_bytes()
    lines = len(record.splitlines())
    forged = planted(record, lines, result={"forged": True})
    signature, trust = (signed / "traces/T1/T1.sig.json").read_bytes(), (signed / "trust.json").read_bytes()
    verdict = verify(forged, signature=signature, trust=trust)
    assert (verdict.verdict, [item.code for item in verdict.findings]) == ("INTACT", ["OB621"])
    assert verify(record, signature=signature, trust=trust).verdict == "ANCHORED"
    assert verify(record[:-1], signature=signature, trust=trust).verdict == "BROKEN"
    assert [item.code for item in verify(record, signature=signature, trust=b"{").findings] == ["OB614"]
    cut = b"".join(record.splitlines(keepends=True)[:-1])
    assert [item.code for item in verify(cut, signature=signature, trust=trust).findings] == ["OB622"]
    (signed / "traces/T1/T1.jsonl").write_bytes(forged)
    said = call("verify", "T1", "--data-root", "none")
    assert said.status == 4 and "OB621" in said.err


def test_whoever_signs_learns_that_it_does_not_count_here(call: Call, signed: Path) -> None:
    greet(call, "T1")
    assert call("keys", "new", "other").status == 0
    for key, code in (("other", "OB617"), ("prod", None)):
        said = call("sign", "T1", "--key", f"keys/{key}.key", "--json").json()
        assert said["ok"] and [item["code"] for item in said["diagnostics"]] == ([code] if code else [])


def test_what_cannot_be_vouched_for_is_not_signed(call: Call, signed: Path) -> None:
    greet(call, "T1")
    record = (signed / "traces/T1/T1.jsonl").read_bytes()
    (signed / "cut.jsonl").write_bytes(b"".join(record.splitlines(keepends=True)[:-1]))
    (signed / "broken.jsonl").write_bytes(record.replace(b"T1", b"T9", 1))
    for name in ("cut.jsonl", "broken.jsonl"):
        said = call("sign", name, "--key", "keys/prod.key")
        assert said.status == 4 and "OB622" in said.err, name
    assert call("sign", "T9", "--key", "keys/prod.key").status == 3
    assert "OB613" in call("sign", "T1", "--key", "keys/prod.pub").err


def test_a_compile_between_the_manifest_and_its_signature_is_no_forgery(signed: Path) -> None:
    """They are two files, and the second one read may be the newer snapshot's."""
    old = (signed / "protocol_snapshot/manifest.json").read_bytes()
    new = pretty({**json.loads(old), "sources": {}})
    key = private_key((signed / "keys/prod.key").read_text())
    signature = sealed_envelope(snapshot_statement(new, AT), key)
    manifests = iter([old, new])
    latest = [old]

    def read(name: str) -> bytes | None:
        if name == "manifest.json":
            latest[0] = next(manifests, latest[0])
            return latest[0]
        return signature if name == "manifest.sig.json" else None

    opened = wiring.open_snapshot(read, vouch=voucher(str(signed / "trust.json"), needed=True))
    assert (opened.seal, opened.origin) == (digest(new), "signed")
    manifests = iter([old, old])
    with pytest.raises(Refused) as refused:
        wiring.open_snapshot(read, vouch=voucher(str(signed / "trust.json"), needed=True))
    assert [item.code for item in refused.value.diagnostics] == ["OB621"]


def test_a_run_without_a_trust_file_loads_nothing_for_it(call: Call, signed: Path) -> None:
    (signed / "trust.json").unlink()
    code = (
        "import sys; from omnibachi.__main__ import main; main(sys.argv[1:]); sys.exit('cryptography' in sys.modules)"
    )
    words = [sys.executable, "-c", code, "run", "--wf", GREET, "--payload", "examples/greet.json", "--no-picture"]
    assert subprocess.run(words, cwd=signed, capture_output=True, check=False, timeout=60).returncode == 0
