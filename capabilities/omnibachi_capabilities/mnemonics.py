"""`std::CT_ENTROPY_TO_MNEMONIC_V0` and `std::CT_MNEMONIC_TO_SEED_V0`: words that stand for a secret (BIP-39, English).

Everything here but the outcome is a secret, so no message says more than which outcome it is.
"""

from __future__ import annotations

from mnemonic import Mnemonic

from . import hexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs

LENGTHS = (16, 20, 24, 28, 32)  # bytes of entropy


def entropy_to_mnemonic(inputs: Inputs) -> Answer:
    """Give the words for 16, 20, 24, 28 or 32 bytes of `entropy` (hex), with one space between them."""
    entropy = hexes.read(inputs["entropy"])
    if entropy is None or len(entropy) not in LENGTHS:
        return "VIOLATION", {}
    return "SUCCESS", {"mnemonic": Mnemonic("english").to_mnemonic(entropy)}


def mnemonic_to_seed(inputs: Inputs) -> Answer:
    """Give the 64 bytes (hex) that `mnemonic` and `passphrase` stand for.

    Words, their number, the checksum and the single spaces between them must be right: what is read otherwise
    elsewhere would be another wallet there.
    """
    words = inputs["mnemonic"]
    if not Mnemonic("english").check(words):
        return "VIOLATION", {}
    return "SUCCESS", {"seed": hexes.write(Mnemonic.to_seed(words, inputs["passphrase"]))}
