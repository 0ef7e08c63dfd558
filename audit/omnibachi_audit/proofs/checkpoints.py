"""Checkpoints of the tree over all runs, as the C2SP texts have them: signed note, checkpoint, and proof.

A checkpoint is three lines (the log's name, how many leaves, the root in base64), an empty line, and lines
`— NAME BASE64` of signatures over the three, BASE64 of the key's four bytes and the 64 of the signature. The log's name
is that of the key that signs it. An inclusion proof (C2SP tlog-proof) is a text with the place of a leaf, the hashes of
its path and the checkpoint; a consistency proof is JSON with two checkpoints and the hashes between them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import pretty
from omnibachi_model.values import Outside, parse

from .keys import PrivateKey, PublicKey, Unreadable, plain
from .merkle import SIZE, consistent, included, leaf_hash
from .trust import CHECKPOINT, Trust

PROOF = "c2sp.org/tlog-proof@v1"
CONSISTENCY = "omnibachi.consistency/1"
DASH = "— "
NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,14})\Z")
MOST_SIGNATURES = 16
MOST_STEPS = 64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint taken apart: the log's name, its size, its root, and (name, four bytes, signature)."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...] = ()

    @property
    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @property
    def text(self) -> str:
        """The whole note."""
        lines = [f"{DASH}{name} {base64.b64encode(mark + found).decode()}\n" for name, mark, found in self.signatures]
        return f"{self.body}\n{''.join(lines)}"

    def signed(self, key: PrivateKey) -> Checkpoint:
        """Return it with a signature of `key` added, or made anew."""
        public = key.public
        others = tuple(item for item in self.signatures if item[:2] != (public.name, public.hash))
        mine = (public.name, public.hash, key.sign(self.body.encode()))
        return Checkpoint(self.origin, self.size, self.root, (*others, mine))

    def judged(self, trust: Trust, now: str) -> str | list[Diagnostic]:
        """Return the id of a trusted key that signed it and has the log's name, or why none did.

        A checkpoint does not say when it was signed, so its key must be good `now`.
        """
        objections: list[Diagnostic] = []
        for name, mark, signature in self.signatures:
            key_id = f"{name}+{mark.hex()}"
            if name != self.origin:
                continue  # a witness's, which speaks for itself
            entry = trust.entry(key_id)
            if entry is None:
                objections.append(trust.stranger(key_id))
            elif not entry.key.verifies(self.body.encode(), signature):
                message = f"the signature of the checkpoint is not one by `{key_id}`: it or the checkpoint was changed"
                objections.append(Diagnostic("OB616", message, help="restore the file, or make a new checkpoint"))
            elif (objection := entry.objection(CHECKPOINT, now)) is not None:
                objections.append(objection)
            else:
                return key_id
        if not objections:
            message = f"the checkpoint bears no signature of the log `{self.origin}`"
            objections.append(Diagnostic("OB623", message, help="make a new one with `omnibachi checkpoint make`"))
        return objections


def continued(checkpoint: Checkpoint, key: PublicKey, trust: Trust) -> Diagnostic | None:
    """Say why `key` is not to continue a log after its latest checkpoint (OB623); None where it may.

    It may where it signed that itself, or a key that the trust file lists for checkpoints, even if its time is over.
    Whoever continues a log signs all of it again, and should not sign what a stranger laid there.
    """
    ours = [key, *(entry.key for entry in trust.entries if CHECKPOINT in entry.roles and entry.revoked_at is None)]
    for name, mark, signature in checkpoint.signatures:
        for known in ours:
            signed = (known.name, known.hash) == (name, mark) and known.verifies(checkpoint.body.encode(), signature)
            if signed and name == checkpoint.origin:
                return None
    message = f"nobody who is known here signed the checkpoint of {checkpoint.size} that would be continued"
    return Diagnostic("OB623", message, help="restore the log, or trust the key that signed it, if it is yours")


def checkpoint_of(data: bytes) -> Checkpoint:
    """Read a checkpoint; raises Unreadable."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8") from None
    if any(sign < " " and sign != "\n" for sign in text):
        raise Unreadable("it holds control characters")
    body, gap, rest = text.partition("\n\n")
    lines = body.split("\n")
    if not gap or len(lines) != 3 or not lines[0]:
        raise Unreadable("it has not the three lines of a checkpoint and signatures behind an empty one")
    if not NUMBER.match(lines[1]):
        raise Unreadable("its second line is no size")
    root = plain(lines[2])
    signed = rest.split("\n")
    if len(root) != SIZE or signed.pop() != "" or not 0 < len(signed) <= MOST_SIGNATURES:
        raise Unreadable("its root or its signatures have not their form")
    return Checkpoint(lines[0], int(lines[1]), root, tuple(_signature(line) for line in signed))


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    data = plain(encoded)
    if not line.startswith(DASH) or not name or len(data) < 5:
        raise Unreadable("a line of its signatures has not the form of one")
    return name, data[:4], data[4:]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An inclusion proof taken apart."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    @property
    def text(self) -> str:
        """The proof as its file holds it."""
        steps = "".join(f"{base64.b64encode(step).decode()}\n" for step in self.path)
        return f"{PROOF}\nindex {self.index}\n{steps}\n{self.checkpoint.text}"

    def judged(self, leaf: bytes, what: str, trust: Trust, now: str) -> str | list[Diagnostic]:
        """Return the id of the trusted key behind the checkpoint that holds `leaf`, or why there is none (OB624 …)."""
        signer = self.checkpoint.judged(trust, now)
        found = [] if isinstance(signer, str) else signer
        if not included(leaf_hash(leaf), self.index, self.checkpoint.size, self.path, self.checkpoint.root):
            message = f"the proof does not lead from {what} to the root of its checkpoint"
            found = [Diagnostic("OB624", message, help="make it anew with `omnibachi checkpoint prove`"), *found]
        return found or signer


