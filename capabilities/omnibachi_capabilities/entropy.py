"""`std::CS_ENTROPY_V0`: chance, asked for and recorded in clear text, so never for keys."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.ports import Call
    from omnibachi_model.values import Answer, Inputs


def draw(inputs: Inputs, store: None, call: Call) -> Answer:
    """Give that many random bytes as lower-case hex with `0x`."""
    return "SUCCESS", {"hex": "0x" + call.entropy.draw(inputs["bytes"]).hex()}
