"""`std::CT_KECCAK256_V0`: the hash of Ethereum, which is Keccak as it was before SHA-3 changed its padding."""

from __future__ import annotations

from Crypto.Hash import keccak

from . import hexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs


def keccak256(inputs: Inputs) -> Answer:
    """Give the Keccak-256 of `bytes` (hex)."""
    data = hexes.read(inputs["bytes"])
    if data is None:
        return "VIOLATION", {}
    return "SUCCESS", {"hash": hexes.write(hashed(data))}


def hashed(data: bytes) -> bytes:
    """Return the Keccak-256 of bytes: 32 bytes."""
    return keccak.new(data=data, digest_bits=256).digest()