def inclusion_of(data: bytes) -> Inclusion:
    """Read an inclusion proof; raises Unreadable."""
    head, gap, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Unreadable("it is no text of a proof") from None
    if not gap or len(lines) < 2 or lines[0] != PROOF or not lines[1].startswith("index "):
        raise Unreadable(f"it does not begin with `{PROOF}` and the place of the leaf")
    index = lines[1].removeprefix("index ")
    if not NUMBER.match(index):
        raise Unreadable("the place of the leaf is no number")
    return Inclusion(int(index), _steps(lines[2:]), checkpoint_of(note))


@dataclass(frozen=True, slots=True)
class Consistency:
    """A consistency proof taken apart: the older checkpoint, the newer one, and the hashes between them."""

    old: Checkpoint
    new: Checkpoint
    path: tuple[bytes, ...]

    @property
    def written(self) -> bytes:
        """The proof as its file holds it."""
        steps = [base64.b64encode(step).decode() for step in self.path]
        return pretty({"format": CONSISTENCY, "old": self.old.text, "new": self.new.text, "path": steps})

    def judged(self, trust: Trust, now: str) -> list[Diagnostic]:
        """Say why the newer log does not begin with the older one (OB625), or why a signature does not count."""
        found: list[Diagnostic] = []
        old, new = self.old, self.new
        if old.origin != new.origin:
            found.append(Diagnostic("OB625", f"these are two logs, `{old.origin}` and `{new.origin}`", help=REWRITTEN))
        elif not consistent(old.size, new.size, old.root, new.root, self.path):
            message = f"the log of {new.size} runs does not begin with that of {old.size}: it was rewritten"
            found.append(Diagnostic("OB625", message, help=REWRITTEN))
        for checkpoint in (old, new):
            signer = checkpoint.judged(trust, now)
            found += [] if isinstance(signer, str) else signer
        return found


REWRITTEN = "keep both checkpoints: together they show it to anybody"


def consistency_of(data: bytes) -> Consistency:
    """Read a consistency proof; raises Unreadable."""
    try:
        value = parse(data, limit=1 << 20)
    except Outside as outside:
        raise Unreadable(outside.reason) from None
    if not isinstance(value, dict) or set(value) != {"format", "old", "new", "path"} or value["format"] != CONSISTENCY:
        raise Unreadable(f"it is no `{CONSISTENCY}`")
    old, new, path = value["old"], value["new"], value["path"]
    texts = isinstance(path, list) and all(isinstance(step, str) for step in path)
    if not isinstance(old, str) or not isinstance(new, str) or not isinstance(path, list) or not texts:
        raise Unreadable("its parts are no texts")
    return Consistency(checkpoint_of(old.encode()), checkpoint_of(new.encode()), _steps([str(step) for step in path]))


def _steps(lines: Sequence[str]) -> tuple[bytes, ...]:
    found = tuple(plain(line) for line in lines)
    if len(found) > MOST_STEPS or any(len(step) != SIZE for step in found):
        raise Unreadable("its path is no list of hashes")
    return found
