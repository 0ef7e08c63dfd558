"""`std::CT_GENERATE_ID_V0`: an identifier that follows from data, so that it cannot be chosen and can be checked."""

from __future__ import annotations

import hashlib

from omnibachi_model.digests import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs


def generate_id(inputs: Inputs) -> Answer:
    """Give `prefix`, `_` and the first `length` hex digits of SHA-256 over the RFC 8785 bytes of `data`."""
    digits = hashlib.sha256(encode(inputs["data"])).hexdigest()
    return "SUCCESS", {"id": f"{inputs['prefix']}_{digits[: inputs['length']]}"}
