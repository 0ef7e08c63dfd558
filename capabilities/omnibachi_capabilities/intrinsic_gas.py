"""`blockchain::CT_INTRINSIC_GAS_V0`: what a transfer with data costs before anything is executed."""

from __future__ import annotations

from . import hexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs

TRANSACTION = 21_000
ZERO, OTHER = 4, 16  # a byte of data (EIP-2028)


def intrinsic_gas(inputs: Inputs) -> Answer:
    """Give 21000, and 4 for each zero byte and 16 for any other byte of `data` (hex)."""
    data = hexes.read(inputs["data"])
    if data is None:
        return "VIOLATION", {}
    zeros = data.count(0)
    return "SUCCESS", {"gas": TRANSACTION + ZERO * zeros + OTHER * (len(data) - zeros)}
