"""Keys of any length: an index of PostgreSQL takes no row of more than some 2,700 bytes, so it takes their digests.

The key of a record is what a workflow's payload says, and a key set lists the names of a payload's members: both may be
long. Instead of the texts themselves, unique indexes hold their SHA-256, and statements that ask for one are told to
look there. The texts are compared as well, and rows keep them as they are.
"""

from __future__ import annotations

import re

# The bytes of a text in an expression that never changes its value, as an index wants it: `convert_to` is not declared
# to be one. A cast reads backslashes as escapes.
_TEXT = r"sha256(replace(%s, '\', '\\')::bytea)"
_BYTES = "sha256(%s)"

# What `../schema.py` says of records and key sets, and what is laid instead.
LAID = (
    ("PRIMARY KEY (store, key)", "PRIMARY KEY (store, created)"),
    ("records_created ON records (store, created)", f"records_key ON records (store, ({_TEXT % 'key'}))"),
    ("UNIQUE (store, event, keys)", f"EXCLUDE (store WITH =, event WITH =, ({_BYTES % 'keys'}) WITH =)"),
)
# What brings tables there that were laid before version 4.
SINCE_4 = (
    "ALTER TABLE records DROP CONSTRAINT records_pkey, ADD PRIMARY KEY USING INDEX records_created",
    f"CREATE UNIQUE INDEX records_key ON records (store, ({_TEXT % 'key'}))",
    "ALTER TABLE keysets DROP CONSTRAINT keysets_store_event_keys_key,"
    f" ADD EXCLUDE (store WITH =, event WITH =, ({_BYTES % 'keys'}) WITH =)",
)
_ASKED = re.compile(r"\b(store=\$\d+ AND (?:event=\$\d+ AND )?)(keys?)=(\$\d+)")


def asked_by_digest(sql: str) -> str:
    """Let a statement that asks for a record's key or a key set's names find it by its digest."""
    return _ASKED.sub(_both, sql)


def _both(found: re.Match[str]) -> str:
    before, column, value = found.groups()
    digest = _TEXT if column == "key" else _BYTES
    return f"{before}{digest % column}={digest % value} AND {column}={value}"
