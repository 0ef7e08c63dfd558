"""The files of keys and of trust: a private key that nobody else reads, and the list of keys whose word counts."""

from __future__ import annotations

import os

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble

from . import wiring
from .exits import FINDINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .wiring import PrivateKey, PublicKey, Trust

PRIVATE, PUBLIC = ".key", ".pub"
LARGEST = 1 << 20


def new_key(name: str, folder: str) -> tuple[PublicKey, str, str]:
    """Make a key pair under a name: `<folder>/<NAME>.key` (mode 0600) and `.pub`; return the key and both paths.

    Raises Refused: OB612 where one of the files is there, OB613 for a name that is none; Trouble OB629 where they
    cannot be written.
    """
    if not wiring.KEY_NAME.match(name):
        help = "use 1 to 64 letters, digits, `.`, `_`, `-` and `/`, with a letter or digit at both ends"
        raise Refused([Diagnostic("OB613", f"`{name[:80]}` is no name of a key", help=help)], FINDINGS)
    key = wiring.PrivateKey(name, os.urandom(32))
    stem = os.path.join(folder, name.replace("/", "-"))
    private, public = stem + PRIVATE, stem + PUBLIC
    for path in (private, public):
        if os.path.lexists(path):
            help = "choose another name; a key that is lost in this way cannot be had again"
            raise Refused([Diagnostic("OB612", f"`{path}` is there, and is not overwritten", help=help)], FINDINGS)
    try:
        os.makedirs(folder, exist_ok=True)
        _create(private, key.text, 0o600)
        _create(public, key.public.text, 0o644)
    except OSError as error:
        raise unwritable(private, error) from error
    return key.public, private, public


def private_key_in(path: str) -> PrivateKey:
    """Read a private key from its file; raises Refused (OB613)."""
    try:
        return wiring.private_key(_text(path))
    except (OSError, UnicodeDecodeError, wiring.Unreadable) as error:
        help = "name the file that `omnibachi keys new` made, which ends in `.key`"
        raise Refused([Diagnostic("OB613", f"`{path}`: {_reason(error)}", help=help)], FINDINGS) from error


def public_key_in(text: str) -> PublicKey:
    """Read a public key from its file, or from the text itself; raises Refused (OB613)."""
    try:
        return wiring.public_key(_text(text) if os.path.lexists(text) else text)
    except (OSError, UnicodeDecodeError, wiring.Unreadable) as error:
        help = "name the file that `omnibachi keys new` made, which ends in `.pub`, or give its line"
        raise Refused([Diagnostic("OB613", f"`{text[:120]}`: {_reason(error)}", help=help)], FINDINGS) from error


def trust_in(path: str) -> Trust | None:
    """Read a trust file, None where there is none; raises Refused (OB614)."""
    try:
        return wiring.trust_of(_text(path).encode())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, wiring.Unreadable) as error:
        help = "mend it by hand, or restore it; docs/formats.md says what it holds"
        raise Refused([Diagnostic("OB614", f"`{path}`: {_reason(error)}", help=help)]) from error


def write_file(path: str, data: bytes) -> None:
    """Write a file aside and rename it, so that its name always holds a whole one; raises Trouble (OB629)."""
    aside = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        if os.path.lexists(aside):
            os.unlink(aside)
        raise unwritable(path, error) from error


def voucher(trust_file: str, *, needed: bool) -> Callable[[bytes, bytes | None], bool]:
    """Return what tells of a manifest and a signature whether that counts by a trust file.

    It refuses a signature that does not count, and none where one is `needed` (OB614 to OB621).
    """

    def vouch(manifest: bytes, signature: bytes | None) -> bool:
        if signature is None and not needed:
            return False
        trust = trust_in(trust_file)
        if trust is None:
            help = "name another, or begin one with `omnibachi keys trust`"
            raise Refused([Diagnostic("OB614", f"`{trust_file}` is not there", help=help)])
        if signature is None:
            help = "sign it with `omnibachi sign`, with a key of that file"
            raise Refused([Diagnostic("OB615", "the snapshot is not signed", help=help)])
        expected = wiring.snapshot_statement(manifest, "")
        found = wiring.judge_envelope(signature, expected, "the snapshot", trust)
        if not isinstance(found, str):
            raise Refused(found)
        return True

    return vouch


def unwritable(path: str, error: OSError) -> Trouble:
    """Say that a file cannot be written."""
    message = f"`{path}` cannot be written: {_reason(error)}"
    return Trouble(Diagnostic("OB629", message, help="make space or get the right to write there, then do it again"))


def _create(path: str, text: str, mode: int) -> None:
    """Make a file that is not there yet; its mode holds from its first byte."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(descriptor)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", newline="") as file:
        return file.read(LARGEST + 1)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
