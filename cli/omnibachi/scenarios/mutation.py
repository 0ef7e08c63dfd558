"""Are the scenarios any good: each mutant of each workflow is played, and must make one of them fail.

Only scenarios that come by what was changed are played: that pass the node, or, where the payload's schema was
changed, that run the workflow at all. A mutant is killed by the first scenario that fails on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibachi.catalogue import Capabilities
from omnibachi.results import RunResult
from omnibachi.wiring import Compilation, Scenario, load_origins
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.digests import decode, encode
from omnibachi_model.sealed import at_gate

from .mutants import GATE, Mutant, mutants
from .playing import play, workflows_of
from .runner import chosen
from .stage import Forced, Stage
from .tours import tour

# Who came by: the index of a scenario, by workflow and node (GATE for the workflow itself).
Visits = dict[tuple[str, int], list[int]]


@dataclass(slots=True)
class Mutation:
    """What came of all mutants, by how many scenarios; `unfit` where these fail already, so that none was played."""

    scenarios: int = 0
    of: int = 0
    survivors: list[dict[str, Any]] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    unfit: bool = False

    @property
    def ok(self) -> bool:
        """Whether scenarios notice every mutant."""
        return not self.survivors and not self.unfit

    def as_json(self) -> dict[str, Any]:
        """Return {killed, of, survivors: [{workflow, node, kind, change, file, line, played}]}."""
        return {"killed": self.of - len(self.survivors), "of": self.of, "survivors": self.survivors}


def mutate(
    compilation: Compilation,
    capabilities: Capabilities,
    selector: str = "",
    progress: Callable[[str], None] = lambda text: None,
) -> Mutation:
    """Play every mutant of the workflows that the chosen scenarios run, or, without a selector, of all.

    Scenarios that fail on what is sealed prove nothing: OB776, and nothing is changed.
    """
    stage = Stage(compilation, capabilities)
    scenarios = chosen(compilation, stage, selector)
    found = Mutation(len(scenarios))
    visits: Visits = {}
    for number, scenario in enumerate(scenarios):
        progress(scenario.name.text)
        failures = list(play(stage, scenario, _noting(stage, visits, number)))
        if failures:
            message = f"the scenario `{scenario.name.text}` fails on the workflows as they are"
            found.diagnostics.append(
                Diagnostic("OB776", message, scenario.name.span, help="run `omnibachi test` first")
            )
    found.unfit = bool(found.diagnostics)
    if found.unfit:
        return found
    covered = set(stage.snapshot.workflows) if not selector else set()
    covered |= {address for scenario in scenarios for address in workflows_of(stage, scenario)}
    for address in sorted(covered):
        _mutate(stage, address, scenarios, visits, found, progress)
    return found


def _noting(stage: Stage, visits: Visits, number: int) -> Callable[[RunResult, Forced], None]:
    def note(result: RunResult, forced: Forced) -> None:
        stops = tour(stage.sealed(result.workflow), [decode(body) for _, body, _ in result.events])
        for at in {GATE, *(stop.at for stop in stops)}:
            came = visits.setdefault((result.workflow, at), [])
            if not came or came[-1] != number:
                came.append(number)

    return note


def _mutate(
    stage: Stage,
    address: str,
    scenarios: list[Scenario],
    visits: Visits,
    found: Mutation,
    progress: Callable[[str], None],
) -> None:
    data = stage.bytes_of(address)
    origins = load_origins(stage.snapshot, address)
    seen = {data}
    for mutant in mutants(stage.sealed(address), [law.sealed for law in stage.laws(address).values()]):
        sealed = decode(data)
        mutant.apply(sealed)
        changed = encode(sealed)
        if changed in seen:
            continue
        seen.add(changed)
        found.of += 1
        progress(f"{found.of}: {address}, {mutant.node}: {mutant.change}")
        came = visits.get((address, mutant.at), [])
        other = stage.changed(address, changed)
        if not any(_fails(other, scenarios[number]) for number in came):
            _survived(found, address, mutant, origins, len(came))


def _fails(stage: Stage, scenario: Scenario) -> bool:
    """Tell whether a scenario fails; what stops it half-way, an exit that cannot be built too, is a failure."""
    return any(True for _ in play(stage, scenario, lambda result, forced: None))


def _survived(found: Mutation, address: str, mutant: Mutant, origins: Mapping[str, Any] | None, played: int) -> None:
    span = _span(mutant, origins or {})
    found.survivors.append(
        {
            "workflow": address,
            "node": mutant.node,
            "kind": mutant.kind,
            "change": mutant.change,
            "file": span.file if span else None,
            "line": span.line if span else None,
            "played": played,
        }
    )
    where = "" if mutant.at == GATE else f" of `{mutant.node}`"
    verb = "comes" if played == 1 else "come"
    who = f"{played} of the scenarios {verb} by, and all still hold" if played else "no scenario comes by"
    message = f"nobody notices that in `{address}`{where} {mutant.change}: {who}"
    found.diagnostics.append(Diagnostic("OB775", message, span))


def _span(mutant: Mutant, origins: Mapping[str, Any]) -> Span | None:
    """Return where what was changed was declared."""
    if mutant.at == GATE:
        gate = at_gate(origins, mutant.place[1])
        return Span(gate[0], *gate[1]) if gate is not None and gate[0] and gate[1] else None
    told = origins.get("nodes", {}).get(mutant.node) or origins.get("exits", {}).get(mutant.node)
    if told is None:
        return None
    what, which = mutant.place
    spans: Any = told.get(what)
    place = told["span"]
    if what in ("next", "fields") and isinstance(spans, dict):
        place = spans.get(which) or place
    elif what == "rows" and isinstance(spans, list) and which < len(spans):
        place = spans[which] or place
    file = told.get("file") or origins.get("file")
    return Span(file, *place) if file else None
