"""`std::CT_DIGEST_V0`: the digest of any JSON value."""

from __future__ import annotations

import hashlib

from omnibachi_model.digests import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs


def digest(inputs: Inputs) -> Answer:
    """Give `0x` and the digest of the RFC 8785 bytes of `data`, by SHA-256 or Keccak-256 as `algorithm` says."""
    data = encode(inputs["data"])
    if inputs["algorithm"] == "keccak256":
        # Imported here: whoever asks for SHA-256 needs no library for it.
        from .keccak import hashed

        return "SUCCESS", {"hash": "0x" + hashed(data).hex()}
    return "SUCCESS", {"hash": "0x" + hashlib.sha256(data).hexdigest()}
