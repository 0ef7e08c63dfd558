"""`std::CT_DERIVE_KEY_V0`: the key at a path below a seed (BIP-32)."""

from __future__ import annotations

import hashlib
import hmac
import re

from Crypto.Hash import RIPEMD160
from eth_account.hdaccount.deterministic import HardNode, SoftNode, derive_child_key

from . import curve, hexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs

PATH = re.compile(r"m((?:/[0-9]{1,10}['h]?)*)\Z")
DEPTH = 255  # a key's depth is one byte
HARDENED = 1 << 31
SEED = range(16, 65)  # bytes


def derive_key(inputs: Inputs) -> Answer:
    """Give the private key, chain code, public key (33 bytes) and fingerprint (4 bytes) at `path` below `seed`."""
    seed, steps = hexes.read(inputs["seed"]), steps_of(inputs["path"])
    if seed is None or len(seed) not in SEED or steps is None:
        return "VIOLATION", {}
    both = hmac.digest(b"Bitcoin seed", seed, hashlib.sha512)
    key, chain_code = both[:32], both[32:]
    if curve.private(key.hex()) is None:
        # Of 2^127 seeds one is no key; the standard says so.
        return "VIOLATION", {}
    for index, hardened in steps:
        key, chain_code = derive_child_key(key, chain_code, HardNode(index) if hardened else SoftNode(index))
    point = curve.point_of(key, compressed=True)
    fingerprint = RIPEMD160.new(hashlib.sha256(point).digest()).digest()[:4]
    return "SUCCESS", {
        "private_key": hexes.write(key),
        "chain_code": hexes.write(chain_code),
        "public_key": hexes.write(point),
        "fingerprint": hexes.write(fingerprint),
    }


def steps_of(path: str) -> list[tuple[int, bool]] | None:
    """Return (index, hardened) of each step of a path such as `m/44'/60'/0'/0/0`; None where it is no path."""
    found = PATH.match(path)
    if found is None:
        return None
    parts = found[1].split("/")[1:]
    steps = [(int(part.rstrip("'h")), part[-1] in "'h") for part in parts]
    return steps if len(steps) <= DEPTH and all(index < HARDENED for index, _ in steps) else None
