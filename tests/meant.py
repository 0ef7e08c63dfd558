"""What a drawn body means, by the words of docs/language.md and nothing else: no flat graph, no slots, no silent nodes.

A body is followed as it is written, what it uses by a call of its own. `Meaning` notes what a record must tell (paths
with outcomes) and the moments that laws speak of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drawn_bodies import Body, Node, Value, probe

Answer = tuple[str, dict[str, Any]]
Moment = tuple[
    str, str, str | None, str | None
]  # what happens, to which node (or exit), what it uses, by which outcome


class Absent(Exception):
    """Something is read that is not there."""


class Crash(Exception):
    """A node ends in FAULT."""


def whole(value: Any) -> bool:
    """Tell whether a value is an integer."""
    return type(value) is int


def look(value: Value, around: dict[str, Any]) -> Any:
    """Build a value; raises Absent."""
    if value[0] == "lit":
        return value[1]
    if value[0] == "first":
        for part in value[1]:
            try:
                return look(part, around)
            except Absent:
                continue
        raise Absent
    at: Any = around
    for segment in value[1:]:
        if not isinstance(at, dict) or segment not in at:
            raise Absent
        at = at[segment]
    return at


def admitted(body: Body, given: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a body is given, with its defaults; None where it does not fit."""
    filled = {"y": 4, **given}
    fits = whole(filled["x"]) and filled["x"] <= body.most and whole(filled["y"]) and whole(filled.get("z", 0))
    listed = filled["l"]
    return filled if fits and len(listed) <= body.longest and all(map(whole, listed)) else None


class Meaning:
    """One run of a workflow, as it is meant."""

    def __init__(self, body: Body, payload: dict[str, Any]) -> None:
        self.path: list[tuple[str, str]] = []
        self.moments: list[Moment] = [("start", "", None, None)]
        self.visits = 0
        given = admitted(body, payload)
        assert given is not None
        self.exit, self.result = self._body(body, given, "", "")
        self.moments.append(("exit", self.exit, None, None))

    def _crash(self, name: str) -> Crash:
        self.path.append((name, "FAULT"))
        return Crash()

    def _told(self, name: str, outcome: str, output: dict[str, Any]) -> Answer:
        self.path.append((name, outcome))
        return outcome, output

    def _body(self, body: Body, given: dict[str, Any], prefix: str, sealed: str) -> Answer:
        around: dict[str, Any] = {body.scope: given, "nodes": {}}
        at = next(iter(body.nodes))
        while True:
            if at in body.nodes:
                node = body.nodes[at]
                try:
                    outcome, output = self._node(node, around, prefix + at, sealed + at)
                    around["nodes"][at] = output
                    at = node.next[outcome]
                    continue
                except Crash:
                    if "FAULT" not in node.next and not body.workflow:
                        raise
                    at = node.next.get("FAULT", "failed")
                    continue
            try:
                return at, {key: look(value, around) for key, value in body.outs[at].items()}
            except Absent:
                crash = self._crash(prefix + at)
                if not body.workflow:
                    raise crash from None
                at = "failed"

    def _node(self, node: Node, around: dict[str, Any], name: str, sealed: str) -> Answer:
        if node.kind == "call":
            return self._call(node, around, name, sealed)
        self.visits += 1
        kinds: dict[str, Callable[..., Answer]] = {
            "decide": self._decide, "compute": self._compute, "each": self._each, "repeat": self._repeat,
        }  # fmt: skip
        return self._passed(sealed, None, lambda: kinds[node.kind](node, around, name, sealed))

    def _passed(self, sealed: str, use: str | None, do: Callable[[], Answer]) -> Answer:
        """Do a node, and note when it is reached and left."""
        self.moments.append(("reached", sealed, use, None))
        left = "FAULT"
        try:
            answer = do()
            left = answer[0]
        finally:
            self.moments.append(("left", sealed, use, left))
        return answer

    def _call(self, node: Node, around: dict[str, Any], name: str, sealed: str) -> Answer:
        return self._passed(sealed, node.use, lambda: self._asked(node, around, name, sealed))

    def _asked(self, node: Node, around: dict[str, Any], name: str, sealed: str) -> Answer:
        self.visits += node.body is None
        try:
            given = {key: look(value, around) for key, value in node.inputs.items()}
        except Absent:
            raise self._crash(name) from None
        if node.body is None:
            try:
                return self._told(name, *probe(given["x"])) if whole(given["x"]) else self._none(name)
            except ValueError:
                raise self._crash(name) from None
        fitting = admitted(node.body, given)
        if fitting is not None:
            return self._body(node.body, fitting, f"{name}/", f"{sealed}/")
        return self._told(name, "rejected", {}) if node.body.workflow else self._none(name)

    def _none(self, name: str) -> Answer:
        raise self._crash(name)

    def _decide(self, node: Node, around: dict[str, Any], name: str, _: str) -> Answer:
        try:
            x, y = (look(node.inputs[key], around) for key in "xy")
        except Absent:
            raise self._crash(name) from None
        numeric = not node.rows[0].startswith("type")
        if numeric and not whole(x):
            raise self._crash(name)
        judged = {
            "x % 3 == 0": lambda: x % 3 == 0, "y > 5": lambda: y > 5, "x > 3": lambda: x > 3,
            "type(x) == 'integer' && x % 2 == 0": lambda: whole(x) and x % 2 == 0,
        }  # fmt: skip
        for row, outcome in zip(node.rows, "ABC", strict=False):
            if judged[row]():
                return self._told(name, outcome, {"because": None})
        return self._told(name, "ABC"[len(node.rows)], {"because": "else"})

    def _compute(self, node: Node, around: dict[str, Any], name: str, _: str) -> Answer:
        try:
            x = look(node.inputs["x"], around)
        except Absent:
            raise self._crash(name) from None
        return self._told(name, "SUCCESS", {"n": x + 1, "s": "t"}) if whole(x) else self._none(name)

    def _each(self, node: Node, around: dict[str, Any], name: str, sealed: str) -> Answer:
        try:
            items = look(node.items, around)
        except Absent:
            raise self._crash(name) from None
        if len(items) > node.most:
            return self._told(name, "OVERFLOW", {})
        found = []
        for number, item in enumerate(items):
            inner = {**around, "each": {"item": item}}
            outcome, output = self._call(node, inner, f"{name}[{number}]", f"{sealed}[]")
            found.append({**output, "outcome": outcome})
        good = sum(item["outcome"] in node.good for item in found)
        return self._told(name, "SUCCESS" if good == len(found) else "PARTIAL" if good else "FAILED", {"items": found})

    def _repeat(self, node: Node, around: dict[str, Any], name: str, sealed: str) -> Answer:
        output: dict[str, Any] = {}
        for number in range(node.most):
            outcome, output = self._call(node, around, f"{name}[{number}]", f"{sealed}[]")
            if outcome != "SUCCESS":
                return self._told(name, outcome, output)
            if node.asked not in output:
                raise self._crash(name)
            asked = output[node.asked]
            if whole(asked) and ("> 5" not in node.until or asked > 5):
                return self._told(name, "SUCCESS", output)
        return self._told(name, "EXHAUSTED", output)
