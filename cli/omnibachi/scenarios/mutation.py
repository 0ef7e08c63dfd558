"""Are the scenarios any good: each mutant of each declaration is played, and must make one of them fail.

The scenarios are played once as they are, which tells what each comes by and how long it takes. A mutant is then played
by those that may feel it (`visits`), at all its places (`sayings`), cheapest first, until one fails: that kills it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omnibachi.catalogue import Capabilities
from omnibachi.results import RunResult
from omnibachi.wiring import Compilation, Scenario, load_origins
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import decode

from .playing import play, workflows_of
from .sayings import is_proven, saying_of, span_of
from .stage import Forced
from .tours import tour
from .trials import Bench, Place, Trial, try_all
from .visits import GATE, Visit, visits_of

Progress = Callable[[int, int], None]  # how many of how many mutants were played

FEW = 100  # mutants that are played sooner than another process has begun
SECONDS_OF_A_NODE = 0.0001  # what linking one takes, about: only the order in which scenarios are played hangs on it


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
    progress: Progress = lambda done, of: None,
    workers: int | None = 1,
) -> Mutation:
    """Play every mutant of the workflows that the chosen scenarios run, or, without a selector, of all.

    With several `workers` that many processes play them; None is as many as there are cores, where there is enough to
    do. Scenarios that fail on what is sealed prove nothing: OB776,
    and nothing is changed. Raises Trouble (OB758) where a worker dies.
    """
    bench = Bench(compilation, capabilities, selector)
    found = Mutation(len(bench.scenarios))
    visits: dict[Visit, set[int]] = {}
    costs = list(_rehearsed(bench, visits, found))
    found.unfit = bool(found.diagnostics)
    if found.unfit:
        return found
    stage = bench.stage
    covered = set(stage.snapshot.workflows) if not selector else set()
    covered |= {address for scenario in bench.scenarios for address in workflows_of(stage, scenario)}
    trials = [_trial(bench, places, visits, costs) for places in _places(bench, sorted(covered))]
    found.of = len(trials)
    if workers is None:
        workers = (os.cpu_count() or 1) if len(trials) > FEW else 1
    if workers > 1:
        killed = try_all(compilation, capabilities.folder, selector, trials, workers)
    else:
        killed = (bench.kills(trial) for trial in trials)
    for done, (trial, told) in enumerate(zip(trials, killed, strict=True), 1):
        progress(done, len(trials))
        if not told:
            _survived(found, bench, trial)
    return found


def _rehearsed(bench: Bench, visits: dict[Visit, set[int]], found: Mutation) -> Iterator[float]:
    """Play every scenario on what is sealed: note who comes by what, and yield how long each takes, in seconds."""
    stage = bench.stage
    for number, scenario in enumerate(bench.scenarios):

        def note(result: RunResult, forced: Forced, number: int = number) -> None:
            stops = tour(stage.sealed(result.workflow), [decode(body) for _, body, _ in result.events])
            for visit in visits_of(result.workflow, stops, result.exit):
                visits.setdefault(visit, set()).add(number)

        began = time.perf_counter()
        failures = list(play(stage, scenario, note))
        yield time.perf_counter() - began
        if failures:
            found.diagnostics.append(_failing(scenario))


def _failing(scenario: Scenario) -> Diagnostic:
    message = f"the scenario `{scenario.name.text}` fails on the workflows as they are"
    return Diagnostic("OB776", message, scenario.name.span, help="run `omnibachi test` first")


def _places(bench: Bench, addresses: Sequence[str]) -> Iterator[tuple[Place, ...]]:
    """Yield the places of each mutant of the declarations that are sealed under these addresses."""
    workflows = bench.stage.snapshot.workflows
    own: dict[tuple[Any, ...], list[Place]] = {}
    elsewhere: list[tuple[tuple[Any, ...], Place]] = []
    for address in addresses:
        origins = load_origins(bench.stage.snapshot, address) or {}
        nodes = bench.stage.sealed(address)["nodes"]
        for number, mutant in enumerate(bench.mutants(address)):
            if is_proven(mutant, nodes[mutant.at], origins):
                continue
            key, used = saying_of(mutant, address, origins, workflows)
            if used is None:
                own.setdefault(key, []).append(Place(address, number))
            else:
                elsewhere.append((key, Place(address, number)))
    for key, place in elsewhere:
        if key in own:
            own[key].append(place)
    yield from (tuple(places) for places in own.values())


def _trial(bench: Bench, places: tuple[Place, ...], visits: Mapping[Visit, set[int]], costs: Sequence[float]) -> Trial:
    plays = []
    for at, place in enumerate(places):
        mutant = bench.mutants(place.workflow)[place.number]
        linking = SECONDS_OF_A_NODE * len(bench.stage.sealed(place.workflow)["nodes"])
        feel = [visits.get(Visit(place.workflow, mutant.at, mark), ()) for mark in mutant.felt]
        plays += [(costs[number] + linking, at, number) for number in set().union(*feel)]
    return Trial(places, tuple((at, number) for _, at, number in sorted(plays)))


def _survived(found: Mutation, bench: Bench, trial: Trial) -> None:
    place = trial.places[0]
    mutant = bench.mutants(place.workflow)[place.number]
    span = span_of(mutant, load_origins(bench.stage.snapshot, place.workflow) or {})
    played = len({number for _, number in trial.plays})
    found.survivors.append(
        {
            "workflow": place.workflow,
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
    message = f"nobody notices that in `{place.workflow}`{where} {mutant.change}: {who}"
    found.diagnostics.append(Diagnostic("OB775", message, span))
