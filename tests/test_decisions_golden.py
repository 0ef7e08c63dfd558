"""The bytes of events: golden vectors, and a verifier that shares no code with the house."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from deciding import anchors, asked
from omnibachi_audit.proofs.anchors import anchored_ledger
from omnibachi_audit.proofs.keys import public_key
from omnibachi_audit.proofs.trust import Trust, TrustEntry
from omnibachi_ledger.decisions.fold import Fold
from omnibachi_ledger.decisions.verifying import Verdict
from omnibachi_ledger.decisions.verifying import verify_export as verify_file
from omnibachi_model.decisions import (
    COVERED,
    DECISION,
    DERIVED,
    INTENT,
    NORMATIVE,
    ZERO,
    digest_of_event,
    event_of,
    misshapen,
    next_head,
    normative_digest,
    said,
)  # fmt: skip
from omnibachi_model.digests import digest, digest_of, encode
from omnibachi_model.values import LIMIT, admit
from omnibachi_policy.again import Again

ROOT = Path(__file__).resolve().parent.parent
VERIFIER = ROOT / "examples" / "verify_decisions.py"
GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/vectors/decisions.json").read_text("utf-8"))
EVENTS: list[dict[str, Any]] = GOLDEN["events"]
EXPORT = b"".join(encode(event) + b"\n" for event in EVENTS)
verify_alone = runpy.run_path(str(VERIFIER))["verify"]

keys = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=4)
numbers = st.integers(1 - LIMIT, LIMIT - 1) | st.floats(1e-5, 1e15, exclude_max=True) | st.floats(-1.0, -1e-5)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
objects: Any = st.dictionaries(keys, values, max_size=3).map(admit)


def verify_export(data: bytes) -> Verdict:
    """Verify an export that is at hand."""
    return verify_file(io.BytesIO(data))


def stranger(folder: Path, *contents: bytes) -> tuple[int, str]:
    """Verify an export, and a checkpoint, by the verifier alone, outside the house: exit status, what it said."""
    files = []
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)
        files.append(str(folder / str(number)))
    done = subprocess.run([sys.executable, "-I", str(VERIFIER), *files], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_golden_bytes_are_what_the_digests_cover() -> None:
    """Written out once, so that no code stands between the text of the page and the digests."""
    first, second = EVENTS[:2]
    whole = GOLDEN["canonical_of_0"].encode()
    assert encode({name: first[name] for name in COVERED}) == whole
    assert (digest(whole), len(whole)) == (first["digest"], first["canon_len"]) == digest_of_event(first)
    normative = GOLDEN["normative_of_1"].encode()
    assert encode({name: second[name] for name in NORMATIVE}) == normative
    assert digest(normative) == second["normative_digest"] == normative_digest(second)
    step = GOLDEN["step_of_1"].encode()
    assert digest(step) == next_head(ZERO, first["normative_digest"], second["normative_digest"])
    assert sorted(first) == sorted({*COVERED, *DERIVED})


def test_the_golden_ledger_holds_here_and_elsewhere(tmp_path: Path) -> None:
    fold = Fold()
    assert [fold.take(event) for event in EVENTS] == [None] * len(EVENTS)
    assert (fold.v_digest, fold.normative_head) == (GOLDEN["v_digest"], GOLDEN["normative_head"])
    told = f"{len(EVENTS)} {GOLDEN['v_digest']} {GOLDEN['normative_head']}\n"
    assert stranger(tmp_path, EXPORT) == (0, told)
    checkpoint = {"length": 6, "v_digest": GOLDEN["v_digest"], "normative_head": GOLDEN["normative_head"]}
    assert stranger(tmp_path, EXPORT, encode(checkpoint)) == (0, told)
    for other in ({"length": 5}, {"length": 7}, {"v_digest": ZERO}, {"normative_head": ZERO}):
        assert stranger(tmp_path, EXPORT, encode({**checkpoint, **other}))[0] == 1


def test_the_golden_checkpoint_is_signed_by_its_key(tmp_path: Path) -> None:
    """By the page alone: what is signed, over what, in which words; and the key is that of its line."""
    said = GOLDEN["checkpoint"]["signed"]
    covered = GOLDEN["checkpoint"]["covered"].encode()
    assert encode({name: value for name, value in said.items() if name != "signed"}) == covered
    envelope, (name, _, line) = said["signed"], GOLDEN["checkpoint"]["key"].split("+", 2)
    payload = base64.b64decode(envelope["payload"])
    assert json.loads(payload) == {
        "_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:omnibachi:ledger:1",
        "predicate": {"signed_at": said["at"]},
        "subject": [{"name": said["store"], "digest": {"sha256": hashlib.sha256(covered).hexdigest()}}],
    }  # fmt: skip
    (signature,) = envelope["signatures"]
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(line)[1:])
    key.verify(base64.b64decode(signature["sig"]), signed)
    assert signature["keyid"].startswith(f"{name}+")
    trust = Trust((TrustEntry(public_key(GOLDEN["checkpoint"]["key"]), ("checkpoint",)),)).written()
    assert anchored_ledger(said, encode(said["signed"]), trust) == ([signature["keyid"]], [])
    assert stranger(tmp_path, EXPORT, encode(said))[0] == 0


def test_golden_decisions_are_made_again_in_any_year(tmp_path: Path) -> None:
    """Whoever changes what facts are, or what a gate says, changes what was decided long ago."""
    decided: dict[str, Any] = json.loads((ROOT / "tests/vectors/decided.json").read_text("utf-8"))
    again = Again(lambda digest, _: decided["packs"].get(digest))
    assert [item for event in decided["events"] for item in again.take(event)] == []
    assert (again.decisions, again.kept, again.untold) == (6, {}, {})
    export = b"".join(encode(event) + b"\n" for event in decided["events"])
    assert verify_export(export).reason is None and stranger(tmp_path, export)[0] == 0
    assert all(digest_of(pack) == digest for digest, pack in decided["packs"].items())


def test_the_verifier_is_short_and_imports_nothing_of_the_house() -> None:
    text = VERIFIER.read_text("utf-8")
    assert len(text.splitlines()) <= 60
    assert "omnibachi" not in "".join(line for line in text.splitlines() if "import" in line)


def test_both_find_the_same_bad_event(tmp_path: Path) -> None:
    """Flipped bytes all over the export, lines left out, twice or swapped."""

    def theirs(data: bytes) -> int | None:
        try:
            verify_alone(data.decode().split("\n")[:-1])
        except SystemExit as ended:
            return int(str(ended.code).split()[1])
        return None

    lines = EXPORT.splitlines(keepends=True)
    for place in range(7, len(EXPORT), 23):
        data = bytearray(EXPORT)
        data[place] ^= 1
        index = EXPORT.count(b"\n", 0, place)
        found = verify_export(bytes(data)).first_bad_index
        assert found == (index if EXPORT[place] != 10 else found) and found is not None
    for index in range(len(lines)):
        cut, twice = b"".join(lines[:index] + lines[index + 1 :]), b"".join(lines[: index + 1] + lines[index:])
        last = index == len(lines) - 1
        assert verify_export(cut).first_bad_index == theirs(cut) == (None if last else index)
        assert verify_export(twice).first_bad_index == theirs(twice) == index + 1
        if not last:
            swapped = b"".join([*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]])
            assert verify_export(swapped).first_bad_index == theirs(swapped) == index
    assert verify_export(EXPORT[:-1]).first_bad_index == len(lines) - 1


@pytest.mark.parametrize("name", [*COVERED, *DERIVED])
def test_every_member_is_under_a_digest_or_follows_from_one(name: str) -> None:
    """Changed, left out, or another type: none passes."""
    for index in range(len(EVENTS)):
        for other in ("x", None, 7, {}, True):
            if other != EVENTS[index][name] or type(other) is not type(EVENTS[index][name]):
                changed = [*EVENTS[:index], {**EVENTS[index], name: other}, *EVENTS[index + 1 :]]
                data = b"".join(encode(event) + b"\n" for event in changed)
                assert verify_export(data).first_bad_index == index, (index, other)
        short = {key: value for key, value in EVENTS[index].items() if key != name}
        data = b"".join(encode(event) + b"\n" for event in [*EVENTS[:index], short])
        assert verify_export(data).first_bad_index == index


@settings(max_examples=60, deadline=None)
@given(payload=objects, obs=objects)
def test_any_event_is_verified_by_both(payload: dict[str, Any], obs: dict[str, Any]) -> None:
    """Whatever canonical JSON stands in it, both write the same bytes."""
    event = event_of(0, INTENT, anchors(1), "user", {**payload, **asked()}, obs, ZERO)
    line = encode(event)
    assert verify_export(line + b"\n").reason is None
    assert len(verify_alone([line.decode()])) == 2


def test_what_is_normative_leaves_out_what_was_observed() -> None:
    """When, by which run and at which place changes the digest of the event, not of what it says."""
    plain = event_of(0, INTENT, anchors(1), "user", asked(), {"at": "x"}, ZERO)
    for other in (event_of(5, INTENT, anchors(1), "user", asked(), {"at": "x"}, ZERO),
                  event_of(0, INTENT, anchors(1), "user", asked(), {"at": "y"}, ZERO),
                  event_of(0, INTENT, anchors(1), "user", asked(), {"at": "x"}, plain["digest"])):  # fmt: skip
        assert other["normative_digest"] == plain["normative_digest"] and other["digest"] != plain["digest"]
    for number in range(2):
        other = event_of(0, INTENT, anchors(1), ("another", "user")[number], asked(("hello", "x")[number]), {}, ZERO)
        assert other["normative_digest"] != plain["normative_digest"]


def test_the_form_and_the_roles_are_no_part_of_what_was_said() -> None:
    one = event_of(0, INTENT, anchors(1), "user", asked(form="flat"), {}, ZERO)
    other = event_of(4, INTENT, anchors(1), "user", asked(form="v3"), {"at": "x"}, ZERO)
    other["payload"]["_envelope"]["identity"]["roles"] = ["read"]
    assert said(one) == said(other)
    assert said(one) != said(event_of(0, INTENT, anchors(1), "user", asked(principal="another"), {}, ZERO))
    assert misshapen({**one, "kind": DECISION}) is not None and misshapen(one) is None
