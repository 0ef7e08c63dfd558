"""The words behind a wallet, all that is secret of them, and the search for it in whatever lies about."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vault
from moving import ROOT, Actor
from omnibachi import Workspace

SHIPPED = Workspace(ROOT)
ANNA, BERT = Actor("Anna"), Actor("Bert")
CREATE, SUBMIT = "blockchain::WF_CREATE_WALLET_V0", "blockchain::WF_SUBMIT_TRANSACTION_V0"
PATH = "m/44'/60'/0'/0/0"
SOMEWHERE = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"


def asked(capability: str, **inputs: str) -> dict[str, Any]:
    """Return what a capability answers to its caller, in memory."""
    found = SHIPPED.call(f"std::{capability}", inputs)
    assert found.outcome == "SUCCESS"
    return found.output


WORDS, OTHERS = (
    str(asked("CT_ENTROPY_TO_MNEMONIC_V0", entropy=entropy)["mnemonic"])
    for entropy in ("0x8f1c5ae9b27d4406d3e1f02b9a6c7785", "0x35b2d7c94e01a86fbc5d9213e7f04a68")
)


def of_words(words: str) -> tuple[list[str], list[bytes]]:
    """Return what must stand nowhere: any three words in a row; and seed, and every key and chain code on the path."""
    listed = words.split()
    texts = [" ".join(listed[start : start + 3]) for start in range(len(listed) - 2)]
    seed = str(asked("CT_MNEMONIC_TO_SEED_V0", mnemonic=words)["seed"])
    numbers = {seed}
    steps = PATH.split("/")
    for count in range(1, len(steps) + 1):
        derived = asked("CT_DERIVE_KEY_V0", seed=seed, path="/".join(steps[:count]))
        numbers |= {str(derived["private_key"]), str(derived["chain_code"])}
    return texts, [bytes.fromhex(number[2:]) for number in sorted(numbers)]


def forms(texts: list[str], numbers: list[bytes]) -> Iterator[bytes]:
    """Yield all of it in every form in which it might be written."""
    for text in texts:
        yield from vault.encodings(text)
        yield text.replace(" ", '","').encode()
        yield text.replace(" ", "', '").encode()
    for number in numbers:
        # as text in hex, whatever is done to the text; as bytes, and as base64 of those; half of it is too much
        yield from vault.encodings(number.hex())
        yield from vault.encodings(number.hex().upper())
        yield from (number, number[:16], number[-16:], number[::-1])
        yield from (number.hex()[:32].encode(), number.hex()[-32:].encode(), str(int.from_bytes(number)).encode())
        for start in range(3):
            coded = base64.b64encode(b"\0" * start + number)
            yield coded[4 if start else 0 : len(coded) // 4 * 4 - 4]


FORMS = sorted({form for words in (WORDS, OTHERS) for form in forms(*of_words(words))})


def leaks(data: bytes) -> list[bytes]:
    """Return what of it stands in some bytes."""
    return [form for form in FORMS if form in data]


def leaking(*folders: Path) -> list[tuple[str, list[bytes]]]:
    """Return every file below some folders that holds any of it, in its name or its bytes."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            data = str(path).encode() + b"\0" + (path.read_bytes() if path.is_file() else b"")
            if held := leaks(data):
                found.append((str(path), held))
    return found


def transaction(**more: Any) -> dict[str, Any]:
    """Return what signs a transaction of Anna's wallet."""
    asked_for = {"actor_record": ANNA.record, "wallet_id": ANNA.wallet, "to_address": SOMEWHERE, "value": "1"}
    return {**asked_for, "mnemonic": WORDS, **more}


def wallet(actor: Actor = BERT, **more: Any) -> dict[str, Any]:
    """Return what gives an actor a wallet that is bound to the address of the words."""
    return {"actor_record": actor.record, "actor_id": actor.id, "mnemonic": WORDS, **more}
