"""Ed25519 keys under a name, written as signed notes write them (C2SP signed-note).

A public key is one line, `NAME+HASH+BASE64`: BASE64 is of the byte 1 and the 32 bytes of the key, HASH are the first
8 hex digits of the SHA-256 of the name, a newline, and those 33 bytes. A private key is `PRIVATE+KEY+NAME+HASH+BASE64`,
BASE64 of the byte 1 and the 32 bytes of the seed. `NAME+HASH` is the key's id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,62}[A-Za-z0-9])?\Z")
ED25519 = b"\x01"
PRIVATE = "PRIVATE+KEY+"
SEED = 32


class Unreadable(Exception):
    """Bytes that are not what they should be: why, in one sentence."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: its name and its 32 bytes."""

    name: str
    raw: bytes

    @property
    def hash(self) -> bytes:
        """The four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:4]

    @property
    def id(self) -> str:
        """The key's id, `NAME+HASH`."""
        return f"{self.name}+{self.hash.hex()}"

    @property
    def text(self) -> str:
        """The key as one line, without a newline."""
        return f"{self.id}+{base64.b64encode(ED25519 + self.raw).decode()}"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """A private key: its name and the 32 bytes of its seed, which are never shown."""

    name: str
    seed: bytes

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.id})"

    @property
    def public(self) -> PublicKey:
        """The public key that belongs to it."""
        found = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return PublicKey(self.name, found.public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def text(self) -> str:
        """The key as one line, without a newline: what its file holds."""
        return f"{PRIVATE}{self.public.id}+{base64.b64encode(ED25519 + self.seed).decode()}"

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over `message` (RFC 8032, deterministic)."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def private_key(text: str) -> PrivateKey:
    """Read a private key; raises Unreadable."""
    line = text.removesuffix("\n")
    if not line.startswith(PRIVATE):
        raise Unreadable("it is no private key")
    name, noted, seed = _parts(line.removeprefix(PRIVATE))
    found = PrivateKey(name, seed)
    if found.public.hash.hex() != noted:
        raise Unreadable("its parts do not belong together")
    return found


def public_key(text: str) -> PublicKey:
    """Read a public key; raises Unreadable."""
    line = text.removesuffix("\n")
    if line.startswith(PRIVATE):
        raise Unreadable("it is a private key, which is nobody else's business")
    name, noted, raw = _parts(line)
    found = PublicKey(name, raw)
    if found.hash.hex() != noted:
        raise Unreadable("its parts do not belong together")
    return found


def plain(text: str) -> bytes:
    """Read base64 as it is written here: the standard alphabet, with padding, and one text only for the same bytes.

    Raises Unreadable.
    """
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("it is no base64") from None
    if base64.b64encode(found).decode() != text:
        raise Unreadable("it is no base64 in canonical form")
    return found


def _parts(line: str) -> tuple[str, str, bytes]:
    name, _, rest = line.partition("+")
    noted, _, encoded = rest.partition("+")
    if not KEY_NAME.match(name):
        raise Unreadable("it has not the form `NAME+HASH+BASE64`")
    data = plain(encoded)
    if len(data) != SEED + 1 or data[:1] != ED25519:
        raise Unreadable("it is no Ed25519 key")
    return name, noted, data[1:]
