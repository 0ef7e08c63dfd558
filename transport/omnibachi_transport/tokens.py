"""Who may knock: tokens, of which only digests are kept, in one file that nobody but its owner may read.

The file is strict JSON: `{"tokens": [{"digest", "principal", "tenant", "roles"}]}`. A token is drawn from 32 random
bytes, so its SHA-256 is enough and no salt is needed. What a token says of its bearer is all that identity is made of:
no other header, and nothing in a body, changes it. Without a file whoever reaches the loopback address is `local`.
"""

from __future__ import annotations

import base64
import hmac
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import digest, pretty
from omnibachi_model.values import Outside, parse, pointer

from .reasons import Finding
from .request_schemas import NAME
from .strict_json import reason_of

INTENT, READ, INGEST = "intent", "read", "ingest"
ROLES = (INTENT, READ, INGEST)
PREFIX = "omnibachi_"
LARGEST_FILE = 1 << 20  # bytes
LONGEST_TOKEN = 512  # characters; of a longer one not even the digest is taken
FINDINGS = 3  # exit status of whoever refuses to start

# Who asks where there is no file.
LOCAL: Mapping[str, Any] = {"principal": "local", "tenant": None, "verified": False, "roles": [INTENT, READ]}
FILE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tokens": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
                    "principal": NAME,
                    "tenant": {**NAME, "type": ["string", "null"]},
                    "roles": {"type": "array", "items": {"enum": list(ROLES)}, "uniqueItems": True, "minItems": 1},
                },
                "required": ["digest", "principal", "roles"],
                "additionalProperties": False,
            },
            "minItems": 1,
            "maxItems": 1000,
        }
    },
    "required": ["tokens"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Digests of tokens, each with the identity of its bearer."""

    entries: tuple[tuple[str, dict[str, Any]], ...]

    def identify(self, authorization: str | None) -> dict[str, Any] | Finding:
        """Return who sent a request by its header `Authorization`, or that it brought no token that is known.

        The digest of what came is compared with every entry, each in constant time, so that time tells nothing.
        """
        token = bearer(authorization)
        if token is None:
            return Finding("auth.missing_token", "a request brings `Authorization: Bearer TOKEN`")
        came, found = digest(token.encode()), None
        for known, identity in self.entries:
            if hmac.compare_digest(known, came):
                found = identity
        return dict(found) if found else Finding("auth.missing_token", "the token is none that is known here")

    def grants(self, role: str) -> bool:
        """Tell whether any bearer has a role."""
        return any(role in identity["roles"] for _, identity in self.entries)


def bearer(authorization: str | None) -> str | None:
    """Return the token of a header `Bearer TOKEN` (RFC 6750), None where it has another form."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    fits = scheme.lower() == "bearer" and 0 < len(token) <= LONGEST_TOKEN and token.isascii() and token.isprintable()
    return token if fits and " " not in token else None


def new_token() -> str:
    """Draw a token: `omnibachi_` and 32 random bytes in base64url."""
    return PREFIX + base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()


def is_name(text: str) -> bool:
    """Tell whether a text may name a principal or a tenant."""
    return jsonschema_rs.Draft202012Validator(NAME).is_valid(text)


def token_entry(token: str, principal: str, tenant: str | None, roles: Sequence[str]) -> dict[str, Any]:
    """Return what the file holds of a token."""
    known = [role for role in ROLES if role in roles]
    return {"digest": digest(token.encode()), "principal": principal, "tenant": tenant, "roles": known}


def load_tokens(path: str | os.PathLike[str]) -> Tokens:
    """Read the file of tokens. Raises Refused: OB923 where it is none, OB924 where others may read it too."""
    return Tokens(tuple((item["digest"], _identity(item)) for item in token_entries(path)))


def token_entries(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read what the file holds; raises Refused (OB923, OB924)."""
    shown = os.fspath(path)
    try:
        # A pipe of that name would be waited for.
        place = os.open(shown, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with open(place, "rb") as file:
            about = os.fstat(place)
            if not stat.S_ISREG(about.st_mode):
                raise _none(shown, "it is no file")
            _judge_mode(shown, about)
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _none(shown, (error.strerror or str(error)).lower()) from None
    try:
        value: Any = parse(data, limit=LARGEST_FILE)
    except Outside as outside:
        raise _none(shown, reason_of(outside)) from None
    for wrong in jsonschema_rs.Draft202012Validator(FILE).iter_errors(value):
        # What stands there is not shown: somebody may have put a token where its digest belongs.
        raise _none(shown, f"`{pointer(wrong.instance_path) or '/'}` is not as it must be ({wrong.kind.name})")
    digests = [item["digest"] for item in value["tokens"]]
    twice = next((index for index, item in enumerate(digests) if item in digests[:index]), None)
    if twice is not None:
        raise _none(shown, f"`/tokens/{twice}/digest` stands there twice")
    return list(value["tokens"])


def token_file(entries: Sequence[Mapping[str, Any]]) -> bytes:
    """Write the file of these entries."""
    return pretty({"tokens": list(entries)})


def _identity(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "principal": item["principal"], "tenant": item.get("tenant"), "verified": True,
        "roles": [role for role in ROLES if role in item["roles"]],
    }  # fmt: skip


def _judge_mode(path: str, about: os.stat_result) -> None:
    """Refuse (OB924) a file that others may read or change, where the system tells."""
    if os.name != "posix":
        return
    mode = stat.S_IMODE(about.st_mode)
    if mode & 0o077:
        message = f"`{path}` may be read or changed by others (mode {mode:04o})"
        raise Refused([Diagnostic("OB924", message, help=f"`chmod 600 {path}`")], FINDINGS)
    if about.st_uid not in (os.geteuid(), 0):
        message = f"`{path}` belongs to another user"
        raise Refused([Diagnostic("OB924", message, help="let it belong to whoever runs the server")], FINDINGS)


def _none(path: str, reason: str) -> Refused:
    help = "`omnibachi token --principal NAME --role intent --into FILE` writes one"
    return Refused([Diagnostic("OB923", f"`{path}` is no file of tokens: {reason}", help=help)], FINDINGS)
