"""Data roots that are no folder: addresses of PostgreSQL, told from paths, read, and shown without what is secret.

Nothing here needs the driver, so that a run on a folder never loads it. An address is `postgresql://` (or
`postgres://`) with user, password, host, port, database and libpq's parameters; what is special in one of them is
escaped with `%`. One that could be read in two ways, as with an `@` in the password, is refused and never quoted:
a piece of the password would be taken for a host then, and be told.
"""

from __future__ import annotations

import os
import re

from omnibachi_model.diagnostics import Diagnostic, Trouble

# Compiled when it is first needed: a run on a folder imports this module too.
_ADDRESS = (
    r"postgres(?:ql)?://(?:(?P<user>[^:@/?#\s]*)(?::[^@/?#\s]*)?@)?(?P<host>[^@/?#\s]*)"
    r"(?P<database>/[^/?#@\s]*)?(?:\?(?P<more>(?:[a-z_]+=[^&=#\s]*)(?:&[a-z_]+=[^&=#\s]*)*))?"
)
_SCHEME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")
_SHOWN = frozenset(("host", "hostaddr", "port", "dbname", "user", "service", "options"))


def is_address(root: str) -> bool:
    """Tell whether a data root is meant to be a server and no folder."""
    head, colon, rest = root.partition(":")
    if head in ("postgres", "postgresql"):
        return bool(colon)
    # A scheme of one letter would be a drive.
    return rest.startswith("//") and len(head) > 1 and head[0].isalpha() and set(head) <= _SCHEME


def shown(root: str) -> str:
    """Return a data root as it may be shown: an address without password, and without what could hold one.

    Raises Trouble (OB783) for an address that cannot be read.
    """
    if not is_address(root):
        return root
    found = re.fullmatch(_ADDRESS, root)
    if found is None:
        raise malformed()
    user, more = found["user"], found["more"] or ""
    kept = "&".join(item for item in more.split("&") if item.partition("=")[0] in _SHOWN)
    return (
        f"postgresql://{user + '@' if user else ''}{found['host']}{found['database'] or ''}{'?' + kept if kept else ''}"
    )


def may_be_there(root: str) -> bool:
    """Tell whether a data root may hold something: a folder that is there, or a server, which only opening it tells."""
    return is_address(root) or os.path.isdir(root)


def malformed() -> Trouble:
    """Say that an address cannot be read, without a piece of it."""
    return Trouble(
        Diagnostic(
            "OB783",
            "the data root is neither a folder nor an address of PostgreSQL that can be read",
            help="write `postgresql://USER@HOST:PORT/DATABASE`, with `%40` for an `@` in a name or password, and"
            " better no password at all: libpq takes it from PGPASSWORD or a password file",
        )
    )
