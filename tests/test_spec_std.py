"""The transforms of the shipped domains, row by row as their specification has them, through `Workspace.call`.

Texts are typed `string`, so a malformed one is the outcome VIOLATION; what has another JSON type, or does not keep a
bound of the declaration, is no input at all: outcome None and a diagnostic.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from moving import ROOT
from omnibachi import Workspace
from omnibachi_model.digests import encode

SHIPPED = Workspace(ROOT)
ABANDON = "abandon " * 11 + "about"
SEED = "000102030405060708090a0b0c0d0e0f"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY, HASH = "46" * 32, "ab" * 32
GENERATOR = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
OTHER_HALF = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
OF_ONE = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
CHECKED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def asked(capability: str, **inputs: Any) -> tuple[str | None, dict[str, Any]]:
    """Return the outcome and the output of a transform; where it was not asked, there is a diagnostic."""
    found = SHIPPED.call(capability if "::" in capability else f"std::{capability}_V0", inputs)
    assert (found.outcome is None) == bool(found.diagnostics)
    return found.outcome, found.output


def written(data: str) -> list[str]:
    """Return hex in every way in which an input may be written."""
    return [data, data.upper(), f"0x{data}", f"0X{data.upper()}", f"0x{data.upper()}"]


@pytest.mark.parametrize("data", [{"b": [1, None], "a": "é"}, None, "", 0, 1.5, [], {}, True])
def test_identifiers_and_digests_are_over_the_canonical_bytes(data: Any) -> None:
    digits = hashlib.sha256(encode(data)).hexdigest()
    assert asked("CT_GENERATE_ID", prefix="AC", data=data) == ("SUCCESS", {"id": f"AC_{digits[:16]}"})
    assert asked("CT_GENERATE_ID", prefix="X", data=data, length=64) == ("SUCCESS", {"id": f"X_{digits}"})
    assert asked("CT_DIGEST", data=data) == ("SUCCESS", {"hash": f"0x{digits}"})
    assert asked("CT_DIGEST", data=data, algorithm="sha256") == ("SUCCESS", {"hash": f"0x{digits}"})
    keccak = asked("CT_KECCAK256", bytes=encode(data).hex())
    assert asked("CT_DIGEST", data=data, algorithm="keccak256") == keccak


@pytest.mark.parametrize(
    ("capability", "inputs"),
    [
        ("CT_GENERATE_ID", {"prefix": "ac", "data": 1}),
        ("CT_GENERATE_ID", {"prefix": "", "data": 1}),
        ("CT_GENERATE_ID", {"prefix": "AC\n", "data": 1}),
        ("CT_GENERATE_ID", {"prefix": "AC", "data": 1, "length": 15}),
        ("CT_GENERATE_ID", {"prefix": "AC", "data": 1, "length": 65}),
        ("CT_GENERATE_ID", {"prefix": "AC"}),
        ("CT_DIGEST", {"data": 1, "algorithm": "md5"}),
        ("CT_ELAPSED", {"from": "2026-01-01T00:00:00Z", "to": 5}),
        ("CT_SHIFT_TIME", {"at": "2026-01-01T00:00:00Z", "seconds": 0.5}),
        ("CT_KECCAK256", {"bytes": 0}),
        ("CT_PUBLIC_KEY", {"private_key": None}),
        ("CT_ADDRESS", {"public_key": "0x", "more": 1}),
        ("ai_governance::CT_COLLATZ_V0", {"number": "27", "max_steps": 1}),
    ],
)
def test_what_does_not_fit_the_declaration_is_not_asked(capability: str, inputs: dict[str, Any]) -> None:
    assert asked(capability, **inputs) == (None, {})


@pytest.mark.parametrize(
    ("begin", "end", "seconds", "days"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z", 30 * 86400, 30),
        ("2026-01-01T00:00:00Z", "2026-01-30T23:59:59Z", 30 * 86400 - 1, 29),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", -86400, -1),
        ("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z", -1, -1),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00z", 0, 0),
    ],
)
def test_elapsed(begin: str, end: str, seconds: int, days: int) -> None:
    assert asked("CT_ELAPSED", **{"from": begin, "to": end}) == ("SUCCESS", {"seconds": seconds, "days": days})


@pytest.mark.parametrize("text", ["", "2026-01-01", "2026-01-01T00:00:00", "2026-02-29T00:00:00Z", "soon", "０"])
def test_what_is_no_instant_is_a_violation(text: str) -> None:
    right = "2026-01-01T00:00:00Z"
    assert asked("CT_ELAPSED", **{"from": text, "to": right}) == ("VIOLATION", {})
    assert asked("CT_ELAPSED", **{"from": right, "to": text}) == ("VIOLATION", {})
    assert asked("CT_SHIFT_TIME", at=text, seconds=0) == ("VIOLATION", {})


def test_shifted_instants_are_in_utc() -> None:
    assert asked("CT_SHIFT_TIME", at="2026-01-01T00:00:00+02:00", seconds=60)[1] == {"at": "2025-12-31T22:01:00Z"}
    assert asked("CT_SHIFT_TIME", at="2026-01-01T00:00:00Z", seconds=-1)[1] == {"at": "2025-12-31T23:59:59Z"}


def test_hex_is_read_in_either_case_with_and_without_prefix() -> None:
    def same(capability: str, name: str, data: str, **more: str) -> None:
        answers = [asked(capability, **{name: text}, **more) for text in written(data)]
        assert answers[0][0] == "SUCCESS" and all(answer == answers[0] for answer in answers)

    same("CT_KECCAK256", "bytes", "abcdef")
    same("CT_ENTROPY_TO_MNEMONIC", "entropy", "7f" * 16)
    same("CT_DERIVE_KEY", "seed", SEED, path="m")
    same("CT_PUBLIC_KEY", "private_key", KEY)
    same("CT_ADDRESS", "public_key", "02" + GENERATOR)
    same("CT_ECDSA_SIGN", "private_key", KEY, hash=HASH)
    same("CT_ECDSA_SIGN", "hash", HASH, private_key=KEY)
    signature = asked("CT_ECDSA_SIGN", private_key=KEY, hash=HASH)[1]["signature"][2:]
    same("CT_ECDSA_RECOVER", "hash", HASH, signature=signature)
    same("CT_ECDSA_RECOVER", "signature", signature, hash=HASH)


@pytest.mark.parametrize("text", ["0", "0x0", "0xg0", "xyz", " 00", "00 ", "00\n", "0x0x00", "００"])
def test_what_is_no_hex_is_a_violation(text: str) -> None:
    for capability, inputs in (
        ("CT_KECCAK256", {"bytes": text}),
        ("CT_ENTROPY_TO_MNEMONIC", {"entropy": text}),
        ("CT_DERIVE_KEY", {"seed": text, "path": "m"}),
        ("CT_PUBLIC_KEY", {"private_key": text}),
        ("CT_ADDRESS", {"public_key": text}),
        ("CT_CHECKSUM_ADDRESS", {"address": text}),
        ("CT_ECDSA_SIGN", {"private_key": text, "hash": HASH}),
        ("CT_ECDSA_SIGN", {"private_key": KEY, "hash": text}),
        ("CT_ECDSA_RECOVER", {"hash": text, "signature": "00" * 65}),
        ("CT_ECDSA_RECOVER", {"hash": HASH, "signature": text}),
    ):
        assert asked(capability, **inputs) == ("VIOLATION", {})


def test_words_for_entropy() -> None:
    for length in range(34):
        outcome, output = asked("CT_ENTROPY_TO_MNEMONIC", entropy="00" * length)
        assert outcome == ("SUCCESS" if length in (16, 20, 24, 28, 32) else "VIOLATION")
        assert len(output.get("mnemonic", "").split()) == (length * 3 // 4 if output else 0)


def test_words_stand_for_a_seed() -> None:
    bare = asked("CT_MNEMONIC_TO_SEED", mnemonic=ABANDON)
    assert bare[0] == "SUCCESS" and bare[1]["seed"].startswith("0x5eb00bbddcf06908") and len(bare[1]["seed"]) == 130
    assert asked("CT_MNEMONIC_TO_SEED", mnemonic=ABANDON, passphrase="") == bare
    known = asked("CT_MNEMONIC_TO_SEED", mnemonic=ABANDON, passphrase="TREZOR")[1]["seed"]
    assert known.startswith("0xc55257c360c07c72")
    for words in ("", "abandon", "abandon " * 11 + "abandon", "abandon " * 11 + "bachi", ABANDON[8:], ABANDON.upper()):
        assert asked("CT_MNEMONIC_TO_SEED", mnemonic=words) == ("VIOLATION", {})


def test_keys_below_a_seed() -> None:
    hard = asked("CT_DERIVE_KEY", seed=SEED, path="m/0'")
    assert hard == asked("CT_DERIVE_KEY", seed=SEED, path="m/0h")
    outcome, output = asked("CT_DERIVE_KEY", seed=SEED, path="m/44'/60'/0'/0/0")
    assert outcome == "SUCCESS" and set(output) == {"private_key", "chain_code", "public_key", "fingerprint"}
    assert [len(output[name]) for name in sorted(output)] == [66, 10, 66, 68]
    assert asked("CT_PUBLIC_KEY", private_key=output["private_key"])[1]["compressed"] == output["public_key"]
    for path in ("m", "m/2147483647", "m/2147483647'"):
        assert asked("CT_DERIVE_KEY", seed=SEED, path=path)[0] == "SUCCESS"
    for path in ("", "/", "m/", "0", "/0", "M/0", "m//0", "m/-1", "m/x", "m/0''", "m/2147483648", "m/2147483648'"):
        assert asked("CT_DERIVE_KEY", seed=SEED, path=path) == ("VIOLATION", {})
    for length, right in ((15, False), (16, True), (64, True), (65, False)):
        outcome = asked("CT_DERIVE_KEY", seed="01" * length, path="m")[0]
        assert outcome == ("SUCCESS" if right else "VIOLATION")


def test_public_keys_and_addresses() -> None:
    outcome, output = asked("CT_PUBLIC_KEY", private_key=f"{1:064x}")
    assert (outcome, output) == (
        "SUCCESS",
        {"compressed": f"0x02{GENERATOR}", "uncompressed": f"0x04{GENERATOR}{OTHER_HALF}"},
    )
    for form in output.values():
        assert asked("CT_ADDRESS", public_key=form) == ("SUCCESS", {"address": OF_ONE})
    assert asked("CT_PUBLIC_KEY", private_key=f"{ORDER - 1:064x}")[0] == "SUCCESS"
    for number in (0, ORDER, ORDER + 1, 2**256 - 1):
        assert asked("CT_PUBLIC_KEY", private_key=f"{number:064x}") == ("VIOLATION", {})
    for point in (GENERATOR + OTHER_HALF, "02" + "00" * 31 + "05", "04" + GENERATOR + GENERATOR, "00" * 33):
        assert asked("CT_ADDRESS", public_key=point) == ("VIOLATION", {})


def test_checksums_of_addresses() -> None:
    for address in (CHECKED, CHECKED[2:], CHECKED.lower(), CHECKED.upper(), "0x" + CHECKED[2:].upper()):
        assert asked("CT_CHECKSUM_ADDRESS", address=address) == ("SUCCESS", {"address": CHECKED})
    for address in (CHECKED.swapcase(), CHECKED[:-1] + "D", CHECKED[:-1], CHECKED + "0", ""):
        assert asked("CT_CHECKSUM_ADDRESS", address=address) == ("VIOLATION", {})
    assert asked("CT_CHECKSUM_ADDRESS", address=CHECKED.swapcase(), any_case=True)[1] == {"address": CHECKED}
    assert asked("CT_CHECKSUM_ADDRESS", address="0x5a", any_case=True) == ("VIOLATION", {})


def test_signatures() -> None:
    outcome, made = asked("CT_ECDSA_SIGN", private_key=KEY, hash=HASH)
    assert outcome == "SUCCESS" and set(made) == {"r", "s", "y_parity", "signature"}
    assert made["signature"] == f"{made['r']}{made['s'][2:]}{made['y_parity']:02x}"
    assert int(made["s"], 16) <= ORDER // 2
    assert asked("CT_ECDSA_SIGN", private_key=KEY, hash=HASH)[1] == made
    key = asked("CT_PUBLIC_KEY", private_key=KEY)[1]["uncompressed"]
    address = asked("CT_ADDRESS", public_key=key)[1]["address"]
    found = asked("CT_ECDSA_RECOVER", hash=HASH, signature=made["signature"])
    assert found == ("SUCCESS", {"public_key": key, "address": address})
    for parity in ("02", "1b", "ff"):
        assert asked("CT_ECDSA_RECOVER", hash=HASH, signature=made["signature"][:-2] + parity)[0] == "VIOLATION"
    assert asked("CT_ECDSA_RECOVER", hash=HASH[2:], signature=made["signature"])[0] == "VIOLATION"
    assert asked("CT_ECDSA_SIGN", private_key=f"{ORDER:064x}", hash=HASH)[0] == "VIOLATION"


SIGNED = {
    "chain_id": 1337,
    "nonce": 0,
    "max_priority_fee_per_gas": "1",
    "max_fee_per_gas": "2",
    "gas_limit": 21000,
    "to_address": CHECKED,
    "value": "1",
    "data": "0x",
}


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({"value": str(2**256 - 1)}, "SUCCESS"),
        ({"value": str(2**256)}, "VIOLATION"),
        ({"max_fee_per_gas": str(2**256)}, "VIOLATION"),
        ({"max_priority_fee_per_gas": "3"}, "VIOLATION"),
        ({"value": "01"}, "VIOLATION"),
        ({"value": "+1"}, "VIOLATION"),
        ({"value": "-1"}, "VIOLATION"),
        ({"value": ""}, "VIOLATION"),
        ({"to_address": CHECKED.lower()}, "SUCCESS"),
        ({"to_address": CHECKED.swapcase()}, "VIOLATION"),
        ({"data": "AB"}, "SUCCESS"),
        ({"data": "0xa"}, "VIOLATION"),
        ({"chain_id": 0}, None),
    ],
)
def test_transactions_are_signed(changed: dict[str, Any], outcome: str | None) -> None:
    found = asked("blockchain::CT_SIGN_TRANSACTION_V0", transaction={**SIGNED, **changed}, private_key=KEY)
    assert found[0] == outcome
    if outcome == "SUCCESS":
        made = found[1]
        assert set(made) == {"raw", "hash", "signing_hash", "from", "r", "s", "y_parity"}
        assert made["raw"].startswith("0x02") and asked("CT_KECCAK256", bytes=made["raw"])[1]["hash"] == made["hash"]
        signature = f"{made['r']}{made['s'][2:]}{made['y_parity']:02x}"
        signer = asked("CT_ECDSA_RECOVER", hash=made["signing_hash"], signature=signature)[1]["address"]
        assert signer == made["from"]


@pytest.mark.parametrize(
    ("number", "most", "outcome", "output"),
    [
        (1, 1, "SUCCESS", {"terms": [1], "length": 1, "peak": 1}),
        (6, 8, "SUCCESS", {"terms": [6, 3, 10, 5, 16, 8, 4, 2, 1], "length": 9, "peak": 16}),
        (6, 7, "EXHAUSTED", {"steps": 7}),
        (2**53 - 1, 100, "EXHAUSTED", {"steps": 0}),
        (0, 10, "VIOLATION", {}),
        (-5, 10, "VIOLATION", {}),
    ],
)
def test_collatz(number: int, most: int, outcome: str, output: dict[str, Any]) -> None:
    assert asked("ai_governance::CT_COLLATZ_V0", number=number, max_steps=most) == (outcome, output)


def test_a_schedule_plays_transactions_first() -> None:
    given = {"transactions": [{"a": 1}, {"a": 2}, {"a": 3}], "slots": 2, "interval": 6, "duration": 12}
    steps = asked("blockchain::CT_SCHEDULE_V0", **given)[1]["steps"]
    order = [(step["kind"], step["number"], step["at"]) for step in steps]
    assert order == [
        ("TRANSACTION", 0, 0), ("TRANSACTION", 1, 6), ("TRANSACTION", 2, 12), ("SLOT", 1, 12), ("SLOT", 2, 24),
    ]  # fmt: skip
