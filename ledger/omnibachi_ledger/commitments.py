"""The key of a data root under which secrets are committed to (`omnibachi_model.secrecy`): found, or made once.

It is made when a run with secrets first needs it, and never changed: with another key the record of a run could not be
compared with its payload any more. Beside a SQLite database it lies in a file of its own, so that whoever is given the
database alone cannot try out values; a PostgreSQL keeps it in a table whose one row is written once. A ledger in memory
has one as long as it lives.
"""

from __future__ import annotations

import contextlib
import os

from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.secrecy import KEY_BYTES

from .connect import FILE as DATABASE
from .troubles import of_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .seam import Database

    Draw = Callable[[int], bytes]

FILE = "commitments.key"
SINCE = 4  # the schema version that brought the table
_KEPT = "SELECT CAST(key AS BLOB) FROM commitments WHERE number=1"
_KEEP = "INSERT INTO commitments (number, key) VALUES (1, ?)"


def key_of(db: Database, root: str | None, draw: Draw | None) -> bytes | None:
    """Return the key of an open data root, None where there is none; with `draw` one is made then.

    That of a ledger in memory is drawn with it. `root` is the folder of a file's database. Raises Trouble.
    """
    if db.path == "memory":
        return draw(KEY_BYTES) if draw is not None else None
    if root is not None and db.path == os.path.join(root, DATABASE):
        return of_folder(root, make=draw is not None)
    return of_server(db, make=draw is not None)


def of_folder(root: str, *, make: bool) -> bytes | None:
    """Return the key that lies in a data root, made there first where that is wanted; raises Trouble.

    OB792: what lies there is no key.
    """
    path = os.path.join(root, FILE)
    try:
        found = _read(path)
        if found is None and make:
            _lay(root, path, os.urandom(KEY_BYTES))
            found = _read(path)
    except OSError as error:
        raise of_system(error, path) from error
    return found if found is None else _whole(found, path)


def of_server(db: Database, *, make: bool) -> bytes | None:
    """Return the key that a server keeps, put there first where that is wanted; raises Trouble."""
    if db.version < SINCE:
        return None
    found = db.row(_KEPT)
    if found is None and make:
        db.begin()
        try:
            if db.row(_KEPT) is None:
                db.run(_KEEP, (os.urandom(KEY_BYTES),))
            db.commit(lambda: db.row(_KEPT) is not None)
        except BaseException:
            db.rollback()
            raise
        found = db.row(_KEPT)
    return None if found is None else _whole(found[0], f"the table `commitments` of {db.path}")


def _read(path: str) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    try:
        return os.read(file, KEY_BYTES + 1)
    finally:
        os.close(file)


def _lay(root: str, path: str, key: bytes) -> None:
    """Write the key aside and give it its name, unless another process was faster: a key is never overwritten."""
    aside = os.path.join(root, f".{FILE}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(aside)  # of a process of this number that died
    file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, key)
        os.fsync(file)
    finally:
        os.close(file)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        os.unlink(aside)
    folder = os.open(root, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _whole(found: object, where: str) -> bytes:
    if type(found) is bytes and len(found) == KEY_BYTES:
        return found
    message = f"the key that secrets are committed to with is damaged: `{where}` does not hold {KEY_BYTES} bytes"
    raise Trouble(Diagnostic("OB792", message))
