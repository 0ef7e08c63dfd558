"""Events of decisions as rows: the columns, and the way from a row to its event, also where it was changed."""

from __future__ import annotations

import orjson

from omnibachi_model.decisions import DECISION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SINCE = 4  # the schema version that brought the tables
# In the order of the table, `position` first.
COLUMNS = (
    "position", "kind", "stream_id", "lane", "thread_id", "turn_id", "parent_turn_id", "correlation_id", "intent_type",
    "actor", "payload", "obs", "normative_digest", "prev_event_digest", "digest", "canon_len",
)  # fmt: skip
NAMES = ("index", *COLUMNS[1:])
LIST = ", ".join(COLUMNS)
_OBJECTS = ("payload", "obs")
# SQLite, which has no statistics here, would take the primary key for its order; PostgreSQL is not told (`Server`).
STORY = (
    f"SELECT {LIST} FROM decisions INDEXED BY decisions_correlation WHERE ledger=? AND correlation_id=?"
    " ORDER BY position"
)
INSERT = f"INSERT INTO decisions (ledger, {LIST}) VALUES (?{', ?' * len(COLUMNS)})"
_NUMBERS = ("intented", "allowed", "denied", "executed_ok", "executed_error")
_OF = "FROM decision_heads WHERE store=?"
# SQLite keeps in a column what it is given: readers get the types of the table, who verifies what lies there.
HEAD = (
    "SELECT ledger, CAST(length AS BIGINT), v_digest, normative_head, "
    f"{', '.join(f'CAST({name} AS BIGINT)' for name in _NUMBERS)} {_OF}"
)
STORED_HEAD = f"SELECT ledger, length, v_digest, normative_head, {', '.join(_NUMBERS)} {_OF}"
# An object that cannot be read is shown as this; a caller's own may not have such a name.
UNREADABLE: dict[str, Any] = {"_unreadable": True}


def event_in(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return the event of a row for readers; whatever was done to the row, it is one that can be written as JSON."""
    event: dict[str, Any] = {}
    for name, value in zip(NAMES, row, strict=True):
        event[name] = _object(value) if name in _OBJECTS else plain(value)
    event["is_authoritative"] = event["kind"] == DECISION
    return event


def _object(value: Any) -> dict[str, Any]:
    try:
        found = orjson.loads(value)
    except ValueError:
        return UNREADABLE
    return found if type(found) is dict else UNREADABLE


def plain(value: Any) -> Any:
    """Return a value of a column as one that can be written as JSON: bytes, where a text was, as the text they make."""
    return value.decode("utf-8", "replace") if type(value) is bytes else value
