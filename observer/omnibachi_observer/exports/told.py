"""What all forms of export need of a record: its story, when each step began and ended, and instants as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from omnibachi_model.record import read
from omnibachi_observer.story import Story, add, join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_US = 2**53 - 1


def story_of(record: bytes, workflow: dict[str, Any] | None = None) -> Story:
    """Read a record that holds; raises Broken."""
    story = Story(workflow)
    for event in read(record):
        add(story, event)
    join(story)
    return story


def number(obs: dict[str, Any], name: str) -> int:
    """Return a count or a span of microseconds of an obs; 0 where it is not told."""
    found = obs.get(name)
    return found if type(found) is int and 0 <= found <= MOST_US else 0


def text(obs: dict[str, Any], name: str) -> str | None:
    """Return a text of an obs; None where it is not told."""
    found = obs.get(name)
    return found if isinstance(found, str) and found else None


def interval(obs: dict[str, Any]) -> tuple[int, int]:
    """Return when a step began and ended, in microseconds since 1970."""
    ended = number(obs, "at_us")
    return max(0, ended - number(obs, "took_us")), ended


def instant(us: int) -> str:
    """Write microseconds since 1970 as RFC 3339 with six digits."""
    return (EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def program(story: Story) -> tuple[str, str]:
    """Return name and version of the program that ran."""
    name, _, version = (text(story.obs, "program") or "").partition(" ")
    return name or "omnibachi", version or "unknown"


def reason_of(fault: dict[str, Any]) -> str:
    """Say in one line why a node ended in FAULT, as far as the record tells."""
    parts = [str(fault[name]) for name in ("reason", "detail", "reference", "exception") if name in fault]
    return ": ".join(parts) or "FAULT"
