"""The curve secp256k1 as `std` uses it: public keys, addresses (EIP-55), signatures (RFC 6979) and who made them.

Points are read and checked by OpenSSL; signing and recovering are eth-keys'. A signature is r, s (32 bytes each) and
the parity of y (0 or 1), in 65 bytes; s is the lower of its two values.
"""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_keys.constants import SECPK1_N
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.exceptions import ValidationError

from . import hexes
from .keccak import hashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs

CURVE = ec.SECP256K1()
POINTS = {33: (2, 3), 65: (4,)}  # length of a public key: what it may begin with (SEC 1, 2.3.3)
HASH, SIGNATURE = 32, 65  # bytes
ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})\Z")


def public_key(inputs: Inputs) -> Answer:
    """Give the public key of `private_key` (32 bytes), compressed (33 bytes) and not (65 bytes)."""
    secret = private(inputs["private_key"])
    if secret is None:
        return "VIOLATION", {}
    return "SUCCESS", {
        "compressed": hexes.write(point_of(secret, compressed=True)),
        "uncompressed": hexes.write(point_of(secret, compressed=False)),
    }


def address(inputs: Inputs) -> Answer:
    """Give the address of `public_key` (33 or 65 bytes), a point of the curve."""
    data = hexes.read(inputs["public_key"])
    if data is None or len(data) not in POINTS or data[0] not in POINTS[len(data)]:
        return "VIOLATION", {}
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, data)
    except ValueError:
        return "VIOLATION", {}
    return "SUCCESS", {"address": address_of(_written(point, compressed=False))}


def checksum_address(inputs: Inputs) -> Answer:
    """Give `address` with the capitals of its checksum; what has both cases must have these, unless `any_case`."""
    found = read_address(inputs["address"].lower() if inputs["any_case"] else inputs["address"])
    return ("VIOLATION", {}) if found is None else ("SUCCESS", {"address": found})


def ecdsa_sign(inputs: Inputs) -> Answer:
    """Sign `hash` (32 bytes) with `private_key`: the same signature every time."""
    secret, message = private(inputs["private_key"]), hexes.read(inputs["hash"])
    if secret is None or message is None or len(message) != HASH:
        return "VIOLATION", {}
    parity, r, s = sign(secret, message)
    return "SUCCESS", {
        "r": hexes.write(r),
        "s": hexes.write(s),
        "y_parity": parity,
        "signature": hexes.write(r + s + bytes([parity])),
    }


def ecdsa_recover(inputs: Inputs) -> Answer:
    """Give the public key (65 bytes) and the address of whoever made `signature` over `hash`."""
    message, signature = hexes.read(inputs["hash"]), hexes.read(inputs["signature"])
    if message is None or len(message) != HASH or signature is None or len(signature) != SIGNATURE:
        return "VIOLATION", {}
    try:
        found = Signature(signature_bytes=signature).recover_public_key_from_msg_hash(message)
        point = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, b"\x04" + found.to_bytes())
    except (BadSignature, ValidationError, ValueError):
        return "VIOLATION", {}
    data = _written(point, compressed=False)
    return "SUCCESS", {"public_key": hexes.write(data), "address": address_of(data)}


def private(text: str) -> bytes | None:
    """Return the 32 bytes of a private key, or None where the text is none: not 32 bytes, 0, or not below the order."""
    data = hexes.read(text)
    if data is None or len(data) != 32 or not 0 < int.from_bytes(data) < SECPK1_N:
        return None
    return data


def point_of(secret: bytes, *, compressed: bool) -> bytes:
    """Return the public key of a private key, in 33 or 65 bytes."""
    return _written(ec.derive_private_key(int.from_bytes(secret), CURVE).public_key(), compressed=compressed)


def address_of(point: bytes) -> str:
    """Return the address of a public key in 65 bytes: the last 20 bytes of its hash, with the capitals of EIP-55."""
    return str(to_checksum_address(hashed(point[1:])[-20:]))


def read_address(text: str) -> str | None:
    """Return an address with the capitals of its checksum; None where it is malformed or has other capitals."""
    found = ADDRESS.match(text)
    if found is None:
        return None
    digits = found[1]
    right = str(to_checksum_address("0x" + digits.lower()))
    return right if digits in (digits.lower(), digits.upper(), right[2:]) else None


def sign(secret: bytes, message: bytes) -> tuple[int, bytes, bytes]:
    """Return (parity of y, r, s) of the deterministic signature over 32 bytes."""
    made = PrivateKey(secret).sign_msg_hash(message)
    return made.v, made.r.to_bytes(32), made.s.to_bytes(32)


def _written(point: ec.EllipticCurvePublicKey, *, compressed: bool) -> bytes:
    form = PublicFormat.CompressedPoint if compressed else PublicFormat.UncompressedPoint
    return point.public_bytes(Encoding.X962, form)
