"""Linking: a sealed workflow and its functions become a Program of tuples and closures, once.

Nothing is looked up by name while a run walks. Nodes stand in topological order and every target lies behind its
node, which is checked here (`graph`), so that a walk ends whatever the file says.
"""

from __future__ import annotations

from omnibachi_model.checks import bounded, filler
from omnibachi_model.checks import link as link_check
from omnibachi_model.digests import encode
from omnibachi_model.sealed import (
    CALL,
    COMPUTE,
    DECIDE,
    EACH,
    END,
    EXIT,
    EXTERNAL,
    FAULT,
    HOSTS,
    LOOPS,
    PASS,
    REJECTED_EXIT,
    WAIT,
    WORKFLOW_FORMAT,
    WRITES,
    sealed_name,
)  # fmt: skip
from omnibachi_model.secrecy import holds_secret
from omnibachi_model.values import admit

from .calls import link_call
from .decisions import exit_bytes, link_compute, link_decide, link_exit
from .graph import nests
from .templates import may_share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from omnibachi_model.checks import Violation
    from omnibachi_model.values import Answer

    from .graph import Nest
    from .loops import Loop
    from .walk import Step
    from .withholding import Secrets


class Malformed(Exception):
    """A sealed workflow does not have the shape of its format: edited together with its manifest, or a defect."""


