"""What is to be said of one sealed node: what it uses, what it is given, how it decides, how often it tries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from omnibachi_model.named_secrets import named_by
from omnibachi_model.sealed import CALL, COMPUTE, DECIDE, WAIT
from omnibachi_model.waits import written_duration
from omnibachi_observer.expression_text import expression, json, template

from .frame import Place
from .markup import Child, Html, code, joined, listed, table

Fact = tuple[str, Child]


def node_facts(
    node: dict[str, Any], names: Sequence[str], place: Place, covered: Callable[[str], Child]
) -> Iterator[Fact]:
    """Give names with what is to be said, in the order in which a reader asks.

    `names` are the nodes by index; `covered` says which scenarios reach `row N` of a decision.
    """
    kind = node["kind"]
    if kind == CALL:
        yield "Uses", place.link(node["use"])
        yield "Effect", node["effect"]
        if node["store"]:
            yield "Store", place.link(node["store"])
        if node["event"]:
            yield "Event", place.link(node["event"])
        if "hosts" in node:
            yield "May reach", listed([code(host) for host in node["hosts"]]) if node["hosts"] else "nobody"
        if "programs" in node:
            yield "May run", _codes(sorted(node["programs"])) if node["programs"] else "nothing"
        if secrets := named_by(node):
            yield "Secrets", _codes(secrets)
        if "repeat" in node:
            honoured = "is asked again under the same key" if node["repeat"] == "key" else "is never asked again"
            yield "Leaves the house", f"where nobody knows whether it was done, it {honoured}"
        yield from _attempts(node)
    if kind == WAIT:
        yield "Waits for", f"{node['quorum']} approval{'' if node['quorum'] == 1 else 's'}"
        yield "Roles", _codes(node["roles"])
        if node["within_ms"] is not None:
            yield "At most", f"{written_duration(node['within_ms'])}, else EXPIRED"
    if "with" in node:
        yield "Is approved" if kind == WAIT else "Is given", given_of(node["with"], names)
    if kind == CALL and node["check"] is not None:
        yield "Inputs", "are checked when it is called; what does not fit is FAULT"
    if kind == DECIDE:
        rows: list[list[Child]] = [
            [str(number), code(expression(row["when"])) if row["when"] is not None else "otherwise",
             code(row["outcome"]), row["because"] or "", covered(f"row {number}")]
            for number, row in enumerate(node["rows"], 1)
        ]  # fmt: skip
        yield "Rows", table(("Row", "When", "Outcome", "Because", "Scenarios"), rows, f"Rows of {node['name']}")
    if kind == COMPUTE:
        fields = sorted(node["fields"].items())
        yield "Computes", listed([code(f"{name} = {expression(tree)}") for name, tree in fields])
    yield from _loop(node, names)


def given_of(made: Any, names: Sequence[str]) -> Child:
    """Write a template, or the templates of names, as a list of what is given; `names` are the nodes by index."""
    members = made[1] if isinstance(made, list) and made[:1] == ["map"] else made if isinstance(made, dict) else None
    if members is None:
        return code(template(made, names))
    if not members:
        return "nothing"
    return listed([code(f"{key}: {template(value, names)}") for key, value in sorted(members.items())])


def _attempts(node: dict[str, Any]) -> Iterator[Fact]:
    retry, deadline = node.get("retry"), node.get("deadline_ms")
    if deadline is not None:
        yield "Deadline", f"{_time(deadline)} for each attempt, then TIMEOUT"
    if retry is not None:
        waits = f", after {_time(retry['backoff_ms'])}, times {json(retry['factor'])} each" * bool(retry["backoff_ms"])
        yield "Tries again", joined(f"at most {retry['max']} times{waits}, on ", _codes(retry["on"]))


def _loop(node: dict[str, Any], names: Sequence[str]) -> Iterator[Fact]:
    if node["kind"] == "EACH":
        yield "Items", code(template(node["items"], names))
        yield "Each as", code(f"$.each.{node['as']}")
        yield "At most", f"{node['max']} items, else OVERFLOW"
    if node["kind"] == "REPEAT":
        yield "At most", f"{node['max']} times, else EXHAUSTED"
        yield "Until", code(expression(node["until"]))
        if node["every_ms"]:
            yield "Waits", f"{_time(node['every_ms'])} between"
    if node["kind"] == "ALL":
        yield "Members", _codes(node["members"])
    if "good" in node:
        yield "Good outcomes", _codes(node["good"])


def _codes(texts: Sequence[str]) -> Html:
    return joined(*(code(text) for text in texts), between=", ")


def _time(milliseconds: int) -> str:
    for size, unit in ((3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if milliseconds % size == 0 and milliseconds:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds} ms"
