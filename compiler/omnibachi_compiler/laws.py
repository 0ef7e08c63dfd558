"""Laws: what every path of the workflows that they bind must keep, proven on the sealed graphs.

A law is sealed in canonical form: `{"applies_to": SCOPE, "every_path": COURSE | [COURSE, …], "never": boolean,
"exits": "all" | "not_failed"}`, a course being `{"from": POINT, "passes": POINT, "before": POINT, "applies_to"?:
SCOPE}`. Each is proven on its own. docs/formats.md says what a scope is, `points` what a point; what a law says of a
run, and how a run that breaks it is looked for, stands in `law_search`. A point that a workflow does not have means no
moment of it: a law from there, or before there, holds; one that asks to pass there is broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omnibachi_model.addresses import STD, candidates
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.digests import digest_of, encode
from omnibachi_model.sealed import CALL, REJECTED_EXIT

from .declarations import Body, Course, Each, Invariant, Name, Point, Repeat, Scope, Use
from .fixes import renamed
from .law_search import BEFORE, FROM, PASSES, Moments, broken_run
from .library import Library, lookup
from .phase import Phase
from .points import (
    SealedPoint,
    Subject,
    among,
    has_outcome,
    moments,
    near,
    one_or_more,
    outcomes,
    resolve,
    resolve_use,
    uses,
)
from .told_paths import written_step

Json = dict[str, Any]
MARKS = {FROM: "from", PASSES: "passes", BEFORE: "before"}


@dataclass(frozen=True, slots=True)
class Part:
    """One course of a law: as declared, and as sealed."""

    declared: Course
    sealed: Json

    @property
    def points(self) -> list[tuple[int, Point, SealedPoint]]:
        """What is meant by each mark, as declared and as sealed."""
        declared = {FROM: self.declared.source, PASSES: self.declared.passes, BEFORE: self.declared.before}
        return [(mark, declared[mark], self.sealed[key]) for mark, key in MARKS.items()]


@dataclass(frozen=True, slots=True)
class Law:
    """A law whose names are resolved: its declaration, its parts and its sealed form."""

    declaration: Invariant
    parts: tuple[Part, ...]
    sealed: Json


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
        law = _resolved(invariant, library, found)
        if law is None:
            continue
        laws[address] = law.sealed
        meant = {item: subjects[item] for item in sorted(subjects) if binds(law.sealed["applies_to"], subjects[item])}
        if not meant:
            found.extend(_unbound(invariant) if whole else ())
        for part in law.parts if meant else ():
            scope = part.sealed.get("applies_to", "all")
            own = {item: subject for item, subject in meant.items() if binds(scope, subject)}
            if not own:
                message = f"a part of `{invariant.name.text}` binds nothing"
                found.extend([Diagnostic("OB523", message, part.declared.span, severity="warning")] if whole else ())
                continue
            named = _named(part, invariant, own, whole)
            found.extend(named or _proven(law, part, own.values()))
            for item in own:
                bound[item][address] = digest_of(law.sealed)
    return Phase(Proven(laws, bound), tuple(found))


def _resolved(invariant: Invariant, library: Library, found: list[Diagnostic]) -> Law | None:
    """Return a law in its sealed form; None where a name of it is wrong."""
    scope = _scoped(invariant.scope, invariant.domain, library, found)
    parts = [_part(course, invariant.domain, library, found) for course in invariant.courses]
    known = tuple(part for part in parts if part is not None)
    if scope is None or len(known) < len(parts):
        return None
    paths = sorted({encode(part.sealed): part.sealed for part in known}.items())
    sealed: Json = {
        "applies_to": scope,
        "every_path": paths[0][1] if len(paths) == 1 else [path for _, path in paths],
        "never": invariant.never,
        "exits": "all" if invariant.failed_too else "not_failed",
    }
    return Law(invariant, known, sealed)


def _part(course: Course, domain: str, library: Library, found: list[Diagnostic]) -> Part | None:
    points = [resolve(point, domain, library, found) for point in (course.source, course.passes, course.before)]
    scope = _scoped(course.scope, domain, library, found) if course.scope else "all"
    if None in points or scope is None:
        return None
    sealed: Json = {
        **dict(zip(MARKS.values(), points, strict=True)),
        **({} if scope == "all" else {"applies_to": scope}),
    }
    return Part(course, sealed)


def _scoped(scope: Scope, domain: str, library: Library, found: list[Diagnostic]) -> Any:
    """Return which workflows are meant, as it is sealed; None where a name is wrong."""
    known, broken = library.workflows, library.broken

    def workflows(names: Iterable[Name]) -> list[str | None]:
        return [lookup(name, domain, known, "OB317", "workflow", found, broken) for name in names]

    if scope.workflows is not None:
        meant = workflows(scope.workflows)
        return None if None in meant else {"workflows": sorted({item for item in meant if item})}
    used = [resolve_use(name, domain, library, found) for name in scope.uses or ()]
    others = workflows(scope.others)
    if None in (*used, *others):
        return None
    sealed: Json = {"uses": one_or_more(used)} if used else {}
    if others:
        sealed["except"] = sorted({item for item in others if item})
    return sealed or "all"


def courses_of(law: Mapping[str, Any]) -> list[Json]:
    """Return the courses of a sealed law."""
    paths = law["every_path"]
    return paths if isinstance(paths, list) else [paths]


def binds(scope: Any, subject: Subject) -> bool:
    """Tell whether a workflow is among those that a sealed law means with `applies_to`."""
    if scope == "all":
        return True
    address = subject.workflow["address"]
    if "workflows" in scope or address in scope.get("except", ()):
        return address in scope.get("workflows", ())
    if "uses" not in scope:
        return True
    meant = among(scope, "uses")
    called = {node["use"] for node in subject.nodes if node["kind"] == CALL}
    return any(item in subject.inlined.values() or any(uses(call, item) for call in called) for item in meant)


def _unbound(law: Invariant) -> Iterator[Diagnostic]:
    scope = law.scope
    if scope.uses or scope.others:
        names = " or ".join(f"`{name.text}`" for name in scope.uses or ())
        which = f"no workflow uses {names}" if names else "there is no workflow"
        which += " without those excepted" if scope.others else ""
        yield Diagnostic("OB523", f"`{law.name.text}` binds nothing: {which}", law.name.span, severity="warning")


def _named(part: Part, law: Invariant, subjects: Mapping[str, Subject], whole: bool) -> list[Diagnostic]:
    """Report the nodes, exits and outcomes that a law names and that are not there: in each workflow that it names
    itself, else in none of those that it binds. Of several names each must be somewhere, and one of them in each."""
    each = (part.declared.scope or law.scope).workflows is not None
    everything = list(subjects.values())
    found: list[Diagnostic] = []
    for _, point, sealed in part.points:
        excepted = point.kind == "status"
        kind = "exit" if excepted else point.kind
        names = point.others if excepted else point.names
        if isinstance(sealed, str) or kind not in ("node", "exit") or not names:
            continue
        alone = each and len(names) == 1 and not excepted
        for group in [[subject] for subject in everything] if alone else [everything] if whole else []:
            where = f"`{group[0].workflow['address']}`" if alone else "what the law binds"
            _missed(where, kind, point, names, group, found)
        for subject in everything if each and not alone and not excepted else ():
            if not any(name.text in subject.names(kind) for name in names):
                words = " or ".join(f"`{name.text}`" for name in names)
                message = f"`{subject.workflow['address']}` has no {kind} {words}"
                found.append(Diagnostic("OB325", message, names[0].span))
    return found


def _missed(
    where: str, kind: str, point: Point, names: Iterable[Name], group: Iterable[Subject], found: list[Diagnostic]
) -> None:
    """Report the names, and their outcomes, that none of some workflows has."""
    given: set[str] = set()
    for name in names:
        having = [subject for subject in group if name.text in subject.names(kind)]
        if not having:
            known = {known for subject in group for known in subject.names(kind)} - {REJECTED_EXIT}
            fix = renamed(name.span, name.text, known)
            message = f"{where} has no {kind} `{name.text}`"
            found.append(Diagnostic("OB325", message, name.span, help=near(name.text, known), fix=fix))
            return
        given |= (
            {outcome for subject in having for outcome in outcomes(subject, name.text)} if kind == "node" else set()
        )
    if kind == "node":
        words = " or ".join(f"`{name.text}`" for name in names)
        for outcome in (*point.outcomes, *point.others):
            has_outcome(f"{words} of {where}", outcome, given, found)


def _proven(law: Law, part: Part, subjects: Iterable[Subject]) -> list[Diagnostic]:
    """Prove a course of a law on the workflows that it binds; warn where none has a stretch that it speaks of.

    A law that binds all is for what is to come, too: it may speak of what no workflow has yet. One of `std` that says
    nothing of a workspace is no mistake of its author.
    """
    found: list[Diagnostic] = []
    told = law.declaration
    speaks = told.domain == STD and law.sealed["applies_to"] == "all"
    standing = law.sealed["applies_to"] == "all" and "applies_to" not in part.sealed
    for subject in subjects:
        marked = moments(subject, {mark: sealed for mark, _, sealed in part.points})
        run = broken_run(subject.workflow, marked, told.never, told.failed_too)
        if run is not None:
            found.append(_broken(law, part, subject, marked, run))
        speaks = speaks or run is not None or _speaks(law, subject, marked)
        standing = standing and not _has_ends(marked)
    if not (speaks or standing):
        message = f"`{told.name.text}` says nothing: no path that counts leads from `from` to `before`"
        found.append(Diagnostic("OB524", message, part.declared.span, severity="warning"))
    return found


def _has_ends(marked: Moments) -> bool:
    """Tell whether a workflow has a moment where a stretch may begin, and one where it may end."""
    marks = {marked.start, *marked.reached.values(), *marked.left.values(), *marked.ended.values()}
    return any(mark & FROM for mark in marks) and any(mark & BEFORE for mark in marks)


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


def _broken(law: Law, part: Part, subject: Subject, marked: Moments, run: tuple[str, ...]) -> Diagnostic:
    told = law.declaration
    source, passes, before = (_written(sealed) for _, _, sealed in part.points)
    way = f"passes {passes} on the way" if told.never else f"never passes {passes}"
    message = f"`{told.name.text}` is broken by `{subject.workflow['address']}`: a path from {source} to {before} {way}"
    return Diagnostic(
        "OB520",
        message,
        part.declared.span,
        help="change the graph so that no such path is left, or the law",
        related=_places(subject, marked, run, FROM | BEFORE | (PASSES if told.never else 0)),
        path=run,
    )


def _written(point: SealedPoint) -> str:
    """Write a point for people."""
    if isinstance(point, str):
        return "the start" if point == "start" else "an exit"
    kind = next(iter(point.keys() & {"exit", "status", "node", "use", "effect"}))
    words = [" or ".join(among(point, key)) for key in (kind, "outcome", "store", "event") if key in point]
    if "except" in point:
        words.append(f"but not {' or '.join(among(point, 'except'))}")
    if "evidence" in point:
        words.append("as evidence" if point["evidence"] else "not as evidence")
    return f"{kind} `{' '.join(words)}`"


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
