"""Two snapshots compared: where they lie, whether they hold, and what differs between them.

The digests of both are verified before anything is compared. The sources of their capabilities need not be here: the
locks say whether they are the same.
"""

from __future__ import annotations

import functools

from omnibachi_model.diagnostics import Diagnostic, Refused, has_errors
from omnibachi_model.digests import digest
from omnibachi_model.sealed import MANIFEST

from . import wiring
from .commands.recorded import file_of, snapshot_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .wiring import Change

    Read = Callable[[str], bytes | None]


def compare(old: str, new: str) -> tuple[list[Change], str, str]:
    """Compare the snapshots in two folders: (changes, the old seal, the new one).

    Raises Refused: OB601 (exit 3) where one is missing; OB602, OB603, OB605, OB608 where one does not hold.
    """
    sides = [functools.partial(file_of, snapshot_folder(target)) for target in (old, new)]
    found = [
        Diagnostic(item.code, f"in `{target}`: {item.message}", item.span, help=item.help, severity=item.severity)
        for target, read in zip((old, new), sides, strict=True)
        for item in wiring.verify_snapshot(read, (), None)
    ]
    if has_errors(found):
        raise Refused(found)
    seals = [digest(read(MANIFEST) or b"") for read in sides]
    try:
        changes = wiring.differences(wiring.parts_of(sides[0]), wiring.parts_of(sides[1]), proofs())
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        # Whoever edits a file and all digests of it makes a snapshot that holds and yet is none.
        message = f"`{old}` or `{new}` has not the form of a snapshot: {type(error).__name__} {error}"
        raise Refused([Diagnostic("OB608", message[:300], help="compile it again from its sources")]) from error
    return changes, seals[0], seals[1]


def proofs() -> wiring.Types:
    """Join what the comparison asks about schemas with who can prove it."""

    def member(schema: dict[str, Any], segment: str | int) -> dict[str, Any] | None:
        found, there = wiring.member(schema, segment)
        return None if there is wiring.Presence.NEVER else found

    return wiring.Types(lambda a, b: wiring.fits(a, b) is wiring.Fit.FITS, wiring.join_all, member)
