"""Ledgers of decisions told anew: events changed one by one, and everything that follows from them made to agree."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from omnibachi_model.decisions import DECISION, EXECUTION, ZERO, event_of
from omnibachi_model.digests import encode

Json = dict[str, Any]
_NAMES = {DECISION: "intent_normative_digest", EXECUTION: "decision_normative_digest"}


def retold(events: Iterable[Json], change: Callable[[Json], Any] = lambda event: None) -> list[Json]:
    """Return a ledger whose events were changed, as somebody would make it who can write every digest anew."""
    told: list[Json] = []
    before: dict[str, str] = {}
    for old in events:
        event = copy.deepcopy(old)
        change(event)
        if event["kind"] in _NAMES:
            event["payload"][_NAMES[event["kind"]]] = before[event["correlation_id"]]
        prev = told[-1]["digest"] if told else ZERO
        event = event_of(len(told), event["kind"], event, event["actor"], event["payload"], event["obs"], prev)
        before[event["correlation_id"]] = event["normative_digest"]
        told.append(event)
    return told


def export_of(events: Iterable[Json]) -> bytes:
    """Return events as the lines of an export."""
    return b"".join(encode(event) + b"\n" for event in events)
