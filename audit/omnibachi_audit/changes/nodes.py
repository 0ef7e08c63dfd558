"""The nodes of two sealed forms of one workflow, compared by name: what each does, is given, and where it leads.

References and routes are written with names before they are compared, since an index says nothing once a node was
added before it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from omnibachi_model.digests import encode
from omnibachi_model.sealed import EXIT

from .results import Outputs
from .rules import Change
from .schemas import Types, given

Said = Callable[..., Change]  # (rule, part, words, name of the node) -> Change
Node = dict[str, Any]

IDENTITY = {"kind": "kind", "use": "capability", "store": "store", "event": "event", "effect": "effect class"}
SHOWN = frozenset(("retry", "deadline_ms", "max", "good", "every_ms", "members", "gate", "status", "hosts", "repeat"))
SHOWN |= {"for", "roles", "quorum", "within_ms", "programs"}
APART = frozenset((*IDENTITY, "name", "next", "with", "check", "outcomes", "rows", "fields", "result", "secret"))


def compare_nodes(old: Node, new: Node, types: Types, said: Said) -> Iterator[Change]:
    """Compare the nodes and exits of two sealed workflows."""
    before, after = _named(old), _named(new)
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        exit = "EXIT" in (part["kind"] for part in (was, now) if part)
        part = f"exit `{name}`" if exit else f"node `{name}`"
        if was is None or now is None:
            rule = ("exit-" if exit else "node-") + ("added" if was is None else "removed")
            yield said(rule, part, "is new" if was is None else "is gone", name)
        else:
            yield from _compare(was, now, part, functools.partial(_say, said, name))
    yield from _results(old, new, types, said)


def _say(said: Said, name: str, rule: str, part: str, words: str) -> Change:
    return said(rule, part, words, name)


def _named(workflow: Node) -> dict[str, Node]:
    """Return the nodes by name, with names for indices in routes and references."""
    names = [str(node["name"]) for node in workflow["nodes"]]

    def put(value: Any) -> Any:
        if isinstance(value, list):
            if len(value) == 3 and value[0] == "ref" and isinstance(value[1], int):
                return ["ref", names[value[1]], value[2]]
            # A literal is data, whatever it looks like.
            return value if value[:1] == ["lit"] else [put(item) for item in value]
        return {key: put(item) for key, item in value.items()} if isinstance(value, dict) else value

    found = {}
    for node in workflow["nodes"]:
        made = {key: put(item) if key in ("with", "items", "output", "result") else item for key, item in node.items()}
        made["next"] = {outcome: names[target] for outcome, target in node["next"].items()}
        for key in ("of", "body"):
            if isinstance(made.get(key), int):
                made[key] = names[made[key]]
        if "bodies" in made:
            made["bodies"] = [names[index] for index in made["bodies"]]
        found[made["name"]] = made
    return found


def _compare(old: Node, new: Node, part: str, said: Callable[[str, str, str], Change]) -> Iterator[Change]:
    for key, word in IDENTITY.items():
        if old.get(key) != new.get(key):
            yield said("node-otherwise", part, f"its {word} was `{old.get(key)}` and is `{new.get(key)}`")
    if old["kind"] == new["kind"] == EXIT and old["status"] != new["status"]:
        yield said("status-changed", part, f"its status was {old['status']} and is {new['status']}")
    if _differ(old, new, "with"):
        yield from _inputs(old.get("with"), new.get("with"), part, said)
    yield from _routes(old["next"], new["next"], part, said)
    yield from _checks(old, new, part, said)
    if _differ(old, new, "secret"):
        yield said("withheld-otherwise", part, "other fields of it are withheld from the record")
    yield from _rows(old.get("rows", []), new.get("rows", []), part, said)
    fields, now = old.get("fields", {}), new.get("fields", {})
    for name in sorted({*fields, *now}):
        if name not in fields:
            yield said("gives-more", part, f"it computes `{name}` too")
        elif name not in now:
            yield said("gives-less", part, f"it computes `{name}` no longer")
        elif encode(fields[name]) != encode(now[name]):
            yield said("field-changed", part, f"`{name}` is computed otherwise")
    for key in sorted({*old, *new} - APART - {"status"}):
        if _differ(old, new, key):
            words = f"its `{key}` was {_shown(old.get(key))} and is {_shown(new.get(key))}" if key in SHOWN else ""
            yield said("node-otherwise", part, words or f"its `{key}` is otherwise")


def _inputs(old: Any, new: Any, part: str, said: Callable[[str, str, str], Change]) -> Iterator[Change]:
    """Name the inputs that are made otherwise, where both are records of inputs."""
    old, new = (one[1] if isinstance(one, list) and one[:1] == ["map"] else one for one in (old, new))
    if not (isinstance(old, dict) and isinstance(new, dict)):
        yield said("inputs-otherwise", part, "its inputs are made otherwise")
        return
    for name in sorted({*old, *new}):
        if _differ(old, new, name):
            how = "not given before" if name not in old else "given no longer" if name not in new else "made otherwise"
            yield said("inputs-otherwise", part, f"its input `{name}` is {how}")


def _routes(
    old: dict[str, str], new: dict[str, str], part: str, said: Callable[[str, str, str], Change]
) -> Iterator[Change]:
    for outcome in sorted({*old, *new}):
        if outcome not in old:
            yield said("route-added", part, f"{outcome} leads to `{new[outcome]}`")
        elif outcome not in new:
            yield said("route-removed", part, f"{outcome} led to `{old[outcome]}`")
        elif old[outcome] != new[outcome]:
            yield said("route-changed", part, f"{outcome} led to `{old[outcome]}` and leads to `{new[outcome]}`")


def _checks(old: Node, new: Node, part: str, said: Callable[[str, str, str], Change]) -> Iterator[Change]:
    if _differ(old, new, "outcomes"):
        yield said("answers-otherwise", part, "its answers are checked against another schema")
    if not _differ(old, new, "check"):
        return
    if old.get("check") is None:
        yield said("check-added", part, "its inputs are checked when run")
    elif new.get("check") is None:
        yield said("check-dropped", part, "its inputs need no check any more")
    else:
        yield said("check-changed", part, "its inputs are checked against another schema")


def _rows(old: list[Any], new: list[Any], part: str, said: Callable[[str, str, str], Change]) -> Iterator[Change]:
    for number in range(1, max(len(old), len(new)) + 1):
        was = old[number - 1] if number <= len(old) else None
        now = new[number - 1] if number <= len(new) else None
        if was is None or now is None:
            row = was or now or {}
            words = f"row {number} ({row.get('outcome')}) is " + ("new" if was is None else "gone")
            yield said("row-changed", part, words)
            continue
        if encode(was.get("when")) != encode(now.get("when")):
            yield said("row-changed", part, f"row {number} ({now['outcome']}) asks something else")
        if was["outcome"] != now["outcome"]:
            yield said("row-changed", part, f"row {number} gave {was['outcome']} and gives {now['outcome']}")
        if was.get("because") != now.get("because"):
            yield said("because-changed", part, f"row {number} says {_shown(now.get('because'))}")


def _results(old: Node, new: Node, types: Types, said: Said) -> Iterator[Change]:
    """Compare what exits give: the type of each result, and what it is made of."""
    outputs, now = Outputs(old, types), Outputs(new, types)
    before, after = _named(old), _named(new)
    exits = {node["name"]: node for node in new["nodes"] if node["kind"] == EXIT}
    for node in old["nodes"]:
        name = node["name"]
        if node["kind"] != EXIT or name not in exits:
            continue
        type_was = outputs.of(node["result"]) if node.get("result") else {"type": "object", "properties": {}}
        type_now = now.of(exits[name]["result"]) if exits[name].get("result") else {"type": "object", "properties": {}}
        found = given(type_was, type_now, types)
        for rule, pointer, words in found:
            yield said(rule, f"exit `{name}`", f"its result{' at ' + pointer if pointer else ''}: {words}", name)
        told = {pointer for _, pointer, _ in found}
        for key in _made_otherwise(before[name].get("result"), after[name].get("result")):
            if f"/{key}" not in told:
                yield said("result-otherwise", f"exit `{name}`", f"its result's `{key}` is made otherwise", name)


def _made_otherwise(old: Any, new: Any) -> list[str]:
    """Return the members of both results that are not made of the same values."""
    was, now = (one[1] if isinstance(one, list) and one[:1] == ["map"] else {} for one in (old, new))
    return sorted(key for key in was.keys() & now.keys() if encode(was[key]) != encode(now[key]))


def _differ(old: Node, new: Node, key: str) -> bool:
    return (key in old) is not (key in new) or encode(old.get(key)) != encode(new.get(key))


def _shown(value: Any) -> str:
    text = encode(value).decode()
    return f"`{text[:80]}`"
