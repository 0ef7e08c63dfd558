"""The tables on PostgreSQL, made from those of SQLite (`../schema.py`), and who may not change what is written once.

Both databases have one description. A text is ordered by its bytes (collation "C"), a number is a bigint. What is
written once is guarded by triggers that fire `ALWAYS`, so that `session_replication_role` does not pass them by; an
upsert fires the trigger of updates, and `TRUNCATE` has one of its own. Only whoever owns the tables, or is a superuser,
can take them off: a run should be neither, and `warnings` names it where it is.
"""

from __future__ import annotations

import re

import psycopg

from omnibachi_ledger import schema as described
from omnibachi_model.diagnostics import Diagnostic, Trouble

from . import long_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .server import Server

_WORDS = (
    (re.compile(r"\bTEXT\b"), 'TEXT COLLATE "C"'),
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
    (re.compile(r"\) WITHOUT ROWID$"), ")"),
)
_OWN = (
    "CREATE TABLE omnibachi (version BIGINT NOT NULL)",
    'CREATE TABLE holders (holder TEXT COLLATE "C" PRIMARY KEY, key BIGINT NOT NULL, note BYTEA NOT NULL)',
    """CREATE FUNCTION written_once() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '% are written once', TG_TABLE_NAME USING ERRCODE = '23000'; END $$""",
)
# Not `to_regclass`: that asks a cache of the session, which another's commit reaches only with a lock on a relation.
_LAID = (
    "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = current_schema() AND c.relname = 'omnibachi')"
)
_VERSION = "SELECT version FROM omnibachi"
# What a role can do beyond its work, each with the words for it; `n` is the schema.
_EXCESS = """
SELECT current_user,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        OR (SELECT rolsuper FROM pg_roles WHERE rolname = session_user),
    pg_has_role(n.nspowner, 'MEMBER'),
    EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = ANY(?1::text[])
        AND pg_has_role(c.relowner, 'MEMBER')),
    EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = ANY(?2::text[])
        AND (has_table_privilege(c.oid, 'DELETE, TRUNCATE, TRIGGER') OR has_any_column_privilege(c.oid, 'UPDATE'))),
    has_table_privilege('records', 'DELETE, TRUNCATE, TRIGGER')
FROM pg_namespace n WHERE n.nspname = current_schema()
"""


def settle(server: Server, *, create: bool) -> bool:
    """Make the tables or those that an older version lacks, if that is wanted; tell whether there are any.

    Raises Trouble as `open_root` does.
    """
    if not _is_laid(server):
        if not create:
            return False
        _lay(server)
    version = _version(server)
    if version < described.VERSION and create:
        _lay(server)
        version = _version(server)
    if not 0 < version <= described.VERSION:
        message = f"the database `{server.path}` has schema version {version}; this version knows {described.VERSION}"
        raise Trouble(Diagnostic("OB722" if version > 0 else "OB723", message))
    server.version = version
    if create:
        server.warnings = tuple(_warnings(server))
    return True


def _is_laid(server: Server) -> bool:
    found = server.row(_LAID)
    return bool(found and found[0])


def _version(server: Server) -> int:
    found = server.row(_VERSION)
    if found is None:
        raise Trouble(Diagnostic("OB723", f"the database `{server.path}` does not tell its schema version"))
    return int(found[0])


def _lay(server: Server) -> None:
    """Lay what is missing, in one transaction, unless another process was faster."""
    server.begin()
    try:
        if not _is_laid(server):
            _all(server, (*_OWN, *_translated(described.SCHEMA)))
            server.run("INSERT INTO omnibachi (version) VALUES (?)", (described.VERSION,))
            _guard(server)
        version = _version(server)
        while version in described.UPGRADES:
            _all(server, _translated(described.UPGRADES[version]))
            if version == 3:
                _all(server, long_keys.SINCE_4)
            version += 1
            _guard(server)
            server.run("UPDATE omnibachi SET version=?", (version,))
        server.commit(lambda: _is_laid(server) and _version(server) == version)
    except BaseException as error:
        server.rollback()
        if isinstance(error.__cause__, psycopg.errors.DuplicateTable):
            message = f"`{server.path}` holds tables of these names that are none of OmniBachi"
            raise Trouble(Diagnostic("OB723", message)) from error
        raise


def _all(server: Server, statements: Iterable[str]) -> None:
    """Execute statements without values, all at once."""
    server.run("; ".join(statements))


def _translated(statements: tuple[str, ...]) -> Iterator[str]:
    """Write the statements that make tables and indexes in PostgreSQL's words; triggers are made by `_guard`."""
    for statement in statements:
        if not statement.startswith("CREATE TRIGGER"):
            for word, other in _WORDS:
                statement = word.sub(other, statement)
            for words, laid in long_keys.LAID:
                statement = statement.replace(words, laid)
            yield statement


def _guard(server: Server) -> None:
    """Put the triggers on every table whose rows are written once, anew where they are there."""
    statements = []
    for table, (_, only) in described.ONCE.items():
        rows = f"FOR EACH ROW WHEN (OLD.{only} <> 0)" if only else "FOR EACH ROW"
        for name, event, each in (("row", "UPDATE OR DELETE", rows), ("all", "TRUNCATE", "FOR EACH STATEMENT")):
            trigger = f"{table}_once_{name}"
            statements += [
                f"DROP TRIGGER IF EXISTS {trigger} ON {table}",
                f"CREATE TRIGGER {trigger} BEFORE {event} ON {table} {each} EXECUTE FUNCTION written_once()",
                f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}",
            ]
    _all(server, statements)


def _warnings(server: Server) -> Iterator[Diagnostic]:
    """Name a role that could change what is written once, and why."""
    once = [table for table, (_, only) in described.ONCE.items() if not only]
    names = [*described.ONCE, "omnibachi", "holders", "runs"]
    found = server.row(_EXCESS, (_array(names), _array(once)))
    assert found is not None
    role, superuser, schema, owner, tables, records = found
    reasons = [
        words
        for is_so, words in (
            (superuser, "is a superuser"),
            (owner, "owns the tables"),
            (schema, "owns their schema"),
            (tables or records, "may change what is written once"),
        )
        if is_so
    ]
    if reasons:
        # Whoever is a superuser or an owner has the rest by it; the strongest reason is the one to mend first.
        message = f"the role `{role}` may do more at `{server.path}` than a run needs: it {reasons[0]}"
        yield Diagnostic("OB787", message, severity="warning")


def _array(names: list[str]) -> str:
    return "{" + ",".join(names) + "}"
