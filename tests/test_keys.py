"""Keys as lines of text, their files, which nobody overwrites, and the trust file: whose word counts for what."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from front_door import Call, call, workspace
from omnibachi_audit.proofs.keys import PrivateKey, Unreadable, plain, private_key, public_key
from omnibachi_audit.proofs.trust import SCHEMA, Trust, TrustEntry, retired_key, revoked_key, trust_of
from omnibachi_model.digests import encode

__all__ = ["call", "workspace"]

# The key and the signature of the example that signed notes are introduced with.
NOTED = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

KEY = PrivateKey("example.org/prod", bytes(range(32)))
AT = "2026-06-01T00:00:00Z"


def test_a_key_is_written_as_signed_notes_write_it() -> None:
    key = private_key(NOTED)
    assert (key.text, key.public.text, key.public.id) == (NOTED, PUBLIC, "PeterNeumann+c74f20a3")
    assert base64.b64encode(key.public.hash + key.sign(TEXT)).decode() == SIGNED
    assert public_key(PUBLIC + "\n").verifies(TEXT, key.sign(TEXT))
    assert not key.public.verifies(TEXT + b".", key.sign(TEXT)) and not key.public.verifies(TEXT, b"short")
    assert str(key.seed) not in repr(key) and "AYEK" not in repr(key)


@given(st.integers(0, len(PUBLIC) - 1), st.characters(codec="utf-8"))
def test_a_changed_line_is_no_key(place: int, sign: str) -> None:
    changed = PUBLIC[:place] + sign + PUBLIC[place + 1 :]
    if changed != PUBLIC:
        with pytest.raises(Unreadable):
            public_key(changed)


@pytest.mark.parametrize(
    "text", ["", "\n", "a+b", NOTED, PUBLIC[:-4], "PeterNeumann++", "a b+c74f20a3+AA==", PUBLIC + "\n\n"]
)
def test_what_is_no_public_key_is_none(text: str) -> None:
    with pytest.raises(Unreadable):
        public_key(text)


@pytest.mark.parametrize("text", ["", PUBLIC, NOTED[:-4], NOTED.replace("Peter", "Pater")])
def test_what_is_no_private_key_is_none(text: str) -> None:
    with pytest.raises(Unreadable):
        private_key(text)


def test_base64_has_one_text_for_each_bytes() -> None:
    assert plain("AA==") == b"\0"
    for odd in ("AB==", "AA=", "A A=", "AA==\n", "-_==", "é"):
        with pytest.raises(Unreadable):
            plain(odd)


def entry(**members: Any) -> TrustEntry:
    return TrustEntry(KEY.public, ("snapshot",), **members)


def codes(found: Any) -> str | None:
    return found and found.code


def test_a_key_counts_for_its_roles_in_its_time_until_it_is_revoked() -> None:
    year = {"since": "2026-01-01T00:00:00Z", "until": "2026-12-31T23:59:59+02:00"}
    assert entry(**year).objection("snapshot", AT) is None
    assert codes(entry(**year).objection("run", AT)) == "OB618"
    assert codes(entry(**year).objection("snapshot", "2025-12-31T23:59:59.999Z")) == "OB619"
    assert codes(entry(**year).objection("snapshot", "2026-12-31T22:00:00Z")) == "OB619"
    assert entry(**year).objection("snapshot", "2026-12-31T21:59:59Z") is None
    gone = revoked_key(entry(**year), "2026-05-01T00:00:00Z", "stolen")
    found = gone.objection("snapshot", "2026-01-02T00:00:00Z")
    assert codes(found) == "OB620" and found is not None and "stolen" in found.message
    assert retired_key(entry(), AT).objection("snapshot", AT) is None
    assert codes(retired_key(entry(), AT).objection("snapshot", "2026-06-01T00:00:00.001Z")) == "OB619"


def test_a_trust_file_says_what_was_written_into_it() -> None:
    gone = revoked_key(TrustEntry(private_key(NOTED).public, ("run",), AT, None), AT, "lost")
    trust = Trust((gone,)).with_entry(entry(until=AT))
    assert set(trust_of(trust.written()).entries) == {entry(until=AT), gone}
    assert trust_of(trust.written()).written() == trust.written()
    again = trust_of(trust.written()).with_entry(entry())
    assert again.entry(KEY.public.id) == entry() and len(again.entries) == 2
    assert codes(again.stranger(KEY.public.id + "0")) == "OB617"


GOOD: dict[str, Any] = {"key": KEY.public.text, "roles": ["run"]}


@pytest.mark.parametrize(
    "value",
    [
        [], {}, {"schema": SCHEMA}, {"schema": SCHEMA, "keys": {}}, {"schema": "omnibachi.trust/2", "keys": []},
        {"schema": SCHEMA, "keys": [], "more": 1}, {"schema": SCHEMA, "keys": [GOOD, GOOD]},
        *({"schema": SCHEMA, "keys": [{**GOOD, **odd}]} for odd in (
            {"key": PUBLIC[:-1]}, {"key": 1}, {"key": NOTED}, {"roles": "run"}, {"roles": ["Run"]}, {"roles": [1]},
            {"from": "2026"}, {"until": 5}, {"until": "2026-13-01T00:00:00Z"}, {"revoked": True},
            {"revoked": {"at": AT}}, {"revoked": {"at": "now", "reason": ""}}, {"note": "x"},
        )),
        {"schema": SCHEMA, "keys": [{"key": KEY.public.text}]}, {"schema": SCHEMA, "keys": ["prod"]},
    ],
)  # fmt: skip
def test_a_trust_file_is_read_strictly(value: Any) -> None:
    with pytest.raises(Unreadable):
        trust_of(encode(value))


@given(st.binary(max_size=200))
def test_no_bytes_make_a_reader_stumble(data: bytes) -> None:
    for read in (trust_of, lambda given: private_key(given.decode("latin-1"))):
        with pytest.raises(Unreadable):
            read(data)


def test_a_new_key_is_for_its_owner_alone_and_is_never_overwritten(call: Call, workspace: Path) -> None:
    said = call("keys", "new", "example.org/prod", "--role", "run", "--role", "snapshot", "--json").json()
    private = workspace / "keys" / "example.org-prod.key"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    key = private_key(private.read_text())
    assert key.name == "example.org/prod" and key.public.id == said["id"]
    assert public_key((workspace / "keys" / "example.org-prod.pub").read_text()) == key.public
    before = private.read_bytes()
    again = call("keys", "new", "example.org/prod")
    assert again.status == 3 and "OB612" in again.err and private.read_bytes() == before
    private.unlink()
    assert "OB612" in call("keys", "new", "example.org/prod").err and not private.exists()
    listed = call("keys", "ls", "--json").json()["keys"]
    assert [(item["id"], item["roles"], item["revoked"]) for item in listed] == [
        (key.public.id, ["run", "snapshot"], None)
    ]
    assert key.text not in (workspace / "trust.json").read_text()


def test_keys_are_trusted_retired_and_revoked(call: Call, workspace: Path) -> None:
    first = call("keys", "new", "prod", "--json").json()
    assert call("keys", "ls").out == "no key is trusted\n"
    assert call("keys", "trust", "keys/prod.pub").status == 2
    assert call("keys", "trust", first["key"], "--role", "run", "--until", "2030-01-01T00:00:00Z").status == 0
    second = call("keys", "new", "prod", "--folder", "other", "--role", "run", "--json").json()
    assert call("keys", "retire", first["id"]).status == 0
    assert call("keys", "revoke", "other/prod.pub", "--reason", "stolen").status == 0
    listed = {item["id"]: item for item in call("keys", "ls", "--json").json()["keys"]}
    assert listed[first["id"]]["until"] is not None and listed[first["id"]]["revoked"] is None
    assert listed[second["id"]]["revoked"]["reason"] == "stolen"
    assert call("keys", "trust", "other/prod.pub", "--role", "snapshot").status == 0
    assert trust_of((workspace / "trust.json").read_bytes()).entry(second["id"]).revoked_at is not None  # type: ignore[union-attr]
    said = call("keys", "revoke", first["id"][:-1])
    assert said.status == 3 and "OB628" in said.err and first["id"] in said.err


def test_what_is_no_key_and_no_trust_is_told(call: Call, workspace: Path) -> None:
    for name in ("a b", "", "a+b", "x" * 65, "-a", "é", "\udc80"):
        said = call("keys", "new", "--", name)
        assert said.status == 3 and "OB613" in said.err, name
    assert "OB613" in call("keys", "trust", "nothing", "--role", "run").err
    assert call("keys", "new", "a", "--role", "Run").status == 2
    assert call("keys", "trust", "a", "--role", "run", "--from", "soon").status == 2
    (workspace / "trust.json").write_text(json.dumps({"schema": SCHEMA}))
    said = call("keys", "ls")
    assert said.status == 4 and "OB614" in said.err
    assert call("keys", "new", "a", "--role", "run").status == 4 and not (workspace / "keys").exists()
    (workspace / "keys").write_text("a file")
    said = call("keys", "new", "a")
    assert said.status == 6 and "OB629" in said.err
