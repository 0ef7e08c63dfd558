"""Linking: a sealed workflow and its functions become a Program of tuples and closures, once.

Nothing is looked up by name while a run walks. Nodes stand in topological order and every target lies behind its
node, which is checked here, so that a walk ends whatever the file says.
"""

from __future__ import annotations

from omnibachi_model.checks import filler
from omnibachi_model.checks import link as link_check
from omnibachi_model.digests import encode
from omnibachi_model.sealed import CALL, COMPUTE, DECIDE, EXIT, FAULT, REJECTED_EXIT, WORKFLOW_FORMAT, WRITES
from omnibachi_model.values import admit

from .calls import link_call
from .decisions import exit_bytes, link_compute, link_decide, link_exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from omnibachi_model.checks import Violation
    from omnibachi_model.values import Answer

    from .walk import Step


class Malformed(Exception):
    """A sealed workflow does not have the shape of its format: edited together with its manifest, or a defect."""


class Program:
    """A linked workflow. `names` are its nodes and exits by index, `steps` what each of them does.

    `identity` is the end of the first event's body, `stores` and `reads` the stores and the members of `$.run` that it
    uses, `journal` tells whether it has a side effect.
    """

    __slots__ = (
        "_check",
        "_fill",
        "_rejection",
        "address",
        "digest",
        "identity",
        "journal",
        "names",
        "reads",
        "rejected",
        "sealed",
        "size",
        "start",
        "steps",
        "stores",
    )

    def __init__(self, workflow: dict[str, Any], digest: str, sealed: bytes, steps: tuple[Step, ...]) -> None:
        self.address: str = workflow["address"]
        self.digest = digest
        self.sealed = sealed
        self.journal: bool = workflow["journal"]
        self.reads: tuple[str, ...] = tuple(workflow["run"])
        self.stores: dict[str, str] = {address: store["keeps"] for address, store in workflow["stores"].items()}
        self.names: tuple[str, ...] = tuple(node["name"] for node in workflow["nodes"])
        self.start: int = workflow["start"]
        self.steps = steps
        self.size = len(self.names) + 2
        self.identity = b'"workflow":%b,"workflow_digest":%b}' % (encode(self.address), encode(digest))
        self.rejected = (REJECTED_EXIT, "REJECTED")
        self._rejection = exit_bytes(*self.rejected)
        self._check = link_check(workflow["payload"])
        self._fill = filler(workflow["payload"])

    def __repr__(self) -> str:
        return f"Program({self.address}, {len(self.names)} nodes)"

    def admitted(self, payload: Any) -> Any:
        """Return the payload with its defaults filled in."""
        return payload if self._fill is None else self._fill(payload)

    def gate(self, payload: Any) -> tuple[list[Violation], Any, bytes]:
        """Fill in defaults and check: (violations, payload as the nodes see it, canonical bytes of it as given).

        Raises Outside when the payload holds what no record can hold.
        """
        given = self.admitted(payload)
        found = self._check(given)
        if not found:
            # What fits is canonical, so the door's own walk over every value can be spared.
            try:
                return [], given, encode(payload)
            except TypeError:
                pass
        payload = admit(payload)
        given = self.admitted(payload)
        return self._check(given) or [], given, encode(payload)

    def rejection(self, result: bytes) -> bytes:
        """Return the body of the last event of a run whose payload was not admitted."""
        before, after = self._rejection
        return before + result + after


def link(
    workflow: dict[str, Any],
    digest: str,
    sealed: bytes,
    functions: Mapping[str, Callable[..., Any]],
    forced: Mapping[str, Answer] | None = None,
) -> Program:
    """Link a sealed workflow; `functions` holds the function of each address in its `capabilities`.

    `forced` are answers of nodes by name that a scenario gives instead of asking the capability; they are checked and
    recorded as any other, and the outcome FAULT crashes the node. Raises Malformed when the workflow does not have the
    shape that docs/formats.md gives.
    """
    try:
        if workflow["format"] != WORKFLOW_FORMAT:
            raise ValueError(f"format {workflow['format']!r}")
        return Program(workflow, digest, sealed, _steps(workflow, functions, forced or {}))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error


def _steps(
    workflow: dict[str, Any], functions: Mapping[str, Callable[..., Any]], forced: Mapping[str, Answer]
) -> tuple[Step, ...]:
    nodes: list[dict[str, Any]] = workflow["nodes"]
    size = len(nodes)
    start = workflow["start"]
    if type(start) is not int or not 0 <= start < size:
        raise ValueError(f"no start {start!r}")
    schemas = _schemas(workflow)
    steps: list[Step] = []
    closings: dict[int, Step] = {}
    # From the last to the first, so that the steps of exits are there when an effect asks for them.
    for index in range(size - 1, -1, -1):
        node = nodes[index]
        for target in node["next"].values():
            if type(target) is not int or not index < target < size:
                raise ValueError(f"no target {target!r} behind node {index}")
        step = _step(index, node, size, workflow, schemas, functions, closings, forced)
        if node["kind"] == EXIT and not node["next"]:
            closings[index] = step
        steps.append(step)
    return tuple(reversed(steps))


def _step(
    index: int,
    node: dict[str, Any],
    size: int,
    workflow: dict[str, Any],
    schemas: Mapping[str | int, list[dict[str, Any]]],
    functions: Mapping[str, Callable[..., Any]],
    closings: Mapping[int, Step],
    forced: Mapping[str, Answer],
) -> Step:
    kind = node["kind"]
    if kind == CALL:
        if node["store"] is not None and node["store"] not in workflow["stores"]:
            raise ValueError(f"no store {node['store']!r}")
        if node["effect"] in WRITES and not workflow["journal"]:
            raise ValueError("an effect in a workflow without a journal")
        function = functions[node["use"]]
        if node["name"] in forced:
            function = _forced(forced[node["name"]])
        return link_call(index, node, size, schemas, workflow["events"], function, closings)
    if kind == DECIDE:
        return link_decide(index, node, size)
    if kind == COMPUTE:
        return link_compute(index, node, size)
    if kind == EXIT:
        return link_exit(node, size)
    raise ValueError(f"no node of kind {kind!r}")


def _forced(answer: Answer) -> Callable[..., Any]:
    def give(inputs: Any, *_: Any) -> Answer:
        if answer[0] == FAULT:
            raise RuntimeError("the scenario says so")
        return answer

    return give


def _schemas(workflow: dict[str, Any]) -> dict[str | int, list[dict[str, Any]]]:
    """Return, for each scope whose schemas are sealed, the schemas that its value may have."""
    text = {"type": ["string", "null"]}
    closed = {"type": "object", "additionalProperties": False}
    found: dict[str | int, list[dict[str, Any]]] = {
        "payload": [workflow["payload"]],
        "run": [{**closed, "properties": {"id": text, "started_at": text, "actor": text}}],
    }
    for index, node in enumerate(workflow["nodes"]):
        if node["kind"] == CALL:
            found[index] = list(node["outcomes"].values())
        elif node["kind"] == DECIDE:
            found[index] = [{**closed, "properties": {"because": text}}]
    return found
