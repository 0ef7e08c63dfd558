"""The cryptography of `std` against published vectors: Keccak, BIP-39, BIP-32, RFC 6979, EIP-55, EIP-155."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_capabilities.curve import address, checksum_address, ecdsa_recover, ecdsa_sign, public_key
from omnibachi_capabilities.derived_keys import derive_key
from omnibachi_capabilities.digest import digest
from omnibachi_capabilities.intrinsic_gas import intrinsic_gas
from omnibachi_capabilities.keccak import keccak256
from omnibachi_capabilities.mnemonics import entropy_to_mnemonic, mnemonic_to_seed
from omnibachi_capabilities.transactions import sign_transaction

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
VIOLATION: tuple[str, dict[str, Any]] = ("VIOLATION", {})

# BIP-39's own vectors, all with the passphrase TREZOR (entropy, words, seed); test vectors 1, 2 and 3 of BIP-32, of
# which the last keeps leading zeros (number of the seed, path, extended private key); signatures with the key 1.
VECTORS = json.loads((Path(__file__).parent / "vectors" / "cryptography.json").read_text())
MNEMONICS, SEEDS, KEYS = VECTORS["bip39"], VECTORS["seeds"], VECTORS["bip32"]

# EIP-55's own examples.
ADDRESSES = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


def extended(text: str) -> tuple[str, str]:
    """Return (private key, chain code) of an extended private key, whose checksum is checked."""
    number = 0
    for letter in text:
        number = number * 58 + BASE58.index(letter)
    data = number.to_bytes(82)
    assert hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]
    assert data[:4].hex() == "0488ade4"
    return "0x" + data[46:78].hex(), "0x" + data[13:45].hex()


@pytest.mark.parametrize(("data", "hashed"), [
    ("0x", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    ("616263", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ("0X616263", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
])  # fmt: skip
def test_keccak(data: str, hashed: str) -> None:
    assert keccak256({"bytes": data}) == ("SUCCESS", {"hash": "0x" + hashed})


def test_a_digest_by_keccak_is_that_of_the_canonical_bytes() -> None:
    _, made = digest({"data": {"b": 1, "a": None}, "algorithm": "keccak256"})
    assert made == keccak256({"bytes": b'{"a":null,"b":1}'.hex()})[1]


@pytest.mark.parametrize("text", ["0x0", "0", "xy", "0x 00", " 00", "00\n", "0x0x00", "٠٠", "00 "])
def test_what_is_no_hex_is_a_violation(text: str) -> None:
    assert keccak256({"bytes": text}) == VIOLATION


@pytest.mark.parametrize(("entropy", "words", "seed"), MNEMONICS, ids=[item[0][:4] for item in MNEMONICS])
def test_bip_39(entropy: str, words: str, seed: str) -> None:
    assert entropy_to_mnemonic({"entropy": entropy}) == ("SUCCESS", {"mnemonic": words})
    assert mnemonic_to_seed({"mnemonic": words, "passphrase": "TREZOR"}) == ("SUCCESS", {"seed": "0x" + seed})


@pytest.mark.parametrize("words", [
    "abandon " * 11 + "abandon",  # the checksum
    "abandon " * 11 + "zoo",
    "abandon " * 10 + "about",  # eleven words
    "abandon " * 11 + "aboot",
    "abandon " * 11 + "About",
    " " + "abandon " * 11 + "about",
    "abandon  " + "abandon " * 10 + "about",
    "abandon " * 11 + "about\n",
    "abandon\t" * 11 + "about",
    "", " ", "ab\u0301andon " * 11 + "about", "abandon " * 5000,
])  # fmt: skip
def test_a_mnemonic_that_is_none(words: str) -> None:
    assert mnemonic_to_seed({"mnemonic": words, "passphrase": ""}) == VIOLATION


@pytest.mark.parametrize("length", [0, 1, 15, 17, 31, 33, 64])
def test_entropy_of_another_length(length: int) -> None:
    assert entropy_to_mnemonic({"entropy": "00" * length}) == VIOLATION


@pytest.mark.parametrize(("seed", "path", "xprv"), KEYS, ids=[f"{number}-{path}" for number, path, _ in KEYS])
def test_bip_32(seed: int, path: str, xprv: str) -> None:
    outcome, made = derive_key({"seed": SEEDS[seed], "path": path})
    assert outcome == "SUCCESS"
    assert (made["private_key"], made["chain_code"]) == extended(xprv)
    assert made["public_key"] == public_key({"private_key": made["private_key"]})[1]["compressed"]


def test_the_fingerprint_is_that_of_the_key_itself() -> None:
    # Vector 1 of BIP-32: the identifier of its master key begins with 3442193e.
    assert derive_key({"seed": SEEDS[0], "path": "m"})[1]["fingerprint"] == "0x3442193e"


@pytest.mark.parametrize("path", [
    "", "M", "m/", "/0", "0/1", "m/0/", "m//0", "m/-1", "m/+1", "m/1_0", "m/ 1", "m/0''", "m/0H", "m/2147483648", "m/x",
    "m/٣", "m/0\n", "m" + "/0" * 256, "m/99999999999",
])  # fmt: skip
def test_what_is_no_path(path: str) -> None:
    assert derive_key({"seed": SEEDS[0], "path": path}) == VIOLATION


@pytest.mark.parametrize("seed", ["", "00" * 15, "00" * 65, "0x0", "seed"])
def test_what_is_no_seed(seed: str) -> None:
    assert derive_key({"seed": seed, "path": "m"}) == VIOLATION


@pytest.mark.parametrize("written", ADDRESSES)
def test_eip_55(written: str) -> None:
    for text in (written, written.lower(), "0x" + written[2:].upper(), written[2:], "0X" + written[2:]):
        assert checksum_address({"address": text, "any_case": False}) == ("SUCCESS", {"address": written})
    swapped = "0x" + written[2:].swapcase()
    if written[2:] not in (written[2:].lower(), written[2:].upper()):
        assert checksum_address({"address": swapped, "any_case": False}) == VIOLATION
    assert checksum_address({"address": swapped, "any_case": True}) == ("SUCCESS", {"address": written})


@pytest.mark.parametrize("text", ["", "0x", "0x" + "0" * 39, "0x" + "0" * 41, "0x" + "g" * 40, " 0x" + "0" * 40])
def test_what_is_no_address(text: str) -> None:
    for any_case in (False, True):
        assert checksum_address({"address": text, "any_case": any_case}) == VIOLATION


def test_eip_155() -> None:
    key = "0x" + "46" * 32
    signing_hash = "0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    outcome, made = ecdsa_sign({"private_key": key, "hash": signing_hash})
    assert outcome == "SUCCESS"
    assert made["r"] == "0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
    assert made["s"] == "0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    assert made["y_parity"] == 0  # v is 37: 35 + 2 * chain 1 + parity
    outcome, found = ecdsa_recover({"hash": signing_hash, "signature": made["signature"]})
    assert (outcome, found["address"]) == ("SUCCESS", "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F")
    assert address({"public_key": public_key({"private_key": key})[1]["compressed"]})[1]["address"] == found["address"]


@pytest.mark.parametrize(("message", "signature"), VECTORS["rfc6979"], ids=["short", "long"])
def test_rfc_6979_on_this_curve(message: str, signature: str) -> None:
    hashed = hashlib.sha256(message.encode()).hexdigest()
    _, made = ecdsa_sign({"private_key": "00" * 31 + "01", "hash": hashed})
    assert made["signature"][2:-2] == signature


@settings(max_examples=15, deadline=None)
@given(st.integers(1, ORDER - 1), st.binary(min_size=32, max_size=32))
def test_whoever_signed_is_found_again(key: int, message: bytes) -> None:
    private = key.to_bytes(32).hex()
    _, made = ecdsa_sign({"private_key": private, "hash": message.hex()})
    _, points = public_key({"private_key": private})
    _, found = ecdsa_recover({"hash": message.hex(), "signature": made["signature"]})
    assert int(made["s"], 16) <= ORDER // 2
    assert found["public_key"] == points["uncompressed"]
    assert address({"public_key": points["uncompressed"]}) == address({"public_key": points["compressed"]})


@pytest.mark.parametrize("key", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_what_is_no_private_key(key: int) -> None:
    text = key.to_bytes(32).hex()
    assert public_key({"private_key": text}) == VIOLATION
    assert ecdsa_sign({"private_key": text, "hash": "00" * 32}) == VIOLATION


@pytest.mark.parametrize("point", [
    "", "02", "04" + "00" * 64, "02" + "ff" * 32, "03" + f"{5:064x}", "05" + "00" * 32, "00", "06" + "00" * 64,
    "02" + "00" * 64, "04" + "00" * 32,
])  # fmt: skip
def test_what_is_no_point_of_the_curve(point: str) -> None:
    assert address({"public_key": point}) == VIOLATION


@pytest.mark.parametrize("signature", [
    "", "00" * 65, "ff" * 65, "00" * 64, "01" * 64 + "02", "01" * 64 + "1b", "00" * 32 + "01" * 32 + "00",
    f"{ORDER:064x}" + "01" * 32 + "00", "01" * 32 + f"{ORDER:064x}" + "00", f"{5:064x}" + "01" * 32 + "00",
])  # fmt: skip
def test_what_is_no_signature(signature: str) -> None:
    assert ecdsa_recover({"hash": "11" * 32, "signature": signature}) == VIOLATION
    assert ecdsa_recover({"hash": "11" * 31, "signature": "01" * 64 + "00"}) == VIOLATION


AMOUNTS = st.integers(0, 2**256 - 1) | st.integers(0, 300)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, ORDER - 1), st.integers(1, 2**53 - 1), st.integers(0, 2**32), AMOUNTS, AMOUNTS, AMOUNTS,
       st.binary(max_size=40), st.binary(min_size=20, max_size=20))  # fmt: skip
def test_transactions_are_those_of_eth_account(
    key: int, chain: int, nonce: int, one: int, two: int, value: int, data: bytes, to: bytes
) -> None:
    tip, fee = sorted((one, two))
    transaction = {
        "chain_id": chain, "nonce": nonce, "max_priority_fee_per_gas": str(tip), "max_fee_per_gas": str(fee),
        "gas_limit": 50000, "to_address": "0x" + to.hex(), "value": str(value), "data": "0x" + data.hex(),
    }  # fmt: skip
    outcome, made = sign_transaction({"transaction": transaction, "private_key": key.to_bytes(32).hex()})
    theirs = Account.sign_transaction(
        {"type": 2, "chainId": chain, "nonce": nonce, "maxPriorityFeePerGas": tip, "maxFeePerGas": fee, "gas": 50000,
         "to": to, "value": value, "data": data}, key.to_bytes(32),
    )  # fmt: skip
    assert outcome == "SUCCESS"
    assert made["raw"] == "0x" + bytes(theirs.raw_transaction).hex()
    assert made["hash"] == "0x" + bytes(theirs.hash).hex()
    assert made["from"] == Account.from_key(key.to_bytes(32)).address
    signature = made["r"] + made["s"][2:] + f"{made['y_parity']:02x}"
    assert ecdsa_recover({"hash": made["signing_hash"], "signature": signature})[1]["address"] == made["from"]


@pytest.mark.parametrize("changed", [
    {"value": str(2**256)}, {"value": "-1"}, {"value": "01"}, {"value": "1.0"}, {"value": ""}, {"value": "٣"},
    {"max_fee_per_gas": str(2**256)}, {"max_priority_fee_per_gas": "21"}, {"data": "0x0"}, {"data": "data"},
    {"to_address": "0x9D8A62f656a8d1615C1294fd71e9CFb3E4855A4F"}, {"to_address": ""}, {"nonce": -1},
])  # fmt: skip
def test_what_is_no_transaction(changed: dict[str, Any]) -> None:
    transaction = {
        "chain_id": 1, "nonce": 0, "max_priority_fee_per_gas": "20", "max_fee_per_gas": "20", "gas_limit": 21000,
        "to_address": "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F", "value": "0", "data": "0x",
    }  # fmt: skip
    key = "46" * 32
    assert sign_transaction({"transaction": transaction, "private_key": key})[0] == "SUCCESS"
    assert sign_transaction({"transaction": {**transaction, **changed}, "private_key": key}) == VIOLATION
    assert sign_transaction({"transaction": transaction, "private_key": "00" * 32}) == VIOLATION


@given(st.binary(max_size=50))
def test_the_gas_of_data(data: bytes) -> None:
    gas = 21000 + sum(16 if byte else 4 for byte in data)
    assert intrinsic_gas({"data": "0x" + data.hex()}) == ("SUCCESS", {"gas": gas})
    assert intrinsic_gas({"data": data.hex() + "0"}) == VIOLATION
