"""The points that laws speak of: resolved to full addresses, and found among the moments of a workflow.

A point is sealed as `"start"`, `"exit"` (any), or a mapping of one of `exit`, `status`, `node`, `use`, `effect` to what
is meant, and what narrows it; several names of which any is meant are a sorted list. A node, a use and an effect mean
the moment at which such a node is reached; with an `outcome`, or any `except` some, that at which it is left by it.
What is inlined is reached at its entry and left by the outcome that it gives: where the leaving PASS of that name is
done, and FAULT wherever a crash leads out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.nearest import nearest
from omnibachi_model.sealed import (
    CALL,
    END,
    EXIT,
    EXTERNAL,
    FAULT,
    OUTCOME_UNKNOWN,
    PASS,
    REJECTED_EXIT,
    SILENT,
    SUCCESS,
    TIMEOUT,
)

from .declarations import Name, Point
from .fixes import renamed
from .law_search import Moments
from .leaving import reserved_of
from .library import Library, lookup
from .told_paths import is_entry

Json = dict[str, Any]
SealedPoint = str | Json
ALONE = ("start", "exit")  # points that are one word


@dataclass(frozen=True, slots=True)
class Subject:
    """A sealed workflow as laws look at it: what its inlined calls use, by the name of the calling node, which of its
    stores are kept as evidence, and where each node and exit stands in the text."""

    workflow: Json
    inlined: Mapping[str, str]
    evidence: frozenset[str]
    spans: Mapping[str, Span]
    entered: Mapping[str, int]  # the entries of what is inlined, by the name of the calling node
    places: Mapping[str, int]  # every node by its name

    @property
    def nodes(self) -> list[Json]:
        """The sealed nodes."""
        nodes: list[Json] = self.workflow["nodes"]
        return nodes

    def names(self, kind: str) -> set[str]:
        """Return what a point of a kind may name here: nodes that people see, or exits."""
        if kind == "exit":
            return {node["name"] for node in self.nodes if node["kind"] == EXIT}
        return {node["name"] for node in self.nodes if node["kind"] not in (*SILENT, EXIT)} | set(self.entered)


def subject(workflow: Json, inlined: Mapping[str, str], library: Library, spans: Mapping[str, Span]) -> Subject:
    """Look at a sealed workflow as laws do."""
    evidence = frozenset(address for address in workflow["stores"] if library.stores[address].evidence)
    nodes = workflow["nodes"]
    places = {node["name"]: index for index, node in enumerate(nodes)}
    entered = {node["name"]: index for index, node in enumerate(nodes) if is_entry(nodes, node)}
    return Subject(workflow, inlined, evidence, spans, entered, places)


def resolve(point: Point, domain: str, library: Library, found: list[Diagnostic]) -> SealedPoint | None:
    """Return a point with full addresses, as it is sealed; None where a name is wrong, which is reported.

    Diagnostics: OB301, OB303, OB304, OB309, OB317, OB326.
    """
    if point.kind in ALONE and [name.text for name in point.names] == [point.kind]:
        return point.kind
    meant: list[str | None] = [name.text for name in point.names]
    if point.kind == "use":
        meant = [resolve_use(name, domain, library, found) for name in point.names]
    stores = [lookup(item, domain, library.stores, "OB303", "store", found, library.broken) for item in point.stores]
    events = [lookup(item, domain, library.events, "OB304", "event", found, library.broken) for item in point.events]
    if None in (*meant, *stores, *events):
        return None
    if point.kind in ("use", "effect") and not _has_outcomes(point, meant, library, found):
        return None
    sealed: Json = {point.kind: one_or_more(meant)}
    narrowed: dict[str, list[str | None]] = {
        "store": stores,
        "event": events,
        "outcome": [name.text for name in point.outcomes],
        "except": [name.text for name in point.others],
    }
    sealed |= {key: one_or_more(names) for key, names in narrowed.items() if names}
    if point.evidence is not None:
        sealed["evidence"] = point.evidence
    return sealed


def one_or_more(names: Iterable[str | None]) -> str | list[str]:
    """Return names as they are sealed: the one, or a sorted list."""
    found = sorted({name for name in names if name is not None})
    return found[0] if len(found) == 1 else found


def among(point: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the names under a key of a sealed point, or of another sealed choice."""
    found = point.get(key, ())
    return (found,) if isinstance(found, str) else tuple(found)


