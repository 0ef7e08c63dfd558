"""The ledger: one database per data root, the only durable truth of what happened and of the state it left.

It is SQLite in a folder, or a schema of PostgreSQL (`postgres/`); `seam.py` says what the rest asks of either.

`open_root` opens it. A run writes through a `Journal`, one transaction per effect, and a capability sees one `Store`
inside that transaction and nothing else. Events, receipts and sealed workflows are only ever added. Mirrors are
readable projections beside the database: losing them loses nothing. Opened for `reading`, a data root stays as it is to
the last byte. Whatever a database or the file system refuses leaves this room as `Trouble`; a misuse by OmniBachi
itself is a `Defect`.
"""

from .root import Ledger, open_root
from .runs import RunRow
from .schema import VERSION as SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "Ledger", "RunRow", "open_root"]
