"""Tokens: who may knock, by a file that only its owner may read, and by nothing else."""

from __future__ import annotations

import hmac
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi.commands.token_command import command
from omnibachi_model.diagnostics import Refused
from omnibachi_model.digests import digest
from omnibachi_transport import tokens
from omnibachi_transport.reasons import Finding
from omnibachi_transport.secret_texts import shows_secret
from omnibachi_transport.tokens import LOCAL, ROLES, Tokens, bearer, load_tokens, new_token, token_entry, token_file

ANNA, BERT = new_token(), new_token()
ENTRIES = [token_entry(ANNA, "anna", "north", ["read", "intent"]), token_entry(BERT, "bert", None, ["ingest"])]


def kept(place: Path, value: Any = None, *, mode: int = 0o600) -> Path:
    """Write a file of tokens; `value` is bytes, JSON, or none for that of Anna and Bert."""
    file = place / "tokens.json"
    file.write_bytes(
        value if isinstance(value, bytes) else token_file(ENTRIES) if value is None else json.dumps(value).encode()
    )
    file.chmod(mode)
    return file


def refused(file: Path) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        load_tokens(file)
    (item,) = caught.value.diagnostics
    assert caught.value.exit_code == 3 and ANNA not in item.message and BERT not in item.message
    return item.code, item.message


def test_who_asks_is_what_the_file_says_of_the_token(tmp_path: Path) -> None:
    found = load_tokens(kept(tmp_path))
    anna = {"principal": "anna", "tenant": "north", "verified": True, "roles": ["intent", "read"]}
    for header in (f"Bearer {ANNA}", f"bearer {ANNA}", f"BEARER   {ANNA} "):
        assert found.identify(header) == anna
    assert found.identify(f"Bearer {BERT}") == {
        "principal": "bert", "tenant": None, "verified": True, "roles": ["ingest"],
    }  # fmt: skip
    assert [found.grants(role) for role in (*ROLES, "admin")] == [True, True, True, False]
    assert ANNA not in repr(found) and ANNA.encode() not in (tmp_path / "tokens.json").read_bytes()


@pytest.mark.parametrize("header", [
    None, "", "Bearer", "Bearer ", ANNA, f"Basic {ANNA}", f"Token {ANNA}", f"Bearer{ANNA}", f"Bearer {ANNA}x",
    f"Bearer {ANNA[:-1]}", f"Bearer {ANNA} {BERT}", f"Bearer {ANNA},", f"Bearer {digest(ANNA.encode())}",
    f"Bearer {ANNA.swapcase()}", "Bearer " + "x" * 5000, f"Bearer {ANNA}\x00", "Bearer ÿ", f"Bearer '{ANNA}'",
], ids=lambda header: "header")  # fmt: skip
def test_what_is_no_known_token_is_nobody(tmp_path: Path, header: str | None) -> None:
    found = load_tokens(kept(tmp_path)).identify(header)
    assert isinstance(found, Finding) and found.reason_code == "auth.missing_token"
    assert ANNA not in found.detail and not shows_secret(found.detail)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80), st.sampled_from(("", "Bearer ", "bearer")))
def test_no_header_is_taken_for_somebody(text: str, scheme: str) -> None:
    known = Tokens(((digest(ANNA.encode()), {"principal": "anna", "roles": []}),))
    assert isinstance(known.identify(scheme + text), Finding)
    token = bearer(scheme + text)
    assert token is None or (token in text and " " not in token)


