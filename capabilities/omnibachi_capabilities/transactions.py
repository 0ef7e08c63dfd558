"""`blockchain::CT_SIGN_TRANSACTION_V0`: a transaction of EIP-1559, signed, as the bytes that a node takes."""

from __future__ import annotations

import re

import rlp

from . import curve, hexes
from .keccak import hashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from omnibachi_model.values import Answer, Inputs

WEI = re.compile(r"(?:0|[1-9][0-9]{0,79})\Z")
LIMIT = 1 << 256  # of anything counted in wei
TYPE = b"\x02"


def sign_transaction(inputs: Inputs) -> Answer:
    """Sign `transaction` with `private_key`: raw bytes, hash, what was signed, and who did.

    Signed is the Keccak-256 of 2 and the RLP of [chain, nonce, tip, fee, gas, to, value, data, no access list];
    raw are 2 and the RLP of the same with parity, r and s (EIP-1559).
    """
    secret, fields = curve.private(inputs["private_key"]), fields_of(inputs["transaction"])
    if secret is None or fields is None:
        return "VIOLATION", {}
    signing_hash = hashed(TYPE + rlp.encode(fields))
    parity, r, s = curve.sign(secret, signing_hash)
    raw = TYPE + rlp.encode([*fields, parity, int.from_bytes(r), int.from_bytes(s)])
    return "SUCCESS", {
        "raw": hexes.write(raw),
        "hash": hexes.write(hashed(raw)),
        "signing_hash": hexes.write(signing_hash),
        "from": curve.address_of(curve.point_of(secret, compressed=False)),
        "r": hexes.write(r),
        "s": hexes.write(s),
        "y_parity": parity,
    }


def fields_of(given: Mapping[str, Any]) -> list[Any] | None:
    """Return what is signed, in order; None where one of them is malformed, or the tip above the fee."""
    to, data = curve.read_address(given["to_address"]), hexes.read(given["data"])
    value, fee, tip = (wei(given[name]) for name in ("value", "max_fee_per_gas", "max_priority_fee_per_gas"))
    if to is None or data is None or value is None or fee is None or tip is None or tip > fee or given["nonce"] < 0:
        return None
    # The last item is the access list, which is empty.
    return [given["chain_id"], given["nonce"], tip, fee, given["gas_limit"], bytes.fromhex(to[2:]), value, data, []]


def wei(text: str) -> int | None:
    """Return an amount of wei, below 2^256, written in decimal without sign or leading zeros; else None."""
    return int(text) if WEI.match(text) and int(text) < LIMIT else None
