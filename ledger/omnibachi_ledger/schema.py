"""The tables of schema version 4, as docs/formats.md describes them ("Journal"), and the way there from older versions.

Tables with short rows have no rowid: a commit then touches fewer pages. In older databases that of `events` has none
either, and no statement can tell. Triggers guard what is written once; they also look before an insert, because
`INSERT OR REPLACE` deletes without firing a delete trigger.
"""

from __future__ import annotations

VERSION = 4

_TABLES = (
    """CREATE TABLE runs (
        run TEXT PRIMARY KEY, workflow TEXT NOT NULL, workflow_digest TEXT NOT NULL, seal TEXT,
        payload_digest TEXT NOT NULL, started_at TEXT NOT NULL, fence INTEGER NOT NULL, holder TEXT,
        seq INTEGER NOT NULL, exit TEXT, status TEXT, digest TEXT) WITHOUT ROWID""",
    # With a rowid: a row that holds inputs above a kilobyte would take a page more in a tree of keys.
    """CREATE TABLE events (
        run TEXT NOT NULL, seq INTEGER NOT NULL, path TEXT NOT NULL, body BLOB NOT NULL, obs BLOB NOT NULL,
        PRIMARY KEY (run, seq))""",
    "CREATE UNIQUE INDEX events_path ON events (run, path) WHERE path <> ''",
    # Receipts are never removed, so one more than the largest number is never a number that was given before.
    """CREATE TABLE receipts (
        number INTEGER PRIMARY KEY, run TEXT NOT NULL, path TEXT NOT NULL, capability TEXT NOT NULL,
        outcome TEXT NOT NULL, UNIQUE (run, path))""",
    "CREATE TABLE workflows (digest TEXT PRIMARY KEY, sealed BLOB NOT NULL)",
    # A removed record stays as a row without value, so that its revisions never go back.
    """CREATE TABLE records (
        store TEXT NOT NULL, key TEXT NOT NULL, value BLOB, revision INTEGER NOT NULL, created INTEGER NOT NULL,
        number INTEGER NOT NULL, fixed INTEGER NOT NULL, PRIMARY KEY (store, key)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX records_created ON records (store, created)",
    """CREATE TABLE streams (
        store TEXT NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL, record BLOB NOT NULL,
        number INTEGER NOT NULL, PRIMARY KEY (store, sequence)) WITHOUT ROWID""",
    """CREATE TABLE keysets (
        number INTEGER PRIMARY KEY, store TEXT NOT NULL, event TEXT NOT NULL, keys BLOB NOT NULL,
        UNIQUE (store, event, keys))""",
    """CREATE TABLE lookups (
        keyset INTEGER NOT NULL, value BLOB NOT NULL, sequence INTEGER NOT NULL,
        PRIMARY KEY (keyset, value, sequence)) WITHOUT ROWID""",
    """CREATE TABLE tallies (
        keyset INTEGER NOT NULL, value BLOB NOT NULL, n INTEGER NOT NULL,
        PRIMARY KEY (keyset, value)) WITHOUT ROWID""",
)

# A load of facts is no run: its receipt has the same number and names no run.
_LOADS = """CREATE TABLE loads (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, file_digest TEXT NOT NULL, seal TEXT NOT NULL,
    stores BLOB NOT NULL)"""


# What people say about runs that wait for them, with the verdict on it: refused statements too.
_APPROVALS = """CREATE TABLE approvals (
    number INTEGER PRIMARY KEY, run TEXT NOT NULL, path TEXT NOT NULL, at_us INTEGER NOT NULL,
    statement BLOB NOT NULL, key TEXT NOT NULL, verdict TEXT NOT NULL)"""

# Who asked that a run end, once for each run.
_CANCELLATIONS = """CREATE TABLE cancellations (
    run TEXT PRIMARY KEY, at TEXT NOT NULL, author TEXT NOT NULL, because TEXT) WITHOUT ROWID"""

# The key of the data root, where no file beside the database can hold it: on PostgreSQL. It has one row at most.
_COMMITMENTS = "CREATE TABLE commitments (number INTEGER PRIMARY KEY CHECK (number = 1), key BLOB NOT NULL)"

# Ledgers of decisions: their events, each in the columns that its digest covers; of each ledger one row that moves with
# it, and how many events there are of each stream, lane and kind. The unique indexes hold what the grammar rests on: a
# correlation has one event of a kind, and a turn one INTENT. docs/formats.md, "Decisions".
_DECISIONS = (
    """CREATE TABLE decisions (
        ledger INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL, stream_id TEXT NOT NULL,
        lane TEXT NOT NULL, thread_id TEXT NOT NULL, turn_id TEXT NOT NULL, parent_turn_id TEXT,
        correlation_id TEXT NOT NULL, intent_type TEXT NOT NULL, actor TEXT NOT NULL, payload BLOB NOT NULL,
        obs BLOB NOT NULL, normative_digest TEXT NOT NULL, prev_event_digest TEXT NOT NULL, digest TEXT NOT NULL,
        canon_len INTEGER NOT NULL, PRIMARY KEY (ledger, position)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX decisions_correlation ON decisions (ledger, correlation_id, kind)",
    """CREATE UNIQUE INDEX decisions_turn ON decisions (ledger, stream_id, thread_id, turn_id)
        WHERE kind = 'INTENT'""",
    "CREATE INDEX decisions_stream ON decisions (ledger, stream_id, position)",
    "CREATE INDEX decisions_lane ON decisions (ledger, lane, position)",
    "CREATE INDEX decisions_thread ON decisions (ledger, thread_id, position)",
    "CREATE INDEX decisions_kind ON decisions (ledger, kind, position)",
    """CREATE TABLE decision_heads (
        ledger INTEGER PRIMARY KEY, store TEXT NOT NULL UNIQUE, length INTEGER NOT NULL, v_digest TEXT NOT NULL,
        normative_head TEXT NOT NULL, intented INTEGER NOT NULL, allowed INTEGER NOT NULL, denied INTEGER NOT NULL,
        executed_ok INTEGER NOT NULL, executed_error INTEGER NOT NULL)""",
    """CREATE TABLE decision_tallies (
        ledger INTEGER NOT NULL, stream_id TEXT NOT NULL, lane TEXT NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL,
        PRIMARY KEY (ledger, stream_id, lane, kind)) WITHOUT ROWID""",
)

# Tables whose rows are written once: what makes a row one that is there already, and in `only` which rows these are.
ONCE: dict[str, tuple[tuple[str, ...], str]] = {
    "events": (
        ("run = NEW.run AND seq = NEW.seq", "run = NEW.run AND path = NEW.path AND path <> ''", "rowid = NEW.rowid"),
        "",
    ),
    "receipts": (("number = NEW.number", "run = NEW.run AND path = NEW.path"), ""),
    "workflows": (("digest = NEW.digest", "rowid = NEW.rowid"), ""),
    "streams": (("store = NEW.store AND sequence = NEW.sequence",), ""),
    "records": (("store = NEW.store AND key = NEW.key",), "fixed"),
    "loads": (("number = NEW.number",), ""),
    "approvals": (("number = NEW.number",), ""),
    "cancellations": (("run = NEW.run",), ""),
    "commitments": (("number = NEW.number",), ""),
    "decisions": (
        (
            "ledger = NEW.ledger AND position = NEW.position",
            "ledger = NEW.ledger AND correlation_id = NEW.correlation_id AND kind = NEW.kind",
            "ledger = NEW.ledger AND stream_id = NEW.stream_id AND thread_id = NEW.thread_id"
            " AND turn_id = NEW.turn_id AND kind = 'INTENT' AND NEW.kind = 'INTENT'",
        ),
        "",
    ),
}


def _once(table: str) -> tuple[str, ...]:
    """Make the triggers that let rows of a table be added and neither changed, removed nor replaced."""
    keys, only = ONCE[table]
    guard = f"BEGIN SELECT RAISE(ABORT, '{table} are written once'); END"
    taken = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key})" for key in keys)
    old, new = (f"WHEN OLD.{only}", f"NEW.{only} AND ({taken})") if only else ("", taken)
    return (
        f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} {old} {guard}",
        f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {old} {guard}",
        f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {table} WHEN {new} {guard}",
    )


_LOADING = (_LOADS, *_once("loads"))

_PEOPLE = (_APPROVALS, "CREATE INDEX approvals_run ON approvals (run, number)", *_once("approvals"))
_SINCE_4 = (
    *_PEOPLE,
    _CANCELLATIONS,
    *_once("cancellations"),
    _COMMITMENTS,
    *_once("commitments"),
    *_DECISIONS,
    *_once("decisions"),
)

# The latest runs are listed without reading all of them.
_LATEST = ("CREATE INDEX runs_started ON runs (started_at, run)",)

LATER = (
    "loads",
    "approvals",
    "cancellations",
    "commitments",
    "decisions",
    "decision_heads",
    "decision_tallies",
)  # laid, with their triggers where they have any, by the upgrades that brought them

SCHEMA = (
    *_TABLES,
    *(statement for table in ONCE if table not in LATER for statement in _once(table)),
    *_LOADING,
    *_LATEST,
    *_SINCE_4,
)

# What makes of a database of one version one of the next.
UPGRADES = {1: _LOADING, 2: _LATEST, 3: _SINCE_4}