def test_every_entry_is_compared_in_constant_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digest by digest, all of them, wherever the one stands that fits."""
    seen: list[tuple[str, str]] = []
    really = hmac.compare_digest

    def compare(known: str, came: str) -> bool:
        seen.append((known, came))
        return really(known, came)

    many = [new_token() for _ in range(5)]
    found = load_tokens(kept(tmp_path, {"tokens": [token_entry(item, "p", None, ["read"]) for item in many]}))
    monkeypatch.setattr(tokens.hmac, "compare_digest", compare)
    for token in (many[0], many[-1], "none"):
        seen.clear()
        found.identify(f"Bearer {token}")
        assert seen == [(digest(item.encode()), digest(token.encode())) for item in many]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o601, 0o777, 0o610])
def test_a_file_that_others_may_read_or_change(tmp_path: Path, mode: int) -> None:
    code, message = refused(kept(tmp_path, mode=mode))
    assert code == "OB924" and f"{mode:04o}" in message


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_that_its_owner_alone_may_read(tmp_path: Path, mode: int) -> None:
    assert len(load_tokens(kept(tmp_path, mode=mode)).entries) == 2


def test_a_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = kept(tmp_path)
    if os.geteuid() == 0:
        os.chown(file, 4321, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4321)
    assert refused(file)[0] == "OB924"


ENTRY = ENTRIES[0]


@pytest.mark.parametrize("value", [
    b"", b"{", b"[]", b"null", b"\xff", b"\xef\xbb\xbf{}", b'{"tokens":[],"tokens":[]}', {}, {"tokens": []},
    {"tokens": {}}, {"tokens": [ENTRY], "more": 1}, {"tokens": [1]}, {"tokens": [{**ENTRY, "token": ANNA}]},
    {"tokens": [{**ENTRY, "digest": ANNA}]}, {"tokens": [{**ENTRY, "digest": ENTRY["digest"].upper()}]},
    {"tokens": [{**ENTRY, "digest": ENTRY["digest"][7:]}]}, {"tokens": [{**ENTRY, "roles": []}]},
    {"tokens": [{**ENTRY, "roles": ["admin"]}]}, {"tokens": [{**ENTRY, "roles": ["read", "read"]}]},
    {"tokens": [{**ENTRY, "roles": "read"}]}, {"tokens": [{**ENTRY, "principal": ""}]},
    {"tokens": [{**ENTRY, "principal": " x"}]}, {"tokens": [{**ENTRY, "principal": None}]},
    {"tokens": [{**ENTRY, "tenant": 1}]}, {"tokens": [ENTRY, {**ENTRY, "principal": "other"}]},
    {"tokens": [{name: ENTRY[name] for name in ("digest", "roles")}]}, ANNA.encode(), {ANNA: 1},
    b'{"%b":1,"%b":1}' % (ANNA.encode(), ANNA.encode()), b" " * (1 << 20) + b"{}", b"[" * 5000,
], ids=lambda value: "file")  # fmt: skip
def test_a_file_that_is_none(tmp_path: Path, value: Any) -> None:
    """It is told, and nothing of what stands in it is shown."""
    assert refused(kept(tmp_path, value))[0] == "OB923"


def test_what_is_no_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for place in (tmp_path / "none.json", tmp_path, pipe, tmp_path / ("x" * 300), tmp_path / "none" / "x"):
        assert refused(place)[0] == "OB923"


def test_without_a_file_the_local_caller_asks_unverified() -> None:
    assert LOCAL == {"principal": "local", "tenant": None, "verified": False, "roles": ["intent", "read"]}


def test_tokens_are_long_drawn_and_seen_as_secrets() -> None:
    drawn = {new_token() for _ in range(100)}
    assert len(drawn) == 100 and all(re.fullmatch(r"omnibachi_[A-Za-z0-9_-]{43}", item) for item in drawn)
    assert all(shows_secret(f"my token is {item}.") and bearer(f"Bearer {item}") == item for item in drawn)
    assert not shows_secret(digest(b"x")) and not shows_secret("omnibachi_model")


# The command that makes one.


def made(*given: str, status: int = 0) -> Any:
    done = CliRunner().invoke(command, [*given, "--json"], standalone_mode=False)
    assert done.return_value == status if done.exception is None else status == 2, done
    return json.loads(done.stdout) if done.stdout else None


def test_a_token_is_made_and_its_entry_shown() -> None:
    found = made("--principal", "anna", "--tenant", "north", "--role", "read", "--role", "intent")
    assert found["entry"] == token_entry(found["token"], "anna", "north", ["intent", "read"]) and found["file"] is None
    text = CliRunner().invoke(command, ["--principal", "anna", "--role", "read"], standalone_mode=False).stdout
    token = re.search(r"omnibachi_[\w-]{43}", text)
    assert token and digest(token[0].encode()) in text


def test_a_token_is_put_into_the_file_which_nobody_else_may_read(tmp_path: Path) -> None:
    file, before = tmp_path / "tokens.json", os.umask(0)
    try:
        first = made("--principal", "anna", "--role", "intent", "--into", str(file))
        second = made("--principal", "bert", "--role", "read", "--role", "ingest", "--into", str(file))
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600 and first["file"] == str(file)
    known = load_tokens(file)
    for found, principal in ((first, "anna"), (second, "bert")):
        who = known.identify(f"Bearer {found['token']}")
        assert isinstance(who, dict) and who["principal"] == principal
        assert found["token"].encode() not in file.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokens.json"]


def test_a_file_that_is_none_is_left_as_it_is(tmp_path: Path) -> None:
    for value, mode, code in ((b"notes", 0o600, "OB923"), (None, 0o644, "OB924")):
        file = kept(tmp_path, value, mode=mode)
        data = file.read_bytes()
        told = made("--principal", "anna", "--role", "read", "--into", str(file), status=3)
        assert [item["code"] for item in told["diagnostics"]] == [code] and "token" not in told
        assert file.read_bytes() == data


def test_who_adds_while_another_does_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    file = kept(tmp_path)
    (tmp_path / "tokens.json.new").touch()
    told = made("--principal", "carl", "--role", "read", "--into", str(file), status=6)
    assert [item["code"] for item in told["diagnostics"]] == ["OB629"] and len(load_tokens(file).entries) == 2
    assert (tmp_path / "tokens.json.new").exists()
    nowhere = made("--principal", "carl", "--role", "read", "--into", str(tmp_path / "none" / "x.json"), status=6)
    assert [item["code"] for item in nowhere["diagnostics"]] == ["OB629"] and "token" not in nowhere


@pytest.mark.parametrize("given", [
    [], ["--principal", "anna"], ["--role", "read"], ["--principal", " ", "--role", "read"],
    ["--principal", "anna", "--role", "admin"], ["--principal", "a\nb", "--role", "read"],
    ["--principal", "anna", "--tenant", "", "--role", "read"], ["--principal", "x" * 129, "--role", "read"],
])  # fmt: skip
def test_what_is_asked_amiss(given: list[str]) -> None:
    made(*given, status=2)
