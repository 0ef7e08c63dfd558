"""Withholding: what a run with secrets writes in their place, at its gate and after each step that a secret touches.

A step does its work as any other, with the values themselves; the event that it has just added is rewritten before
anything else can see it. What a fault tells of such a node is its reason and where it stands, nothing that could hold a
value: no exception text, no detail of an expression, no names of members that are not declared.

Linked only where a sealed workflow has secrets; see `blind` for runs whose payload is not at hand.
"""

from __future__ import annotations

import builtins

import orjson

from omnibachi_model.diagnostics import Defect, Trouble
from omnibachi_model.digests import encode
from omnibachi_model.sealed import END, PASS, REJECTED_EXIT
from omnibachi_model.secrecy import WITHHELD, first_secret, is_withheld, withheld
from omnibachi_model.values import Outside, admit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from omnibachi_model.checks import Violation

    from .link import Program
    from .walk import Step, Walk

# What the obs of a fault may say of a node that reads secrets; of exceptions only Python's own have their names told.
TOLD = ("reason", "reference", "frame")
QUIET = "more is not told: it reads what is secret"


class Marker(dict[str, "Any"]):
    """A secret value that is not at hand: what stands for it in the record. Whatever is read from it is itself."""

    __slots__ = ()

    withheld = True  # what `templates.follow` asks

    def __missing__(self, key: Any) -> Marker:
        return self


