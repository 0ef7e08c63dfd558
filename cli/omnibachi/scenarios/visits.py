"""Marks that runs leave on the places they come by, so that a mutant is played only by scenarios that may feel it.

A run is the same on a workflow and on its mutant until it asks for what was changed: runs are deterministic, and a
scenario's clock and chance are its own. So a run that never left a node by an outcome cannot tell where that outcome
leads, one that a decision sent on by its second row has not seen the third, and a payload that broke no bound passes
when one is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from omnibachi_model.sealed import REJECTED_EXIT

from .tours import Stop

GATE = -1  # the place of the payload's schema, beside the indexes of nodes
PASSED = "passed"


class Visit(NamedTuple):
    """A mark that a run left: on which node (or GATE) of which workflow."""

    workflow: str
    at: int
    mark: str


def left_by(outcome: str) -> str:
    """Return the mark of a node that was left by an outcome."""
    return f"left by {outcome}"


def won(row: int) -> str:
    """Return the mark of a decision that a row (from 0) decided."""
    return f"row {row}"


def visits_of(workflow: str, stops: Sequence[Stop], exit: str | None) -> Iterator[Visit]:
    """Yield the marks of a run: its tour and its exit, or None where it waits."""
    if exit == REJECTED_EXIT and not stops:
        yield Visit(workflow, GATE, left_by(REJECTED_EXIT))
    for stop in stops:
        yield Visit(workflow, stop.at, PASSED)
        yield Visit(workflow, stop.at, left_by(stop.left_by))
        if stop.event is not None and stop.event.get("row") is not None:
            yield Visit(workflow, stop.at, won(stop.event["row"]))