class Program:
    """A linked workflow. `names` are its nodes and exits by index, `steps` what each of them does.

    `identity` is the end of the first event's body, `stores` and `reads` the stores and the members of `$.run` that it
    uses, `journal` tells whether it has a side effect, `waits` whether it may let time pass, `draws` whether how much
    follows from chance. `scopes` are what the output of each node is called in paths, `secrets` what is withheld from
    the record, None where nothing is.
    """

    __slots__ = (
        "_bounded",
        "_check",
        "_fill",
        "_rejection",
        "address",
        "digest",
        "draws",
        "identity",
        "journal",
        "names",
        "reads",
        "rejected",
        "scopes",
        "sealed",
        "secrets",
        "size",
        "start",
        "steps",
        "stores",
        "waits",
    )

    def __init__(
        self,
        workflow: dict[str, Any],
        digest: str,
        sealed: bytes,
        steps: tuple[Step, ...],
        secrets: Secrets | None = None,
    ) -> None:
        self.secrets = secrets
        self.address: str = workflow["address"]
        self.digest = digest
        self.sealed = sealed
        self.journal: bool = workflow["journal"]
        self.reads: tuple[str, ...] = tuple(workflow["run"])
        self.stores: dict[str, str] = {address: store["keeps"] for address, store in workflow["stores"].items()}
        nodes = workflow["nodes"]
        self.names: tuple[str, ...] = tuple(node["name"] for node in nodes)
        self.scopes = _scopes(nodes)
        self.draws = any((node.get("retry") or {}).get("backoff_ms") for node in nodes)
        self.waits = self.draws or any(node.get("every_ms") for node in nodes)
        self.start: int = workflow["start"]
        self.steps = steps
        self.size = len(self.names) + 2
        self.identity = b'"workflow":%b,"workflow_digest":%b}' % (encode(self.address), encode(digest))
        self.rejected = (REJECTED_EXIT, "REJECTED")
        self._rejection = exit_bytes(*self.rejected)
        self._check = link_check(workflow["payload"])
        self._bounded = bounded(workflow["payload"])
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
        if self.secrets is not None:
            return self.secrets.gate(self, payload)
        given = self.admitted(payload)
        found = self._check(given)
        if not found and self._bounded:
            # What fits is canonical, so the door's own walk over every value can be spared.
            try:
                return [], given, encode(payload)
            except TypeError:
                pass
        canonical = admit(payload)
        if canonical is not payload:
            given = self.admitted(canonical)
            found = self._check(given)
        return found or [], given, encode(canonical)

    def violations(self, given: Any) -> list[Violation]:
        """Return what the filled payload breaks of its schema."""
        return self._check(given) or []

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
    recorded as any other, and the outcome FAULT crashes the node. In a scenario, even one that forces nothing, what
    would leave the house crashes where it is not forced. `mint_all[]/read` means the node in every iteration,
    `mint_all[3]/read` in one. Raises Malformed when the workflow does not have the
    shape that docs/formats.md gives.
    """
    try:
        if workflow["format"] != WORKFLOW_FORMAT:
            raise ValueError(f"format {workflow['format']!r}")
        linker = _Linker(workflow, nests(workflow["nodes"], workflow["start"]), functions, forced)
        return Program(workflow, digest, sealed, linker.steps(), linker.secrets)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error


class _Linker:
    """What linking one node needs to know of the others."""

    def __init__(
        self,
        workflow: dict[str, Any],
        nested: dict[int, Nest],
        functions: Mapping[str, Callable[..., Any]],
        forced: Mapping[str, Answer] | None,
    ) -> None:
        self.workflow = workflow
        self.nodes: list[dict[str, Any]] = workflow["nodes"]
        self.size = len(self.nodes)
        self.nested = nested
        self.functions = functions
        self.forced: Mapping[str, Answer] = forced or {}
        self.closed = forced is not None
        self.schemas = _schemas(workflow)
        self.closings: dict[int, Step] = {}
        self.loops: dict[int, Loop] = {}
        self.secrets = _secrets(workflow)

    def steps(self) -> tuple[Step, ...]:
        """Link all nodes; raises ValueError and what wrong types raise."""
        # From the last to the first, so that the steps of exits are there when an effect asks for them.
        steps = [self._step(index, self.nodes[index]) for index in range(self.size - 1, -1, -1)][::-1]
        if self.secrets is not None:
            # Imported here: a workflow without secrets starts without it.
            from .withholding import kept

            steps = [kept(index, self.nodes, step, self.secrets) for index, step in enumerate(steps)]
        return tuple(steps)

    def _step(self, index: int, node: dict[str, Any]) -> Step:
        kind, size = node["kind"], self.size
        if kind == CALL:
            return self._call(index, node)
        if kind == DECIDE:
            return link_decide(index, node, size)
        if kind == COMPUTE:
            return link_compute(index, node, size)
        if kind == EXIT:
            step = link_exit(node, size)
            if not node["next"]:
                self.closings[index] = step
            return step
        # Imported here: a workflow without contracts and loops starts without them.
        if kind == PASS:
            from .passes import link_pass

            return link_pass(index, node, size)
        if kind == WAIT:
            from .waits import link_wait

            if not self.workflow["journal"]:
                raise ValueError("a wait in a workflow without a journal")
            return link_wait(index, node, size, self.forced)
        if kind == END:
            from .loops import link_end

            return link_end(node, size, self._loop(node["of"]))
        if kind in LOOPS:
            return self._loop(index).step
        raise ValueError(f"no node of kind {kind!r}")

    def _loop(self, index: int) -> Loop:
        """Return a loop, which its ENDs ask for before it comes itself."""
        found = self.loops.get(index)
        if found is None:
            from .loops import link_loop

            nest = self.nested[index]
            found = link_loop(index, self.nodes[index], nest.after, self.size, nest.outcomes)
            self.loops[index] = found
        return found

    def _call(self, index: int, node: dict[str, Any]) -> Step:
        workflow, name = self.workflow, node["name"]
        if node["store"] is not None and node["store"] not in workflow["stores"]:
            raise ValueError(f"no store {node['store']!r}")
        outside = node["effect"] == EXTERNAL
        if (outside or node["effect"] in WRITES) and not workflow["journal"]:
            raise ValueError("an effect in a workflow without a journal")
        function = self.functions[node["use"]]
        if name in self.forced:
            function = _forced(self.forced[name])
        elif self.closed and (outside or HOSTS in node):
            function = _closed
        only = {
            path: _forced(answer) for path, answer in self.forced.items() if path != name and sealed_name(path) == name
        }
        return link_call(index, node, self.size, self.schemas, workflow, function, self.closings, only)


def _secrets(workflow: dict[str, Any]) -> Secrets | None:
    """Return what a workflow withholds; most have no word of it in their nodes and payload."""
    if not any("secret" in node for node in workflow["nodes"]) and not holds_secret(workflow["payload"]):
        return None
    from .withholding import Secrets

    return Secrets(workflow["payload"])


def _closed(*_: Any) -> Answer:
    raise RuntimeError("a scenario reaches nothing outside: give this node's answer under `given: {answers: …}`")


def _forced(answer: Answer) -> Callable[..., Any]:
    def give(inputs: Any, *_: Any) -> Answer:
        if answer[0] == FAULT:
            raise RuntimeError("the scenario says so")
        return answer

    return give


def _schemas(workflow: dict[str, Any]) -> dict[str | int, list[dict[str, Any]]]:
    """Return, for each scope of which it is known, the schemas that its value may have."""
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
        elif node["kind"] == PASS and node["check"] is not None:
            found[index] = [node["check"]]
        elif node["kind"] == PASS and node["with"][0] == "map":
            inside = {key: _shape(template, found) for key, template in node["with"][1].items()}
            found[index] = [{**closed, "properties": inside}]
        elif node["kind"] == EACH:
            # Its present item while it goes on, then what it gave.
            item = _shape(node["items"], found).get("items", {})
            either: list[dict[str, Any]] = [{node["as"]: item}, {"items": {}}]
            found[index] = [{**closed, "properties": members} for members in either]
    return found


def _shape(template: list[Any], known: Mapping[str | int, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return a schema of what a template builds, as far as it tells whether lists and records are in it."""
    kind = template[0]
    if kind in ("lit", "ref") and not may_share(template, known) and type(template[1]) not in (dict, list):
        return {"type": "string"}  # or any other that holds nothing
    if kind == "first" and all(_shape(item, known) == {"type": "string"} for item in template[1]):
        return {"type": "string"}
    if kind != "ref" or len(known.get(template[1], ())) != 1:
        return {}
    (schema,) = known[template[1]]
    for part in template[2]:
        schema = (schema.get("properties", {}).get(part) if isinstance(part, str) else schema.get("items")) or {}
    return schema


def _scopes(nodes: list[dict[str, Any]]) -> tuple[tuple[str, str | None], ...]:
    """Return, for each node, how its author writes its output, and what a loop calls its present item.

    The first PASS of what was inlined holds its inputs; its ways out stand under its name.
    """
    callers = {node["name"].rpartition("/")[0] for node in nodes if node["kind"] == PASS}
    found = []
    for node in nodes:
        name = node["name"]
        caller = name.rpartition("/")[0]
        text = f"$.nodes.{name}"
        if node["kind"] == PASS:
            text = f"$.nodes.{caller}"
            if name in callers:
                text = "$.payload" if node["gate"] else "$.inputs"
        found.append((text, node.get("as")))
    return tuple(found)