class Unseen(Exception):
    """A node would have to read a secret that is not at hand."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Secrets:
    """What a linked workflow withholds: parts of its payload, by its schema, and fields of its nodes.

    `commit` gives the commitment to a value; it is set by whoever knows the data root, and without it a record can be
    compared in what is public alone.
    """

    __slots__ = ("bare", "commit", "schema")

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.bare: dict[int, tuple[Step, Fields]] = {}  # the steps by themselves, of nodes that a secret touches
        self.commit: Callable[[Any], str] | None = None

    def marker(self, value: Any) -> dict[str, Any]:
        """Return what stands for a secret; a form without a commitment where there is no key."""
        return {WITHHELD: self.commit(value) if self.commit is not None else None}

    def gate(self, program: Program, payload: Any) -> tuple[list[Violation], Any, bytes]:
        """Do what `Program.gate` says; violations and bytes show nothing secret.

        What does not fit is withheld too, and told by the nearest declared place that is not secret: a secret under a
        misspelt name is a secret still.
        """
        try:
            payload = admit(payload)
        except Outside as outside:
            raise Outside(self._told(outside.pointer), _public_reason(outside.reason)) from None
        given = program.admitted(payload)
        found = program.violations(given)
        shown = withheld(payload, self.schema, self.marker)
        cut = [(path[: first_secret(self.schema, path)], keyword) for path, keyword in found]
        for path, _ in cut:
            shown = _replaced(shown, path, self.marker)
        return list(dict.fromkeys(cut)), given, encode(shown)

    def _told(self, pointer: str) -> str:
        """Return a JSON Pointer up to the first secret that it leads into, or member that nothing declares."""
        parts = pointer.split("/")[1:]
        path = tuple(int(part) if part.isdecimal() else part.replace("~1", "/").replace("~0", "~") for part in parts)
        depth = first_secret(self.schema, path)
        depth = _declared(self.schema, path) if depth is None else depth
        return "".join(f"/{part}" for part in parts[:depth])


def _declared(schema: Any, path: Sequence[str | int]) -> int:
    """Return how many segments of a path may be told: those that a schema declares, and one more."""
    for depth, part in enumerate(path, 1):
        inner = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
        schema = schema.get("items") if type(part) is int else inner
        if type(schema) is not dict:
            return depth
    return len(path)


def _public_reason(reason: str) -> str:
    return "a key is no string" if reason.startswith("the key ") else reason


def _replaced(value: Any, path: Sequence[str | int], replace: Callable[[Any], Any]) -> Any:
    """Return a value in which what a path leads to is replaced; where it leads to nothing, the value itself."""
    if is_withheld(value) or value == {WITHHELD: None}:
        return value
    if not path:
        # A payload that does not fit as a whole keeps its form of an object.
        return replace(value)
    first, rest = path[0], path[1:]
    if type(value) is dict and first in value:
        return {**value, str(first): _replaced(value[str(first)], rest, replace)}
    if type(value) is list and type(first) is int and first < len(value):
        return [*value[:first], _replaced(value[first], rest, replace), *value[first + 1 :]]
    return value


def holds_marker(value: Any) -> bool:
    """Tell whether a value, or anything in it, is a secret that is not at hand."""
    kind = type(value)
    if kind is Marker:
        return True
    if kind is dict:
        return any(map(holds_marker, value.values()))
    return kind is list and any(map(holds_marker, value))


class Fields:
    """Which fields of one node's events are withheld; raises ValueError for what no compiler seals."""

    __slots__ = ("_outputs", "fields", "inputs", "known", "node")

    def __init__(self, node: dict[str, Any]) -> None:
        secret = node["secret"]
        self.node = node
        self.inputs = frozenset(_names(secret.get("inputs", ())))
        self.fields = frozenset(_names(secret.get("fields", ())))
        self._outputs = {outcome: frozenset(_names(names)) for outcome, names in secret.get("outputs", {}).items()}
        outcomes = node.get("outcomes", {})
        declared = [schema.get("properties", {}) for schema in outcomes.values()]
        template = node.get("with", {})
        bound = template if type(template) is dict else template[1] if template[0] == "map" else {}
        self.known = frozenset([*bound, *node.get("fields", ()), *(name for names in declared for name in names)])

    def outputs(self, outcome: str) -> frozenset[str]:
        """Return the output fields of an outcome that are withheld."""
        return self._outputs.get(outcome, self.fields)

    def shown(self, body: bytes, replace: Callable[[Any], Any]) -> bytes:
        """Return the bytes of an event's body in which what is secret is what `replace` makes of it."""
        told: dict[str, Any] = orjson.loads(body)
        inputs, output = told["inputs"], told["output"]
        return self.shown_by(told, lambda name: replace(inputs[name]), lambda name: replace(output[name]))

    def shown_by(self, told: dict[str, Any], given: Callable[[str], Any], made: Callable[[str], Any]) -> bytes:
        """Return the bytes of a body with other inputs and outputs in the place of secret ones, by name."""
        told = {**told}
        told["inputs"] = _without(told["inputs"], self.inputs, given)
        told["output"] = _without(told["output"], self.outputs(told["outcome"]), made)
        if self.node["kind"] == PASS and told["outcome"] == REJECTED_EXIT:
            told["output"] = {"violations": self.cut(told["output"]["violations"])}
        return encode(told)

    def fault(self, fault: Mapping[str, Any]) -> dict[str, Any]:
        """Return what may be told of a FAULT."""
        found = {key: value for key, value in fault.items() if key in TOLD}
        if "violations" in fault:
            found["violations"] = self.cut(fault["violations"])
        if "exception" in fault:
            own = hasattr(builtins, fault["exception"])
            found["exception"] = fault["exception"] if own else "Exception"
        if "detail" in fault:
            found["detail"] = QUIET
        return found

    def cut(self, violations: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
        """Return violations told of declared fields only, none of what is inside of them."""
        found = {}
        for item in violations:
            first = item["pointer"].split("/")[1:2]
            place = f"/{first[0]}" if first and first[0] in self.known else ""
            found[place, item["keyword"]] = {"pointer": place, "keyword": item["keyword"]}
        return [found[key] for key in sorted(found)]


def _names(names: Any) -> list[str]:
    if type(names) not in (list, tuple) or not all(type(name) is str for name in names):
        raise ValueError(f"no names of secret fields {names!r}")
    return list(names)


def _without(value: Any, names: frozenset[str], replace: Callable[[str], Any]) -> Any:
    if type(value) is not dict or names.isdisjoint(value):
        return value
    return {name: replace(name) if name in names else item for name, item in value.items()}


def kept(index: int, nodes: Sequence[dict[str, Any]], step: Step, secrets: Secrets) -> Step:
    """Return the step of a node: where a secret touches it the same, and its events without what is secret.

    The END of a round adds the event of its loop.
    """
    told = nodes[index]["of"] if nodes[index]["kind"] == END else index
    if "secret" not in nodes[told]:
        return step
    fields = Fields(nodes[told])
    secrets.bare[index] = step, fields

    def withholding(run: Walk) -> int:
        events, mishaps = len(run.events), len(run.mishaps)
        try:
            target = step(run)
        except (Trouble, Defect) as error:
            # Nothing here asks a database: whatever it is, its text may hold what the step was given.
            what = f"`{run.place(fields.node['name'])}` reads secrets and met {type(error).__name__}"
            raise Defect(what) from None
        added = run.events[events:]
        if added and holds_marker(run.values[told]):
            del run.events[events:]
            raise Unseen(added[0][0])
        run.events[events:] = [
            (path, fields.shown(body, secrets.marker), _quiet(fields, obs)) for path, body, obs in added
        ]
        for mishap in run.mishaps[mishaps:]:
            mishap.fault, mishap.text = fields.fault(mishap.fault), None
        return target

    return withholding


def _quiet(fields: Fields, obs: bytes) -> bytes:
    told = orjson.loads(obs)
    return encode({**told, "fault": fields.fault(told["fault"])}) if "fault" in told else obs
