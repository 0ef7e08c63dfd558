"""What a witness does with two servers: sends an intent, waits until its story has an end, reads what both tell of it.

Only the gateway is sent anything; of the observer it reads. Whatever does not answer is told as `Unanswered`, with the
URL; nothing is kept anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from omnibachi_model.decisions import FINAL

from . import wiring
from .witnessing import NOT_TAKEN, Judged, Scenario, Story, caught_up, differences, intent_of, judge

if TYPE_CHECKING:
    from .wiring import Intents, Reader

PATIENCE = 10.0  # seconds for a story to end, and for an observer to come to that end
_FIRST, _LONGEST = 0.005, 0.2  # seconds between two questions: asked often at first, ever more seldom then


@dataclass(frozen=True, slots=True)
class Servers:
    """The doors that a witness knocks at: one to send intents, and two to read."""

    intents: Intents
    gateway: Reader
    observer: Reader


@dataclass(slots=True)
class Round:
    """What a witness has seen: stories, why the gateway fell silent before the last of them, and the observer."""

    stories: list[Story]
    gateway: str | None = None
    declined: str | None = None  # by the gateway, which answers
    observer: str | None = None


class Declined(Exception):
    """A server answers, and will not tell: its reason code, and its words."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(f"`{said.get('reason_code')}`, {said.get('detail')}")


def in_force(servers: Servers) -> dict[str, Any]:
    """Return the gateway's `/status`. Raises Unanswered, Declined."""
    return asked(servers.gateway, "/status")


def witnessed(scenarios: list[Scenario], draw: Callable[[Scenario], str], servers: Servers) -> Round:
    """Let every scenario happen, one after the other; `draw` gives each its correlation id."""
    seen = Round([])
    for scenario in scenarios:
        correlation = draw(scenario)
        try:
            story = _sent(scenario, correlation, servers)
        except wiring.Unanswered as silent:
            seen.gateway = silent.because
            return seen
        except Declined as declined:
            seen.declined = str(declined)
            return seen
        if seen.observer is None:
            try:
                story = _observed(story, servers)
            except (wiring.Unanswered, Declined) as silent:
                seen.observer = getattr(silent, "because", str(silent))
        if seen.observer is not None:
            story = replace(story, unobserved=seen.observer)
        seen.stories.append(story)
    return seen


def asked(server: Reader, path: str, **parameters: str) -> dict[str, Any]:
    """Ask a server for an object. Raises Unanswered where it gives none, Declined where it will not."""
    return _object(server, path, *server.get(path, parameters))


def _object(server: Reader, path: str, status: int, value: Any) -> dict[str, Any]:
    if status == 200 and isinstance(value, dict):
        return value
    if status >= 400 and isinstance(value, dict) and value.get("reason_code"):
        raise Declined(value)
    raise wiring.Unanswered(server.url, f"`{path}` is answered with {status}")


def _sent(scenario: Scenario, correlation: str, servers: Servers) -> Story:
    """Send an intent and read its story once it has come to an end."""
    intent = intent_of(scenario, correlation)
    status, value = servers.intents.post(intent)
    said = value if isinstance(value, dict) else {}
    if status != 202 or said.get("accepted") is not True:
        reason = said.get("reason_code")
        refusal = {"status": status, "reason_code": reason, "detail": said.get("detail")}
        return Story(scenario, correlation, Judged(NOT_TAKEN, str(reason or status)), [], refusal)

    def final() -> bool:
        return asked(servers.gateway, "/status", correlation_id=correlation).get("state") in FINAL

    if not _until(final, PATIENCE):
        raise wiring.Unanswered(servers.gateway.url, f"`{correlation}` has no end after {PATIENCE:g} s")
    page = asked(servers.gateway, "/snapshot", correlation_id=correlation, offset="0", limit="20")
    events = page.get("events")
    if not isinstance(events, list):
        raise wiring.Unanswered(servers.gateway.url, "`/snapshot` has no events")
    return Story(scenario, correlation, judge(events, intent), events)


def _observed(story: Story, servers: Servers) -> Story:
    """Return a story with what the observer shows of it, once it has come so far."""
    projection: dict[str, Any] | None = None
    if story.judged.complete:
        path, found = f"/threads/{story.correlation_id}", {}

        def there() -> bool:
            nonlocal found
            status, value = servers.observer.get(path, {})
            found = {} if status == 404 else _object(servers.observer, path, status, value)
            return caught_up(story.events, found)

        if not _until(there, PATIENCE):
            because = f"it does not show `{story.correlation_id}` after {PATIENCE:g} s"
            raise wiring.Unanswered(servers.observer.url, because)
        projection = found
    signals = asked(servers.observer, "/signals").get("signals")
    if not isinstance(signals, list):
        raise wiring.Unanswered(servers.observer.url, "`/signals` has no signals")
    differs = differences(story.events, projection) if projection is not None else []
    return replace(story, projection=projection, differs=tuple(differs), signals=signals)


def _until(done: Callable[[], bool], patience: float) -> bool:
    """Ask until it is done; False where patience has an end before that."""
    until, pause = time.monotonic() + patience, _FIRST
    while not done():
        if time.monotonic() + pause > until:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST)
    return True
