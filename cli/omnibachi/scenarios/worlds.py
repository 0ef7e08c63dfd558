"""Worlds that are assumed: a payload, forced answers, and what the last run answered, as values that nodes can read.

A world is asked for values as a run's own list of values is, by slot, so that linked templates and expressions take it
in the list's place. What follows from payload and answers is computed when it is first asked for; whatever cannot be
computed is None, which a template finds absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omnibachi.wiring import ABSENT, ExpressionFault, link_expression, link_template
from omnibachi_model.checks import filler
from omnibachi_model.checks import link as link_check
from omnibachi_model.sealed import COMPUTE, EACH, FAULT, PASS, WAIT

from .specimens import Schema, schema_at, specimen
from .stage import START, outcomes_of
from .variables import Segments, Variable

Answers = Mapping[int, tuple[str, Any]]  # by the index of a CALL or a WAIT
Value = Callable[[Any], Any]


class Linked:
    """A sealed workflow with its templates and expressions linked once, whichever are asked for."""

    def __init__(self, workflow: Mapping[str, Any]) -> None:
        self.workflow = workflow
        nodes = workflow["nodes"]
        self.nodes: list[dict[str, Any]] = [
            {**node, "outcomes": outcomes_of(node)} if node["kind"] == WAIT else node for node in nodes
        ]
        self.payload: Schema = workflow["payload"]
        self.fill = filler(self.payload) or (lambda value: value)
        self.check = link_check(self.payload)
        self._made: dict[int, tuple[Any, Value]] = {}

    def template(self, template: Any) -> Value:
        """Return the function that builds a template from values."""
        return self._once(template, lambda: link_template(template, len(self.nodes)))

    def expression(self, expression: Any) -> Value:
        """Return the function that computes an expression from names."""
        return self._once(expression, lambda: link_expression(expression))

    def schema(self, schema: Schema) -> Value:
        """Return the check of a schema."""
        return self._once(schema, lambda: link_check(schema))

    def _once(self, form: Any, make: Callable[[], Value]) -> Value:
        # The form is kept beside what was made of it, so that its identity stays its own.
        found = self._made.get(id(form))
        if found is None:
            found = self._made[id(form)] = (form, make())
        return found[1]


class World:
    """What is assumed. Never changed: `with_value` gives another."""

    def __init__(self, linked: Linked, payload: Any, answers: Answers, known: Mapping[int, Any]) -> None:
        self.linked = linked
        self.payload = payload
        self.answers = answers
        self.known = known
        self._values: dict[int, Any] = {}

    def __getitem__(self, slot: int) -> Any:
        if slot not in self._values:
            self._values[slot] = self._value(slot)
        return self._values[slot]

    def names(self, names: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the values of names by their templates, or None where one is absent."""
        try:
            return {name: self.linked.template(template)(self) for name, template in names.items()}
        except ABSENT:
            return None

    def build(self, template: Any) -> Any:
        """Return what a template builds; raises one of ABSENT."""
        return self.linked.template(template)(self)

    def fits(self) -> bool:
        """Tell whether the gate admits the payload, and every forced output its schema."""
        if self.linked.check(self.linked.fill(self.payload)):
            return False
        for index, (outcome, output) in self.answers.items():
            if outcome != FAULT and self.linked.schema(self.linked.nodes[index]["outcomes"][outcome])(output):
                return False
        return True

    def get(self, variable: Variable) -> Any:
        """Return the value of a variable; raises one of ABSENT."""
        value = self[self._slot(variable)]
        for part in variable[1]:
            value = value[part]
        return value

    def type_of(self, variable: Variable) -> Schema:
        """Return the schema of a variable."""
        scope, path = variable
        if scope == "payload":
            return schema_at(self.linked.payload, path)
        outcomes = self.linked.nodes[int(scope)]["outcomes"]
        outcome = self.answers[int(scope)][0] if int(scope) in self.answers else next(iter(outcomes))
        return schema_at(outcomes.get(outcome, {}), path)

    def with_value(self, variable: Variable, value: Any) -> World | None:
        """Return this world with another value of a variable (REMOVED: without it), or None where it has no place."""
        scope, path = variable
        try:
            if scope == "payload":
                payload = _put(self.payload, path, value, self.linked.payload)
                return World(self.linked, payload, self.answers, self.known) if isinstance(payload, dict) else None
            index = int(scope)
            if index not in self.answers:
                return None
            outcome, output = self.answers[index]
            output = _put(output, path, value, self.linked.nodes[index]["outcomes"][outcome])
        except (*ABSENT, LookupError):
            return None
        return World(self.linked, self.payload, {**self.answers, index: (outcome, output)}, self.known)

    def _slot(self, variable: Variable) -> int:
        return len(self.linked.nodes) if variable[0] == "payload" else int(variable[0])

    def _value(self, slot: int) -> Any:
        nodes = self.linked.nodes
        if slot == len(nodes):
            return self.linked.fill(self.payload)
        if slot == len(nodes) + 1:
            return {"id": "step-1", "started_at": START, "actor": None}
        node = nodes[slot]
        try:
            if slot in self.answers:
                return self.answers[slot][1]
            if node["kind"] == PASS:
                built = self.build(node["with"])
                fill = filler(node["check"]) if node["check"] else None
                return fill(built) if fill else built
            if node["kind"] == COMPUTE:
                names = self.names(node["with"])
                return {key: self.linked.expression(tree)(names) for key, tree in node["fields"].items()}
            if node["kind"] == EACH:
                items = self.build(node["items"])
                return {**(self.known.get(slot) or {}), node["as"]: items[0]}
        except (*ABSENT, ExpressionFault):
            return self.known.get(slot) if node["kind"] == EACH else None
        return self.known.get(slot)


class Removed:
    """Stands for the absence of a member."""


REMOVED = Removed()


def _put(value: Any, path: Segments, new: Any, schema: Schema) -> Any:
    """Return `value` with `new` at a path below it, and what holds it made where it is missing.

    Raises LookupError or TypeError where there is no such place.
    """
    if not path:
        if new is REMOVED:
            raise LookupError
        return new
    head, rest = path[0], path[1:]
    below = schema_at(schema, (head,))
    if isinstance(head, int):
        items = list(value) if isinstance(value, list) else []
        while not -len(items) <= head < len(items):
            items.append(specimen(schema.get("items", {})))
            if len(items) > 100:
                raise LookupError
        items[head] = _put(items[head], rest, new, below)
        return items
    members = dict(value) if isinstance(value, dict) else {}
    if not rest and new is REMOVED:
        del members[head]
        return members
    if rest and head not in members:
        members[head] = specimen(below)
    members[head] = _put(members.get(head), rest, new, below)
    return members
