"""The trust file: whose signatures count, for what, and when.

One JSON object, strict: `{"schema": "omnibachi.trust/1", "keys": [ENTRY, …]}`, where an entry is `{"key": TEXT,
"roles": [ROLE, …], "from", "until", "revoked"}`. `from` and `until` are instants or null, `revoked` is null or
`{"at": INSTANT, "reason": TEXT}`.

1. A key counts for the roles that its entry lists, and for no other.
2. A statement counts when the instant that it says it was signed at lies within the entry's `from` and `until`, so what
   a retired key signed in its time stays good.
3. Nothing that a revoked key signed counts, whenever it says it was signed: whoever holds a stolen key can write any
   instant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import pretty
from omnibachi_model.formats import is_date_time, parse_time
from omnibachi_model.nearest import nearest
from omnibachi_model.values import Outside, parse

from .keys import PublicKey, Unreadable, public_key

SCHEMA = "omnibachi.trust/1"
SNAPSHOT, RUN, CHECKPOINT = "snapshot", "run", "checkpoint"
KEY_ROLE = re.compile(r"[a-z][a-z0-9_.-]{0,62}\Z")
MEMBERS = {"key", "roles", "from", "until", "revoked"}


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """One trusted key: what it may sign, from when and until when, and why it was revoked, if it was."""

    key: PublicKey
    roles: tuple[str, ...]
    since: str | None = None
    until: str | None = None
    revoked_at: str | None = None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the trust file has it."""
        revoked = None if self.revoked_at is None else {"at": self.revoked_at, "reason": self.reason}
        return {
            "key": self.key.text, "roles": sorted(self.roles), "from": self.since, "until": self.until,
            "revoked": revoked,
        }  # fmt: skip

    def objection(self, role: str, at: str) -> Diagnostic | None:
        """Say why what the key signed as `role` at an instant does not count; None where it does."""
        if self.revoked_at is not None:
            because = f": {self.reason}" if self.reason else ""
            message = f"the key `{self.key.id}` was revoked at {self.revoked_at}{because}"
            return Diagnostic("OB620", message, help="sign again with a key that is trusted")
        if role not in self.roles:
            message = f"the key `{self.key.id}` is trusted for {_listed(self.roles)}, not for `{role}`"
            return Diagnostic("OB618", message, help=f"sign with a key that has the role `{role}`")
        when = parse_time(at)
        if self.since is not None and when < parse_time(self.since):
            message = f"signed at {at}, and the key `{self.key.id}` is trusted from {self.since}"
            return Diagnostic("OB619", message, help="sign again within the key's time")
        if self.until is not None and when > parse_time(self.until):
            message = f"signed at {at}, and the key `{self.key.id}` is trusted until {self.until}"
            return Diagnostic("OB619", message, help="sign again with a key that is trusted now")
        return None


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust file taken apart."""

    entries: tuple[TrustEntry, ...] = ()

    def entry(self, key_id: str) -> TrustEntry | None:
        """Return the entry of a key by its id."""
        return next((entry for entry in self.entries if entry.key.id == key_id), None)

    def stranger(self, key_id: str) -> Diagnostic:
        """Say that nobody trusts a key."""
        near = nearest(key_id, [entry.key.id for entry in self.entries])
        help = f"the nearest that is trusted is `{near}`" if near else "add its public key with `omnibachi keys trust`"
        return Diagnostic("OB617", f"the trust file does not know the key `{key_id[:120]}`", help=help)

    def written(self) -> bytes:
        """Return the file's bytes."""
        ordered = sorted(self.entries, key=lambda entry: entry.key.id)
        return pretty({"schema": SCHEMA, "keys": [entry.as_json() for entry in ordered]})

    def with_entry(self, entry: TrustEntry) -> Trust:
        """Return the trust with one entry added, or changed where its key is there."""
        others = [known for known in self.entries if known.key.id != entry.key.id]
        return Trust((*others, entry))

    def known(self, key_id: str) -> TrustEntry:
        """Return a key's entry to change it; raises Unreadable where there is none."""
        found = self.entry(key_id)
        if found is None:
            raise Unreadable(f"no trusted key has the id `{key_id[:120]}`")
        return found


def retired_key(entry: TrustEntry, at: str) -> TrustEntry:
    """Return the entry of a key that signs no more after an instant."""
    return replace(entry, until=at)


def revoked_key(entry: TrustEntry, at: str, reason: str) -> TrustEntry:
    """Return the entry of a key of which nothing counts any more."""
    return replace(entry, revoked_at=at, reason=reason)


def trust_of(data: bytes) -> Trust:
    """Read a trust file; raises Unreadable, which says what is wrong and where."""
    try:
        value = parse(data, limit=1 << 20)
    except Outside as outside:
        raise Unreadable(str(outside)) from None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise Unreadable(f"its `schema` is not `{SCHEMA}`")
    if set(value) != {"schema", "keys"} or not isinstance(value["keys"], list):
        raise Unreadable("it holds exactly `schema` and the list `keys`")
    entries = tuple(_entry(f"/keys/{number}", item) for number, item in enumerate(value["keys"]))
    known = [entry.key.id for entry in entries]
    for key_id in known:
        if known.count(key_id) > 1:
            raise Unreadable(f"the key `{key_id}` stands twice")
    return Trust(entries)


def _entry(at: str, item: Any) -> TrustEntry:
    if not isinstance(item, dict) or not set(item) <= MEMBERS or not {"key", "roles"} <= set(item):
        raise Unreadable(f"{at}: an entry has `key`, `roles`, and may have `from`, `until`, `revoked`")
    try:
        key = public_key(item["key"] if isinstance(item["key"], str) else "")
    except Unreadable as error:
        raise Unreadable(f"{at}/key: {error}") from None
    roles = item["roles"]
    if not isinstance(roles, list) or not all(isinstance(role, str) and KEY_ROLE.match(role) for role in roles):
        raise Unreadable(f"{at}/roles: roles are names such as `snapshot` and `run`")
    for name in ("from", "until"):
        if item.get(name) is not None and not is_instant(item[name]):
            raise Unreadable(f"{at}/{name}: this is no RFC 3339 instant")
    gone = item.get("revoked")
    if gone is not None and not (
        isinstance(gone, dict) and set(gone) == {"at", "reason"} and is_instant(gone["at"])
        and isinstance(gone["reason"], str)
    ):  # fmt: skip
        raise Unreadable(f"{at}/revoked: this is null, or has `at` (an instant) and `reason` (a text)")
    return TrustEntry(
        key, tuple(sorted(set(roles))), item.get("from"), item.get("until"), gone["at"] if gone else None,
        gone["reason"] if gone else "",
    )  # fmt: skip


def is_instant(value: Any) -> bool:
    """Tell whether a value is an RFC 3339 instant."""
    return isinstance(value, str) and is_date_time(value)


def _listed(roles: Iterable[str]) -> str:
    return " and ".join(f"`{role}`" for role in roles) or "nothing"
