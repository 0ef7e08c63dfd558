"""What reaches a place that was missed, for everything that scenarios missed: as JSON, and as a scenario to paste.

The scenario is written in the language's own YAML: flow mappings and quoted texts, which read alike as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from omnibachi.wiring import Scenario

from .coverage import Place, named, part_worded
from .playing import payload_of, workflow_of
from .reaching import MOST_SEEDS, Finder, Found
from .stage import Stage
from .wishes import Effort

MOST_EFFORT = 2_000_000  # nodes walked and values tried, of all workflows together: some seconds
MOST_EFFORT_OF_ONE = 600_000
MOST_NAMED = 4
# What the strict reader of the language takes for a text without quotes, and nothing else.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:::[A-Z][A-Z0-9_]*)?\Z")
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def suggestions(stage: Stage, scenarios: Sequence[Scenario], missed: Sequence[Place]) -> list[dict[str, Any]]:
    """Return what was missed as JSON, each with what reaches it.

    {"workflow", "node" …, "payload", "given" (where answers are forced), "twice" (where the second run of the payload
    does it), "exit"}, or {…, "payload": null, "reason"}.
    """
    seeds: dict[str, dict[str, Any]] = {}
    for scenario in scenarios:
        for step in scenario.steps:
            address = workflow_of(stage, scenario, step) if not step.entry("load") else None
            if isinstance(address, str):
                payload = payload_of(scenario, step)
                seeds.setdefault(address, {}).setdefault(json.dumps(payload, sort_keys=True), payload)
    left = MOST_EFFORT
    found: dict[Place, Found] = {}
    reasons: dict[Place, str] = {}
    for address in sorted({place[0] for place in missed}):
        effort = Effort(min(left, MOST_EFFORT_OF_ONE))
        most = effort.left
        places = [place for place in missed if place[0] == address]
        finder = Finder(stage, address, list(seeds.get(address, {}).values())[: MOST_SEEDS - 3], places, effort)
        finder.find()
        left -= most - effort.left
        found |= finder.found
        reasons |= finder.reasons
    return [{**named(place), **_answer(found.get(place), reasons.get(place))} for place in missed]


def _answer(found: Found | None, reason: str | None) -> dict[str, Any]:
    if found is None:
        return {"payload": None, "reason": reason or "the search was cut short"}
    answer: dict[str, Any] = {"payload": found.payload, "ends": found.exit}
    if found.answers:
        given = {
            name: {"outcome": outcome} | ({"output": output} if output else {})
            for name, (outcome, output) in sorted(found.answers.items())
        }
        answer["given"] = {"answers": given}
    if found.twice:
        answer["twice"] = True
    return answer


def scenario_of(reached: Sequence[dict[str, Any]]) -> list[str]:
    """Write the one scenario that reaches these places, as lines of YAML."""
    first = reached[0]
    parts = [part_worded(place) for place in reached]
    name = ", ".join(parts[:MOST_NAMED]) + (f" and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else "")
    lines = [f"test: {_text(f'reach {name}')}", f"workflow: {first['workflow']}"]
    if "given" in first:
        lines.append(f"given: {written(first['given'])}")
    lines.append("steps:")
    lines.append(f"  - payload: {written(first['payload'])}")
    if first.get("twice"):
        lines.append("  - payload_of: 1")
    lines.append(f"    expect: {{exit: {first['ends']}}}")
    return lines


def written(value: Any) -> str:
    """Write a value as flow YAML of the language."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")  # the language has no exponents
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    # YAML escapes as JSON does, save that it has no pairs of surrogates.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


def lines_of(missed: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the scenarios that reach all that was missed and can be reached, one YAML document after another."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in missed:
        if item["payload"] is not None:
            how = {key: item[key] for key in ("workflow", "payload", "given", "twice") if key in item}
            groups.setdefault(json.dumps(how, sort_keys=True), []).append(item)
    for number, reached in enumerate(groups.values()):
        if number:
            yield "---"
        yield from scenario_of(reached)
