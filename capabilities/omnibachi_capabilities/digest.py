"""`std::CT_DIGEST_V0`: the digest of any JSON value."""

from __future__ import annotations

import hashlib

from omnibachi_model.digests import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs


def digest(inputs: Inputs) -> Answer:
    """Give `0x` and the digest of the RFC 8785 bytes of `data`; the one `algorithm` so far is SHA-256."""
    return "SUCCESS", {"hash": "0x" + hashlib.sha256(encode(inputs["data"])).hexdigest()}
