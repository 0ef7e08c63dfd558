"""On which runs does a law say something: where a stretch that it speaks of was walked.

A law reads `every path from A passes B before C`. A run that never comes to A, or from there never to C, keeps it
without having tried it; where the law is silent on exits that are FAILED, a run to one does not count either. What A
and C mean in a sealed workflow is the compiler's word (`omnibachi_compiler.points`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from omnibachi.wiring import Library, Moments, Subject, binds, broken_run, courses_of, inlined_uses, moments, subject
from omnibachi_model.sealed import EXIT

from .tours import Stop

FROM, PASSES, BEFORE = 1, 2, 4  # marks of moments


class Law(NamedTuple):
    """A law that binds a workflow: its sealed form, and for each of its courses what moments of that workflow it starts
    from and ends at."""

    sealed: Mapping[str, Any]
    moments: Sequence[Moments]


def law_of(sealed: Mapping[str, Any], workflow: dict[str, Any], library: Library) -> Law:
    """Find the moments of a law in a sealed workflow that it binds, as far as it says anything there."""
    inlined = inlined_uses(library.workflows[workflow["address"]], library)
    told = subject(workflow, inlined, library, {})
    courses = [course for course in courses_of(sealed) if binds(course.get("applies_to", "all"), told)]
    found = [
        moments(told, {FROM: course["from"], BEFORE: course["before"]})
        for course in courses
        if _avoids(sealed, course, told)
    ]
    # A stretch that passes nothing breaks any law, so there is one where such a run can be found.
    says = [course for course in found if broken_run(workflow, course, False, sealed["exits"] == "all") is not None]
    return Law(sealed, says)


def _avoids(sealed: Mapping[str, Any], course: Mapping[str, Any], told: Subject) -> bool:
    """Tell whether a workflow has what a law forbids, if it is one that forbids something."""
    if not sealed["never"]:
        return True
    marked = moments(told, {PASSES: course["passes"]})
    return bool(marked.start or marked.reached or marked.left or marked.ended)


def says_something(law: Law, workflow: Mapping[str, Any], stops: Sequence[Stop]) -> bool:
    """Tell whether a run's tour came to where a course of the law starts from and, after that, to what it protects."""
    last = workflow["nodes"][stops[-1].at] if stops else None
    if last is None or last["kind"] != EXIT or (last["status"] == "FAILED" and law.sealed["exits"] != "all"):
        return False
    return any(_walked(_moments(course, stops)) for course in law.moments)


def _walked(marks: Iterable[int]) -> bool:
    started = False
    for moment in marks:
        if started and moment & BEFORE:
            return True
        started = started or bool(moment & FROM)
    return False


def _moments(found: Moments, stops: Sequence[Stop]) -> Iterator[int]:
    """Yield what each moment of a tour is to a law."""
    yield found.start
    inside: list[int] = []
    for stop in stops:
        if inside and inside[-1] == stop.at:
            inside.pop()  # a loop that was entered ends
        else:
            yield found.reached.get(stop.at, 0)
            yield found.ended.get(stop.at, 0) if not stop.left_by else 0
            if not stop.left_by:
                inside.append(stop.at)
        yield found.left.get((stop.at, stop.left_by), 0)
