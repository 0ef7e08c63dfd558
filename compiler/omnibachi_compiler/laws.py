"""Laws: what every path of the workflows that they bind must keep, proven on the sealed graphs.

A law is sealed in canonical form: `{"applies_to": "all" | {"workflows": [ADDRESS, …]} | {"uses": ADDRESS},
"every_path": {"from": POINT, "passes": POINT, "before": POINT}, "never": boolean, "exits": "all" | "not_failed"}`, its
points as in `points`. What a law says of a run, and how a run that breaks it is looked for, stands in `law_search`. A
point that a workflow does not have means no moment of it: a law from there, or before there, holds; one that asks to
pass there is broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omnibachi_model.addresses import candidates
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.digests import digest_of
from omnibachi_model.sealed import CALL, REJECTED_EXIT

from .declarations import Body, Each, Invariant, Point, Repeat, Use
from .fixes import renamed
from .law_search import BEFORE, FROM, PASSES, Moments, broken_run
from .library import Library, lookup
from .phase import Phase
from .points import SealedPoint, Subject, has_outcome, moments, near, outcomes, resolve, resolve_use, uses
from .told_paths import written_step

Json = dict[str, Any]
MARKS = {FROM: "from", PASSES: "passes", BEFORE: "before"}


@dataclass(frozen=True, slots=True)
class Law:
    """A law whose names are resolved: its declaration and its sealed form."""

    address: str
    declaration: Invariant
    sealed: Json

    @property
    def points(self) -> list[tuple[int, Point, SealedPoint]]:
        """What is meant by each mark, as declared and as sealed."""
        told = self.declaration
        declared = {FROM: told.source, PASSES: told.passes, BEFORE: told.before}
        return [(mark, declared[mark], self.sealed["every_path"][key]) for mark, key in MARKS.items()]


@dataclass(frozen=True, slots=True)
class Proven:
    """The laws as sealed, by address, and of each workflow the laws that bind it with the digests of their forms."""

    laws: Mapping[str, Json]
    bound: Mapping[str, Mapping[str, str]]


def inlined_uses(body: Body, library: Library) -> dict[str, str]:
    """Return what the inlined calls of a body use (contracts and workflows), by the sealed name of the calling node."""
    bodies = library.bodies
    found: dict[str, str] = {}
    waiting = [("", body)]
    while waiting:
        prefix, at = waiting.pop()
        for node in at.nodes:
            call, mark = (node.call, "[]") if isinstance(node, Each | Repeat) else (node, "")
            if not isinstance(call, Use):
                continue
            meant = next((item for item in candidates(call.use.text, at.domain) if item in bodies), None)
            if meant is not None:
                name = f"{prefix}{call.name.text}{mark}"
                found[name] = meant
                waiting.append((f"{name}/", bodies[meant]))
    return found


def prove_laws(library: Library, subjects: Mapping[str, Subject]) -> Phase[Proven]:
    """Prove every law on every workflow that it binds. `subjects` are the workflows that could be sealed, by address;
    of the others nothing is said.

    Diagnostics: OB520 (broken), OB325 and OB326 (names), OB523 and OB524 (warnings), and those of names elsewhere.
    """
    found: list[Diagnostic] = []
    laws: dict[str, Json] = {}
    bound: dict[str, dict[str, str]] = {address: {} for address in subjects}
    whole = len(subjects) == len(library.workflows) and not library.broken
    for address, invariant in sorted(library.invariants.items()):
        law = _resolved(address, invariant, library, found)
        if law is None:
            continue
        laws[address] = law.sealed
        binds = [item for item in sorted(subjects) if _binds(law.sealed, subjects[item])]
        if not binds:
            found.extend(_unbound(law) if whole else ())
            continue
        named = _named(law, {item: subjects[item] for item in binds}, whole)
        found.extend(named)
        if not named:
            found.extend(_proven(law, [subjects[item] for item in binds]))
        for item in binds:
            bound[item][address] = digest_of(law.sealed)
    return Phase(Proven(laws, bound), tuple(found))


def _resolved(address: str, invariant: Invariant, library: Library, found: list[Diagnostic]) -> Law | None:
    """Return a law in its sealed form; None where a name of it is wrong."""
    domain = invariant.domain
    applies: Any = "all"
    if invariant.workflows is not None:
        known, broken = library.workflows, library.broken
        meant = [lookup(name, domain, known, "OB317", "workflow", found, broken) for name in invariant.workflows]
        applies = None if None in meant else {"workflows": sorted({item for item in meant if item})}
    elif invariant.uses is not None:
        used = resolve_use(invariant.uses, domain, library, found)
        applies = {"uses": used} if used else None
    points = [
        resolve(point, domain, library, found) for point in (invariant.source, invariant.passes, invariant.before)
    ]
    if applies is None or None in points:
        return None
    source, passes, before = points
    sealed: Json = {
        "applies_to": applies,
        "every_path": {"from": source, "passes": passes, "before": before},
        "never": invariant.never,
        "exits": "all" if invariant.failed_too else "not_failed",
    }
    return Law(address, invariant, sealed)


def _binds(law: Json, subject: Subject) -> bool:
    applies = law["applies_to"]
    if applies == "all":
        return True
    if "workflows" in applies:
        return subject.workflow["address"] in applies["workflows"]
    called = (node["use"] for node in subject.nodes if node["kind"] == CALL)
    return applies["uses"] in subject.inlined.values() or any(uses(item, applies["uses"]) for item in called)


def _unbound(law: Law) -> Iterator[Diagnostic]:
    if law.declaration.workflows is None:
        name = law.declaration.uses
        which = f"no workflow uses `{name.text}`" if name else "there is no workflow"
        message = f"`{law.declaration.name.text}` binds nothing: {which}"
        yield Diagnostic("OB523", message, law.declaration.name.span, severity="warning")


def _named(law: Law, subjects: Mapping[str, Subject], whole: bool) -> list[Diagnostic]:
    """Report the nodes, exits and outcomes that a law names and that are not there: in each workflow that it names
    itself, else in none of those that it binds."""
    each = law.declaration.workflows is not None
    groups = [[subject] for subject in subjects.values()] if each else [list(subjects.values())] if whole else []
    found: list[Diagnostic] = []
    for _, point, sealed in law.points:
        if not isinstance(sealed, dict) or point.kind not in ("node", "exit"):
            continue
        for group in groups:
            having = [subject for subject in group if point.name.text in subject.names(point.kind)]
            where = f"`{group[0].workflow['address']}`" if each else "what the law binds"
            if not having:
                known = {name for subject in group for name in subject.names(point.kind)} - {REJECTED_EXIT}
                message = f"{where} has no {point.kind} `{point.name.text}`"
                fix = renamed(point.name.span, point.name.text, known)
                found.append(Diagnostic("OB325", message, point.name.span, help=near(point.name.text, known), fix=fix))
            elif point.outcome is not None:
                given = {name for subject in having for name in outcomes(subject, point.name.text)}
                has_outcome(f"`{point.name.text}` of {where}", point.outcome, given, found)
    return found


def _proven(law: Law, subjects: Iterable[Subject]) -> list[Diagnostic]:
    """Prove a law on the workflows that it binds; warn where none of them has a stretch that it speaks of."""
    found: list[Diagnostic] = []
    speaks = False
    for subject in subjects:
        marked = moments(subject, {mark: sealed for mark, _, sealed in law.points})
        run = broken_run(subject.workflow, marked, law.declaration.never, law.declaration.failed_too)
        if run is not None:
            found.append(_broken(law, subject, marked, run))
        speaks = speaks or run is not None or _speaks(law, subject, marked)
    if not speaks:
        found.append(
            Diagnostic(
                "OB524",
                f"`{law.declaration.name.text}` says nothing: no path that counts leads from `from` to `before`",
                law.declaration.name.span,
                severity="warning",
            )
        )
    return found


def _speaks(law: Law, subject: Subject, marked: Moments) -> bool:
    """Tell whether a workflow has a stretch that the law speaks of: one would break it if nothing could be passed."""
    ends = FROM | BEFORE
    bare = replace(
        marked,
        start=marked.start & ends,
        reached={index: mark & ends for index, mark in marked.reached.items()},
        left={edge: mark & ends for edge, mark in marked.left.items()},
        ended={index: mark & ends for index, mark in marked.ended.items()},
    )
    return broken_run(subject.workflow, bare, False, law.declaration.failed_too) is not None


def _broken(law: Law, subject: Subject, marked: Moments, run: tuple[str, ...]) -> Diagnostic:
    told = law.declaration
    source, passes, before = (_written(sealed) for _, _, sealed in law.points)
    way = f"passes {passes} on the way" if told.never else f"never passes {passes}"
    message = f"`{told.name.text}` is broken by `{subject.workflow['address']}`: a path from {source} to {before} {way}"
    return Diagnostic(
        "OB520",
        message,
        told.name.span,
        help="change the graph so that no such path is left, or the law",
        related=_places(subject, marked, run, FROM | BEFORE | (PASSES if told.never else 0)),
        path=run,
    )


def _written(point: SealedPoint) -> str:
    """Write a point for people."""
    if isinstance(point, str):
        return "the start" if point == "start" else "an exit"
    kind = next(iter(point.keys() & {"exit", "status", "node", "use", "effect"}))
    more = [str(point[key]) for key in ("outcome", "store", "event") if key in point]
    if "evidence" in point:
        more.append("as evidence" if point["evidence"] else "not as evidence")
    return f"{kind} `{' '.join([point[kind], *more])}`"


def _places(subject: Subject, marked: Moments, run: Iterable[str], shown: int) -> list[tuple[Span, str]]:
    """Return where the first step of a run stands that has each of the marks to be shown."""
    marks: dict[str, int] = {}
    for index, mark in [*marked.reached.items(), *marked.ended.items()]:
        marks[subject.nodes[index]["name"]] = mark
    for (index, outcome), mark in marked.left.items():
        marks[written_step(subject.nodes, subject.nodes[index], outcome) or ""] = mark
    found: dict[int, tuple[Span, str]] = {}
    for step in run:
        name = step.partition(" ")[0]
        for mark, key in MARKS.items():
            span = subject.spans.get(name)
            if span is not None and mark not in found and (marks.get(step, 0) | marks.get(name, 0)) & mark & shown:
                found[mark] = (span, f"what the law calls `{key}`")
    return [found[mark] for mark in MARKS if mark in found]