def _has_outcomes(point: Point, meant: Iterable[str | None], library: Library, found: list[Diagnostic]) -> bool:
    """Tell whether each outcome that a point names is one of something that it means; report the others (OB326)."""
    named = (*point.outcomes, *point.others)
    if not named:
        return True
    words = " or ".join(f"`{item}`" for item in meant)
    if point.kind == "use":
        known = set().union(*(_given(item, library) for item in meant if item is not None))
        return [has_outcome(words, name, known, found) for name in named].count(False) == 0
    classed = [item for item in library.capabilities.values() if item.effect in meant]
    known = {FAULT}.union(*(item.outcomes for item in classed))
    known |= {TIMEOUT} if any(item.governor for item in classed) else set()
    known |= {OUTCOME_UNKNOWN} if EXTERNAL in meant else set()
    what = f"no effect of class {words}"
    return [has_outcome(what, name, known, found, "has the") for name in named].count(False) == 0


def resolve_use(use: Name, domain: str, library: Library, found: list[Diagnostic]) -> str | None:
    """Return the full address of what is used; a side effect alone means all its operations."""
    code, _, operation = use.text.partition(".")
    prefix = split(code)[1][:3]
    if prefix in ("CC_", "WF_"):
        contract = prefix == "CC_"
        what, known = ("contract", library.contracts) if contract else ("workflow", library.workflows)
        return lookup(use, domain, known, "OB317", what, found, library.broken)
    if prefix == "CT_":
        return lookup(use, domain, library.transforms, "OB301", "transform", found, library.broken)
    address = lookup(Name(code, use.span), domain, library.side_effects, "OB301", "side effect", found, library.broken)
    if address is None or not operation:
        return address
    if f"{address}.{operation}" in library.capabilities:
        return f"{address}.{operation}"
    known_operations = [item.name.text for item in library.side_effects[address].operations]
    message = f"`{address}` has no operation `{operation}`"
    fix = renamed(use.span, operation, known_operations)
    found.append(Diagnostic("OB309", message, use.span, help=near(operation, known_operations), fix=fix))
    return None


def _given(used: str, library: Library) -> set[str]:
    """Return the outcomes that something may have."""
    known = {FAULT}
    if used in library.bodies:
        known |= {leaving.name.text for leaving in library.bodies[used].exits}
        known |= {REJECTED_EXIT} if used in library.workflows else set()
    for address, capability in library.capabilities.items():
        if uses(address, used):
            known |= capability.outcomes.keys()
            known |= {TIMEOUT} if capability.governor else set()
            known |= reserved_of(capability).keys()
    return known


def has_outcome(what: str, outcome: Name, known: set[str], found: list[Diagnostic], lacks: str = "has no") -> bool:
    """Tell whether an outcome is among the known ones; report it otherwise (OB326)."""
    if outcome.text in known:
        return True
    message = f"{what} {lacks} outcome `{outcome.text}`"
    fix = renamed(outcome.span, outcome.text, known)
    found.append(Diagnostic("OB326", message, outcome.span, help=near(outcome.text, known), fix=fix))
    return False


def near(name: str, known: set[str] | list[str]) -> str:
    """Say which name was meant, or which there are."""
    meant = nearest(name, known)
    listed = sorted(known)
    shown = ", ".join(f"`{item}`" for item in listed[:8]) + (", …" if len(listed) > 8 else "")
    return f"did you mean `{meant}`?" if meant else f"known: {shown}" if listed else "there is none"


def uses(address: str, used: str) -> bool:
    """Tell whether a capability is what a point names: itself, or an operation of the side effect."""
    return address == used or address.startswith(f"{used}.")


