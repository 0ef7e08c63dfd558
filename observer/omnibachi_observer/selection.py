"""`examine --select`: a JSONPath over a record's events, for exploring.

The dialect is jsonpath-ng's with its extensions (filters, `len`, arithmetic). Bindings in protocols are another
language: RFC 9535 singular queries.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.record import Broken, read

LONGEST = 4_096


def select(record: bytes, jsonpath: str) -> tuple[list[Any], list[Diagnostic]]:
    """Return the values that a JSONPath finds in the list of events, and diagnostics.

    An event is `{line, body, obs, prev, hash}`, so `$[*].body.kind` lists the kinds. A path that cannot be read
    or applied is a diagnostic (OB747) and no value; of a broken record what stands before the break is
    searched (OB740).
    """
    from jsonpath_ng.ext.parser import parse

    events: list[dict[str, Any]] = []
    notes: list[Diagnostic] = []
    try:
        for event in read(record):
            events.append(
                {"line": event.line, "body": event.body, "obs": event.obs, "prev": event.prev, "hash": event.hash}
            )
    except Broken as error:
        message = f"the record breaks at line {error.line}: {error.reason}"
        notes.append(Diagnostic("OB740", message, help="only the lines before it were searched"))
    try:
        if len(jsonpath) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST} characters")
        found = [match.value for match in parse(jsonpath).find(events)]
    except Exception as error:  # the library raises all kinds, also bare ones, for what a user wrote
        why = " ".join(str(error).split())[:200] or type(error).__name__
        message = f"`{jsonpath[:80]}` cannot be searched for: {why}"
        return [], [*notes, Diagnostic("OB747", message, help="write for instance `$[*].body.outcome`")]
    return found, notes