def moments(subject: Subject, points: Mapping[int, SealedPoint]) -> Moments:
    """Return what each moment of a workflow is, where `points` are what the marks mean."""
    start = 0
    reached: dict[int, int] = {}
    left: dict[tuple[int, str], int] = {}
    ended: dict[int, int] = {}
    for mark, point in points.items():
        if point == "start":
            start |= mark
            continue
        if point == "exit" or (isinstance(point, dict) and ("exit" in point or "status" in point)):
            for index in _exits(subject, point):
                ended[index] = ended.get(index, 0) | mark
            continue
        assert isinstance(point, dict)
        for index in _nodes(subject, point):
            if "outcome" not in point and "except" not in point:
                reached[index] = reached.get(index, 0) | mark
                continue
            named = among(point, "outcome") or sorted(_outcomes(subject, index) - {*among(point, "except")})
            for edge in {edge for outcome in named for edge in edges(subject, index, outcome)}:
                left[edge] = left.get(edge, 0) | mark
    return Moments(start, reached, left, ended)


def _exits(subject: Subject, point: SealedPoint) -> Iterator[int]:
    for index, node in enumerate(subject.nodes):
        if node["kind"] == EXIT and (
            isinstance(point, str)
            or node["name"] in among(point, "exit")
            or (node["status"] in among(point, "status") and node["name"] not in among(point, "except"))
        ):
            yield index


def _nodes(subject: Subject, point: Json) -> Iterator[int]:
    """Yield the nodes that a point means."""
    if "node" in point:
        known = subject.names("node")
        yield from (subject.places[name] for name in among(point, "node") if name in known)
        return
    used = among(point, "use")
    yield from (subject.entered[name] for name, inlined in subject.inlined.items() if inlined in used)
    for index, node in enumerate(subject.nodes):
        if node["kind"] == CALL and _meant(subject, node, point):
            yield index


def _meant(subject: Subject, node: Json, point: Json) -> bool:
    """Tell whether a point means a call."""
    return (
        ("use" not in point or any(uses(node["use"], used) for used in among(point, "use")))
        and ("effect" not in point or node["effect"] in among(point, "effect"))
        and ("store" not in point or node["store"] in among(point, "store"))
        and ("event" not in point or node["event"] in among(point, "event"))
        and ("evidence" not in point or (node["store"] in subject.evidence) == point["evidence"])
    )


def edges(subject: Subject, index: int, outcome: str) -> Iterator[tuple[int, str]]:
    """Yield the edges by which a node is left with an outcome."""
    nodes, node = subject.nodes, subject.nodes[index]
    if node["kind"] != PASS:
        if outcome in node["next"]:
            yield index, outcome
        return
    inner = f"{node['name']}/"
    leaving = subject.places.get(inner + outcome)
    if leaving is not None and nodes[leaving]["kind"] == PASS and leaving not in subject.entered.values():
        yield leaving, SUCCESS
    if outcome != FAULT:
        return
    for at, member in enumerate(nodes):
        inside = at == index or (member["name"].startswith(inner) and member.get("of") == node.get("of"))
        if inside and FAULT in member["next"]:
            target = nodes[member["next"][FAULT]]
            if target["kind"] == END or not target["name"].startswith(inner):
                yield at, FAULT


def outcomes(subject: Subject, name: str) -> set[str]:
    """Return the outcomes that a node may have, by its name."""
    return _outcomes(subject, subject.places[name])


def _outcomes(subject: Subject, index: int) -> set[str]:
    node = subject.nodes[index]
    if node["kind"] != PASS:
        return set(node["next"])
    inner = f"{node['name']}/"
    leaving = {
        each["name"][len(inner) :]
        for at, each in enumerate(subject.nodes)
        if each["kind"] == PASS and each["name"].startswith(inner) and at not in subject.entered.values()
    }
    return {item for item in leaving if "/" not in item} | {FAULT}
